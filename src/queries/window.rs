//! Windows on lists that can grow: so many items after or before one, by key and never by offset.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::cursor::CursorInvalid;

/// Where an item stands in a list that is ordered by a number (an instant in milliseconds, a timeline's number) and
/// then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub order: i64,
    pub id: Uuid,
}

/// Version, number, id.
const FIELDS: usize = 1 + 8 + 16;
/// Keeps the check apart from any other SHA-256 over the same bytes.
const CHECK_DOMAIN: &[u8] = b"allclear list key\0";

impl Key {
    /// The opaque text of this key: a version byte, the number, the id, and four bytes that catch mangling.
    pub fn encode(&self) -> String {
        let mut bytes = vec![1u8];
        bytes.extend(self.order.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(check(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key that a text says.
    ///
    /// # Errors
    /// `CursorInvalid` for text that no key was encoded as.
    pub fn decode(text: &str) -> Result<Key, CursorInvalid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorInvalid)?;
        let (fields, found) = bytes.split_first_chunk::<FIELDS>().ok_or(CursorInvalid)?;
        if found != check(fields) {
            return Err(CursorInvalid);
        }
        let [1, rest @ ..] = fields else {
            return Err(CursorInvalid);
        };
        let (number, id) = rest.split_first_chunk::<8>().ok_or(CursorInvalid)?;
        let id = Uuid::from_slice(id).map_err(|_| CursorInvalid)?;
        Ok(Key {
            order: i64::from_be_bytes(*number),
            id,
        })
    }
}

fn check(fields: &[u8]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(CHECK_DOMAIN).chain_update(fields).finalize();
    *digest.first_chunk().expect("a SHA-256 is longer than its check bytes")
}

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub limit: usize,
    /// Whether the last items are asked for rather than the first.
    pub from_end: bool,
    pub after: Option<Key>,
    pub before: Option<Key>,
}

/// A part of a list, and whether there is more on either side.
#[derive(Clone, Debug)]
pub struct Slice<T> {
    pub items: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl<T> Slice<T> {
    /// Cuts what a read of `limit + 1` rows in list order brought down to the window.
    ///
    /// A key stands for an item of the list, so there is something on the other side of it: the last item before the
    /// window is the one it was asked `after`, the next one after it the one it was asked `before`.
    pub(super) fn cut(mut items: Vec<T>, window: &Window) -> Slice<T> {
        let more = items.len() > window.limit;
        if more && window.from_end {
            items.remove(0);
        }
        items.truncate(window.limit);
        Slice {
            items,
            has_next: window.before.is_some() || (more && !window.from_end),
            has_previous: window.after.is_some() || (more && window.from_end),
        }
    }

    /// The window on a whole list in memory that lists its items from the greatest key to the smallest. Only as many items are taken
    /// as the window holds.
    pub(super) fn of_descending(
        all: impl DoubleEndedIterator<Item = T>,
        window: &Window,
        key: impl Fn(&T) -> Key,
    ) -> Slice<T> {
        let inside = |item: &T| {
            let own = key(item);
            window.after.is_none_or(|after| own < after) && window.before.is_none_or(|before| own > before)
        };
        let inside = all.filter(inside);
        let mut items: Vec<T> = if window.from_end {
            inside.rev().take(window.limit + 1).collect()
        } else {
            inside.take(window.limit + 1).collect()
        };
        if window.from_end {
            items.reverse();
        }
        Slice::cut(items, window)
    }

    /// The window on a whole list that is at hand, in list order; `is_after` tells whether an item's key comes after
    /// another in that order.
    pub fn of(all: Vec<T>, window: &Window, key: impl Fn(&T) -> Key, is_after: impl Fn(Key, Key) -> bool) -> Slice<T> {
        let inside = |item: &T| {
            let own = key(item);
            window.after.is_none_or(|after| is_after(own, after))
                && window.before.is_none_or(|before| is_after(before, own))
        };
        let mut items: Vec<T> = all.into_iter().filter(|item| inside(item)).collect();
        let wanted = window.limit + 1;
        if window.from_end && items.len() > wanted {
            items.drain(..items.len() - wanted);
        }
        items.truncate(if window.from_end { items.len() } else { wanted });
        Slice::cut(items, window)
    }
}

/// Asks a cursor that lists newest first for a window, and for one row more, which tells whether there is more.
pub(super) fn apply<S: sea_orm::SelectorTrait>(cursor: &mut sea_orm::Cursor<S>, window: &Window) {
    cursor.desc();
    if let Some(key) = window.after {
        cursor.after((key.order, key.id));
    }
    if let Some(key) = window.before {
        cursor.before((key.order, key.id));
    }
    let rows = window.limit as u64 + 1;
    if window.from_end {
        cursor.last(rows)
    } else {
        cursor.first(rows)
    };
}

#[cfg(test)]
mod tests;
