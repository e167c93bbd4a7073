//! The explorer: a page that may run the scripts it names, and nothing that finds its way into it.

use std::sync::Arc;

use async_graphql::http::GraphiQLSource;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use uuid::Uuid;

/// Where the page loads GraphiQL from.
const SCRIPTS: &str = "https://esm.sh";

/// What stands in the page for the word that its own scripts are known by.
const PLACE: &str = "NONCE";

/// The explorer's page.
#[derive(Clone)]
pub(super) struct Explorer(Arc<str>);

impl Explorer {
    /// An explorer of the API at these paths.
    pub(super) fn new(graphql: &str, websocket: &str) -> Explorer {
        let page = GraphiQLSource::build()
            .endpoint(graphql)
            .subscription_endpoint(websocket)
            .title("Allclear")
            .finish();
        let page = page
            .replace("<script", &format!("<script nonce=\"{PLACE}\""))
            // It would outweigh the header.
            .replace(
                "name=\"referrer\" content=\"origin\"",
                "name=\"referrer\" content=\"no-referrer\"",
            );
        Explorer(page.into())
    }

    /// The page, with a word that nobody could know before.
    pub(super) fn respond(&self) -> Response {
        let nonce = Uuid::new_v4().simple().to_string();
        let rules = HeaderValue::from_str(&rules(&nonce)).expect("rules of printable ASCII");
        let mut response = Html(self.0.replace(PLACE, &nonce)).into_response();
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, rules);
        response
    }
}

/// What the page may do (CSP 3).
///
/// - The host of the scripts is named beside the nonce, since what runs in the editor's workers, which are made of
///   blobs, knows no nonce; and among the workers, since what a worker imports counts as one.
/// - The editor makes its styles as it goes, which needs `'unsafe-inline'`: for styles alone.
fn rules(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' {SCRIPTS}; worker-src blob: {SCRIPTS}; connect-src 'self'; \
         style-src {SCRIPTS} 'unsafe-inline'; font-src {SCRIPTS} data:; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_of_the_page_is_named() {
        let Explorer(page) = Explorer::new("/graphql", "/graphql/ws");

        // The import map and the program.
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches(&format!("<script nonce=\"{PLACE}\"")).count(), 2);
        assert_eq!(page.matches(PLACE).count(), 2);
        assert!(page.contains("name=\"referrer\" content=\"no-referrer\""), "{page}");
        for (at, _) in page.match_indices("https://") {
            assert!(page[at..].starts_with(SCRIPTS), "{}", &page[at..at + 60]);
        }
    }
}
