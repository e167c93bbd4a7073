//! Texts and times that are none, and requests that are refused before they run.

use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test};
use crate::support::words::code;
use crate::support::{for_each_database, harmless};

const OPEN: &str = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id } } }";

fn open(page: &str, title: &str, body: &str) -> Value {
    json!({ "page": page, "title": title, "body": body })
}

/// Asserts that a request never ran, neither over HTTP nor over a WebSocket; returns what it is told.
async fn refused(test: &Test, document: &str, variables: Value, expected: &str) -> Value {
    let (status, answer) = test.told(document, variables, Some(ADMIN)).await;
    assert_eq!((status, code(&answer)), (400, expected), "{answer:#}");
    assert_eq!(answer.get("data"), None);
    answer["errors"][0]["extensions"].clone()
}

/// The code that the admin's WebSocket closes with for a message.
async fn closed(test: &Test, message: String) -> u16 {
    let mut socket = test.socket(Some(ADMIN)).await;
    socket.send_text(message).await;
    socket.next_or_close().await.expect_err("it is no message").0
}

#[tokio::test]
async fn row_10_a_time_that_is_none_is_a_coercion_error() {
    for_each_database(async |test| {
        let page = test.page("times").await;

        harmless(test, &page, async || {
            for time in [
                "2026-02-30T00:00:00Z",
                "99999-01-01T00:00:00Z",
                "2026-03-02T12:00:00",
                "2026-03-02",
                "noon",
                "",
            ] {
                let mut input = open(&page, "Down", "x");
                input["displayAt"] = json!(time);
                refused(test, OPEN, json!({ "input": input }), "BAD_USER_INPUT").await;
                let document = format!(r#"{{ page(slug: "times", asOf: "{time}") {{ id }} }}"#);
                refused(test, &document, json!({}), "BAD_USER_INPUT").await;
            }
            for number in [json!(1_772_452_800), json!(true)] {
                let document = "query($at: DateTime) { page(slug: \"times\", asOf: $at) { id } }";
                refused(test, document, json!({ "at": number }), "BAD_USER_INPUT").await;
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_11_any_offset_is_taken_as_utc_and_a_leap_second_is_refused() {
    for_each_database(async |test| {
        let page = test.page("times").await;
        let mut input = open(&page, "Down", "x");
        input["startedAt"] = json!("2026-03-02T14:00:00.1239+14:00");

        let opened = test
            .mutate("incidentOpen", input.clone(), "incident { startedAt }")
            .await;

        assert_eq!(opened["incident"]["startedAt"], "2026-03-02T00:00:00.123Z");
        harmless(test, &page, async || {
            input["startedAt"] = json!("2016-12-31T23:59:60Z");
            refused(test, OPEN, json!({ "input": input }), "BAD_USER_INPUT").await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_12_a_title_that_shows_nothing_is_required() {
    for_each_database(async |test| {
        let page = test.page("texts").await;
        let incident = test.incident(&page, "Down", None).await;

        harmless(test, &page, async || {
            for blank in ["", "   ", "\u{200B}\u{200D}\u{FEFF}", "\u{A0}\u{3000}", "\u{2800}"] {
                let path = ["input", "title"];
                test.refused_with("incidentOpen", open(&page, blank, "x"), "TITLE_REQUIRED", &path)
                    .await;
                let amend = json!({ "incident": incident, "title": blank });
                test.refused_with("incidentAmend", amend, "TITLE_REQUIRED", &path).await;
                let path = ["input", "body"];
                test.refused_with("incidentOpen", open(&page, "x", blank), "BODY_REQUIRED", &path)
                    .await;
                let reopen = json!({ "incident": incident, "reason": blank });
                test.refused_with("incidentReopen", reopen, "BODY_REQUIRED", &["input", "reason"])
                    .await;
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_13_a_text_is_too_long_after_normalisation() {
    for_each_database(async |test| {
        let page = test.page("texts").await;
        // Two characters as they are sent, one as it is kept.
        let accented = |count: usize| "e\u{301}".repeat(count);

        harmless(test, &page, async || {
            for (input, field, max) in [
                (open(&page, &accented(201), "x"), "title", 200),
                (open(&page, "x", &accented(25_001)), "body", 25_000),
            ] {
                let error = test
                    .refused_with("incidentOpen", input, "TOO_LONG", &["input", field])
                    .await;
                assert_eq!(error["__typename"], "TooLong");
                assert_eq!((&error["max"], &error["unit"]), (&json!(max), &json!("CHARACTERS")));
            }
        })
        .await;
        test.mutate(
            "incidentOpen",
            open(&page, &accented(200), &accented(25_000)),
            "incident { id }",
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_14_a_body_is_too_long_by_its_bytes_and_a_request_by_its_size() {
    for_each_database(async |test| {
        let page = test.page("texts").await;

        harmless(test, &page, async || {
            let input = open(&page, "Down", &"\u{1F4A5}".repeat(25_000));
            let error = test
                .refused_with("incidentOpen", input, "TOO_LONG", &["input", "body"])
                .await;
            assert_eq!((&error["max"], &error["unit"]), (&json!(65_536), &json!("BYTES")));

            let input = open(&page, "Down", &"x".repeat(1 << 20));
            let variables = json!({ "input": input });
            let (status, answer) = test.respond(OPEN, variables.clone(), Some(ADMIN)).await;
            assert_eq!((status, code(&answer)), (413, "PAYLOAD_TOO_LARGE"));
            let mut socket = test.socket(Some(ADMIN)).await;
            socket.subscribe("1", OPEN, variables.clone()).await;
            assert_eq!(socket.next_or_close().await.expect_err("it is too long").0, 1009);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_15_a_control_character_is_refused_and_a_lone_surrogate_is_no_json() {
    for_each_database(async |test| {
        let page = test.page("texts").await;
        let component = test.component(&page, "Search").await;

        harmless(test, &page, async || {
            for control in ["a\u{0}b", "a\u{7}b", "a\u{85}b"] {
                let code = "CONTROL_CHARACTER";
                test.refused_with("incidentOpen", open(&page, control, "x"), code, &["input", "title"])
                    .await;
                test.refused_with("incidentOpen", open(&page, "x", control), code, &["input", "body"])
                    .await;
                let mut input = open(&page, "x", "x");
                input["externalRef"] = json!(control);
                test.refused_with("incidentOpen", input, code, &["input", "externalRef"])
                    .await;
                let input = json!({ "component": component, "description": control });
                test.refused_with("componentAmend", input, code, &["input", "description"])
                    .await;
            }
            let mut input = open(&page, "x", "x");
            input["metadata"] = json!({ "deep": [{ "a\u{0}b": 1 }] });
            test.refused_with("incidentOpen", input, "CONTROL_CHARACTER", &["input", "metadata"])
                .await;

            let variables = json!({ "input": open(&page, "SURROGATE", "x") });
            let body = json!({ "query": OPEN, "variables": variables }).to_string();
            let body = body.replace("SURROGATE", "\\ud800");
            let message = format!(r#"{{ "id": "1", "type": "subscribe", "payload": {body} }}"#);
            let (status, answer) = test.send(body, Some(ADMIN)).await;
            assert_eq!((status, code(&answer)), (400, "BAD_REQUEST"));
            assert_eq!(closed(test, message).await, 4400);
            let mut input = open(&page, "SURROGATE", "x");
            input["metadata"] = json!("SURROGATE");
            let document = OPEN
                .replace("$input: IncidentOpenInput!", "$x: Int")
                .replace("$input", "{ page: \"x\", body: \"x\", title: \"\\ud800\" }");
            refused(test, &document, json!({}), "GRAPHQL_PARSE_FAILED").await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn text_that_only_looks_like_an_escape_is_kept() {
    for_each_database(async |test| {
        let page = test.page("texts").await;
        let mut input = open(&page, r"C:\u0000", r"\u0000");
        input["metadata"] = json!({ "path": r"C:\u0000" });

        let opened = test.mutate("incidentOpen", input, "incident { title metadata }").await;

        assert_eq!(
            opened["incident"],
            json!({ "title": r"C:\u0000", "metadata": { "path": r"C:\u0000" } })
        );
    })
    .await;
}

#[tokio::test]
async fn row_19_what_is_no_slug_is_refused_on_create_and_null_on_read() {
    for_each_database(async |test| {
        let page = test.page("sound").await;
        let long = "s".repeat(64);

        harmless(test, &page, async || {
            for slug in [
                "' OR 1=1 --",
                "%00",
                "../../etc/passwd",
                "",
                "A",
                "a--b",
                "-a",
                "a_b",
                "\u{0}",
                "a\u{0}",
                "é",
                &long,
            ] {
                let path = ["input", "slug"];
                let create = json!({ "slug": slug, "name": "x" });
                test.refused_with("pageCreate", create, "INVALID_SLUG", &path).await;
                let amend = json!({ "page": page, "slug": slug });
                test.refused_with("pageAmend", amend, "INVALID_SLUG", &path).await;
                let document = r#"query($slug: String!) {
                    page(slug: $slug) { id } past: page(slug: $slug, asOf: "2026-03-02T11:00:00Z") { id }
                }"#;
                let (_, answer) = test.told(document, json!({ "slug": slug }), None).await;
                assert_eq!(answer, json!({ "data": { "page": null, "past": null } }), "{slug}");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_20_a_slug_that_is_taken_is_refused() {
    for_each_database(async |test| {
        let page = test.page("taken").await;
        let other = test.page("other").await;

        harmless(test, &page, async || {
            for (field, input) in [
                ("pageCreate", json!({ "slug": "taken", "name": "x" })),
                ("pageAmend", json!({ "page": other, "slug": "taken" })),
            ] {
                let error = test.refused_with(field, input, "SLUG_TAKEN", &["input", "slug"]).await;
                assert_eq!(error["__typename"], "DuplicateKey");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_34_a_mutation_is_posted_as_json() {
    for_each_database(async |test| {
        let page = test.page("posted").await;
        let document = format!("mutation {{ pageArchive(input: {{ page: \"{page}\" }}) {{ archivedPageId }} }}");
        let body = json!({ "query": document }).to_string();

        harmless(test, &page, async || {
            let mut url = reqwest::Url::parse(&test.graphql()).expect("an address");
            url.query_pairs_mut().append_pair("query", &document);
            let got = test
                .http
                .get(url)
                .bearer_auth(ADMIN)
                .send()
                .await
                .expect("the server answers");
            assert_eq!(
                (got.status().as_u16(), &got.headers()["allow"]),
                (405, &"POST".parse().expect("a value"))
            );

            for kind in [
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
            ] {
                let request = test.http.post(test.graphql()).bearer_auth(ADMIN);
                let posted = request.header("content-type", kind).body(body.clone()).send().await;
                assert_eq!(posted.expect("the server answers").status().as_u16(), 415, "{kind}");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_35_a_batch_is_refused() {
    for_each_database(async |test| {
        let page = test.page("batch").await;
        let document = format!("mutation {{ pageArchive(input: {{ page: \"{page}\" }}) {{ archivedPageId }} }}");

        harmless(test, &page, async || {
            for batch in [
                json!([]),
                json!([{ "query": document }]),
                json!([{ "query": document }, { "query": "{ x }" }]),
            ] {
                let (status, answer) = test.send(batch.to_string(), Some(ADMIN)).await;
                assert_eq!((status, code(&answer)), (400, "BATCHING_DISABLED"));
                let message = json!({ "id": "1", "type": "subscribe", "payload": batch });
                assert_eq!(closed(test, message.to_string()).await, 4400);
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_36_a_document_past_a_limit_is_too_complex() {
    for_each_database(async |test| {
        let page = test.page("complex").await;
        let aliases: String = (0..201).map(|n| format!("a{n}: __typename ")).collect();
        let mut spread = "fragment f0 on Page { slug } ".to_owned();
        for n in 1..20 {
            spread += &format!("fragment f{n} on Page {{ ...f{0} ...f{0} }} ", n - 1);
        }
        let lists = "incidents(first: 100) { nodes { updates(first: 100) { nodes { incident { updates(first: 100) { nodes { id } } } } } } }";

        harmless(test, &page, async || {
            for (limit, document) in [
                ("bytes", format!("{{ __typename }} #{}", "x".repeat(64 << 10))),
                ("tokens", format!("{{ {} }}", "__typename ".repeat(1_000))),
                ("nesting", format!("{}x{}", "{ a ".repeat(33), "}".repeat(33))),
                ("aliases", format!("{{ {aliases} }}")),
                ("fields", format!(r#"{{ page(slug: "complex") {{ ...f19 }} }} {spread}"#)),
                ("cost", format!(r#"{{ page(slug: "complex") {{ {lists} }} }}"#)),
            ] {
                let error = refused(test, &document, json!({}), "DOCUMENT_TOO_COMPLEX").await;
                assert_eq!(error["limit"], limit);
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_37_a_key_stands_once_at_the_root_of_a_mutation() {
    for_each_database(async |test| {
        let page = test.page("keys").await;
        let create = |slug: &str| format!("pageCreate(input: {{ slug: \"{slug}\", name: \"x\" }}) {{ page {{ id }} }}");

        harmless(test, &page, async || {
            let twice = format!("mutation {{ {} {} }}", create("one"), create("one"));
            refused(test, &twice, json!({}), "DUPLICATE_RESPONSE_KEY").await;
        })
        .await;
        let aliased = format!("mutation {{ {} other: {} }}", create("one"), create("two"));
        assert_eq!(
            test.data(&aliased, json!({}))
                .await
                .as_object()
                .map(serde_json::Map::len),
            Some(2)
        );
    })
    .await;
}

#[tokio::test]
async fn row_38_a_subscription_has_one_root_field() {
    for_each_database(async |test| {
        let page = test.page("streams").await;
        let document =
            r#"subscription { a: pageEvents(page: "streams") { at } b: pageEvents(page: "streams") { at } }"#;

        harmless(test, &page, async || {
            refused(test, document, json!({}), "GRAPHQL_VALIDATION_FAILED").await;
        })
        .await;
    })
    .await;
}
