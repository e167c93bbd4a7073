//! Every field of Query, Mutation and Subscription, for every role and scope, on a public and on a private page, held
//! against the tables of `ACCESS.md`.

use std::collections::{BTreeMap, BTreeSet};

use allclear::access::issuer::Trust;
use serde_json::{Map, Value, json};

use crate::support::database::Test;
use crate::support::issuer::{Issuer, Key};
use crate::support::words::id;
use crate::support::{for_each_database, for_each_database_trusting, unchanged};

const ROLES: [&str; 4] = ["VIEWER", "RESPONDER", "MANAGER", "ADMIN"];

/// What came of using a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Forbidden,
    NotThere,
}

/// The tables of `ACCESS.md`.
struct Documented {
    /// By root and field, as `Query.page`.
    rights: BTreeMap<String, String>,
    /// By right and scope: what there is for each of no token, viewer, responder, manager, admin.
    cells: BTreeMap<(String, String), Vec<String>>,
}

fn documented() -> Documented {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ACCESS.md")).expect("the document");
    let (mut rights, mut cells) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let row: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match row.as_slice() {
            [field, right] if field.starts_with('`') => {
                rights.insert(field.trim_matches('`').to_owned(), (*right).to_owned());
            }
            [right, scope, senders @ ..] if senders.len() == 5 && *right != "right" => {
                let senders = senders.iter().map(|&cell| cell.to_owned()).collect();
                cells.insert(((*right).to_owned(), (*scope).to_owned()), senders);
            }
            _ => {}
        }
    }
    Documented { rights, cells }
}

impl Documented {
    /// What is to come of using a field, for the nth kind of sender, with a token for a scope, on a page.
    fn expected(&self, field: &str, sender: usize, scope: &str, is_private: bool) -> Outcome {
        let right = &self.rights[field];
        let cell = &self.cells[&(right.clone(), scope.to_owned())][sender];
        match (cell.as_str(), is_private) {
            ("yes", _) | ("public", false) => Outcome::Done,
            ("no", _) | ("closed", false) => Outcome::Forbidden,
            ("public" | "closed", true) => Outcome::NotThere,
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// A page with one of each thing on it.
struct Target {
    is_private: bool,
    /// By the names that arguments and inputs have for them.
    ids: BTreeMap<&'static str, String>,
}

async fn target(test: &Test, slug: &str, visibility: &str, token: &str) -> Target {
    let input = json!({ "slug": slug, "name": slug, "visibility": visibility });
    let page = id(&test.mutate("pageCreate", input, "page { id }").await["page"]);
    let group = test.group(&page, "Core").await;
    let component = test.component_in(&page, &group, "Search").await;
    let incident = test.incident(&page, "Down", Some(&component)).await;
    let said = test.thing("Incident", &incident, "latestUpdate { id }").await;
    let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
    let update = id(&said["latestUpdate"]);
    Target {
        is_private: visibility == "PRIVATE",
        ids: BTreeMap::from([
            ("page", page),
            ("slug", slug.to_owned()),
            ("group", group),
            ("component", component),
            ("incident", incident),
            ("update", update),
            ("maintenance", maintenance),
            ("token", token.to_owned()),
        ]),
    }
}

/// The root fields as the schema tells them, each with what it is asked with.
async fn roots(test: &Test) -> BTreeMap<&'static str, Vec<Value>> {
    let of = "type { ...ref } defaultValue";
    let document = format!(
        "{{ __schema {{ queryType {{ ...fields }} mutationType {{ ...fields }} subscriptionType {{ ...fields }} }} }}
         fragment fields on __Type {{ fields {{ name type {{ ...ref }} args {{ name {of} }} }} }}
         fragment ref on __Type {{ kind name ofType {{ kind name ofType {{ kind name ofType {{ kind name }} }} }} }}"
    );
    let schema = test.data(&document, json!({})).await["__schema"].clone();
    [
        ("Query", "queryType"),
        ("Mutation", "mutationType"),
        ("Subscription", "subscriptionType"),
    ]
    .map(|(root, name)| (root, schema[name]["fields"].as_array().expect("fields").clone()))
    .into()
}

/// The fields of an input, with the first value of those that are enums.
async fn input_fields(test: &Test, name: &str) -> Vec<Value> {
    let document = "query($name: String!) { __type(name: $name) { inputFields { name defaultValue
        type { ...ref } } } }
        fragment ref on __Type { kind name enumValues { name } ofType { kind name enumValues { name } ofType { kind name } } }";
    let data = test.data(document, json!({ "name": name })).await;
    data["__type"]["inputFields"].as_array().expect("fields").clone()
}

fn named(of: &Value) -> &Value {
    match of["ofType"].is_object() {
        true => named(&of["ofType"]),
        false => of,
    }
}

