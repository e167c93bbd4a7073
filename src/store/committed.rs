//! How far each page's log goes by the commits of this node: a client that has changed something must not be shown the state
//! before.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

/// The newest numbers of the staff's streams that this node has committed, by page. One entry for each page that this process has
/// changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Committed(Arc<RwLock<HashMap<Uuid, u64>>>);

impl Committed {
    pub(super) fn of(&self, page: Uuid) -> u64 {
        let numbers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        numbers.get(&page).copied().unwrap_or(0)
    }

    /// Notes a commit. Commits of different tasks may be noted in any order.
    pub(super) fn note(&self, page: Uuid, number: u64) {
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = numbers.entry(page).or_default();
        *known = number.max(*known);
    }
}
