//! What commands answer, and which page that is of.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{incident, maintenance, token};
use crate::domain::component::{Component, ComponentGroup};
use crate::domain::page::Page;
use crate::domain::role::Token;

/// What a command answers. It is kept for the call's key, and given again to who may still change its page.
pub(super) trait Answer: Serialize + DeserializeOwned + Send + 'static {
    /// The page it is of; none for what is on no page, or is answered to nobody.
    fn page(&self) -> Option<Uuid>;
}

impl Answer for Page {
    fn page(&self) -> Option<Uuid> {
        Some(self.id)
    }
}

impl Answer for ComponentGroup {
    fn page(&self) -> Option<Uuid> {
        Some(self.page)
    }
}

impl Answer for Component {
    fn page(&self) -> Option<Uuid> {
        Some(self.page)
    }
}

impl Answer for incident::Changed {
    fn page(&self) -> Option<Uuid> {
        Some(self.incident.page)
    }
}

impl Answer for maintenance::Changed {
    fn page(&self) -> Option<Uuid> {
        Some(self.maintenance.page)
    }
}

impl Answer for Token {
    fn page(&self) -> Option<Uuid> {
        None
    }
}

impl Answer for token::Made {
    fn page(&self) -> Option<Uuid> {
        None
    }
}