/// An input that names what is on the page, and would change nothing if it were let in: the version is none that a thing
/// has, names are empty.
async fn input(test: &Test, kind: &str, target: &Target) -> Value {
    let mut input = Map::new();
    for field in input_fields(test, kind).await {
        let name = field["name"].as_str().expect("a name");
        let is_required = field["type"]["kind"] == "NON_NULL" && field["defaultValue"].is_null();
        let of = if is_required {
            &field["type"]["ofType"]
        } else {
            &field["type"]
        };
        let value = match (name, of["kind"].as_str(), of["name"].as_str()) {
            ("expectedVersion", _, _) => json!(999),
            ("slug" | "pages", _, _) if !is_required => continue,
            ("slug", _, _) => json!("-"),
            ("group", _, _) if !is_required => continue,
            (name, _, Some("ID")) => json!(target.ids[name]),
            _ if !is_required => continue,
            (_, Some("LIST"), _) => json!([]),
            (_, Some("ENUM"), _) => of["enumValues"][0]["name"].clone(),
            (_, _, Some("String" | "Markdown")) => json!(" "),
            (_, _, Some("DateTime")) => json!(test.in_minutes(0)),
            (_, _, Some("Boolean")) => json!(true),
            other => panic!("{kind}.{name}: {other:?} is new here"),
        };
        input.insert(name.to_owned(), value);
    }
    Value::Object(input)
}

/// One use of a root field on a page: a document with its variables.
async fn used(test: &Test, root: &str, field: &Value, target: &Target) -> (String, Value) {
    let name = field["name"].as_str().expect("a name");
    let keyword = root.to_lowercase();
    if root == "Mutation" {
        let kind = named(&field["args"][0]["type"])["name"].as_str().expect("an input");
        let input = input(test, kind, target).await;
        let document = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
        return (document, json!({ "input": input }));
    }
    let mut arguments = Vec::new();
    for argument in field["args"].as_array().expect("arguments") {
        let value = match argument["name"].as_str().expect("a name") {
            "slug" => json!(target.ids["slug"]),
            "page" => json!(target.ids["slug"]),
            "id" if root == "Subscription" => json!(target.ids["incident"]),
            "id" => json!(target.ids["page"]),
            "ids" => json!([target.ids["page"]]),
            "first" => json!(100),
            _ => continue,
        };
        arguments.push(format!("{}: {value}", argument["name"].as_str().expect("a name")));
    }
    let arguments = match arguments.is_empty() {
        true => String::new(),
        false => format!("({})", arguments.join(", ")),
    };
    let selection = match named(&field["type"])["name"].as_str() {
        Some("PageConnection") => "nodes { id }",
        _ => "__typename",
    };
    (
        format!("{keyword} {{ {name}{arguments} {{ {selection} }} }}"),
        json!({}),
    )
}

fn outcome(field: &str, answer: &Value, target: &Target) -> Outcome {
    let error = &answer["errors"][0]["extensions"]["code"];
    if let Some(code) = error.as_str() {
        return match code {
            "FORBIDDEN" => Outcome::Forbidden,
            code if code.ends_with("_NOT_FOUND") => Outcome::NotThere,
            _ => panic!("{field}: {answer:#}"),
        };
    }
    let found = &answer["data"][field];
    let is_hidden = match (found, &found["nodes"][0]["id"]) {
        (Value::Null, _) => true,
        (Value::Array(items), _) => items.contains(&Value::Null),
        (_, Value::String(_)) => !found.to_string().contains(&target.ids["page"]),
        (payload, _) => payload["userErrors"][0]["code"]
            .as_str()
            .is_some_and(|code| code.ends_with("_NOT_FOUND")),
    };
    match is_hidden {
        true => Outcome::NotThere,
        false => Outcome::Done,
    }
}

async fn followed(test: &Test, field: &str, document: &str, token: Option<&str>, target: &Target) -> Outcome {
    let mut socket = test.socket(token).await;
    socket.subscribe("1", document, json!({})).await;
    let told = socket.next().await;
    match told["type"].as_str() {
        Some("error") => outcome(field, &json!({ "errors": told["payload"] }), target),
        _ => outcome(field, &told["payload"], target),
    }
}

/// Those who may ask: the nth kind of sender, the scope of the token, the token; each also with a JWT that comes to the same.
async fn senders(
    test: &Test,
    issuer: &Issuer,
    key: &Key,
    target: &Target,
    elsewhere: &str,
) -> Vec<(usize, &'static str, Option<String>)> {
    let mut senders = vec![(0, "all pages", None)];
    let page = target.ids["page"].as_str();
    let slug = target.ids["slug"].as_str();
    for (index, role) in ROLES.iter().enumerate() {
        for (scope, pages, claimed) in [
            ("all pages", None, "*"),
            ("this page", Some([page]), slug),
            ("other pages", Some([elsewhere]), "elsewhere"),
        ] {
            let (_, text) = test.token(role, pages.as_ref().map(<[&str; 1]>::as_slice)).await;
            senders.push((index + 1, scope, Some(text)));
            let claims = json!({ "allclear_role": role.to_lowercase(), "pages": [claimed] });
            let jwt = key.jwt(&issuer.claims(test.second(), claims));
            senders.push((index + 1, scope, Some(jwt)));
        }
    }
    senders
}

