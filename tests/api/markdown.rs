//! Bodies as people write them: kept as they came, and rendered so that nothing in them acts.

use allclear::app::Settings;
use allclear::markdown::ImageHosts;
use allclear::transport::Config;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, for_each_database_with};
use crate::support::words::id;
use crate::support::{blameless, for_each_database, harmless};

const OPEN: &str = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id } } }";

/// Opens an incident over HTTP, and another over a WebSocket; returns what is shown of each to the public.
async fn opened_both_ways(test: &Test, input: &Value) -> [Value; 2] {
    let variables = json!({ "input": input });
    let (posted, sent) = blameless(async || {
        let posted = test.answer(OPEN, variables.clone()).await;
        let sent = test.respond_over_socket(OPEN, variables, Some(ADMIN)).await;
        (posted, sent)
    })
    .await;
    let mut shown = [posted, sent];
    for answer in &mut shown {
        let incident = id(&answer["data"]["incidentOpen"]["incident"]);
        *answer = test
            .public_thing("Incident", &incident, "title latestUpdate { body bodyHtml }")
            .await;
    }
    shown
}

/// A text as the body of an incident: what is kept, and its HTML.
async fn written(test: &Test, page: &str, body: &str) -> (String, String) {
    let input = json!({ "page": page, "title": "Texts", "body": body });
    let [shown, sent] = opened_both_ways(test, &input).await;
    assert_eq!(shown, sent, "over HTTP, and over a WebSocket");
    let text = |name: &str| shown["latestUpdate"][name].as_str().expect("text").to_owned();
    (text("body"), text("bodyHtml"))
}

#[tokio::test]
async fn row_16_every_script_is_kept_and_comes_back_the_same() {
    for_each_database(async |test| {
        let page = test.page("scripts").await;
        for text in [
            "Family: \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}, flag \u{1F3F3}\u{FE0F}\u{200D}\u{1F308}",
            "Z\u{0334}\u{0353}\u{031A}a\u{0321}\u{0316}l\u{0334}g\u{0317}o\u{0336}",
            "\u{62D}\u{627}\u{62F}\u{62B} \u{641}\u{64A} \u{627}\u{644}\u{628}\u{62D}\u{62B}",
            "\u{5EA}\u{5E7}\u{5DC}\u{5D4} \u{5D1}\u{5D7}\u{5D9}\u{5E4}\u{5D5}\u{5E9}",
            "\u{969C}\u{5BB3}\u{3002}\u{10FFFD}",
        ] {
            let input = json!({ "page": page, "title": text, "body": text });

            for shown in opened_both_ways(test, &input).await {
                assert_eq!((&shown["title"], &shown["latestUpdate"]["body"]), (&json!(text), &json!(text)));
                assert!(shown["latestUpdate"]["bodyHtml"].as_str().expect("text").contains(text));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn row_17_a_direction_override_is_no_title_and_is_isolated_in_a_body() {
    for_each_database(async |test| {
        let page = test.page("direction").await;
        let text = "Invoice \u{202E}fdp.exe";

        let input = json!({ "page": page, "title": text, "body": text });
        harmless(test, &page, async || {
            test.refused_with("incidentOpen", input, "CONTROL_CHARACTER", &["input", "title"])
                .await;
        })
        .await;
        let (body, html) = written(test, &page, text).await;

        assert_eq!(body, text);
        assert_eq!(html, format!("<div dir=\"auto\">\n<p>{text}</p>\n</div>\n"));
    })
    .await;
}

#[tokio::test]
async fn row_18_what_would_act_is_stored_as_written_and_inert_when_rendered() {
    for_each_database(async |test| {
        let page = test.page("inert").await;
        for (text, html) in [
            ("a<script>alert(1)</script>b", "<p>ab</p>"),
            (
                "[x](javascript:alert(1))",
                "<p><a rel=\"nofollow noopener noreferrer\">x</a></p>",
            ),
            ("a <img src=x onerror=alert(1)> b", "<p>a  b</p>"),
            (
                "[x](https://example.com)",
                "<p><a href=\"https://example.com\" rel=\"nofollow noopener noreferrer\">x</a></p>",
            ),
            ("<b onclick=alert(1)>bold</b>", "<p><b>bold</b></p>"),
        ] {
            let (body, rendered) = written(test, &page, text).await;
            assert_eq!(body, text);
            assert_eq!(rendered, format!("<div dir=\"auto\">\n{html}\n</div>\n"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_postmortem_and_a_maintenance_are_rendered_the_same_way() {
    for_each_database(async |test| {
        let page = test.page("everywhere").await;
        let text = "Safe <script>alert(1)</script>*text*";
        let html = "<div dir=\"auto\">\n<p>Safe <em>text</em></p>\n</div>\n";
        let incident = test.incident(&page, "Over", None).await;
        test.resolve(&incident).await;
        test.draft(&incident, text).await;
        test.mutate("postmortemPublish", json!({ "incident": incident }), "incident { id }")
            .await;
        let input = json!({
            "page": page, "title": "Disks", "body": text,
            "scheduledFor": test.in_minutes(60), "scheduledUntil": test.in_minutes(90),
        });
        let planned = test
            .mutate(
                "maintenanceSchedule",
                input,
                "maintenance { latestUpdate { body bodyHtml } }",
            )
            .await;

        let shown = test
            .public_thing(
                "Incident",
                &incident,
                "postmortem { body bodyHtml } latestUpdate { bodyHtml }",
            )
            .await;

        assert_eq!(shown["postmortem"], json!({ "body": text, "bodyHtml": html }));
        assert_eq!(shown["latestUpdate"]["bodyHtml"], html);
        assert_eq!(
            planned["maintenance"]["latestUpdate"],
            json!({ "body": text, "bodyHtml": html })
        );
    })
    .await;
}

#[tokio::test]
async fn text_is_kept_after_normalisation_and_with_its_line_breaks() {
    for_each_database(async |test| {
        let page = test.page("normal").await;

        let (body, _) = written(test, &page, "Cafe\u{301}\r\n\r\n<br />\ttwo").await;

        assert_eq!(body, "Caf\u{e9}\r\n\r\n<br />\ttwo");
        let input = json!({ "page": page, "title": "Cafe\u{301}", "body": "x" });
        let opened = test.mutate("incidentOpen", input, "incident { title }").await;
        assert_eq!(opened["incident"]["title"], Value::from("Caf\u{e9}"));
    })
    .await;
}

#[tokio::test]
async fn row_18_images_are_shown_of_the_hosts_that_are_named_and_of_no_other() {
    let settings = Settings {
        image_hosts: ImageHosts::new(["img.example.com".to_owned()]),
        ..Settings::default()
    };
    for_each_database_with(settings, Config::default(), async |test| {
        let page = test.page("images").await;
        let text = "![graph](https://img.example.com/1.png) ![pixel](https://evil.example/1.png)";
        let html = "<div dir=\"auto\">\n<p><img src=\"https://img.example.com/1.png\" alt=\"graph\" loading=\"lazy\" \
                    referrerpolicy=\"no-referrer\"> pixel</p>\n</div>\n";

        let (body, rendered) = written(test, &page, text).await;

        assert_eq!((body.as_str(), rendered.as_str()), (text, html));
        let incident = test.incident(&page, "Over", None).await;
        test.resolve(&incident).await;
        test.draft(&incident, text).await;
        let published = json!({ "incident": incident });
        let selection = "incident { postmortem { bodyHtml } }";
        let published = test.mutate("postmortemPublish", published, selection).await;
        assert_eq!(published["incident"]["postmortem"]["bodyHtml"], html);
    })
    .await;
}
