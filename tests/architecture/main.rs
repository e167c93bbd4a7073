//! Checks of the code itself: who may depend on whom, which words a layer may not name, how long and how named files
//! are. Each rule is also run on an example that breaks it, so that a rule that has gone blind is noticed.

mod source;

use source::{Source, code, crate_modules, is_named, modules_in_order, sources};

/// A layer, and the words that do not belong there (DESIGN.md, 7).
const FORBIDDEN: [(&str, &[&str]); 2] = [
    (
        "domain",
        &[
            "sea_orm",
            "sqlx",
            "axum",
            "async_graphql",
            "tokio",
            "tokio_util",
            "SystemTime",
            "Utc::now",
        ],
    ),
    ("graphql", &["sea_orm", "sqlx", "axum", "async_graphql_axum"]),
];

/// A word, and the only places that may name it: modules, or single files.
const CONFINED: [(&str, &[&str]); 10] = [
    ("anyhow", &["src/main.rs", "cli"]),
    ("axum", &["transport", "cli"]),
    ("async_graphql_axum", &["transport"]),
    // What changes anything: a transaction, and the object that holds it.
    (".begin(", &["commands", "store", "entity"]),
    ("begin_with_options", &["store"]),
    ("store::Write", &["commands", "store", "entity"]),
    // The log: its heads and floors, its events, and the one place that appends to it.
    ("page_log", &["store", "entity"]),
    ("event::Entity", &["store", "entity"]),
    ("event::ActiveModel", &["store", "entity"]),
    ("event::Entity::insert*", &["src/store/write.rs"]),
];

/// The length of a file at which it needs a reason.
const MAX_LINES: usize = 400;
/// How the second line of a file with a reason begins.
const REASON: &str = "//! Long because ";

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 10] = [
    "util", "utils", "common", "helper", "helpers", "types", "service", "services", "manager", "managers",
];

/// Where a file names a module that comes after its own in the order of `lib`, or has no place in it.
fn order_faults(lib: &str, sources: &[Source]) -> Vec<String> {
    let order = modules_in_order(lib);
    let place = |module: &str| order.iter().position(|known| known == module);
    let mut faults = Vec::new();
    for source in sources {
        let Some(own) = source.module() else { continue };
        let Some(own_place) = place(own) else {
            faults.push(format!("{}: {own} is not listed in src/lib.rs", source.path));
            continue;
        };
        for named in crate_modules(&code(&source.text)) {
            // What is no module, a macro at the root for one, has no place and is nobody's dependence.
            if place(&named).is_some_and(|named| named > own_place) {
                faults.push(format!("{}: {own} names {named}, which comes later", source.path));
            }
        }
    }
    faults
}

/// Where a file names a word that its layer may not.
fn word_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("src/")) {
        let code = code(&source.text);
        for (layer, words) in FORBIDDEN {
            for word in words.iter().filter(|_| source.module() == Some(layer)) {
                if is_named(&code, word) {
                    faults.push(format!("{}: {layer} names {word}", source.path));
                }
            }
        }
        for (word, places) in CONFINED {
            let may = |place: &&str| source.module() == Some(place) || source.path == **place;
            if !places.iter().any(may) && is_named(&code, word) {
                faults.push(format!("{}: only {} may name {word}", source.path, places.join(", ")));
            }
        }
    }
    faults
}

/// Which files are too long without a reason.
fn length_faults(sources: &[Source]) -> Vec<String> {
    let is_source = |source: &&Source| ["src/", "migration/"].iter().any(|root| source.path.starts_with(root));
    let is_excused = |source: &Source| source.text.lines().nth(1).is_some_and(|line| line.starts_with(REASON));
    let lines = |source: &Source| source.text.lines().count();
    sources
        .iter()
        .filter(is_source)
        .filter(|source| lines(source) > MAX_LINES && !is_excused(source))
        .map(|source| format!("{}: {} lines and no reason on its second", source.path, lines(source)))
        .collect()
}

/// Which files and folders have a name that says nothing.
fn name_faults(sources: &[Source]) -> Vec<String> {
    let is_empty = |name: &str| EMPTY_NAMES.contains(&name.trim_end_matches(".rs"));
    sources
        .iter()
        .filter(|source| source.path.ends_with("/mod.rs") || source.path.split('/').any(is_empty))
        .map(|source| format!("{}: mod.rs, or a name that says nothing", source.path))
        .collect()
}

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

const NONE: [String; 0] = [];

#[test]
fn the_sources_are_found() {
    let sources = sources();

    for path in [
        "src/lib.rs",
        "src/domain/incident.rs",
        "migration/src/lib.rs",
        "tests/architecture/main.rs",
    ] {
        assert!(sources.iter().any(|source| source.path == path), "{path}");
    }
    let lib = sources.iter().find(|source| source.path == "src/lib.rs");
    let order = modules_in_order(&lib.expect("it was found").text);
    assert_eq!(order.first().map(String::as_str), Some("domain"));
    assert!(order.len() > 10, "{order:?}");
}

#[test]
fn modules_name_only_those_above_them() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "src/lib.rs");

    let faults = order_faults(&lib.expect("there is a lib.rs").text, &sources);

    assert_eq!(faults, NONE);
}

