//! The first fence: the events of a body, made to nest, with the HTML in them cut down to a few inline tags.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

use super::SANITISER;
use super::image::{ImageHosts, Images};

/// How deep elements may nest. Far beyond what people write (a quote in a list in a list is three), far below where
/// an HTML parser gets slow.
const MAX_DEPTH: usize = 64;

/// The inline tags that are let through, without their attributes. A link keeps its address.
const INLINE: [&str; 12] = [
    "a", "b", "code", "del", "em", "i", "kbd", "s", "strong", "sub", "sup", "u",
];

/// Tags whose content is no text to read.
const HIDING: [&str; 2] = ["script", "style"];

/// The body goes beyond its bounds.
#[derive(Debug)]
pub(super) struct OutOfBounds;

/// An element that was opened and not yet closed.
#[derive(PartialEq, Eq)]
enum Open {
    /// One of Markdown, which is closed by Markdown.
    Markdown { link: bool },
    /// A tag the author wrote, which may be closed anywhere or never.
    Tag(&'static str),
}

/// The events of a body so far.
pub(super) struct Markup<'a> {
    events: Vec<Event<'a>>,
    /// How many events there may be. An element takes its author a character at least, for which there are two events;
    /// more come from short table rows, which are filled up with cells that nobody wrote.
    max_events: usize,
    open: Vec<Open>,
    /// How many elements were open when a tag that hides its content came.
    hidden_from: Option<usize>,
    /// The HTML block that is being read: it comes line by line, and a tag may span lines.
    block: Option<String>,
    hosts: &'a ImageHosts,
    images: Images,
}

impl<'a> Markup<'a> {
    /// Nothing yet of a body that is about to be read, unless one of its lines is out of bounds at first sight.
    pub(super) fn of(markdown: &str, hosts: &'a ImageHosts) -> Result<Markup<'a>, OutOfBounds> {
        if markdown.lines().any(|line| containers(line) > MAX_DEPTH) {
            return Err(OutOfBounds);
        }
        let max_events = 2 * markdown.len() + MAX_DEPTH;
        Ok(Markup {
            events: Vec::new(),
            max_events,
            open: Vec::new(),
            hidden_from: None,
            block: None,
            hosts,
            images: Images::default(),
        })
    }

    pub(super) fn into_events(self) -> Vec<Event<'a>> {
        self.events
    }

    pub(super) fn push(&mut self, event: Event<'a>) -> Result<(), OutOfBounds> {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.images.start(self.hosts.address(&dest_url));
                return Ok(());
            }
            Event::End(TagEnd::Image) => {
                if let Some(image) = self.images.end() {
                    self.raw(image);
                }
                return Ok(());
            }
            _ => {}
        }
        let Some(event) = self.images.take(event) else {
            return Ok(());
        };
        match event {
            Event::Start(Tag::HtmlBlock) => {
                self.block = Some(String::new());
                self.start(Tag::Paragraph);
            }
            Event::End(TagEnd::HtmlBlock) => {
                let html = self.block.take().unwrap_or_default();
                self.html_block(&html);
                self.end(TagEnd::Paragraph);
            }
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Html(html) => match &mut self.block {
                Some(block) => block.push_str(&html),
                None => self.html_block(&html),
            },
            Event::InlineHtml(tag) => {
                self.tag(&tag);
            }
            event => self.show(event),
        }
        let within = self.open.len() <= MAX_DEPTH && self.events.len() <= self.max_events;
        if within { Ok(()) } else { Err(OutOfBounds) }
    }

    fn start(&mut self, tag: Tag<'a>) {
        self.open.push(Open::Markdown {
            link: matches!(tag, Tag::Link { .. }),
        });
        self.events.push(Event::Start(tag));
    }

    fn end(&mut self, tag: TagEnd) {
        while let Some(Open::Tag(name)) = self.open.pop() {
            self.close(name);
        }
        if self.hidden_from.is_some_and(|depth| depth > self.open.len()) {
            self.hidden_from = None;
        }
        self.events.push(Event::End(tag));
    }

    fn show(&mut self, event: Event<'a>) {
        if self.hidden_from.is_none() {
            self.events.push(event);
        }
    }

    fn raw(&mut self, html: impl Into<CowStr<'a>>) {
        self.show(Event::InlineHtml(html.into()));
    }

    fn close(&mut self, name: &'static str) {
        self.events.push(Event::InlineHtml(format!("</{name}>").into()));
    }

    /// A tag the author wrote; says whether it was let through.
    fn tag(&mut self, tag: &str) -> bool {
        let (closing, rest) = match tag.strip_prefix("</") {
            Some(rest) => (true, rest),
            None => (false, tag.strip_prefix('<').unwrap_or(tag)),
        };
        let until = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..until];
        let among = |names: &[&'static str]| names.iter().copied().find(|known| known.eq_ignore_ascii_case(name));

        if among(&HIDING).is_some() {
            self.hidden_from = if closing {
                None
            } else {
                self.hidden_from.or(Some(self.open.len()))
            };
        } else if among(&["br"]).is_some() {
            self.raw("<br />");
            return true;
        } else if let Some(name) = among(&INLINE) {
            match (closing, name) {
                (true, _) => self.close_tag(name),
                (false, "a") => self.open_link(tag),
                // An empty element to its author; to a browser it would stay open.
                (false, _) if tag.ends_with("/>") => {}
                (false, _) => self.open_tag(name, format!("<{name}>")),
            }
            return true;
        }
        false
    }

    fn open_tag(&mut self, name: &'static str, html: String) {
        if self.hidden_from.is_none() {
            self.open.push(Open::Tag(name));
            self.raw(html);
        }
    }

    /// A link, sanitised by itself so that whatever its attributes hold stays within them.
    fn open_link(&mut self, tag: &str) {
        let within_a_link = self
            .open
            .iter()
            .any(|open| matches!(open, Open::Markdown { link: true } | Open::Tag("a")));
        if within_a_link {
            return;
        }
        let clean = SANITISER.clean(tag).to_string();
        if let Some(start) = clean.strip_suffix("</a>") {
            self.open_tag("a", start.to_owned());
        }
    }

    /// Closes a tag of the author's, and those opened within it. One that is not open here is left out.
    fn close_tag(&mut self, name: &'static str) {
        let mut inner = self.open.iter().rev().take_while(|open| matches!(open, Open::Tag(_)));
        let Some(distance) = inner.position(|open| *open == Open::Tag(name)) else {
            return;
        };
        for open in self.open.split_off(self.open.len() - distance - 1).into_iter().rev() {
            if let Open::Tag(name) = open {
                self.close(name);
            }
        }
    }

    /// A block of HTML: its text and its inline tags, as one paragraph.
    fn html_block(&mut self, html: &str) {
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            let (text, from_tag) = rest.split_at(at);
            self.block_text(text);
            let (is_tag, length) = first_piece(from_tag);
            let (piece, after) = from_tag.split_at(length);
            if !is_tag {
                self.block_text(piece);
            } else if !self.tag(piece) {
                // What was a block of its own, such as a paragraph, must not run into the one before.
                self.block_text("\n");
            }
            rest = after;
        }
        self.block_text(rest);
    }

    /// Text of an HTML block: entities in it still have their meaning.
    fn block_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.raw(text.replace('<', "&lt;"));
        }
    }
}

