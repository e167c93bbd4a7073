//! What is asked of every server and what is said through it, so that all of them send the same.

use serde_json::{Value, json};

/// The page everything happens on.
pub(crate) const SLUG: &str = "bench";

/// How every body begins. What stands after it is the number of the event.
pub(crate) const BODY: &str = "event ";

/// Digits of an event's number: all bodies are of one length, whatever their number.
const NUMBER_DIGITS: usize = 8;

/// What fills a body up; words, as nothing in a status page is one long word.
const FILLER: &str = "we are still looking into why checkout is slow for some of our customers and ";

/// The operation's id where all subscribers use the same: then one frame fits all of them.
pub(crate) const SHARED_ID: &str = "000000";

/// The subscription. Each variant is a selection of its own: the same fields, and the type's name once more under
/// another name.
pub(crate) fn watch(variant: Option<usize>) -> String {
    let again = variant.map_or_else(String::new, |variant| format!("v{variant:02}: __typename "));
    format!(
        "subscription Watch {{ pageEvents(page: \"{SLUG}\") {{ __typename {again}cursor at \
         ... on IncidentUpdatePosted {{ incident {{ id title status impact }} update {{ id status body }} }} }} }}"
    )
}

/// The subscription of a client that comes back: where it has to go on from is a variable, as in real clients.
pub(crate) fn resume(after: Option<&str>) -> Value {
    let query = format!(
        "subscription Resume($after: Cursor) {{ pageEvents(page: \"{SLUG}\", after: $after) {{ __typename cursor at \
         ... on IncidentUpdatePosted {{ incident {{ id title status impact }} update {{ id status body }} }} }} }}"
    );
    json!({ "query": query, "variables": { "after": after } })
}

/// The body of an event: its number, then as many bytes as are wished for.
pub(crate) fn body(number: u64, filler: usize) -> String {
    let mut body = format!("{BODY}{number:0NUMBER_DIGITS$} ");
    body.extend(FILLER.chars().cycle().take(filler));
    // A trailing blank would be cut off, and the body a byte too short.
    if body.ends_with(' ') {
        body.pop();
        body.push('.');
    }
    body
}

/// The number of the event that a message is about; none where it is about something else.
pub(crate) fn number(message: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(message, b"\"body\":\"event ")? + b"\"body\":\"event ".len();
    let digits = message.get(at..at + NUMBER_DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The cursor of a message.
pub(crate) fn cursor(message: &[u8]) -> Option<&str> {
    let key = b"\"cursor\":\"";
    let from = memchr::memmem::find(message, key)? + key.len();
    let length = memchr::memchr(b'"', &message[from..])?;
    std::str::from_utf8(&message[from..from + length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_event_is_found_in_its_message() {
        let message = json!({ "cursor": "abc", "update": { "body": body(1234, 20) } }).to_string();

        assert_eq!(number(message.as_bytes()), Some(1234));
        assert_eq!(cursor(message.as_bytes()), Some("abc"));
        assert_eq!(number(b"{\"body\":\"event 12"), None);
        assert_eq!(cursor(b"{\"cursor\":\"ab"), None);
    }

    #[test]
    fn a_body_is_as_long_as_it_is_wished_for_and_keeps_its_last_byte() {
        let lengths: Vec<usize> = (0..FILLER.len() * 2).map(|filler| body(7, filler).len()).collect();

        assert!(lengths.windows(2).all(|pair| pair[1] == pair[0] + 1), "{lengths:?}");
        assert!((0..FILLER.len()).all(|filler| !body(7, filler).ends_with(' ')));
    }
}
