//! Bodies as HTML: CommonMark in, markup out that is safe to put on any page.
//!
//! Two fences stand one behind the other. The first (`markup`) lets through the few inline tags that people write in
//! bodies, and sees to it that all elements nest and stay within bounds. The second is a sanitiser, which reads the
//! markup as a browser would and keeps what is on its list. The second is what makes the result safe. The first keeps
//! it quick: an HTML parser takes time that grows with the square of the nesting, and repeats every inline tag left
//! open in each paragraph that follows.

mod image;
mod markup;

use std::borrow::Cow;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

pub use image::ImageHosts;
use markup::Markup;

/// Everything a body may come out with: what CommonMark with tables can say, and the inline tags people write. No
/// images, unless their hosts are known: with one, an author tracks readers and shows text that no log holds.
const TAGS: &str = "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s strong sub sup table tbody td \
                    th thead tr u ul";

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(sanitiser);

fn sanitiser() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.split(' ').collect())
        .generic_attributes([].into())
        .tag_attributes([("a", ["href"].into()), ("ol", ["start"].into())].into())
        .url_schemes(["http", "https", "mailto", "tel"].into())
        // Bodies are shown in many places (feeds, mails, pages of others); a relative link means nothing in them.
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener noreferrer"));
    builder
}

/// The same for bodies that may show images of these hosts.
fn sanitiser_with(hosts: ImageHosts) -> Builder<'static> {
    let mut builder = sanitiser();
    builder
        .add_tags(["img"])
        .add_tag_attributes("img", ["src", "alt", "loading", "referrerpolicy"])
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("img", "src") => hosts.address(value).map(Cow::Owned),
            _ => Some(Cow::Borrowed(value)),
        });
    builder
}

/// Makes HTML of bodies.
#[derive(Debug, Default)]
pub struct Renderer {
    images: ImageHosts,
    /// None where no image is shown.
    with_images: Option<Builder<'static>>,
}

impl Renderer {
    /// Shows images of these hosts.
    pub fn with_images_of(hosts: ImageHosts) -> Renderer {
        Renderer {
            with_images: (!hosts.is_empty()).then(|| sanitiser_with(hosts.clone())),
            images: hosts,
        }
    }

    /// The body as HTML that can be put on any page as it stands.
    ///
    /// - Scripts, handlers, styles, forms, frames and images are gone (an image leaves its description, unless its host
    ///   is one of ours); links lead to http, https, mail and telephone addresses only, and carry
    ///   `rel="nofollow noopener noreferrer"`.
    /// - All of it stands in one `<div dir="auto">`. Browsers isolate such an element from the text around it, so a
    ///   direction override that the body leaves open ends there at the latest, and mostly with its paragraph; and a
    ///   body in Arabic or Hebrew runs its own way.
    /// - A body that nests or grows beyond bounds no reader needs is shown as it was written.
    pub fn to_html(&self, markdown: &str) -> String {
        let events = rendered(markdown, &self.images).unwrap_or_else(|| as_written(markdown));
        let mut unsafe_html = String::with_capacity(markdown.len() * 3 / 2);
        html::push_html(&mut unsafe_html, events.into_iter());
        let sanitiser = self.with_images.as_ref().unwrap_or(&SANITISER);
        format!("<div dir=\"auto\">\n{}</div>\n", sanitiser.clean(&unsafe_html))
    }
}

/// The body read as CommonMark; `None` where it goes beyond the bounds.
fn rendered<'a>(markdown: &'a str, images: &'a ImageHosts) -> Option<Vec<Event<'a>>> {
    let mut markup = Markup::of(markdown, images).ok()?;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        markup.push(event).ok()?;
    }
    Some(markup.into_events())
}

/// The body line by line, with nothing in it that means anything.
fn as_written(markdown: &str) -> Vec<Event<'_>> {
    let mut events = vec![Event::Start(Tag::Paragraph)];
    for line in markdown.lines() {
        events.extend([Event::Text(line.into()), Event::HardBreak]);
    }
    events.push(Event::End(TagEnd::Paragraph));
    events
}

#[cfg(test)]
mod tests;