/// How many quotes and list items a line can open at most: the markers it begins with.
///
/// Looked at before the body is parsed, because the parser goes through all that is open on every line that follows.
/// Several lines together go deep as well, but each of them must then be as long as it is deep, which keeps a body of
/// bounded length shallow.
fn containers(line: &str) -> usize {
    let markers = line
        .bytes()
        .chain([b' '])
        .take_while(|byte| b"> \t-+*.)0123456789".contains(byte));
    let mut count = 0;
    let mut last = b' ';
    for byte in markers {
        let ends_item = matches!(byte, b' ' | b'\t') && b"-+*.)".contains(&last);
        count += usize::from(ends_item || byte == b'>');
        last = byte;
    }
    count
}

/// Whether the text begins with a tag or comment, and how long that piece of it is. A `<` that begins neither is text
/// by itself; where a tag or comment never ends, all of the rest is text (and so is read once, however many there are).
fn first_piece(text: &str) -> (bool, usize) {
    if text.starts_with("<!--") {
        return text
            .find("-->")
            .map_or((false, text.len()), |at| (true, at + "-->".len()));
    }
    if !text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
        return (false, 1);
    }
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return (true, at + 1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            _ => {}
        }
    }
    (false, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_opens_too_much_is_refused_before_it_is_parsed() {
        let hosts = ImageHosts::default();
        for marker in [">", "> ", "- ", "+\t", "* ", "1. ", "23) ", "> 1. "] {
            assert!(
                Markup::of(&format!("a\n{}", marker.repeat(65)), &hosts).is_err(),
                "{marker}"
            );
        }
        for line in ["-", "*", "=", "+", "1", ".", "# ", "a - "].map(|piece| piece.repeat(100)) {
            assert!(Markup::of(&line, &hosts).is_ok(), "{line}");
        }
        assert_eq!(containers("> 12. - **a** - b"), 3);
    }

    #[test]
    fn a_tag_that_never_ends_is_read_once() {
        assert_eq!(first_piece("<a<a<a"), (false, 6));
        assert_eq!(first_piece("<a b='><a>"), (false, 10));
        assert_eq!(first_piece("<!--<!--"), (false, 8));
        assert_eq!(first_piece("< b"), (false, 1));
        assert_eq!(first_piece("<a b='>'>c"), (true, 9));
        assert_eq!(first_piece("<!-- > -->c"), (true, 10));
    }
}
