//! Windows on lists that can grow: so many items after or before one, by key and never by offset.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::domain::cursor::CursorInvalid;

/// Where an item stands in a list that is ordered by a number (an instant in milliseconds, a timeline's number) and
/// then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub order: i64,
    pub id: Uuid,
}

impl Key {
    /// The opaque text of this key: a version byte, the number, the id.
    pub fn encode(&self) -> String {
        let mut bytes = vec![1u8];
        bytes.extend(self.order.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key that a text says.
    ///
    /// # Errors
    /// `CursorInvalid` for text that no key was encoded as.
    pub fn decode(text: &str) -> Result<Key, CursorInvalid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorInvalid)?;
        let Ok([1, order @ ..]) = <[u8; 25]>::try_from(bytes) else {
            return Err(CursorInvalid);
        };
        let (number, id) = order.split_at(8);
        let number = <[u8; 8]>::try_from(number).map_err(|_| CursorInvalid)?;
        let id = Uuid::from_slice(id).map_err(|_| CursorInvalid)?;
        Ok(Key {
            order: i64::from_be_bytes(number),
            id,
        })
    }
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
    pub(super) fn cut(mut items: Vec<T>, window: &Window) -> Slice<T> {
        let more = items.len() > window.limit;
        if !more {
            return Slice {
                items,
                has_next: window.from_end && window.before.is_some(),
                has_previous: !window.from_end && window.after.is_some(),
            };
        }
        if window.from_end {
            items.remove(0);
            return Slice {
                items,
                has_next: window.before.is_some(),
                has_previous: true,
            };
        }
        items.truncate(window.limit);
        Slice {
            items,
            has_next: true,
            has_previous: window.after.is_some(),
        }
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

    /// The same slice of other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Slice<U> {
        let Slice {
            items,
            has_next,
            has_previous,
        } = self;
        Slice {
            items: items.into_iter().map(change).collect(),
            has_next,
            has_previous,
        }
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