#[test]
fn a_module_that_names_a_later_one_is_found() {
    let lib = "//! pub mod ghost;\npub mod domain;\npub mod store;\npub mod app;\n";
    let faults = |path: &str, text: &str| order_faults(lib, &[source(path, text)]).len();

    for bad in [
        "use crate::app::App;",
        "use crate::{app::App, domain};",
        "use crate::{\n    domain::{page, time},\n    app,\n};",
        "#[cfg(test)]\nmod tests {\n    use crate::app::App;\n}",
        "fn f(app: &crate::app::App) {}",
        "pub(crate) use crate::app as other;",
        "macro_rules! m { () => { $crate::app::App }; }",
    ] {
        assert_eq!(faults("src/store/log.rs", bad), 1, "{bad}");
        assert_eq!(faults("src/store.rs", bad), 1, "{bad}");
        assert_eq!(faults("src/app.rs", bad), 0, "{bad}");
    }
    for good in [
        "use crate::domain::time;",
        "use crate::store::Store;",
        "// use crate::app::App;",
        "/// See [`crate::app::App`].\nfn f() {}",
        "pub(crate) fn app() {}",
        "use other_crate::app::App;",
        "use crate::{domain, store::{app, Store}};",
    ] {
        assert_eq!(faults("src/store/log.rs", good), 0, "{good}");
    }
    assert_eq!(faults("src/ghost.rs", ""), 1);
    assert_eq!(faults("src/main.rs", "use crate::ghost;"), 0);
}

#[test]
fn layers_name_only_words_of_their_own() {
    assert_eq!(word_faults(&sources()), NONE);
}

#[test]
fn a_word_where_it_does_not_belong_is_found() {
    for (path, text) in [
        ("src/domain/time.rs", "let now = chrono::Utc::now();"),
        ("src/domain/time.rs", "use std::time::{Duration, SystemTime};"),
        ("src/domain/time.rs", "let now = std::time::SystemTime::now();"),
        ("src/domain/page.rs", "use sea_orm::DbErr;"),
        ("src/domain.rs", "use tokio::sync::Mutex;"),
        ("src/domain/page.rs", "#[derive(async_graphql::Enum)]"),
        ("src/graphql/page.rs", "use sea_orm::EntityTrait;"),
        ("src/graphql.rs", "use axum::http::StatusCode;"),
        ("src/graphql/schema.rs", "use async_graphql_axum::GraphQL;"),
        (
            "src/queries/page.rs",
            "let mut write = app.store.begin(author, action, now).await?;",
        ),
        ("src/graphql/page.rs", "use crate::store::{Author, Write};"),
        ("src/live/tailer.rs", "fn f(write: &crate::store::Write) {}"),
        ("src/commands/page.rs", "use crate::entity::{page, page_log};"),
        (
            "src/commands/page.rs",
            "event::Entity::insert(row).exec(write.db()).await?;",
        ),
        ("src/store/log.rs", "event::Entity::insert_many(rows).exec(db).await?;"),
        ("src/queries/log.rs", "use crate::entity::event::{self, Entity};"),
        ("src/domain/text.rs", "fn f() -> anyhow::Result<()> { Ok(()) }"),
        ("src/commands/page.rs", "use axum::Json;"),
    ] {
        assert_ne!(word_faults(&[source(path, text)]), NONE, "{path}: {text}");
    }
}

#[test]
fn a_word_where_it_belongs_is_not_mistaken_for_another() {
    for (path, text) in [
        (
            "src/domain/time.rs",
            "/// Not `Utc::now`, and no sea_orm.\nuse chrono::Utc;",
        ),
        ("src/domain/text.rs", "let tokio_like = 1;"),
        (
            "src/transport/http.rs",
            "use axum::Router;\nuse async_graphql_axum::GraphQLProtocol;",
        ),
        ("src/cli.rs", "use anyhow::Context;\nuse axum::serve;"),
        ("src/cli/serve.rs", "use anyhow::Context;"),
        (
            "src/main.rs",
            "fn main() -> anyhow::Result<()> { allclear::cli::run() }",
        ),
        ("src/graphql/log.rs", "use std::fmt::Write;\nuse crate::store::Author;"),
        (
            "src/commands/page.rs",
            "use crate::store::Write;\nlet write = app.store.begin(a).await?;",
        ),
        ("src/store/write.rs", "event::Entity::insert_many(rows);"),
        ("src/commands/page.rs", "use crate::domain::event::{Event, EventKind};"),
        ("src/queries/page.rs", "let x = list.begin_at(3);"),
        ("migration/src/m0004_log.rs", "Table::create().table(\"page_log\")"),
    ] {
        assert_eq!(word_faults(&[source(path, text)]), NONE, "{path}: {text}");
    }
}

#[test]
fn no_file_is_long_without_a_reason() {
    assert_eq!(length_faults(&sources()), NONE);
}

#[test]
fn a_long_file_is_found_unless_its_second_line_gives_a_reason() {
    let long = |second: &str, lines: usize| format!("//! What it is for.\n{second}\n{}", "\n".repeat(lines - 2));
    let faults = |path: &str, text: String| length_faults(&[source(path, &text)]).len();

    assert_eq!(faults("src/a.rs", long("", 401)), 1);
    assert_eq!(faults("migration/src/a.rs", long("", 401)), 1);
    assert_eq!(faults("src/a.rs", long("//! long because I say so.", 401)), 1);
    assert_eq!(faults("src/a.rs", long("//! Long because it is one table.", 401)), 0);
    assert_eq!(faults("src/a.rs", long("", 400)), 0);
    assert_eq!(faults("tests/api/a.rs", long("", 401)), 0);
}

#[test]
fn names_say_what_is_inside() {
    assert_eq!(name_faults(&sources()), NONE);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for bad in [
        "src/a/mod.rs",
        "src/utils.rs",
        "src/a/common/b.rs",
        "tests/api/helpers.rs",
        "src/types.rs",
    ] {
        assert_eq!(name_faults(&[source(bad, "")]).len(), 1, "{bad}");
    }
    for good in ["src/model.rs", "src/a/uncommon.rs", "src/domain.rs"] {
        assert_eq!(name_faults(&[source(good, "")]), NONE, "{good}");
    }
}
