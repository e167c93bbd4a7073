//! Cursors: a place in a stream of the log, as text that a client hands back to resume.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::audience::Audience;

/// The layout that follows; a cursor of another layout is refused, never misread.
const VERSION: u8 = 1;
/// Version, page, audience, epoch, number.
const FIELDS: usize = 1 + 16 + 1 + 8 + 8;
/// Bytes of check: they catch mangling (one in four billion slips through), they are no protection against forgery,
/// and need not be, as a cursor opens nothing: what its reader may see is decided afresh on every use.
const CHECK: usize = 4;
/// Keeps the check apart from any other SHA-256 over the same bytes.
const CHECK_DOMAIN: &[u8] = b"allclear cursor\0";

/// A random value that the database got when it was made, replaced after a restore from backup: history may then
/// differ under the same numbers (DESIGN.md, 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub [u8; 8]);

impl Epoch {
    /// Sixteen lowercase hexadecimal digits, as the database holds it.
    pub fn to_hex(self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }

    /// Reads what [`Epoch::to_hex`] writes, and nothing else.
    pub fn from_hex(text: &str) -> Option<Epoch> {
        let epoch = Epoch(u64::from_str_radix(text, 16).ok()?.to_be_bytes());
        (epoch.to_hex() == text).then_some(epoch)
    }
}

/// One page as one audience sees it: what is numbered without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub page: Uuid,
    pub audience: Audience,
}

/// A place in a stream: just after the event of this number, or before the first event at 0.
///
/// It holds the number of its own stream alone. Each stream is numbered without gaps, so whoever takes the text apart
/// learns how many events they could see, and nothing of those they could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub stream: StreamId,
    pub epoch: Epoch,
    pub number: u64,
}

/// The text is no cursor that was ever handed out: mangled, cut short, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not valid")]
pub struct CursorInvalid;

/// The cursor belongs to another page or audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor belongs to another stream")]
pub struct WrongStream;

impl Cursor {
    /// The text a client keeps: 51 characters that need no escaping in an address or a header.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(FIELDS + CHECK);
        bytes.push(VERSION);
        bytes.extend(self.stream.page.as_bytes());
        bytes.push(audience_byte(self.stream.audience));
        bytes.extend(self.epoch.0);
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(check(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] writes, and nothing else.
    pub fn decode(text: &str) -> Result<Cursor, CursorInvalid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorInvalid)?;
        let (fields, found) = bytes.split_at_checked(FIELDS).ok_or(CursorInvalid)?;
        if found != check(fields) {
            return Err(CursorInvalid);
        }

        let (version, rest) = split::<1>(fields)?;
        let (page, rest) = split::<16>(rest)?;
        let (audience, rest) = split::<1>(rest)?;
        let (epoch, rest) = split::<8>(rest)?;
        let (number, _) = split::<8>(rest)?;
        if version != [VERSION] {
            return Err(CursorInvalid);
        }
        let audience = Audience::ALL
            .iter()
            .copied()
            .find(|&known| [audience_byte(known)] == audience);

        Ok(Cursor {
            stream: StreamId {
                page: Uuid::from_bytes(page),
                audience: audience.ok_or(CursorInvalid)?,
            },
            epoch: Epoch(epoch),
            number: u64::from_be_bytes(number),
        })
    }
}

/// Written out, because the byte stays in cursors that clients keep whatever becomes of the enum.
const fn audience_byte(audience: Audience) -> u8 {
    match audience {
        Audience::Public => 1,
        Audience::Staff => 2,
    }
}

fn split<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), CursorInvalid> {
    let (&first, rest) = bytes.split_first_chunk::<N>().ok_or(CursorInvalid)?;
    Ok((first, rest))
}

fn check(fields: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new().chain_update(CHECK_DOMAIN).chain_update(fields).finalize();
    *digest.first_chunk().expect("a SHA-256 is longer than its check bytes")
}

/// How a reader that comes back with a cursor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// With the event that follows this number; nothing was missed.
    After(u64),
    /// With a fresh snapshot: what lies between is gone, or was never so (`BAD_INPUTS.md`, 27).
    Reset,
}

