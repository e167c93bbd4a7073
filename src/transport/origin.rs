//! Which pages of a browser may open a WebSocket.
//!
//! Browsers let any page open a socket to any server, and leave it to the server to look at `Origin`.

use axum::http::{HeaderMap, StatusCode, header};

use super::RequestError;

/// Lets pass what is no browser (no `Origin`), pages of our own host, and the origins that are allowed by name.
pub(super) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), RequestError> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // `http://host` and `https://host` alike: behind a proxy we do not see which of the two the page came by.
    let same_host = origin.split_once("://").is_some_and(|(_, host)| Some(host) == own);
    if same_host
        || allowed
            .iter()
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    {
        return Ok(());
    }
    Err(RequestError::new(
        "ORIGIN_FORBIDDEN",
        StatusCode::FORBIDDEN,
        "Pages of this origin may not connect here.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(origin: Option<&'static str>, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "status.example:8080".parse().expect("a header value"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header value"));
        }
        let allowed: Vec<String> = allowed.iter().map(|&origin| origin.to_owned()).collect();
        check(&headers, &allowed).is_ok()
    }

    #[test]
    fn programs_and_our_own_pages_may_connect() {
        assert!(passes(None, &[]));
        assert!(passes(Some("http://status.example:8080"), &[]));
        assert!(passes(Some("https://status.example:8080"), &[]));
    }

    #[test]
    fn foreign_pages_may_connect_only_where_they_are_named() {
        for foreign in [
            "https://evil.example",
            "http://status.example",
            "null",
            "status.example:8080",
        ] {
            assert!(!passes(Some(foreign), &[]), "{foreign}");
            assert!(!passes(Some(foreign), &["https://front.example"]), "{foreign}");
            assert!(passes(Some(foreign), &["*"]), "{foreign}");
        }
        assert!(passes(Some("https://front.example"), &["https://front.example"]));
    }
}
