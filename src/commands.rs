//! Everything that changes something: one function, one transaction.

pub mod component;
pub mod component_group;
pub mod demo;
pub mod import;
pub mod incident;
pub mod maintenance;
pub mod page;
pub mod postmortem;
pub mod token;

mod affected;
mod answer;
mod transact;
mod valid;

use std::sync::Arc;

use crate::app::App;
use crate::store::Author;

/// What every command needs to know: the server, and who asks.
#[derive(Clone, Debug)]
pub struct Context {
    pub app: Arc<App>,
    pub author: Author,
}

/// What a call may say beside its input.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The same key and input give the first answer again, for a day.
    pub idempotency_key: Option<String>,
}

impl Call {
    /// A call that says nothing beside its input.
    pub const PLAIN: Call = Call { idempotency_key: None };
}
