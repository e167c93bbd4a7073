//! The program as people run it: what README says, told to a shell.

#[cfg(target_os = "linux")]
mod crash;
mod files;
mod full;
#[expect(dead_code, reason = "tests/api asks more of it")]
#[path = "../api/support/issuer.rs"]
mod issuer;
mod held;
mod hostile;
mod kill;
#[cfg(target_os = "linux")]
mod memory;
#[path = "../api/support/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "what is chosen here needs less of it")]
#[path = "../delivery/random.rs"]
mod random;
#[path = "../api/support/require.rs"]
mod require;
mod running;
mod secrets;
mod serving;
mod stalled;

use issuer::{AUDIENCE, Key};
use running::{Running, allclear, readme_commands};
use serde_json::Value;
use serving::start_told;

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn readme_leads_a_newcomer_from_the_demo_to_a_posted_update() {
    if !running::has_curl() {
        eprintln!("skipped: README's commands need curl");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Running::start(folder.path(), &["--demo"]);
    let token = server.line_with("Admin token, shown this once: ");
    let commands = readme_commands();

    let query = server.shell(&commands.query, &[]);

    let page = &query["data"]["page"];
    let summaries: Vec<&str> = page["incidents"]["nodes"]
        .as_array()
        .expect("incidents")
        .iter()
        .filter_map(|incident| incident["summary"].as_str())
        .collect();
    assert!(
        summaries.contains(
            &"Healthise experienced a major incident on August 4, 2021 affecting Coach and Custom Content Manager \
              (CCM) and 1 more component, lasting 2h 39m. The incident has been resolved; the full update timeline is \
              below."
        ),
        "{summaries:?}"
    );
    let incident = page["activeIncidents"][0]["id"].as_str().expect("an incident goes on");

    let mutation = server.shell(&commands.mutation, &[("TOKEN", &token), ("INCIDENT", incident)]);

    let payload = &mutation["data"]["incidentUpdatePost"];
    assert_eq!(payload["incident"]["status"], "MONITORING", "{mutation}");
    assert_eq!(payload["userErrors"], Value::Array(Vec::new()));
}

#[test]
fn the_admin_token_is_shown_at_the_first_start_alone_and_a_signal_ends_the_program_well() {
    let folder = tempfile::tempdir().expect("a folder");

    let first = Running::start(folder.path(), &[]);
    let token = first.line_with("Admin token, shown this once: ");
    let code = first.terminate();

    assert!(token.starts_with("acl_") && token.len() == 50, "{token}");
    assert_eq!(code, Some(0));

    let second = Running::start(folder.path(), &["--demo"]);
    let greeting = second.greeting.join("\n");
    assert!(!greeting.contains("Admin token"), "{greeting}");
    assert!(
        greeting.contains("The demo's page is"),
        "an empty database is filled: {greeting}"
    );
    assert_eq!(second.terminate(), Some(0));

    let third = Running::start(folder.path(), &["--demo"]);
    let greeting = third.greeting.join("\n");
    assert!(greeting.contains("leaves it as it is"), "{greeting}");
}

#[test]
fn a_short_admin_token_and_a_bad_database_are_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");

    let short = allclear(
        folder.path(),
        &["serve", "--admin-token", "short", "--listen", "127.0.0.1:0"],
    );
    let memory = allclear(folder.path(), &["migrate", "--database-url", "sqlite::memory:"]);
    let unknown = allclear(folder.path(), &["migrate", "--database-url", "mysql://localhost/x"]);

    assert!(
        !short.is_success && short.errors.contains("32 characters or more"),
        "{}",
        short.errors
    );
    for refused in [memory, unknown] {
        assert!(
            !refused.is_success && refused.errors.contains("sqlite:// or postgres://"),
            "{}",
            refused.errors
        );
    }
}

/// Flags that are enough to trust an issuer.
const TRUSTING: [&str; 6] = [
    "--oidc-issuer",
    "https://id.example.com",
    "--oidc-audience",
    "x",
    "--oidc-default-role",
    "viewer",
];

