//! Bodies: whatever is written, an HTML parser finds nothing in what comes out that acts, that reaches beyond the element
//! it stands in, or that is far longer than what was written.

use std::cell::RefCell;
use std::sync::LazyLock;

use allclear::domain::text::MAX_BODY_BYTES;
use allclear::markdown::{ImageHosts, Renderer};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use url::Url;

static PLAIN: LazyLock<Renderer> = LazyLock::new(Renderer::default);
static WITH_IMAGES: LazyLock<Renderer> = LazyLock::new(|| Renderer::with_images_of(ImageHosts::new([HOST.to_owned()])));

/// The host whose images are shown by one of the two.
const HOST: &str = "img.test";

/// The elements a body may come out with that take no attribute.
const BARE: [&str; 30] = [
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "kbd",
    "li",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];

/// How deep elements nest at most: the renderer's own bound, with what stands around and within.
const DEPTH: usize = 70;

/// How many times longer the HTML may be than its body, and by how much more. What grows most is a link of one letter,
/// and a character that is written in five.
const GROWS: usize = 24;
const GROWS_BY: usize = 128;

/// The same where addresses are written once and used often: so much the parser lets them grow, with each character
/// escaped in five.
const REFERENCES_GROW_BY: usize = 5 * 100_000;

/// # Panics
/// Where something does not hold.
pub fn holds(bytes: &[u8]) {
    let body = String::from_utf8_lossy(bytes);
    if body.len() > MAX_BODY_BYTES {
        return;
    }
    for renderer in [&*PLAIN, &*WITH_IMAGES] {
        let html = renderer.to_html(&body);
        let seen = Seen::in_html(&html, std::ptr::eq(renderer, &*WITH_IMAGES));
        assert_eq!(seen.open, [] as [String; 0], "{html}");
        let grows_by = match body.contains("]:") {
            true => REFERENCES_GROW_BY,
            false => GROWS_BY,
        };
        assert!(
            html.len() <= GROWS * body.len() + grows_by,
            "{} bytes of {}: {html}",
            html.len(),
            body.len()
        );
        assert_eq!(html, renderer.to_html(&body), "it comes out the same again");
    }
}

/// What an HTML parser has come upon.
struct Seen {
    /// The elements that are open.
    open: Vec<String>,
    /// Whether the element that all of it stands in was closed.
    is_over: bool,
    has_images: bool,
}

struct Sink(RefCell<Seen>);

impl Seen {
    fn in_html(html: &str, has_images: bool) -> Seen {
        let seen = Seen {
            open: Vec::new(),
            is_over: false,
            has_images,
        };
        let tokenizer = Tokenizer::new(Sink(RefCell::new(seen)), TokenizerOpts::default());
        let queue = BufferQueue::default();
        queue.push_back(StrTendril::from(html));
        let _ = tokenizer.feed(&queue);
        tokenizer.end();
        let seen = tokenizer.sink.0.into_inner();
        assert!(seen.is_over, "{html}");
        seen
    }

    fn tag(&mut self, tag: &Tag) {
        let name = &*tag.name;
        if tag.kind == TagKind::EndTag {
            assert_eq!(self.open.pop().as_deref(), Some(name), "it closes what was opened last");
            self.is_over = self.open.is_empty();
            return;
        }
        assert!(!self.is_over, "{tag:?} stands outside");
        let attributes: Vec<(&str, &str)> = tag.attrs.iter().map(|one| (&*one.name.local, &*one.value)).collect();
        let is_safe = match (name, attributes.as_slice()) {
            ("div", [("dir", "auto")]) => self.open.is_empty(),
            _ if self.open.is_empty() => false,
            ("a", [("rel", rel)]) => is_rel(rel),
            ("a", [("href", href), ("rel", rel)]) => is_outward(href) && is_rel(rel),
            ("ol", []) => true,
            ("ol", [("start", start)]) => start.parse::<i64>().is_ok(),
            (
                "img",
                [
                    ("src", source),
                    ("alt", _),
                    ("loading", "lazy"),
                    ("referrerpolicy", "no-referrer"),
                ],
            ) => self.has_images && is_ours(source),
            (name, []) => BARE.contains(&name),
            _ => false,
        };
        assert!(is_safe, "{tag:?}");
        if !["br", "hr", "img"].contains(&name) {
            self.open.push(name.to_owned());
        }
        assert!(self.open.len() <= DEPTH, "{:?}", self.open);
    }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => self.0.borrow_mut().tag(&tag),
            Token::CharacterTokens(text) => {
                let seen = self.0.borrow();
                assert!(
                    !seen.open.is_empty() || text.trim().is_empty(),
                    "{text:?} stands outside"
                );
            }
            // The sanitiser keeps the character in whose place the specification has another.
            Token::NullCharacterToken | Token::EOFToken | Token::ParseError(_) => {}
            Token::CommentToken(_) | Token::DoctypeToken(_) => panic!("{token:?}"),
        }
        TokenSinkResult::Continue
    }
}

fn is_rel(rel: &str) -> bool {
    rel == "nofollow noopener noreferrer"
}

/// As a browser reads it.
fn is_outward(href: &str) -> bool {
    Url::parse(href).is_ok_and(|url| ["http", "https", "mailto", "tel"].contains(&url.scheme()))
}

fn is_ours(source: &str) -> bool {
    Url::parse(source).is_ok_and(|url| url.scheme() == "https" && url.host_str() == Some(HOST))
}
