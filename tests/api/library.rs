//! What we rely on in the GraphQL library, so that an upgrade is a decision: null propagation, field order, error paths.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Result, Schema};
use serde_json::{Value, json};

struct Query;

struct Thing {
    name: &'static str,
}

fn failure<T>() -> Result<T> {
    Err("it failed".into())
}

#[Object]
impl Query {
    async fn thing(&self) -> Option<Thing> {
        Some(Thing { name: "one" })
    }

    async fn sure_thing(&self) -> Thing {
        Thing { name: "sure" }
    }

    async fn things(&self) -> Vec<Thing> {
        vec![Thing { name: "one" }, Thing { name: "two" }, Thing { name: "three" }]
    }

    async fn maybe_things(&self) -> Vec<Option<Thing>> {
        vec![Some(Thing { name: "one" }), None, Some(Thing { name: "two" })]
    }
}

#[Object]
impl Thing {
    async fn name(&self) -> &str {
        self.name
    }

    /// Takes its turn after the others.
    async fn late(&self) -> &str {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.name
    }

    async fn required(&self) -> Result<&str> {
        failure()
    }

    async fn required_of_two(&self) -> Result<&str> {
        if self.name == "two" { failure() } else { Ok(self.name) }
    }

    /// A nullable field that may fail, as we write it.
    async fn optional(&self) -> Option<Result<&str>> {
        Some(failure())
    }

    async fn inner(&self) -> Option<Thing> {
        Some(Thing { name: "inner" })
    }

    async fn sure_inner(&self) -> Thing {
        Thing { name: "inner" }
    }
}

/// The text of the answer, whose order counts, and the answer.
async fn answer(document: &str) -> (String, Value) {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let text = serde_json::to_string(&schema.execute(document).await).expect("an answer is JSON");
    let value = serde_json::from_str(&text).expect("JSON is read back");
    (text, value)
}

#[tokio::test]
async fn a_required_field_that_fails_nulls_the_nearest_parent_that_may_be_null() {
    for (document, data, path) in [
        (
            "{ thing { name required } }",
            json!({ "thing": null }),
            json!(["thing", "required"]),
        ),
        (
            "{ thing { name inner { name required } } }",
            json!({ "thing": { "name": "one", "inner": null } }),
            json!(["thing", "inner", "required"]),
        ),
        (
            "{ thing { sureInner { sureInner { required } } } }",
            json!({ "thing": null }),
            json!(["thing", "sureInner", "sureInner", "required"]),
        ),
        (
            "{ sureThing { name required } }",
            json!(null),
            json!(["sureThing", "required"]),
        ),
        (
            "{ things { requiredOfTwo } }",
            json!(null),
            // In a list the path ends with the item: the field's name is lost, against the specification.
            json!(["things", 1]),
        ),
        (
            "{ maybeThings { name requiredOfTwo } }",
            json!({ "maybeThings": [{ "name": "one", "requiredOfTwo": "one" }, null, null] }),
            json!(["maybeThings", 2, "requiredOfTwo"]),
        ),
    ] {
        let (_, answer) = answer(document).await;

        assert_eq!(answer["data"], data, "{document}");
        assert_eq!(answer["errors"][0]["path"], path, "{document}");
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{document}");
    }
}

#[tokio::test]
async fn an_optional_field_that_fails_nulls_itself_alone() {
    let (text, answer) = answer("{ things { name optional late } }").await;

    let one = |name: &str| format!(r#"{{"name":"{name}","optional":null,"late":"{name}"}}"#);
    assert!(
        text.contains(&[one("one"), one("two"), one("three")].join(",")),
        "{text}"
    );
    let mut paths: Vec<String> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            r#"["things",0,"optional"]"#,
            r#"["things",1,"optional"]"#,
            r#"["things",2,"optional"]"#
        ]
    );
}

#[tokio::test]
async fn fields_come_in_the_order_they_are_asked_for() {
    for (document, data) in [
        (
            "{ sureThing { late name inner { late name } } thing { name } }",
            r#"{"sureThing":{"late":"sure","name":"sure","inner":{"late":"inner","name":"inner"}},"thing":{"name":"one"}}"#,
        ),
        (
            "{ sureThing { late ...two name } } fragment two on Thing { sureInner { late name } b: name }",
            r#"{"sureThing":{"late":"sure","sureInner":{"late":"inner","name":"inner"},"b":"sure","name":"sure"}}"#,
        ),
        (
            "{ things { b: late a: name ... on Thing { c: late } } }",
            r#"{"things":[{"b":"one","a":"one","c":"one"},{"b":"two","a":"two","c":"two"},{"b":"three","a":"three","c":"three"}]}"#,
        ),
        // What is asked for twice stands where it was first, with the fields of both.
        (
            "{ sureThing { inner { late } name inner { name } } }",
            r#"{"sureThing":{"inner":{"late":"inner","name":"inner"},"name":"sure"}}"#,
        ),
        (
            "{ sureThing { late @skip(if: true) name @include(if: true) __typename } }",
            r#"{"sureThing":{"name":"sure","__typename":"Thing"}}"#,
        ),
    ] {
        let (text, _) = answer(document).await;

        assert_eq!(text, format!(r#"{{"data":{data}}}"#), "{document}");
    }
}

#[tokio::test]
async fn paths_speak_of_aliases() {
    let (_, answer) = answer("{ all: things { oops: requiredOfTwo } fine: thing { optional } }").await;

    assert_eq!(answer["data"], Value::Null);
    let paths: Vec<&Value> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| &error["path"])
        .collect();
    assert!(paths.contains(&&json!(["all", 1])), "{paths:?}");
}
