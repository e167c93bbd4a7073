//! What people may write: titles, bodies, names, slugs and keys, checked once on the way in.
//!
//! Text is kept as written, after NFC (DOMAIN.md, 8). A character here is a Unicode scalar value, because that is what
//! every client can count; limits hold after NFC, because that is what is stored.

use unicode_normalization::UnicodeNormalization;

/// The longest title, name or external reference: it must fit one line of a list and the subject of a mail.
pub const MAX_LINE: usize = 200;
/// The longest body, in characters: what the status systems that people move from allow.
pub const MAX_BODY: usize = 25_000;
/// The longest body, in bytes: an event carries the whole text, and most subscribers get every event.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The longest description of a page, group or component.
pub const MAX_DESCRIPTION: usize = 1_000;
/// The longest slug: a label of a host name, so that a page may become one.
pub const MAX_SLUG: usize = 63;
/// The longest idempotency key: room for any UUID, hash or path that a client may use.
pub const MAX_KEY: usize = 200;

/// More than NFC can shorten text by, in bytes. The worst is a Greek letter: iota with dialytika and tonos may be spelt
/// in seven bytes and becomes two; a test finds it in the tables. So text longer than this many times its limit is too
/// long whatever it becomes, and is refused before it is normalised.
const NFC_SHRINKS_BY: usize = 4;

/// The most bytes that one character takes in UTF-8.
const BYTES_PER_CHARACTER: usize = 4;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing to see: empty, blank, or invisible characters alone.
    #[error("must not be blank")]
    Required,
    /// Longer than it may be, counted after NFC.
    #[error("must not be longer than {max} {unit}")]
    TooLong { max: usize, unit: LengthUnit },
    /// A control character; in one line also a line break or a direction override.
    #[error("must not hold control characters")]
    ControlCharacter,
    /// Not a slug.
    #[error("must be 1 to {MAX_SLUG} lowercase letters, digits and single hyphens between them")]
    InvalidSlug,
    /// A key that holds something else than ASCII.
    #[error("must hold printable ASCII characters only")]
    NotAscii,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    Characters,
    Bytes,
}

impl std::fmt::Display for LengthUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LengthUnit::Characters => "characters",
            LengthUnit::Bytes => "bytes",
        })
    }
}

/// A title: 1–200 characters on one line, with no control or direction-override characters (DOMAIN.md, 8).
pub fn title(raw: &str) -> Result<String, TextError> {
    line(raw)
}

/// The name of a page, group or component: the rules of a title, since it is shown in the same places.
pub fn name(raw: &str) -> Result<String, TextError> {
    line(raw)
}

/// What another system calls a thing: the rules of a title, since people read it in lists.
pub fn external_ref(raw: &str) -> Result<String, TextError> {
    line(raw)
}

/// A body in Markdown: up to 25,000 characters and 64 KiB, with line breaks and tabs but no other control characters
/// (DOMAIN.md, 8). Direction overrides are kept: rendering isolates them.
pub fn body(raw: &str) -> Result<String, TextError> {
    let text = prose(raw, MAX_BODY, MAX_BODY_BYTES)?;
    if is_blank(&text) {
        Err(TextError::Required)
    } else {
        Ok(text)
    }
}

/// A description: up to 1,000 characters under the rules of a body; it may be blank.
pub fn description(raw: &str) -> Result<String, TextError> {
    prose(raw, MAX_DESCRIPTION, MAX_DESCRIPTION * BYTES_PER_CHARACTER)
}

/// The name of a page in addresses: 1–63 lowercase ASCII letters and digits, with single hyphens between them.
pub fn slug(raw: &str) -> Result<String, TextError> {
    let letters = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if raw.len() <= MAX_SLUG && raw.split('-').all(letters) {
        Ok(raw.to_owned())
    } else {
        Err(TextError::InvalidSlug)
    }
}

/// A client's key for one request: 1–200 printable ASCII characters, compared byte by byte.
pub fn idempotency_key(raw: &str) -> Result<String, TextError> {
    if raw.trim().is_empty() {
        Err(TextError::Required)
    } else if !raw.is_ascii() {
        Err(TextError::NotAscii)
    } else if raw.len() > MAX_KEY {
        Err(TextError::TooLong {
            max: MAX_KEY,
            unit: LengthUnit::Characters,
        })
    } else if raw.bytes().any(|byte| byte.is_ascii_control()) {
        Err(TextError::ControlCharacter)
    } else {
        Ok(raw.to_owned())
    }
}

fn line(raw: &str) -> Result<String, TextError> {
    let text = normalised(raw, MAX_LINE, MAX_LINE * BYTES_PER_CHARACTER)?;
    if is_blank(&text) {
        Err(TextError::Required)
    } else if text
        .chars()
        .any(|c| c.is_control() || breaks_line(c) || overrides_direction(c))
    {
        Err(TextError::ControlCharacter)
    } else {
        Ok(text)
    }
}

fn prose(raw: &str, max: usize, max_bytes: usize) -> Result<String, TextError> {
    let text = normalised(raw, max, max_bytes)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Err(TextError::ControlCharacter)
    } else {
        Ok(text)
    }
}

/// The text after NFC, if that is within both limits.
fn normalised(raw: &str, max: usize, max_bytes: usize) -> Result<String, TextError> {
    let too_many = TextError::TooLong {
        max,
        unit: LengthUnit::Characters,
    };
    // Where the bytes follow from the characters, only the limit in characters means anything to a caller.
    let too_big = if max_bytes >= max * BYTES_PER_CHARACTER {
        too_many
    } else {
        TextError::TooLong {
            max: max_bytes,
            unit: LengthUnit::Bytes,
        }
    };

    if raw.len() > max_bytes * NFC_SHRINKS_BY {
        return Err(too_big);
    }
    let text: String = raw.nfc().collect();
    if text.chars().count() > max {
        Err(too_many)
    } else if text.len() > max_bytes {
        Err(too_big)
    } else {
        Ok(text)
    }
}

/// Line and paragraph separators, which are no control characters to Unicode but end a line all the same.
fn breaks_line(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Embeddings, overrides and isolates, which reorder what comes after them and so can make a title say something else
/// than it reads. The marks U+200E, U+200F and U+061C only lend a direction to what they stand beside; real Arabic and
/// Hebrew text needs them, so they are allowed.
fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

/// Characters that show nothing by themselves: Unicode's default ignorable ones, and the blank Braille pattern.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests;