#[tokio::test]
async fn rows_29_and_30_every_field_answers_every_sender_as_documented() {
    let documented = documented();
    let in_pages = |trust: &mut Trust| trust.pages_claim = Some("pages".to_owned());
    for_each_database_trusting(in_pages, async |test, issuer| {
        let key = Key::new("a", "EdDSA");
        issuer.publish(&[&key]);
        let (token, _) = test.token("VIEWER", None).await;
        test.mutate("tokenRevoke", json!({ "token": token }), "token { id }").await;
        let elsewhere = test.page("elsewhere").await;
        let targets = [
            target(test, "open", "PUBLIC", &token).await,
            target(test, "secret", "PRIVATE", &token).await,
        ];
        let roots = roots(test).await;
        let mut seen = BTreeSet::new();
        let mut wrong = Vec::new();
        for target in &targets {
            let senders = senders(test, issuer, &key, target, &elsewhere).await;
            unchanged(test, &target.ids["page"], async || {
                for (root, fields) in &roots {
                    for field in fields {
                        let name = field["name"].as_str().expect("a name");
                        let full = format!("{root}.{name}");
                        let (document, variables) = used(test, root, field, target).await;
                        for (sender, scope, token) in &senders {
                            let outcome = match *root {
                                "Subscription" => followed(test, name, &document, token.as_deref(), target).await,
                                _ => {
                                    let answer = test.respond(&document, variables.clone(), token.as_deref()).await.1;
                                    outcome(name, &answer, target)
                                }
                            };
                            let expected = documented.expected(&full, *sender, scope, target.is_private);
                            if outcome != expected {
                                wrong.push(format!(
                                    "{full}, sender {sender}, {scope}, private {}: {outcome:?}, documented {expected:?}",
                                    target.is_private
                                ));
                            }
                        }
                        seen.insert(full);
                    }
                }
            })
            .await;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(seen, documented.rights.keys().cloned().collect(), "each field is documented");
    })
    .await;
}

#[test]
fn the_document_and_the_program_have_the_same_table() {
    let documented = documented();
    let name = |field: &String| field.split('.').nth(1).expect("a field").to_owned();
    let written: BTreeMap<String, String> = documented
        .rights
        .iter()
        .map(|(field, right)| (name(field), right.clone()))
        .collect();

    let ruled: BTreeMap<String, String> = allclear::access::RULES
        .iter()
        .map(|(field, right)| ((*field).to_owned(), format!("{right:?}").to_lowercase()))
        .collect();

    assert_eq!(written, ruled);
    assert_eq!(documented.cells.len(), 21, "seven rights, three scopes");
}

#[tokio::test]
async fn a_scope_is_the_border_of_what_is_seen_of_private_pages() {
    for_each_database(async |test| {
        let mut pages = Vec::new();
        for slug in ["mine", "theirs"] {
            let input = json!({ "slug": slug, "name": slug, "visibility": "PRIVATE" });
            pages.push(id(&test.mutate("pageCreate", input, "page { id }").await["page"]));
        }
        test.page("open").await;
        let (_, text) = test.token("VIEWER", Some(&[&pages[0]])).await;
        let document = "{ pages(first: 9) { totalCount nodes { slug } } mine: page(slug: \"mine\") { slug }
            theirs: page(slug: \"theirs\") { slug } }";

        let (_, answer) = test.respond(document, json!({}), Some(&text)).await;

        assert_eq!(
            answer["data"],
            json!({
                "pages": { "totalCount": 2, "nodes": [{ "slug": "open" }, { "slug": "mine" }] },
                "mine": { "slug": "mine" }, "theirs": null,
            })
        );
    })
    .await;
}

#[tokio::test]
async fn those_of_different_scopes_share_no_rendering() {
    const EVENTS: &str = "subscription { pageEvents(page: \"shop\") { __typename } }";
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let elsewhere = test.page("elsewhere").await;
        let (_, mine) = test.token("VIEWER", Some(&[&page])).await;
        let (_, theirs) = test.token("VIEWER", Some(&[&elsewhere])).await;
        let incident = test.incident(&page, "Down", None).await;
        test.resolve(&incident).await;
        let mut inside = test.subscribe(EVENTS, json!({}), Some(&mine)).await;
        let mut outside = test.subscribe(EVENTS, json!({}), Some(&theirs)).await;
        for subscription in [&mut inside, &mut outside] {
            assert_eq!(subscription.next().await["pageEvents"]["__typename"], "PageSnapshot");
        }

        test.draft(&incident, "Learnt.").await;
        test.mutate("pageAmend", json!({ "page": page, "name": "Shop" }), "page { id }")
            .await;

        assert_eq!(inside.next().await["pageEvents"]["__typename"], "PostmortemDrafted");
        assert_eq!(inside.next().await["pageEvents"]["__typename"], "PageAmended");
        assert_eq!(outside.next().await["pageEvents"]["__typename"], "PageAmended");
    })
    .await;
}
