//! Tests of bodies as HTML: what people write, what attackers write, and what is written to break things.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// A body without images.
fn to_html(markdown: &str) -> String {
    static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);
    RENDERER.to_html(markdown)
}

/// A body that may show images of one host.
fn with_images(markdown: &str) -> String {
    static RENDERER: LazyLock<Renderer> =
        LazyLock::new(|| Renderer::with_images_of(ImageHosts::new(["img.test".to_owned()])));
    RENDERER.to_html(markdown)
}

/// What stands within the element that every body is put in.
fn inner(markdown: &str) -> String {
    let html = to_html(markdown);
    let inner = html
        .strip_prefix("<div dir=\"auto\">\n")
        .and_then(|html| html.strip_suffix("</div>\n"));
    inner.expect("every body stands in one element").trim_end().to_owned()
}

/// Every start tag of some markup with its attributes, and how deep elements nest.
fn tags_and_depth(html: &str) -> (Vec<String>, usize) {
    let (mut depth, mut deepest, mut tags) = (0_usize, 0, vec![]);
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("the sanitiser closes what it opens");
        if tag.starts_with('/') {
            depth -= 1;
        } else {
            depth += usize::from(!["br", "hr"].contains(&tag) && !tag.starts_with("img "));
            deepest = deepest.max(depth);
            tags.push(tag.to_owned());
        }
    }
    assert_eq!(depth, 0, "{html}");
    (tags, deepest)
}

/// Fails where markup holds anything but plain elements and outward links.
fn assert_inert(html: &str) {
    for tag in tags_and_depth(html).0 {
        let plain = TAGS.split(' ').any(|known| known == tag) || tag == "div dir=\"auto\"";
        let numbered = tag.strip_prefix("ol start=\"").and_then(|rest| rest.strip_suffix('"'));
        let link = tag
            .strip_prefix("a ")
            .and_then(|rest| rest.strip_suffix("rel=\"nofollow noopener noreferrer\""));
        let address = link
            .and_then(|link| link.strip_prefix("href=\""))
            .and_then(|link| link.strip_suffix("\" "));
        let outward = |address: &str| {
            let scheme = ["http://", "https://", "mailto:", "tel:"]
                .iter()
                .any(|scheme| address.starts_with(scheme));
            scheme && !address.contains('"')
        };
        let image = tag
            .strip_prefix("img src=\"https://img.test/")
            .and_then(|rest| rest.strip_suffix("\" loading=\"lazy\" referrerpolicy=\"no-referrer\""))
            .and_then(|rest| rest.split_once("\" alt=\""));
        assert!(
            plain
                || image.is_some_and(|(path, description)| !path.contains('"') && !description.contains('"'))
                || numbered.is_some_and(|start| start.parse::<i64>().is_ok())
                || link == Some("")
                || address.is_some_and(outward),
            "{tag} in {html}"
        );
    }
}

