"""schemathesis asks for whatever the schema allows, with a fixed seed, and nothing of it may be a fault of the server's.

Its own check takes every error of a field for the server's; ours takes what is one: a status of 5xx, and the code `INTERNAL`,
which comes with a status of 200 where it is of one field alone.
"""

import contextlib
import datetime
import json
import os
import random
import sys
import tempfile
import urllib.request
from collections import Counter

import schemathesis
from graphql import StringValueNode, Visitor, print_ast, visit
from hypothesis import strategies as st
from schemathesis.cli import schemathesis as command
from schemathesis.graphql import nodes

URL = f"http://{os.environ['ALLCLEAR_ADDRESS']}/graphql"
TOKEN = os.environ["ALLCLEAR_TOKEN"]
EXAMPLES = os.environ.get("ALLCLEAR_EXAMPLES", "8")
SEED = os.environ.get("ALLCLEAR_SEED", "4711")

KNOWN = """
{
  pages(first: 20) {
    nodes {
      id slug cursor components { id } componentGroups { id }
      incidents(first: 5) { nodes { id updates(first: 2) { nodes { id } } } }
      maintenances(first: 5) { nodes { id } }
    }
  }
}
"""


def under(key, thing):
    """Every value under a key, at any depth."""
    if isinstance(thing, list):
        return [found for item in thing for found in under(key, item)]
    if isinstance(thing, dict):
        return [found for name, item in thing.items() for found in ([item] if name == key else under(key, item))]
    return []


def ask(document):
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    body = json.dumps({"query": document}).encode()
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as answer:
        return json.load(answer)["data"]


pages = ask(KNOWN)["pages"]["nodes"]
ids = {
    "page": under("id", [{"id": page["id"]} for page in pages]),
    "component": under("id", [page["components"] for page in pages]),
    "group": under("id", [page["componentGroups"] for page in pages]),
    "incident": [incident["id"] for page in pages for incident in page["incidents"]["nodes"]],
    "update": under("id", [incident["updates"] for page in pages for incident in page["incidents"]["nodes"]]),
    "maintenance": under("id", [page["maintenances"] for page in pages]),
}
everything = [known for of_kind in ids.values() for known in of_kind]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# What the clock of the tests says, and where times lie from there.
NOW = datetime.datetime(2026, 3, 2, 12)
HOURS = {"displayAt": 0, "startedAt": 0, "resolvedAt": 0, "scheduledFor": 2, "scheduledUntil": 4, "expiresAt": 4}


def scalar(name, *strategies):
    schemathesis.graphql.scalar(name, st.one_of(*strategies))


# What is there is asked for as often as what is not: otherwise nothing is ever found.
scalar("Int", st.integers(1, 5).map(nodes.Int), st.integers(-(2**31), 2**31 - 1).map(nodes.Int))
scalar("ID", st.sampled_from(everything).map(nodes.String), texts.map(nodes.String))
scalar("String", st.sampled_from(under("slug", pages)).map(nodes.String), texts.map(nodes.String))
scalar("Cursor", st.sampled_from(under("cursor", pages)).map(nodes.String), texts.map(nodes.String))
scalar("DateTime", st.datetimes().map(lambda time: nodes.String(f"{time.isoformat()}Z")), texts.map(nodes.String))
scalar("Duration", st.integers().map(lambda number: nodes.String(f"P{number}D")), texts.map(nodes.String))
scalar("JSON", texts.map(nodes.String), st.integers().map(nodes.Int), st.booleans().map(nodes.Boolean))
scalar("Markdown", texts.map(nodes.String))
scalar("URL", texts.map(nodes.String), texts.map(lambda text: nodes.String(f"https://example.com/{text}")))


class Sense(Visitor):
    """Puts sense into a document: ids of the kind that is asked for, times near now, titles that can be seen, no version that is
    not the current one and no key that was used before. One value too many that makes none, and the rest is never reached."""

    def __init__(self, chance):
        super().__init__()
        self.chance = chance

    def enter_object_field(self, node, *_):
        name, is_text = node.name.value, isinstance(node.value, StringValueNode)
        if name in ("expectedVersion", "idempotencyKey"):
            return self.with_value(node, nodes.Null)
        if not is_text:
            return None
        if ids.get(name):
            return self.with_value(node, nodes.String(self.chance.choice(ids[name])))
        if name in ("title", "name", "body", "reason"):
            return self.with_value(node, nodes.String("Seen " + "".join(filter(str.isprintable, node.value.value))))
        if name in HOURS:
            time = NOW + datetime.timedelta(hours=HOURS[name])
            return self.with_value(node, nodes.String(f"{time.isoformat()}Z"))
        return None

    def enter_argument(self, node, *_):
        if node.name.value in ("after", "before", "last"):
            return self.with_value(node, nodes.Null)
        return self.with_value(node, nodes.Int(5)) if node.name.value == "first" else None

    @staticmethod
    def with_value(node, value):
        # In place, other documents would be changed with this one.
        return type(node)(name=node.name, value=value)


@schemathesis.hook
def map_body(context, body):
    # Most of the documents, the same ones each time.
    chance = random.Random(print_ast(body))
    return visit(body, Sense(chance)) if chance.random() < 0.75 else body


asked, done, codes, faults = Counter(), Counter(), Counter(), {}


def is_something(field):
    """Whether a root field has come to anything but to what the sender can mend."""
    if isinstance(field, dict):
        return any(value not in (None, []) for name, value in field.items() if name not in ("userErrors", "__typename"))
    return field not in (None, [])



@schemathesis.check
def no_fault_of_the_server(ctx, response, case):
    asked[case.operation.label] += 1
    try:
        answer = response.json()
    except ValueError:
        answer = {"errors": [{"extensions": {"code": "NO_JSON"}}]}
    errors, data = answer.get("errors", []), answer.get("data") or {}
    done[case.operation.label] += any(map(is_something, data.values()))
    told = {error.get("extensions", {}).get("code") for error in errors} or {"OK"}
    codes.update(map(str, told))
    if "ALLCLEAR_SHOW" in os.environ:
        print(case.operation.label, case.body, json.dumps(answer)[:300], "\n", file=sys.stderr)
    if response.status_code >= 500 or told & {"INTERNAL", "NO_JSON", None}:
        faults[case.operation.label] = {"status": response.status_code, "told": errors[:3], "document": case.body}
        raise AssertionError(f"{response.status_code}: {errors[:3]}")


# Standard output is for the result alone; what schemathesis keeps, it keeps in a folder that goes away.
with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    try:
        code = command.main(
            [
                "run", URL, "--header", f"Authorization: Bearer {TOKEN}", "--checks", "no_fault_of_the_server",
                "--phases", "fuzzing", "--mode", "positive", "--max-examples", EXAMPLES, "--seed", SEED, "--suppress-health-check", "all",
                "--generation-database", "none", "--no-color", "--continue-on-failure",
            ],
            standalone_mode=False,
        )
    except SystemExit as ended:
        code = ended.code

print(json.dumps({"exit": code or 0, "faults": faults, "asked": asked, "done": done, "codes": codes}))
