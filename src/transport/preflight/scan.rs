//! Counts the words of a document and how deep its brackets go, without recursion and without parsing it.
//!
//! Where a token ends must be where the parser behind has it end, or brackets could be hidden from the one in what is
//! a string to the other. What the parser would read in another way (strings that do not end) is refused here.

use super::limits::Limits;
use crate::transport::RequestError;

/// What a document is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) tokens: usize,
    /// The deepest nesting.
    pub(super) nesting: usize,
}

/// Goes over a document once, and stops at the first limit that is passed.
pub(super) fn scan(document: &str, limits: &Limits) -> Result<Scan, RequestError> {
    let bytes = document.as_bytes();
    let mut found = Scan::default();
    let mut nesting = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += length(&bytes[at..], |byte| !matches!(byte, b'\n' | b'\r'));
                continue;
            }
            // The byte order mark, in UTF-8.
            0xef if bytes[at..].starts_with(b"\xef\xbb\xbf") => {
                at += 3;
                continue;
            }
            _ => {}
        }
        found.tokens += 1;
        limits.tokens(found.tokens)?;
        at += match byte {
            b'{' | b'[' | b'(' => {
                nesting += 1;
                limits.nesting(nesting)?;
                found.nesting = found.nesting.max(nesting);
                1
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                1
            }
            b'"' => string(&bytes[at..])
                .ok_or_else(|| RequestError::unparsable("Syntax error: a string is not terminated."))?,
            b'.' if bytes[at..].starts_with(b"...") => 3,
            b'-' | b'0'..=b'9' => number(&bytes[at..]),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                length(&bytes[at..], |byte| byte.is_ascii_alphanumeric() || byte == b'_')
            }
            _ => 1,
        };
    }
    Ok(found)
}

/// How many bytes from the first on belong.
fn length(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !belongs(byte)).unwrap_or(bytes.len())
}

/// The length of the string that begins here, its quotes included; none if it does not end.
fn string(bytes: &[u8]) -> Option<usize> {
    if let Some(content) = bytes.strip_prefix(b"\"\"\"") {
        let mut at = 0;
        while at < content.len() {
            match &content[at..] {
                [b'\\', b'"', b'"', b'"', ..] => at += 4,
                [b'"', b'"', b'"', ..] => return Some(at + 6),
                _ => at += 1,
            }
        }
        return None;
    }
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' if matches!(bytes.get(at + 1)?, b'\n' | b'\r') => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The length of the number that begins here. `007` is three numbers, as it is to the parser.
fn number(bytes: &[u8]) -> usize {
    let digits = |from: usize| length(&bytes[from.min(bytes.len())..], |byte| byte.is_ascii_digit());
    let mut end = usize::from(bytes.first() == Some(&b'-'));
    end += match bytes.get(end) {
        Some(b'0') => 1,
        _ => digits(end),
    };
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digits(end + 1 + sign) > 0 {
            end += 1 + sign + digits(end + 1 + sign);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(document: &str) -> (usize, usize) {
        let scan = scan(document, &Limits::default()).expect("a document within the limits");
        (scan.tokens, scan.nesting)
    }

    #[test]
    fn words_signs_numbers_and_strings_are_one_token_each() {
        for (document, tokens) in [
            ("", 0),
            ("\u{feff} ,\t# a { comment } \r\n", 0),
            ("{ a }", 3),
            ("...on", 2),
            ("a1_b:c", 3),
            ("-1.5e+3", 1),
            ("1-1-1", 3),
            ("007", 3),
            ("$x:[Int!]!=[1]", 12),
            (r#""a \" { b""#, 1),
            (r#""" """#, 2),
            (r#""""a " "" \""" { """ b"#, 2),
            (r#""""""""#, 1),
            ("..", 2),
            ("日", 3),
        ] {
            assert_eq!(found(document).0, tokens, "{document:?}");
        }
    }

    #[test]
    fn brackets_count_except_in_strings_and_comments() {
        for (document, nesting) in [
            ("{ a { b } c { d } }", 2),
            ("{ a(b: [{c: [1]}]) }", 5),
            (r#"{ a(b: "{{{{") }"#, 2),
            (r#"{ a(b: """ {{ "{{ \""" {{ """) }"#, 2),
            ("{ a # {{{{\n }", 1),
            ("}}}{", 1),
        ] {
            assert_eq!(found(document).1, nesting, "{document:?}");
        }
    }

    #[test]
    fn a_string_that_does_not_end_is_refused_for_the_parser_would_read_on_in_another_way() {
        // To the parser, `"""` without an end is an empty string and the beginning of another.
        for document in [
            r#"{ a(b: [""" " [[[["#,
            "\"",
            "\"a\n\"",
            "\"\\\n\"",
            r#"""" \""""#,
            "\"\\",
        ] {
            let error = scan(document, &Limits::default()).expect_err("an endless string");
            assert_eq!(error.code, "GRAPHQL_PARSE_FAILED", "{document:?}");
        }
    }

    #[test]
    fn it_stops_at_the_limit_and_looks_at_nothing_behind() {
        let limits = Limits {
            tokens: 10,
            nesting: 3,
            ..Limits::default()
        };

        // Had it read on, it would have found that the string does not end.
        let tokens = scan(&("a ".repeat(11) + "\""), &limits).expect_err("too many tokens");
        let nesting = scan("[[[[ \"", &limits).expect_err("too deep");

        assert_eq!(
            (tokens.code, nesting.code),
            ("DOCUMENT_TOO_COMPLEX", "DOCUMENT_TOO_COMPLEX")
        );
        assert!(scan(&"a ".repeat(10), &limits).is_ok() && scan("[[[]]]", &limits).is_ok());
    }

    proptest! {
        #[test]
        fn every_byte_is_passed_once(text in "[ -~\n\u{feff}é\"\\\\.0-9eE+-]{0,80}") {
            if let Ok(scan) = scan(&text, &Limits::default()) {
                prop_assert!(scan.tokens <= text.len());
            }
        }
    }
}