#[test]
fn a_postmortem_has_its_headings_lists_and_tables() {
    let postmortem = "## Event Description\r\n\r\nA deployment left **one node** unresponsive.\r\nSee the Root Cause \
                      Analysis \\(RCA\\).<br />Sorry.\r\n\r\n## Corrective Action\r\n\r\n1. Out of the load \
                      balancer\r\n2. `redeploy --node 3`\r\n\r\n| App | ~~Minutes~~ |\r\n|---|---|\r\n| Coach | 119 |\r\n";
    insta::assert_snapshot!(inner(postmortem), @r"
    <h2>Event Description</h2>
    <p>A deployment left <strong>one node</strong> unresponsive.
    See the Root Cause Analysis (RCA).<br>Sorry.</p>
    <h2>Corrective Action</h2>
    <ol>
    <li>Out of the load balancer</li>
    <li><code>redeploy --node 3</code></li>
    </ol>
    <table><thead><tr><th>App</th><th><del>Minutes</del></th></tr></thead><tbody>
    <tr><td>Coach</td><td>119</td></tr>
    </tbody></table>
    ");
}

#[test]
fn line_breaks_of_every_kind_are_kept() {
    assert_eq!(inner("a\r\nb"), "<p>a\nb</p>");
    assert_eq!(inner("a<br>b<BR/>c<br />d"), "<p>a<br>b<br>c<br>d</p>");
    assert_eq!(
        inner("<br />\r\nafter &amp; &lt;it&gt;"),
        "<p><br>\nafter &amp; &lt;it&gt;</p>"
    );
}

#[test]
fn inline_tags_of_the_author_are_kept_and_always_closed() {
    assert_eq!(
        inner("<b class=x>now</b> <STRONG>then</strong>"),
        "<p><b>now</b> <strong>then</strong></p>"
    );
    assert_eq!(inner("a <b>b\n\nc"), "<p>a <b>b</b></p>\n<p>c</p>");
    assert_eq!(inner("*a <b>b* c</b>"), "<p><em>a <b>b</b></em> c</p>");
    assert_eq!(inner("<b>a <i>b</b> c</i>"), "<p><b>a <i>b</i></b> c</p>");
    assert_eq!(inner("a</b><b/> c"), "<p>a c</p>");
    assert_eq!(
        inner("<p>one</p><p>two</p>\n<div>1 < 2 & <i>3</i>"),
        "<p>\none\n\ntwo\n\n\n1 &lt; 2 &amp; <i>3</i></p>"
    );
}

#[test]
fn a_broken_tag_takes_nothing_along() {
    assert_eq!(inner("<div><a b=\"x\n\nkept"), "<p>\n&lt;a b=\"x\n</p>\n<p>kept</p>");
    assert_eq!(
        inner("<div><a b\"c=\"d>kept</a>\n\nalso"),
        "<p>\nkept\n</p>\n<p>also</p>"
    );
    assert_eq!(
        inner("connect to <host:port> now"),
        "<p>connect to <a rel=\"nofollow noopener noreferrer\">host:port</a> now</p>"
    );
}

#[test]
fn links_lead_outward_and_vouch_for_nobody() {
    let rel = "rel=\"nofollow noopener noreferrer\"";
    assert_eq!(
        inner("[a](https://example.com)"),
        format!("<p><a href=\"https://example.com\" {rel}>a</a></p>")
    );
    assert_eq!(inner("<https://example.com>").matches("href=").count(), 1);
    let tag = "<a href=\"https://example.com\" target=_top onclick=\"alert(1)\">a</a>";
    assert_eq!(
        inner(tag),
        format!("<p><a href=\"https://example.com\" {rel}>a</a></p>")
    );
    // A link in a link is no HTML: a browser would end the outer one.
    assert_eq!(
        inner("[a <a href=\"http://b.test\">b</a>](https://a.test)")
            .matches("<a ")
            .count(),
        1
    );
    for target in [
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.test",
        "/path",
        "JaVaScRiPt:x",
    ] {
        let html = inner(&format!("[a]({target}) <a href=\"{target}\">b</a>"));
        assert!(!html.contains("href"), "{html}");
    }
}

#[test]
fn hostile_markup_is_inert() {
    for body in [
        "<script>alert(1)</script>",
        "x <script>alert(1)</script> y",
        "<script>alert(1)",
        "x <script>*alert(1)*",
        "<scr<script>ipt>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "x <img src=x onerror=alert(1)> y",
        "<img src=x onerror=\"alert(1)\"",
        "![a](https://evil.test/pixel.png \"alert(1)\")",
        "<svg onload=alert(1)><a xlink:href=\"javascript:alert(1)\"><animate onbegin=alert(1)>",
        "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
        "<style>*{background:url(javascript:alert(1))}</style>",
        "<b style=\"position:fixed\" onmouseover=alert(1)>x</b>",
        "<p style=\"position:fixed\">x</p>",
        "<form action=https://evil.test><input name=password><button>x</button></form>",
        "<base href=https://evil.test><meta http-equiv=refresh content=0><link rel=stylesheet href=x>",
        "[a](<javascript:alert(1)>)",
        "[a](java&#x73;cript:alert(1))",
        "[a](&#1;javascript:alert(1))",
        "[a]: javascript:alert(1)\n\n[a]",
        "<javascript:alert(1)>",
        "<a href='javas\tcript:alert(1)'>x</a>",
        "<a href=\" javascript:alert(1)\">x</a>",
        "[a](https://x.test \"\\\" onmouseover=alert(1) x=\\\"\")",
        "[a](https://x.test/\"onmouseover=alert(1)//)",
        "`<script>alert(1)</script>`",
        "```<script>\n<script>alert(1)</script>\n```",
        "~~~ \"><script>alert(1)</script>\n~~~",
        "</div></div><div class=x>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<title><a title=\"</title><img src=x onerror=alert(1)>\">",
        "<textarea><b title=\"</textarea><img src=x onerror=alert(1)>\">",
        "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?php <script>alert(1)</script> ?>",
        "<div\n<div onclick=alert(1)>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "|a|\n|-|\n|<script>alert(1)</script>|",
        "\0<script\0>alert(1)</script>",
        "<a href=\"https://x.test\" title='a>b' x='>'><b>",
    ] {
        assert_inert(&to_html(body));
    }
}

#[test]
fn an_image_of_a_host_that_is_named_is_shown_and_any_other_leaves_its_description() {
    let body = "![one *a* `b` <i>c</i>](https://img.test/1.png \"title\") ![two](https://evil.test/2.png)\n\
                [![three](https://img.test/3.png)](https://x.test) ![four ![five](https://img.test/5.png) six](//img.test/4)\n\
                ![seven ![eight](https://img.test/8.png) nine](https://img.test/7.png) <img src=https://img.test/10.png>";
    insta::assert_snapshot!(with_images(body), @r#"
    <div dir="auto">
    <p><img src="https://img.test/1.png" alt="one a b c" loading="lazy" referrerpolicy="no-referrer"> two
    <a href="https://x.test" rel="nofollow noopener noreferrer"><img src="https://img.test/3.png" alt="three" loading="lazy" referrerpolicy="no-referrer"></a> four <img src="https://img.test/5.png" alt="five" loading="lazy" referrerpolicy="no-referrer"> six
    <img src="https://img.test/7.png" alt="seven eight nine" loading="lazy" referrerpolicy="no-referrer"> </p>
    </div>
    "#);
    assert_inert(&with_images(body));
    assert!(!to_html(body).contains("<img"));
}

#[test]
fn an_image_cannot_be_made_to_act() {
    for body in [
        "![a\" onerror=\"alert(1)](https://img.test/\"onerror=alert(1)//)",
        "![a](<https://img.test/ onerror=alert(1)>)",
        "![a](https://img.test/x.png \"\\\" onload=alert(1)\")",
        "![<img src=x onerror=alert(1)>](https://img.test/)",
        "![a](https://img.test@evil.test/)",
        "![a](https://evil.test\\@img.test/)",
        "![a](javascript://img.test/%0aalert(1))",
        "<img src=\"https://img.test/\" onerror=alert(1)>",
        "![&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;](https://img.test/&quot;&gt;)",
        "![a <script>](https://img.test/) b </script>",
        "![a\n\n> b](https://img.test/)",
    ] {
        assert_inert(&with_images(body));
        assert_inert(&to_html(body));
    }
}

#[test]
fn what_scripts_and_styles_say_is_no_text() {
    assert_eq!(inner("a <script>alert(1)</script> b"), "<p>a  b</p>");
    assert_eq!(inner("a <style>b{} c\n\nd"), "<p>a </p>\n<p>d</p>");
    assert_eq!(inner("<SCRIPT>\nalert(1)\n</SCRIPT>"), "<p>\n</p>");
    assert_eq!(inner("![a chart](https://evil.test/pixel.png)"), "<p>a chart</p>");
}

#[test]
fn a_direction_override_stays_within_the_body() {
    let html = to_html("paid \u{202E}drawkcab\n\nnext \u{2066}one");
    assert_eq!(
        html, "<div dir=\"auto\">\n<p>paid \u{202E}drawkcab</p>\n<p>next \u{2066}one</p>\n</div>\n",
        "the override is kept, and ends with its paragraph, which stands in an isolated element"
    );
}

/// Bodies of the greatest length, made to nest or grow.
fn monsters() -> Vec<(&'static str, String)> {
    let n = 25_000;
    vec![
        ("quotes", ">".repeat(n)),
        ("many deep quotes", format!("{}\n", ">".repeat(150)).repeat(165)),
        (
            "deeper quotes",
            (0..220).map(|depth| ">".repeat(depth) + "\n").collect(),
        ),
        ("one deep list", "- ".repeat(n / 4) + "a\n" + &"b\n".repeat(n / 4)),
        (
            "one deep numbered list",
            "1) ".repeat(n / 6) + "a\n" + &"b\n".repeat(n / 4),
        ),
        (
            "a deep list and blank lines",
            "- ".repeat(n / 4) + "a\n" + &"\n".repeat(n / 2),
        ),
        (
            "deeper lists",
            (0..220).map(|depth| " ".repeat(depth) + "-\n").collect(),
        ),
        ("quoted lists", "> - ".repeat(n / 8) + "a\n" + &">\n".repeat(n / 4)),
        ("brackets", "[".repeat(n)),
        ("pairs of brackets", "[".repeat(n / 2) + &"]".repeat(n / 2)),
        ("open links", "[a](".repeat(n / 4)),
        ("open images", "![".repeat(n / 2)),
        ("stars", "*".repeat(n)),
        ("open stars", "*a ".repeat(n / 3)),
        ("nested stars", "*a ".repeat(n / 6) + &"a* ".repeat(n / 6)),
        ("stars of two kinds", "**a *a ".repeat(n / 7)),
        ("backticks", (1..220).map(|count| "`".repeat(count) + "a").collect()),
        ("blocks", "<div>".repeat(n / 5)),
        ("a block of bold", "<b>".repeat(n / 3)),
        ("bold", "x".to_owned() + &"<b>".repeat(n / 3)),
        ("bold left open in many paragraphs", "x<b>\n\n".repeat(n / 6)),
        ("links of the author", "x".to_owned() + &"<a></a>".repeat(n / 7)),
        ("tags without an end", "<div>".to_owned() + &"<a".repeat(n / 2)),
        ("quotes without an end", "<div>".to_owned() + &"<a \"".repeat(n / 4)),
        ("comments without an end", "<div>".to_owned() + &"<!--".repeat(n / 4)),
        (
            "attributes",
            format!(
                "x <a {}>",
                (0..4_300).map(|name| format!("a{name} ")).collect::<String>()
            ),
        ),
        (
            "a table of empty cells",
            format!(
                "{}\n{}\n{}",
                "|a".repeat(2_000),
                "|-".repeat(2_000),
                "|a\n".repeat(5_600)
            ),
        ),
        (
            "one address many times",
            format!("[a]: http://{}\n\n{}", "x".repeat(2_000), "[a] ".repeat(5_000)),
        ),
        ("emoji", "😀".repeat(16_384)),
    ]
}

#[test]
fn no_body_nests_deep_or_takes_long() {
    for (what, body) in monsters() {
        let start = Instant::now();
        let html = to_html(&body);

        // Measured without optimisation: 0.4 s at most; without the bounds 3 to 37 s for deep quotes and lists.
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{what}: {:?}",
            start.elapsed()
        );
        let (_, depth) = tags_and_depth(&html);
        assert!(depth <= 70, "{what}: {depth} deep");
        assert!(html.len() < 10 * body.len(), "{what}: {} bytes", html.len());
    }
}

#[test]
fn what_nests_too_deep_is_shown_as_it_was_written() {
    let deep = format!("{}a *b*\nc", "> ".repeat(65));
    assert_eq!(inner(&deep), format!("<p>{}a *b*<br>\nc<br>\n</p>", "&gt; ".repeat(65)));
    assert_eq!(inner(&"> ".repeat(60)).matches("<blockquote>").count(), 60);
}

proptest! {
    #[test]
    fn nothing_comes_out_that_is_not_on_the_list(
        pieces in prop::collection::vec(prop::sample::select(&[
            "<", ">", "</", "/>", "<!--", "-->", "<script>", "</script>", "<style>", "<svg>", "<math>", "<a href=", "</a>",
            "<img src=x onerror=alert(1)>", "<b>", "</b>", "<i>", "<p>", "<br>", "<table>", "<td>", "<textarea>", "\"", "'", "`", "```\n", "[", "](",
            ")", "![", "javascript:", "https://x.test", "https://img.test/", "![x](https://img.test/", "&lt;", "&#x6A;", "*", "**", "~~", "> ", "- ", "1. ", "\n", "\n\n", "|", "|-|\n", "    ",
            "# ", "x", " ", "\\", "=", "\u{202E}", "é",
        ][..]), 0..60),
    ) {
        assert_inert(&to_html(&pieces.concat()));
        assert_inert(&with_images(&pieces.concat()));
    }
}
