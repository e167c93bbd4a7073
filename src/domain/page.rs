//! A status page: one service's face to its readers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::code::coded_enum;
use super::time::Timestamp;

coded_enum! {
    /// Who may see a page.
    pub enum Visibility {
        Public = "public",
        Private = "private",
    }
}

/// One service's status page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
    /// IANA name of the zone that cuts the page's days.
    pub time_zone: String,
    pub visibility: Visibility,
    /// What the system it was imported from calls it.
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Page {
    /// The zone that cuts the page's days; UTC where the stored name is not known to this build any more.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::UTC)
    }
}
