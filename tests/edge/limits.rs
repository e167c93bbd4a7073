//! What a request may ask for, and what it is told of that.

use allclear::transport::Config;
use allclear::transport::preflight::Limits;
use serde_json::{Value, json};

use crate::server::{Server, answer};
use crate::socket::Socket;

const LIST: &str = "{ list(first: 10) { name } }";

async fn with(limits: Limits) -> Server {
    Server::with(Config {
        limits,
        ..Config::default()
    })
    .await
}

/// What a request costs, as it is told: nothing where it is not.
fn cost(answer: &Value) -> &Value {
    &answer["extensions"]["cost"]
}

#[tokio::test]
async fn whoever_asks_is_told_what_a_request_costs_and_nobody_else_is() {
    let server = Server::start().await;
    let told = json!({ "requestedQueryCost": 11, "maximumQueryCost": 50_000 });

    let by_header = answer(server.query(LIST).header("graphql-cost", "1")).await;
    let by_extension = server
        .post("/graphql")
        .json(&json!({ "query": LIST, "extensions": { "cost": true } }));
    let by_extension = answer(by_extension).await;
    let not = server
        .post("/graphql")
        .json(&json!({ "query": LIST, "extensions": { "cost": 1 } }));

    assert_eq!(cost(&by_header.json()), &told);
    assert_eq!(cost(&by_extension.json()), &told);
    assert_eq!(answer(not).await.json().get("extensions"), None);
    assert_eq!(answer(server.query(LIST)).await.json().get("extensions"), None);
    assert_eq!(
        answer(server.query(LIST).header("graphql-cost", "0"))
            .await
            .json()
            .get("extensions"),
        None
    );
}

#[tokio::test]
async fn a_socket_tells_the_cost_of_a_query_and_not_of_each_item() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;

    for (query, expected) in [(LIST, json!(11)), ("subscription { count(to: 1) }", Value::Null)] {
        let payload = json!({ "query": query, "extensions": { "cost": true } });
        socket
            .send(json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;

        let next = socket.receive().await;

        assert_eq!(next["type"], "next");
        assert_eq!(cost(&next["payload"])["requestedQueryCost"], expected, "{next}");
        assert_eq!(socket.receive().await["type"], "complete");
    }
}

#[tokio::test]
async fn variables_are_bounded_on_every_transport() {
    let server = Server::start().await;
    let document = "query($x: String) { list(first: 1) { name(long: $x) } }";
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let mut socket = Socket::initialised(&server).await;

    for (variables, limit) in [
        (json!({ "x": deep }), "variableNesting"),
        (json!({ "other": vec![1; 10_000] }), "variableValues"),
        (json!({ "x": vec!["x".repeat(100); 9_900] }), "variableBytes"),
    ] {
        let payload = json!({ "query": document, "variables": variables });
        let posted = answer(server.post("/graphql").json(&payload)).await;
        let extensions = &posted.json()["errors"][0]["extensions"];
        assert_eq!((posted.status, &extensions["limit"]), (400, &json!(limit)));
        assert_eq!(extensions["code"], "DOCUMENT_TOO_COMPLEX");

        socket
            .send(json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;
        let told = socket.receive().await;
        assert_eq!(
            (&told["type"], &told["payload"][0]["extensions"]["limit"]),
            (&json!("error"), &json!(limit))
        );
    }
}

#[tokio::test]
async fn json_is_read_no_further_than_a_request_may_go() {
    let server = Server::start().await;
    let post = |body: String| {
        let request = server.post("/graphql").header("content-type", "application/json");
        answer(request.body(body))
    };
    let members: String = (0..60_000).map(|n| format!("\"a{n}\":0,")).collect();

    let variables = post(format!("{{\"query\":\"{{ hello }}\",\"variables\":{{{members}")).await;
    let batch = post(format!(" [{}", "0,".repeat(500_000))).await;

    let extensions = &variables.json()["errors"][0]["extensions"];
    assert_eq!(
        (
            variables.status,
            &extensions["code"],
            &extensions["limit"],
            &extensions["max"]
        ),
        (
            400,
            &json!("DOCUMENT_TOO_COMPLEX"),
            &json!("variableValues"),
            &json!(10_000)
        )
    );
    assert!(extensions["requested"].as_u64() > Some(10_000), "{extensions}");
    assert_eq!((batch.status, batch.code().as_str()), (400, "BATCHING_DISABLED"));
}

#[tokio::test]
async fn a_large_value_may_not_be_read_for_each_of_many_things() {
    let server = Server::start().await;
    let ask = |first: usize, bytes: usize| {
        let document = format!("query($x: String) {{ list(first: {first}) {{ name(long: $x) }} }}");
        let body = json!({ "query": document, "variables": { "x": "x".repeat(bytes) } });
        answer(server.post("/graphql").json(&body))
    };

    assert_eq!(ask(1, 500_000).await.status, 200);
    assert_eq!(ask(100, 5_000).await.status, 200);
    let refused = ask(100, 500_000).await;

    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["errors"][0]["extensions"]["limit"], "arguments");
}

#[tokio::test]
async fn a_schema_that_is_not_told_is_neither_asked_for_nor_guessed_by_errors() {
    let open = Server::start().await;
    let closed = with(Limits {
        introspectable: false,
        ..Limits::default()
    })
    .await;
    for document in [
        "{ __schema { types { name } } }",
        "{ __type(name: \"Query\") { name } }",
        "{ hello ...f } fragment f on Query { x: __schema { queryType { name } } }",
    ] {
        assert_eq!(answer(open.query(document)).await.status, 200, "{document}");
        let refused = answer(closed.query(document)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "INTROSPECTION_DISABLED"),
            "{document}"
        );
    }
    for document in [
        "{ helo }",
        "{ list(firs: 1) { name } }",
        "subscription { cuont(to: 1) }",
    ] {
        let mut socket = Socket::initialised(&closed).await;
        socket.subscribe("1", document).await;
        let told = socket.receive().await.to_string();
        assert!(
            told.contains("GRAPHQL_VALIDATION_FAILED") && !told.contains("Did you mean"),
            "{told}"
        );
        if !document.starts_with("subscription") {
            let text = answer(closed.query(document)).await.text;
            assert!(
                text.contains("GRAPHQL_VALIDATION_FAILED") && !text.contains("Did you mean"),
                "{text}"
            );
            assert!(answer(open.query(document)).await.text.contains("Did you mean"));
        }
    }
    assert_eq!(answer(closed.query("{ __typename hello }")).await.status, 200);
}
