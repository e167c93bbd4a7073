//! Connections: reading their arguments, and building them from a slice.

use std::sync::Arc;

use async_graphql::connection::{Connection, CursorType, Edge, EmptyFields};
use async_graphql::{Object, OutputType};

use super::charged::Charged;
use super::error::{Failure, Result};
use crate::domain::component::Component;
use crate::domain::cursor::CursorInvalid;
use crate::error::Error;
use crate::queries::{Key, Slice, View, Window};

/// The most items a connection gives at once; more is an error, never clamped (SCHEMA.md, conventions 3).
pub(super) const MOST: usize = 100;

/// How many items a list has in all.
pub(super) struct Total {
    view: View,
    counted: Counted,
}

/// What is counted, when it is asked for.
pub(super) enum Counted {
    Known(usize),
    Pages,
    Tokens,
    Audit,
    Incidents(uuid::Uuid, Box<crate::queries::incident::Filter>),
    Maintenances(uuid::Uuid, crate::queries::maintenance::Filter),
    StatusChanges(Arc<Component>),
}

#[Object]
impl Total {
    /// How many items there are in all, whatever part of them was asked for.
    async fn total_count(&self) -> Result<u64> {
        Ok(match &self.counted {
            Counted::Known(count) => *count as u64,
            Counted::Pages => crate::queries::page::count(&self.view).await?,
            Counted::Audit => crate::queries::audit::count(&self.view).await?,
            Counted::Tokens => crate::queries::token::count(&self.view).await?,
            Counted::Incidents(page, filter) => crate::queries::incident::count(&self.view, *page, filter).await?,
            Counted::Maintenances(page, filter) => {
                crate::queries::maintenance::count(&self.view, *page, filter).await?
            }
            Counted::StatusChanges(component) => {
                crate::queries::component::count_status_changes(&self.view, component).await?
            }
        })
    }
}

/// A connection with its count.
pub(super) type Counting<T> = Charged<Connection<Key, T, Total>>;

impl CursorType for Key {
    type Error = CursorInvalid;

    fn decode_cursor(text: &str) -> std::result::Result<Key, CursorInvalid> {
        Key::decode(text)
    }

    fn encode_cursor(&self) -> String {
        self.encode()
    }
}

/// A cursor of the log in a connection: its text.
pub(super) struct LogCursor(pub(super) String);

impl CursorType for LogCursor {
    type Error = std::convert::Infallible;

    fn decode_cursor(text: &str) -> std::result::Result<LogCursor, Self::Error> {
        Ok(LogCursor(text.to_owned()))
    }

    fn encode_cursor(&self) -> String {
        self.0.clone()
    }
}

/// The arguments of a connection.
pub(super) struct Arguments {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

impl Arguments {
    /// The window they ask for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` unless exactly one of `first` and `last` is given, from 1 to 100; `CURSOR_INVALID`.
    pub(super) fn window(self) -> Result<Window> {
        let (count, from_end, name) = match (self.first, self.last) {
            (Some(first), None) => (first, false, "first"),
            (None, Some(last)) => (last, true, "last"),
            (Some(_), Some(_)) => return Err(Failure::bad_user_input("Give either `first` or `last`, not both.")),
            (None, None) => return Err(Failure::bad_user_input("Give `first` or `last`, from 1 to 100.")),
        };
        let limit = page_size(count, name)?;
        let key = |text: Option<String>| text.map(|text| Key::decode(&text)).transpose().map_err(Error::from);
        Ok(Window {
            limit,
            from_end,
            after: key(self.after)?,
            before: key(self.before)?,
        })
    }
}

/// How many items a call may ask for at once.
///
/// # Errors
/// `BAD_USER_INPUT` outside 1 to 100.
pub(super) fn page_size(count: i32, name: &str) -> Result<usize> {
    usize::try_from(count)
        .ok()
        .filter(|count| (1..=MOST).contains(count))
        .ok_or_else(|| Failure::bad_user_input(format!("`{name}` must be from 1 to {MOST}.")))
}

/// A connection of what a slice holds.
pub(super) fn build<S, T: OutputType>(
    view: &View,
    slice: Slice<S>,
    counted: Counted,
    key: impl Fn(&S) -> Key,
    node: impl Fn(S) -> T,
) -> Counting<T> {
    let total = Total {
        view: view.clone(),
        counted,
    };
    let mut connection = Connection::with_additional_fields(slice.has_previous, slice.has_next, total);
    connection.edges.extend(
        slice
            .items
            .into_iter()
            .map(|item| Edge::<_, _, EmptyFields>::new(key(&item), node(item))),
    );
    Charged::new(view.budget(), connection.edges.len(), connection)
}
