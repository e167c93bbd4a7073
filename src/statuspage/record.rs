//! What a capture says of a page and the parts of its service.

use serde_json::Value;

use super::field::{Fields, id_of};
use crate::domain::component::ComponentStatus;
use crate::domain::time::Timestamp;

/// The page that was captured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub id: Option<String>,
    pub name: Option<String>,
    pub url: Option<String>,
    pub time_zone: Option<String>,
}

/// Components shown together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub file: &'static str,
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub position: Option<i32>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// Its children, where it lists them; older captures say it on the child.
    pub(super) members: Vec<String>,
}

/// A component as it stood when it was captured.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    pub file: &'static str,
    pub id: String,
    /// The id of its group.
    pub group: Option<String>,
    pub name: String,
    pub description: Option<String>,
    pub status: ComponentStatus,
    pub position: Option<i32>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// What of it was left out, in words.
    pub notes: Vec<String>,
}

/// The files call both of these a component.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Group(Group),
    Component(Component),
}

impl Page {
    /// What can be read of it: an import needs none of this, so nothing here is worth a refusal.
    pub(super) fn read(value: &Value) -> Page {
        let Ok(fields) = Fields::of(value, "page") else {
            return Page::default();
        };
        let text = |name| fields.text(name).ok().flatten().map(str::to_owned);
        Page {
            id: fields.id("id").ok().flatten(),
            name: text("name"),
            url: text("url"),
            time_zone: text("time_zone"),
        }
    }

    /// Fills in what this file does not say from another one.
    pub(super) fn or(self, other: Page) -> Page {
        Page {
            id: self.id.or(other.id),
            name: self.name.or(other.name),
            url: self.url.or(other.url),
            time_zone: self.time_zone.or(other.time_zone),
        }
    }
}

impl Part {
    pub(super) fn id(&self) -> &str {
        match self {
            Part::Group(group) => &group.id,
            Part::Component(component) => &component.id,
        }
    }

    pub(super) fn read(value: &Value, file: &'static str) -> Result<Part, String> {
        let fields = Fields::of(value, "")?;
        let id = fields.required("id", fields.id("id")?)?;
        let name = fields.required("name", fields.text("name")?)?.to_owned();
        let description = fields.text("description")?.map(str::to_owned);
        let position = fields.integer("position");
        let created_at = fields.instant("created_at")?;
        let updated_at = fields.instant("updated_at")?;
        if fields.is_set("group") {
            let members = fields.list("components")?;
            return Ok(Part::Group(Group {
                file,
                id,
                name,
                description,
                position,
                created_at,
                updated_at,
                members: members.iter().filter_map(id_of).collect(),
            }));
        }
        Ok(Part::Component(Component {
            file,
            id,
            group: fields.id("group_id")?,
            name,
            description,
            status: fields
                .component_status("status")?
                .unwrap_or(ComponentStatus::Operational),
            position,
            created_at,
            updated_at,
            notes: Vec::new(),
        }))
    }
}
