//! Which pages of a browser may use the API.
//!
//! Browsers let any page open a socket to any server, and leave it to the server to look at `Origin`.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::RequestError;

/// Stands for every origin in a list of those that are allowed.
pub(super) const ANY: &str = "*";

/// Whose page a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// Nobody says: it is no browser, or a page that it shows by itself.
    Unsaid,
    /// A page of our own host.
    Own,
    /// A page of an origin that is allowed.
    Allowed(&'a HeaderValue),
    /// Any other page.
    Foreign,
}

/// Finds out whose page a request comes from; `allowed` are the origins besides our own.
pub(super) fn of<'a>(headers: &'a HeaderMap, allowed: &[String]) -> Origin<'a> {
    let Some(value) = headers.get(header::ORIGIN) else {
        return Origin::Unsaid;
    };
    let origin = value.to_str().unwrap_or_default();
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // `http://host` and `https://host` alike: behind a proxy we do not see which of the two the page came by.
    if origin.split_once("://").is_some_and(|(_, host)| Some(host) == own) {
        return Origin::Own;
    }
    let is_allowed = |allowed: &String| allowed == ANY || allowed.eq_ignore_ascii_case(origin);
    match allowed.iter().any(is_allowed) {
        true => Origin::Allowed(value),
        false => Origin::Foreign,
    }
}

/// Lets pass what is no browser (no `Origin`), pages of our own host, and the origins that are allowed by name.
pub(super) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), RequestError> {
    match of(headers, allowed) {
        Origin::Foreign => Err(foreign()),
        Origin::Unsaid | Origin::Own | Origin::Allowed(_) => Ok(()),
    }
}

/// What a page that may not is told.
pub(super) fn foreign() -> RequestError {
    RequestError::new(
        "ORIGIN_FORBIDDEN",
        StatusCode::FORBIDDEN,
        "Pages of this origin may not do this here; `--allow-origin` names those that may.",
    )
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
