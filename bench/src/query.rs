//! The query that a status page's front end sends, and HTTP requests that carry queries.

use std::fmt::Write;
use std::net::SocketAddr;

use serde_json::{Value, json};

/// Updates of an incident that the page shows at most. Real incidents have ten or fewer.
const UPDATES: usize = 10;

/// Digits of the number in the name of an operation.
const NUMBER_DIGITS: usize = 8;

/// How the name of the operation begins.
const NAME: &str = "query Page";

/// The page's name and status, its groups and components, the active incidents and the newest ones with their updates; at an
/// earlier time if one is given (RFC 3339).
pub(crate) fn page(slug: &str, incidents: usize, as_of: Option<&str>) -> String {
    let as_of = as_of.map_or_else(String::new, |at| format!(", asOf: \"{at}\""));
    let zeros = "0".repeat(NUMBER_DIGITS);
    format!(
        "{NAME}{zeros} {{ page(slug: \"{slug}\"{as_of}) {{ name status {{ indicator description }} \
         componentGroups {{ id name status }} components {{ id name status group {{ id }} }} \
         activeIncidents {{ ...Shown }} incidents(first: {incidents}) {{ nodes {{ ...Shown }} }} }} }} \
         fragment Shown on Incident {{ id title status impact startedAt resolvedAt \
         updates(first: {UPDATES}) {{ nodes {{ id status body displayAt }} }} }}"
    )
}

/// A request of which a part counts up, so that each document is one that the server has not seen.
pub(crate) struct Distinct {
    request: Vec<u8>,
    at: usize,
    number: u64,
}

impl Distinct {
    /// From a request that carries [`page`].
    pub(crate) fn new(request: Vec<u8>) -> Option<Distinct> {
        let at = memchr::memmem::find(&request, NAME.as_bytes())? + NAME.len();
        Some(Distinct { request, at, number: 0 })
    }

    /// The next request, with the same answer as every other.
    pub(crate) fn next(&mut self) -> &[u8] {
        self.number += 1;
        let number = format!("{:0NUMBER_DIGITS$}", self.number);
        self.request[self.at..self.at + NUMBER_DIGITS].copy_from_slice(number.as_bytes());
        &self.request
    }
}

/// A POST of a document. Headers are whole lines.
pub(crate) fn post(address: SocketAddr, document: &str, variables: &Value, headers: &[&str]) -> Vec<u8> {
    let body = match variables {
        Value::Null => json!({ "query": document }),
        variables => json!({ "query": document, "variables": variables }),
    };
    post_body(address, &body.to_string(), headers)
}

/// A POST of a body that may be anything.
pub(crate) fn post_body(address: SocketAddr, body: &str, headers: &[&str]) -> Vec<u8> {
    let mut request = format!("POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    let _ = write!(request, "content-length: {}\r\n\r\n{body}", body.len());
    request.into_bytes()
}

/// A GET of a document. Headers are whole lines.
pub(crate) fn get(address: SocketAddr, document: &str, headers: &[&str]) -> Vec<u8> {
    let mut request = String::from("GET /graphql?query=");
    for byte in document.bytes() {
        if byte.is_ascii_alphanumeric() {
            request.push(char::from(byte));
        } else {
            let _ = write!(request, "%{byte:02X}");
        }
    }
    let _ = write!(request, " HTTP/1.1\r\nhost: {address}\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_requests_differ_in_the_number_alone() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let request = post(address, &page("demo", 10, None), &Value::Null, &[]);

        let mut distinct = Distinct::new(request.clone()).expect("it carries the query");
        let first = distinct.next().to_vec();
        let second = distinct.next().to_vec();

        let differences = |other: &[u8]| request.iter().zip(other).filter(|(one, other)| one != other).count();
        assert_eq!((first.len(), second.len()), (request.len(), request.len()));
        assert_eq!((differences(&first), differences(&second)), (1, 1));
        assert_ne!(first, second);
    }

    #[test]
    fn a_get_is_one_line_with_an_escaped_document() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let request = get(address, "{ a }", &["if-none-match: \"x\""]);

        assert_eq!(
            String::from_utf8_lossy(&request),
            "GET /graphql?query=%7B%20a%20%7D HTTP/1.1\r\nhost: 127.0.0.1:80\r\nif-none-match: \"x\"\r\n\r\n"
        );
    }
}
