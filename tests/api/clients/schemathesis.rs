//! schemathesis, which asks for whatever the schema allows.

use std::collections::BTreeSet;
use std::path::Path;

use allclear::app::Settings;
use allclear::transport::Config;
use allclear::transport::preflight::Limits;
use serde_json::{Value, json};

use super::script::{run, shop};
use crate::support::database::{Test, for_each_database_with};
use crate::support::{blameless, require};

/// Nothing is refused for how much it asks for: what is to be met is the program behind that.
fn without_limits() -> Config {
    Config {
        rate: None,
        limits: Limits {
            cost: 10_000_000,
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// The fields of Query and Mutation, as `Query.page`.
async fn fields(test: &Test) -> BTreeSet<String> {
    let document = "{ __schema { queryType { name fields { name } } mutationType { name fields { name } } } }";
    let data = test.data(document, Value::Null).await;
    let roots = ["queryType", "mutationType"].map(|root| &data["__schema"][root]);
    let named = |root: &Value| -> Vec<String> {
        let root_name = root["name"].as_str().expect("a name");
        let names = root["fields"].as_array().expect("a list").iter();
        names
            .map(|field| format!("{root_name}.{}", field["name"].as_str().expect("a name")))
            .collect()
    };
    roots.into_iter().flat_map(named).collect()
}

/// A page with one thing of each kind.
async fn furnish(test: &Test, slug: &str) {
    let page = test.page(slug).await;
    let group = test.group(&page, "Core").await;
    let component = test.component_in(&page, &group, "Search").await;
    test.incident(&page, "Down", Some(&component)).await;
    let over = test.incident(&page, "Over", None).await;
    test.resolve(&over).await;
    test.draft(&over, "Learnt.").await;
    test.maintenance(&page, "Disks", &component, 60).await;
}

#[tokio::test]
async fn nothing_that_schemathesis_asks_for_is_a_fault_of_the_servers() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/.venv");
    if packages.is_dir() && !packages.join("bin/schemathesis").exists() {
        return require::lacking(
            "python",
            "schemathesis is not among the packages of tests/clients/.venv",
        );
    }
    for_each_database_with(Settings::default(), without_limits(), async |test| {
        let environment = shop(test).await;
        // More than one, for each that is found may be taken off.
        for slug in ["one", "two", "three", "four", "five", "six"] {
            furnish(test, slug).await;
        }

        let Some(result) = blameless(async || run("schemathesis_schema.py", environment).await).await else {
            return;
        };

        assert_eq!(
            (&result["faults"], &result["exit"]),
            (&json!({}), &json!(0)),
            "{result:#}"
        );
        let asked = result["asked"].as_object().expect("a count of each field");
        assert_eq!(asked.keys().cloned().collect::<BTreeSet<_>>(), fields(test).await);
        // It gets behind what refuses it.
        let done = result["done"].as_object().expect("a count of each field").values();
        let done = done.filter(|count| count.as_u64() > Some(0)).count();
        assert!(done * 2 > asked.len(), "{result:#}");
    })
    .await;
}
