//! Images in bodies: shown where the operator has named their hosts, and made of nothing but address and description.

use std::collections::HashSet;
use std::sync::Arc;

use pulldown_cmark::Event;
use url::Url;

/// Whose images bodies may show. None, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageHosts(Arc<HashSet<String>>);

impl ImageHosts {
    /// Hosts by name, as `images.example.com`; not those below them.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> ImageHosts {
        let lower = hosts.into_iter().map(|host| host.to_ascii_lowercase());
        ImageHosts(Arc::new(lower.collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address of an image that may be shown, as a browser reads it: what is looked at is what is loaded.
    pub(super) fn address(&self, text: &str) -> Option<String> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        let known = url.host_str().is_some_and(|host| self.0.contains(host));
        (url.scheme() == "https" && plain && known).then(|| url.into())
    }
}

/// Images that are being read, each within the description of the one before.
#[derive(Debug, Default)]
pub(super) struct Images {
    open: Vec<Option<Image>>,
}

/// An image that will be shown.
#[derive(Debug)]
struct Image {
    address: String,
    description: String,
}

impl Images {
    /// An image begins; one within another's description is a part of it.
    pub(super) fn start(&mut self, address: Option<String>) {
        let image = address.filter(|_| !self.describes()).map(|address| Image {
            address,
            description: String::new(),
        });
        self.open.push(image);
    }

    /// An image ends: its HTML, if it is shown.
    pub(super) fn end(&mut self) -> Option<String> {
        let image = self.open.pop().flatten()?;
        let (address, description) = (
            ammonia::clean_text(&image.address),
            ammonia::clean_text(&image.description),
        );
        // A reader who does not look at an image does not ask for it, and whoever does says not where it stood.
        Some(format!(
            "<img src=\"{address}\" alt=\"{description}\" loading=\"lazy\" referrerpolicy=\"no-referrer\" />"
        ))
    }

    /// Whether an image is being described that will be shown.
    fn describes(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }

    /// Takes what belongs to the description of an image that will be shown; gives back what does not.
    pub(super) fn take<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        let Some(image) = self.open.iter_mut().flatten().next() else {
            return Some(event);
        };
        match event {
            Event::Text(text) | Event::Code(text) => image.description.push_str(&text),
            Event::SoftBreak | Event::HardBreak => image.description.push(' '),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_scheme_host_and_nothing_else() {
        let hosts = ImageHosts::new(["Images.Example.com".to_owned()]);
        for fine in [
            "https://images.example.com/a.png",
            "HTTPS://IMAGES.example.COM:443/a.png?x#y",
            "https:images.example.com/a.png",
        ] {
            assert!(hosts.address(fine).is_some(), "{fine}");
        }
        for wrong in [
            "http://images.example.com/a.png",
            "https://images.example.com:8443/a.png",
            "https://evil.example/a.png",
            "https://images.example.com@evil.example/a.png",
            "https://user@images.example.com/a.png",
            "https://images.example.com.evil.example/a.png",
            "https://images.example.com\\@evil.example\\a.png ",
            "https://sub.images.example.com/a.png",
            "//images.example.com/a.png",
            "/a.png",
            "data:image/png;base64,AAAA",
            "javascript://images.example.com/%0aalert(1)",
            "",
        ] {
            let address = hosts.address(wrong);
            let is_ours = |text: &String| text.starts_with("https://images.example.com/");
            assert!(address.as_ref().is_none_or(is_ours), "{wrong}: {address:?}");
        }
        assert_eq!(hosts.address("https://evil.example/a.png"), None);
        assert_eq!(ImageHosts::default().address("https://images.example.com/a.png"), None);
    }
}