#[test]
fn flags_that_would_not_do_what_they_seem_to_are_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    std::fs::create_dir(folder.path().join("wrong")).expect("a folder");
    std::fs::write(folder.path().join("wrong/a.graphql"), "{ page(").expect("a file");

    for (flags, words) in [
        (
            &["--allow-origin", "https://front.example/"] as &[&str],
            "no slash at its end",
        ),
        (&["--allow-origin", "front.example"], "https://status.example.com"),
        (&["--allow-image-host", "https://img.example"], "the name of a host"),
        (&["--allow-image-host", "*.example.com"], "the name of a host"),
        (&["--document-nesting", "1000"], "from 1 to 64"),
        (&["--only-persisted"], "--persisted-documents"),
        (&["--persisted-documents", "nowhere"], "nowhere: cannot be read"),
        (&["--persisted-documents", "empty"], "holds no .graphql"),
        (&["--persisted-documents", "wrong"], "a.graphql: Syntax error"),
        (&["--oidc-audience", "x"], "--oidc-issuer"),
        (&["--oidc-issuer", "https://id.example.com"], "--oidc-audience"),
        (
            &["--oidc-issuer", "https://id.example.com", "--oidc-audience", "x"],
            "say what stands for which role",
        ),
        (
            &[&TRUSTING as &[&str], &["--oidc-role", "ops=boss"]].concat(),
            "viewer, responder, manager or admin",
        ),
        (
            &[&TRUSTING as &[&str], &["--oidc-role", "ops"]].concat(),
            "oncall=responder",
        ),
        (
            &[
                "--oidc-issuer",
                "http://id.example.com",
                "--oidc-audience",
                "x",
                "--oidc-default-role",
                "viewer",
            ],
            "must begin with https://",
        ),
        (
            &[&TRUSTING as &[&str], &["--oidc-jwks-url", "http://id.example.com/keys"]].concat(),
            "must begin with https://",
        ),
        (
            &[&TRUSTING as &[&str], &["--oidc-ca-file", "nowhere"]].concat(),
            "`--oidc-ca-file`: nowhere",
        ),
        (
            &[&TRUSTING as &[&str], &["--oidc-ca-file", "wrong/a.graphql"]].concat(),
            "there is no certificate",
        ),
    ] {
        let all = [&["serve", "--listen", "127.0.0.1:0"] as &[&str], flags].concat();
        let refused = allclear(folder.path(), &all);
        assert!(
            !refused.is_success && refused.errors.contains(words),
            "{flags:?}: {}",
            refused.errors
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_reach_its_issuer_starts_and_says_so_in_its_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = "http://127.0.0.1:9/staff";
    let flags = [
        "--oidc-issuer",
        nobody,
        "--oidc-audience",
        AUDIENCE,
        "--oidc-default-role",
        "viewer",
    ];
    let (mut child, client, _) = start_told(folder.path(), &flags).await;
    let claims = serde_json::json!({ "iss": nobody, "aud": AUDIENCE, "sub": "mara", "exp": 4_000_000_000_u64 });
    let jwt = Key::new("a", "ES256").jwt(&claims);

    let asked = reqwest::Client::new().post(&client.graphql).bearer_auth(jwt);
    let asked = asked.json(&serde_json::json!({ "query": "{ viewer { role } }" }));
    let answer = asked.send().await.expect("the server answers");
    let (status, _) = client
        .ask("{ viewer { role } }", Value::Null)
        .await
        .expect("nobody kills it");

    assert_eq!((answer.status().as_u16(), status), (503, 200));
    child.kill().await.expect("it can be killed");
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let line = log
        .lines()
        .find(|line| line.contains("the issuer of JWTs does not tell its keys"));
    assert!(
        line.is_some_and(|line| line.contains("WARN") && line.contains(nobody) && line.contains("refused")),
        "{log}"
    );
}

#[test]
fn the_schema_is_printed_as_the_repository_holds_it() {
    let folder = tempfile::tempdir().expect("a folder");

    let schema = allclear(folder.path(), &["schema"]);

    let held = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).expect("the file");
    assert_eq!(schema.output, held, "cargo run -- schema > schema.graphql");
}

#[test]
fn a_folder_of_statuspage_files_is_imported_and_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/statuspage");

    let first = allclear(folder.path(), &["import", "statuspage", fixture, "--page", "parcelway"]);
    let missing = allclear(
        folder.path(),
        &["import", "statuspage", "/nowhere", "--page", "parcelway"],
    );

    assert!(first.is_success, "{}", first.errors);
    assert!(first.output.contains("not taken"), "{}", first.output);
    assert!(
        first.output.contains("status is not a known word: \"mitigated\""),
        "{}",
        first.output
    );
    assert!(
        !missing.is_success && missing.errors.contains("/nowhere"),
        "{}",
        missing.errors
    );

    let server = Running::start(folder.path(), &[]);
    assert_eq!(
        server.line_with("Admin token, shown this once: ").len(),
        50,
        "an import before the first start does not use the token up"
    );
}

#[test]
fn tokens_are_made_listed_and_taken_back_at_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| allclear(folder.path(), arguments);

    let made = run(&[
        "token",
        "create",
        "--name",
        "Pager",
        "--role",
        "responder",
        "--expires-in-days",
        "7",
    ]);
    let unknown = run(&[
        "token", "create", "--name", "x", "--role", "viewer", "--page", "nowhere",
    ]);
    let listed = run(&["token", "list"]);
    let text = made.output.trim();
    let revoked = run(&["token", "revoke", &text[..12]]);
    let after = run(&["token", "list"]);

    assert!(
        made.is_success && text.starts_with("acl_") && text.len() == 50,
        "{}",
        made.errors
    );
    assert!(
        !unknown.is_success && unknown.errors.contains("nowhere"),
        "{}",
        unknown.errors
    );
    assert!(
        listed.output.contains(&text[..16]) && !listed.output.contains(text),
        "{}",
        listed.output
    );
    assert!(
        listed.output.contains("\tvalid\tresponder\tall pages\t"),
        "{}",
        listed.output
    );
    assert!(revoked.is_success, "{}", revoked.errors);
    assert!(after.output.contains("\trevoked\tresponder\t"), "{}", after.output);
}

#[test]
fn help_explains_every_flag() {
    let folder = tempfile::tempdir().expect("a folder");

    let help = allclear(folder.path(), &["serve", "--help"]).output;

    for line in readme_commands().configuration {
        assert!(help.contains(&line.flag), "README's {} is no flag", line.flag);
        assert!(
            help.contains(&line.variable),
            "README's {} is no variable",
            line.variable
        );
    }
}
