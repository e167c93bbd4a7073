//! Cursors: what is read is what would be written, and no other text is read.

use allclear::domain::audience::Audience;
use allclear::domain::cursor::{Cursor, CursorInvalid, Epoch, StreamId};
use allclear::error::Error;
use allclear::queries::Key;
use uuid::Uuid;

/// The bytes as a text a client may send; and as the fields of a cursor that was handed out, with edits to its text.
///
/// # Panics
/// Where something does not hold.
pub fn holds(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
    let Some((fields, edits)) = bytes.split_first_chunk::<33>() else {
        return;
    };
    let (cursor, key) = fields_of(*fields);
    assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
    assert_eq!(Key::decode(&key.encode()), Ok(key));
    // Neither is taken for the other.
    assert_eq!(Cursor::decode(&key.encode()), Err(CursorInvalid));
    assert_eq!(Key::decode(&cursor.encode()), Err(CursorInvalid));

    for whole in [cursor.encode(), key.encode()] {
        let edited = edited(&whole, edits);
        if edited != whole {
            assert_eq!(Cursor::decode(&edited), Err(CursorInvalid), "{edited}");
            assert_eq!(Key::decode(&edited), Err(CursorInvalid), "{edited}");
        }
    }
}

fn read(text: &str) {
    match Cursor::decode(text) {
        Ok(cursor) => assert_eq!(cursor.encode(), text),
        Err(invalid) => assert_eq!(Error::from(invalid).code(), "CURSOR_INVALID"),
    }
    if let Ok(key) = Key::decode(text) {
        assert_eq!(key.encode(), text);
    }
}

fn fields_of(fields: [u8; 33]) -> (Cursor, Key) {
    let (page, rest) = fields.split_first_chunk::<16>().expect("there are 33");
    let (epoch, rest) = rest.split_first_chunk::<8>().expect("there are 17 left");
    let (number, rest) = rest.split_first_chunk::<8>().expect("there are 9 left");
    let cursor = Cursor {
        stream: StreamId {
            page: Uuid::from_bytes(*page),
            audience: Audience::ALL[usize::from(rest[0]) % Audience::ALL.len()],
        },
        epoch: Epoch(*epoch),
        number: u64::from_be_bytes(*number),
    };
    let key = Key {
        order: i64::from_be_bytes(*number),
        id: Uuid::from_bytes(*page),
    };
    (cursor, key)
}

/// The text with characters changed, put in and taken out: an edit is three bytes.
fn edited(text: &str, edits: &[u8]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for edit in edits.as_chunks::<3>().0 {
        let [kind, at, with] = *edit;
        let at = usize::from(at) % (text.len() + 1);
        match kind % 3 {
            0 => text.insert(at, char::from(with)),
            1 if at < text.len() => text[at] = char::from(with),
            _ if at < text.len() => {
                text.remove(at);
            }
            _ => {}
        }
    }
    text.into_iter().collect()
}