/// Where a reader of the stream `wanted` goes on from its cursor.
///
/// `head` is the number of the stream's newest event; those up to `floor` have been pruned, so a cursor at the floor
/// has missed nothing. Both are 0 in an empty log.
pub fn resume(cursor: &Cursor, wanted: StreamId, epoch: Epoch, floor: u64, head: u64) -> Result<Resume, WrongStream> {
    if cursor.stream != wanted {
        return Err(WrongStream);
    }
    let known = cursor.epoch == epoch && (floor..=head).contains(&cursor.number);
    Ok(if known {
        Resume::After(cursor.number)
    } else {
        Resume::Reset
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    fn stream(page: u128, audience: Audience) -> StreamId {
        StreamId {
            page: Uuid::from_u128(page),
            audience,
        }
    }

    fn cursor(number: u64) -> Cursor {
        Cursor {
            stream: stream(7, Audience::Public),
            epoch: Epoch([1, 2, 3, 4, 5, 6, 7, 8]),
            number,
        }
    }

    #[test]
    fn the_text_of_a_cursor_never_changes() {
        let text = cursor(42).encode();
        insta::assert_snapshot!(text, @"AQAAAAAAAAAAAAAAAAAAAAcBAQIDBAUGBwgAAAAAAAAAKmF8UxU");
        assert_eq!(Cursor::decode(&text), Ok(cursor(42)));
    }

    #[test]
    fn a_change_of_any_one_character_is_refused() {
        let text = cursor(42).encode();
        for at in 0..text.len() {
            for other in ALPHABET
                .chars()
                .chain("=+/ \n\0é".chars())
                .filter(|&c| !text[at..].starts_with(c))
            {
                let mangled = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert_eq!(Cursor::decode(&mangled), Err(CursorInvalid), "{mangled}");
            }
            let shorter = format!("{}{}", &text[..at], &text[at + 1..]);
            assert_eq!(Cursor::decode(&shorter), Err(CursorInvalid), "{shorter}");
        }
    }

    #[test]
    fn a_sound_check_over_wrong_fields_is_refused() {
        let sealed = |fields: &[u8]| {
            let mut bytes = fields.to_vec();
            bytes.extend(check(fields));
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let sound = URL_SAFE_NO_PAD
            .decode(cursor(42).encode())
            .expect("base64 was just written");
        let fields = &sound[..FIELDS];
        assert_eq!(Cursor::decode(&sealed(fields)), Ok(cursor(42)));

        for (at, byte) in [(0, 0), (0, 2), (17, 0), (17, 3)] {
            let mut wrong = fields.to_vec();
            wrong[at] = byte;
            assert_eq!(Cursor::decode(&sealed(&wrong)), Err(CursorInvalid));
        }
        assert_eq!(Cursor::decode(&sealed(&fields[1..])), Err(CursorInvalid));
        assert_eq!(Cursor::decode(&sealed(&[fields, &[0]].concat())), Err(CursorInvalid));
        assert_eq!(Cursor::decode(&format!("{}==", sealed(fields))), Err(CursorInvalid));
    }

    #[test]
    fn an_epoch_is_read_back_from_its_own_text_only() {
        let epoch = Epoch([0, 0, 3, 4, 5, 6, 7, 0xff]);
        assert_eq!(epoch.to_hex(), "00000304050607ff");
        assert_eq!(Epoch::from_hex("00000304050607ff"), Some(epoch));
        for text in [
            "",
            "304050607ff",
            "00000304050607FF",
            "+0000304050607ff",
            "0000000304050607ff",
            "x",
        ] {
            assert_eq!(Epoch::from_hex(text), None, "{text}");
        }
    }

    #[test]
    fn a_cursor_goes_on_from_the_floor_to_the_head_and_is_reset_beyond() {
        let at = |number| resume(&cursor(number), cursor(0).stream, cursor(0).epoch, 10, 20);

        for number in 10..=20 {
            assert_eq!(at(number), Ok(Resume::After(number)));
        }
        for number in [0, 9, 21, u64::MAX] {
            assert_eq!(at(number), Ok(Resume::Reset));
        }
        assert_eq!(
            resume(&cursor(0), cursor(0).stream, cursor(0).epoch, 0, 0),
            Ok(Resume::After(0))
        );
    }

    #[test]
    fn a_cursor_of_another_epoch_is_reset() {
        assert_eq!(
            resume(&cursor(15), cursor(0).stream, Epoch([9; 8]), 10, 20),
            Ok(Resume::Reset)
        );
    }

    #[test]
    fn a_cursor_of_another_page_or_audience_is_refused_whatever_else_it_says() {
        for other in [stream(8, Audience::Public), stream(7, Audience::Staff)] {
            for number in [0, 15, 21] {
                assert_eq!(
                    resume(&cursor(number), other, cursor(0).epoch, 10, 20),
                    Err(WrongStream)
                );
            }
            assert_eq!(resume(&cursor(15), other, Epoch([9; 8]), 10, 20), Err(WrongStream));
        }
    }

    proptest! {
        #[test]
        fn cursor_text_round_trips(page: u128, staff: bool, epoch: [u8; 8], number: u64) {
            let audience = if staff { Audience::Staff } else { Audience::Public };
            let cursor = Cursor { stream: stream(page, audience), epoch: Epoch(epoch), number };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
            prop_assert_eq!(Epoch::from_hex(&cursor.epoch.to_hex()), Some(cursor.epoch));
        }

        #[test]
        fn a_mangled_cursor_is_refused(number: u64, at in 0_usize..51, other in "[A-Za-z0-9_-]{1,3}") {
            let text = cursor(number).encode();
            let until = (at + other.len()).min(text.len());
            let mangled = format!("{}{other}{}", &text[..at], &text[until..]);
            prop_assume!(mangled != text);
            prop_assert_eq!(Cursor::decode(&mangled), Err(CursorInvalid));
        }

        #[test]
        fn noise_is_refused(noise in any::<String>()) {
            prop_assert_eq!(Cursor::decode(&noise), Err(CursorInvalid));
        }
    }
}
