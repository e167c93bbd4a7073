//! Which media type an answer has, and in which form a subscription comes.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::transport::RequestError;

/// The form of an answer, and how the client came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::transport) enum Media {
    /// `application/graphql-response+json`: the status says what the answer is.
    GraphqlResponse,
    /// `application/json`, by name.
    Json,
    /// `application/json`, for a client that takes anything: with the statuses of the newer type, since nothing says
    /// that it is an old GraphQL client.
    Assumed,
}

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";
const MULTIPART: &str = "multipart/mixed";

/// The form in which results come one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamMedia {
    /// `text/event-stream`.
    Events,
    /// `multipart/mixed` with `subscriptionSpec`.
    Multipart,
}

impl StreamMedia {
    /// What the `Accept` header names; events first, for they can be resumed.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<StreamMedia> {
        let ranges = ranges(headers)?;
        let names = |media: &str| ranges.iter().any(|range| range.weight > 0 && range.is(media));
        if names(EVENT_STREAM) {
            return Some(StreamMedia::Events);
        }
        // Without the parameter it is for answers in parts, which are something else.
        let speaks = |range: &Range<'_>| range.is(MULTIPART) && range.weight > 0 && range.is_subscription;
        ranges.iter().any(speaks).then_some(StreamMedia::Multipart)
    }

    pub(super) fn content_type(self) -> HeaderValue {
        match self {
            StreamMedia::Events => HeaderValue::from_static("text/event-stream; charset=utf-8"),
            StreamMedia::Multipart => {
                HeaderValue::from_static("multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0")
            }
        }
    }
}

/// The ranges of the `Accept` header; none where it is not text.
fn ranges(headers: &HeaderMap) -> Option<Vec<Range<'_>>> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        ranges.extend(value.to_str().ok()?.split(',').filter_map(Range::parse));
    }
    Some(ranges)
}

impl Media {
    /// What fits the `Accept` header best; none if nothing that we have fits.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Media> {
        let ranges = ranges(headers)?;
        if ranges.is_empty() {
            return Some(Media::Assumed);
        }
        let quality = |media: &str| {
            ranges
                .iter()
                .filter_map(|range| range.fits(media))
                .max_by_key(|fit| fit.0)
        };

        let (newer, older) = (quality(GRAPHQL_RESPONSE), quality(JSON));
        match (newer.filter(|fit| fit.1 > 0), older.filter(|fit| fit.1 > 0)) {
            (Some((Fit::Exact, newer)), Some((_, older))) if newer >= older => Some(Media::GraphqlResponse),
            (Some((Fit::Exact, _)), None) => Some(Media::GraphqlResponse),
            (_, Some((Fit::Exact, _))) => Some(Media::Json),
            (_, Some(_)) => Some(Media::Assumed),
            (Some(_), None) => Some(Media::GraphqlResponse),
            (None, None) => None,
        }
    }

    pub(super) fn content_type(self) -> HeaderValue {
        match self {
            Media::GraphqlResponse => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
            Media::Json | Media::Assumed => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }

    /// The status of an answer to a document that does not parse, or not validate, or whose variables do not fit.
    pub(super) fn request_error(self) -> StatusCode {
        match self {
            Media::Json => StatusCode::OK,
            Media::GraphqlResponse | Media::Assumed => StatusCode::BAD_REQUEST,
        }
    }
}

pub(super) fn not_acceptable() -> RequestError {
    let message = format!("Answers are {GRAPHQL_RESPONSE}, {JSON} or {EVENT_STREAM}; `Accept` names none of them.");
    RequestError::new("NOT_ACCEPTABLE", StatusCode::NOT_ACCEPTABLE, message)
}

/// How closely a media range names a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Anything,
    AnySubtype,
    Exact,
}

/// One media range of an `Accept` header (RFC 9110, 12.5.1), with its weight in thousandths.
struct Range<'a> {
    media: &'a str,
    weight: u16,
    /// Whether it speaks of subscriptions by `subscriptionSpec` 1.0.
    is_subscription: bool,
}

impl Range<'_> {
    /// None for what is empty, or asks for a character set that is not UTF-8.
    fn parse(text: &str) -> Option<Range<'_>> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?;
        let mut range = Range {
            media,
            weight: 1000,
            is_subscription: false,
        };
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim_matches('"');
            if name.eq_ignore_ascii_case("q") {
                // A weight that is none counts as 0: nobody asked for it.
                range.weight = value.parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0) as u16);
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                return Some(Range { weight: 0, ..range });
            } else if name.eq_ignore_ascii_case("subscriptionSpec") {
                range.is_subscription = value.starts_with("1.");
            }
        }
        Some(range)
    }

    fn is(&self, media: &str) -> bool {
        self.media.eq_ignore_ascii_case(media)
    }

    fn fits(&self, media: &str) -> Option<(Fit, u16)> {
        let fit = match self.media {
            "*/*" => Fit::Anything,
            "application/*" => Fit::AnySubtype,
            _ if self.is(media) => Fit::Exact,
            _ => return None,
        };
        Some((fit, self.weight))
    }
}

pub(super) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &'static str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Media::negotiate(&headers)
    }

    #[test]
    fn a_stream_comes_in_the_form_that_is_named() {
        for (accept, media) in [
            ("", None),
            ("*/*", None),
            ("text/*", None),
            ("multipart/mixed", None),
            ("text/event-stream;q=0", None),
            ("text/event-stream", Some(StreamMedia::Events)),
            (
                "application/json, text/event-stream, multipart/mixed",
                Some(StreamMedia::Events),
            ),
            (
                "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0,application/json",
                Some(StreamMedia::Multipart),
            ),
            (
                "multipart/mixed; subscriptionSpec=\"1.0\"",
                Some(StreamMedia::Multipart),
            ),
            ("multipart/mixed; subscriptionSpec=2.0", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(StreamMedia::negotiate(&headers), media, "{accept}");
        }
    }

    #[test]
    fn the_type_that_fits_best_is_taken() {
        assert_eq!(Media::negotiate(&HeaderMap::new()), Some(Media::Assumed));
        for (accept, media) in [
            ("", Some(Media::Assumed)),
            ("*/*", Some(Media::Assumed)),
            ("application/*", Some(Media::Assumed)),
            ("application/json", Some(Media::Json)),
            ("APPLICATION/JSON; Charset=UTF-8", Some(Media::Json)),
            ("application/graphql-response+json", Some(Media::GraphqlResponse)),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                Some(Media::GraphqlResponse),
            ),
            (
                "application/json, application/graphql-response+json",
                Some(Media::GraphqlResponse),
            ),
            (
                "application/json, application/graphql-response+json;q=0.9",
                Some(Media::Json),
            ),
            (
                "application/graphql-response+json;q=0.5, */*;q=0.1",
                Some(Media::GraphqlResponse),
            ),
            ("text/html, application/json;q=0.1", Some(Media::Json)),
            ("application/json;q=0, */*", Some(Media::GraphqlResponse)),
            ("text/event-stream", None),
            ("application/json;q=0", None),
            ("application/json; charset=iso-8859-1", None),
            ("text/*, image/png", None),
        ] {
            assert_eq!(negotiated(accept), media, "{accept}");
        }
    }
}
