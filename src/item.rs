//! What a subscription that many share hands out: made by the schema, sent by the edge, which know nothing of each other.

use std::sync::Arc;

/// One item.
#[derive(Clone, Debug)]
pub struct Item<R> {
    /// How it is shown.
    pub rendering: R,
    /// Where a client may resume that has handled it.
    pub cursor: Arc<str>,
    pub reach: Reach,
    /// The work that rendering it took, in units of cost; 0 where it was rendered before.
    pub work: u64,
}

/// For whom an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All who have not come to this number.
    All(u64),
    /// All whom nothing was told for a while; they have come to this number.
    Quiet(u64),
    /// One subscriber alone.
    Own,
}

/// What there is for a subscriber.
#[derive(Debug)]
pub enum Ready<R> {
    /// An item.
    Item(Item<R>),
    /// It has caught up.
    Nothing,
    /// Nothing more will come.
    End,
}
