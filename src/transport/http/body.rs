//! Reads the GraphQL request out of an HTTP request.

use async_graphql::Request;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value as Json};
use tokio::time::timeout;

use super::accept::is_utf8;
use crate::transport::preflight::Limits;
use crate::transport::{Config, RequestError, json, parameters};

/// The body of a POST. Nothing of it is parsed yet.
pub(super) async fn posted(headers: &HeaderMap, body: Body, config: &Config) -> Result<Bytes, RequestError> {
    is_json(headers)?;
    let too_large = || {
        let message = format!("The body may be at most {} bytes.", config.body_limit);
        RequestError::new("PAYLOAD_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE, message).with("max", config.body_limit)
    };
    if body.size_hint().lower() > config.body_limit as u64 {
        return Err(too_large());
    }
    timeout(config.body_timeout, axum::body::to_bytes(body, config.body_limit))
        .await
        .map_err(|_| {
            RequestError::new(
                "REQUEST_TIMEOUT",
                StatusCode::REQUEST_TIMEOUT,
                "The body took too long.",
            )
        })?
        // The other cause, a connection that broke, leaves nobody to answer.
        .map_err(|_| too_large())
}

/// The request in a JSON body. A batch is recognised by its first character and not read further.
pub(super) fn in_json(body: &[u8], limits: &Limits) -> Result<Request, RequestError> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        let message = "Batches are not taken: send one request at a time.";
        return Err(RequestError::new("BATCHING_DISABLED", StatusCode::BAD_REQUEST, message));
    }
    match json::read(body, limits.variable_values) {
        Ok(Json::Object(members)) => parameters::request(members),
        Ok(_) => Err(RequestError::malformed("The body must be a JSON object.")),
        Err(json::Unreadable::TooMany(found)) => Err(limits.too_many_values(found)),
        Err(json::Unreadable::Invalid(error)) => {
            Err(RequestError::malformed(format!("The body is not JSON: {error}.")))
        }
    }
}

/// The request in the query string of a GET.
pub(super) fn in_query(query: &str, limits: &Limits) -> Result<Request, RequestError> {
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "documentId" | "operationName" => Json::String(value.into_owned()),
            "variables" | "extensions" => {
                json::read(value.as_bytes(), limits.variable_values).map_err(|unreadable| match unreadable {
                    json::Unreadable::TooMany(found) => limits.too_many_values(found),
                    json::Unreadable::Invalid(error) => {
                        RequestError::malformed(format!("`{name}` is not JSON: {error}."))
                    }
                })?
            }
            _ => continue,
        };
        if members.insert(name.clone().into_owned(), value).is_some() {
            return Err(RequestError::malformed(format!("`{name}` is given twice.")));
        }
    }
    parameters::request(members)
}

/// Browsers send any other type to us on behalf of any page, without asking first.
fn is_json(headers: &HeaderMap) -> Result<(), RequestError> {
    let unsupported = |message: &str| {
        Err(RequestError::new(
            "UNSUPPORTED_MEDIA_TYPE",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            message,
        ))
    };
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let utf8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| !name.trim().eq_ignore_ascii_case("charset") || is_utf8(value.trim().trim_matches('"')));
    if !json || !utf8 {
        return unsupported("The body must be `application/json`, in UTF-8.");
    }
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(()),
        Some(_) => unsupported("The body must not be compressed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_holds_a_request() {
        let query = "query=query+A(%24x%3AInt)%7Ba%7D&operationName=A&variables=%7B%22x%22%3A1%7D&other=1";

        let request = in_query(query, &Limits::default()).expect("a request");

        assert_eq!(request.query, "query A($x:Int){a}");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        assert_eq!(request.variables.into_value().to_string(), "{x: 1}");
    }

    #[test]
    fn a_query_string_of_another_form_is_refused() {
        for query in [
            "",
            "query=a&query=b",
            "query=a&variables=%7B",
            "query=a&variables=7",
            "query=a&extensions=[]",
        ] {
            let error = in_query(query, &Limits::default()).expect_err("malformed");
            assert_eq!(error.code, "BAD_REQUEST", "{query}");
        }
    }

    #[test]
    fn a_batch_is_refused_by_its_first_character() {
        for batch in ["[", " \n\t[{", "[[[[", "[noise"] {
            let error = in_json(batch.as_bytes(), &Limits::default()).expect_err("a batch");
            assert_eq!(error.code, "BATCHING_DISABLED", "{batch}");
        }
        for malformed in ["", " ", "7", "{", "{}]", "\"[\""] {
            let error = in_json(malformed.as_bytes(), &Limits::default()).expect_err("malformed");
            assert_eq!(error.code, "BAD_REQUEST", "{malformed}");
        }
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        let status = |content_type: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().expect("a header value"));
            is_json(&headers).map_err(|error| error.status.as_u16())
        };
        for fine in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert_eq!(status(fine), Ok(()), "{fine}");
        }
        for wrong in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
            "application/json; charset=iso-8859-1",
            "application/jsonp",
            "",
        ] {
            assert_eq!(status(wrong), Err(415), "{wrong}");
        }
        assert_eq!(is_json(&HeaderMap::new()).expect_err("no type").status.as_u16(), 415);
    }
}
