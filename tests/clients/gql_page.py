"""Python's gql asks over HTTP and posts, follows a page over a WebSocket, hangs up, and comes back with its cursor."""

import asyncio
import json
import os

from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport

ADDRESS, TOKEN = os.environ["ALLCLEAR_ADDRESS"], os.environ["ALLCLEAR_TOKEN"]
PAGE, INCIDENT = os.environ["ALLCLEAR_PAGE"], os.environ["ALLCLEAR_INCIDENT"]

TITLES = "query ($page: String!) { page(slug: $page) { activeIncidents { title } } }"

POST = """
mutation ($input: IncidentUpdatePostInput!) {
  incidentUpdatePost(input: $input) { userErrors { code } }
}
"""

EVENTS = """
subscription ($page: String!, $after: Cursor) {
  pageEvents(page: $page, after: $after) {
    __typename
    cursor
    ... on IncidentUpdatePosted { update { body } }
  }
}
"""


async def post(http, body):
    answer = await http.execute(
        GraphQLRequest(POST, variable_values={"input": {"incident": INCIDENT, "body": body}})
    )
    assert answer["incidentUpdatePost"]["userErrors"] == [], answer


async def nothing():
    pass


async def follow(told, after, until, at_first=nothing):
    """Follows the page until an update says so, and returns its cursor."""
    # By itself gql looks for the protocol that was chosen in a header of this very case, `Sec-WebSocket-Protocol`.
    transport = WebsocketsTransport(url=f"ws://{ADDRESS}/graphql/ws", subprotocols=["graphql-transport-ws"])
    async with Client(transport=transport) as session:
        request = GraphQLRequest(EVENTS, variable_values={"page": PAGE, "after": after})
        async for item in session.subscribe(request):
            event = item["pageEvents"]
            if event["__typename"] == "Heartbeat":
                continue
            told.append(event["update"]["body"] if "update" in event else event["__typename"])
            if told[-1] == until:
                return event["cursor"]
            if len(told) == 1:
                await at_first()


async def main():
    headers = {"authorization": f"Bearer {TOKEN}"}
    transport = AIOHTTPTransport(url=f"http://{ADDRESS}/graphql", headers=headers)
    # The schema is fetched, and every document held to it before it is sent.
    async with Client(transport=transport, fetch_schema_from_transport=True) as http:
        asked = await http.execute(GraphQLRequest(TITLES, variable_values={"page": PAGE}))
        told = []
        cursor = await follow(told, None, "first", at_first=lambda: post(http, "first"))
        await post(http, "second")
        await post(http, "third")
        await follow(told, cursor, "third")
    incidents = [incident["title"] for incident in asked["page"]["activeIncidents"]]
    print(json.dumps({"incidents": incidents, "told": told}))


asyncio.run(main())
