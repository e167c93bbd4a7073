//! The updates of a captured incident or maintenance: put in order, with what they say of components.

use std::collections::HashMap;

use serde_json::Value;

use super::field::Fields;
use crate::domain::code::Word;
use crate::domain::component::ComponentStatus;
use crate::domain::time::Timestamp;

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Update<S> {
    pub id: Option<String>,
    /// 1, 2, 3, … in the order of posting.
    pub number: i32,
    pub status: S,
    /// As it was written; checked when it is taken.
    pub body: String,
    pub display_at: Timestamp,
    pub created_at: Timestamp,
    /// When it got another text or time after the posting.
    pub edited_at: Option<Timestamp>,
    pub changes: Vec<Change>,
}

/// What an update made of one component.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The component's id.
    pub component: String,
    /// Its name as shown there, with the name of its group in front.
    pub name: String,
    pub from: ComponentStatus,
    pub to: ComponentStatus,
}

/// An entry as its object stands, before its neighbours have told what it leaves out.
struct Entry<S> {
    update: Update<S>,
    changes: Vec<Named>,
}

struct Named {
    component: String,
    name: String,
    from: Option<ComponentStatus>,
    to: ComponentStatus,
}

/// The updates of a record, oldest first by the time shown, and remarks on what of them was left out.
pub(super) fn read<S: Word>(record: &Fields<'_>) -> Result<(Vec<Update<S>>, Vec<String>), String> {
    let list = record.list("incident_updates")?;
    if list.is_empty() {
        return Err("incident_updates: there are none".to_owned());
    }
    let mut notes = Vec::new();
    let mut entries = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let place = format!("incident_updates[{index}]");
        entries.push(entry::<S>(value, &place, &mut notes)?);
    }
    // Updates stand newest first, which is what decides between two of the same instant.
    let posted = |entry: &Entry<S>| entry.update.created_at;
    if entries.first().map(posted) >= entries.last().map(posted) {
        entries.reverse();
    }
    entries.sort_by_key(posted);
    for (number, entry) in (1i32..).zip(&mut entries) {
        entry.update.number = number;
    }
    entries.sort_by_key(|entry| (entry.update.display_at, entry.update.number));

    let mut stands: HashMap<String, ComponentStatus> = HashMap::new();
    let updates = entries.into_iter().map(|Entry { mut update, changes }| {
        for Named {
            component,
            name,
            from,
            to,
        } in changes
        {
            let stood = stands.insert(component.clone(), to);
            let from = from.or(stood).unwrap_or(ComponentStatus::Operational);
            update.changes.push(Change {
                component,
                name,
                from,
                to,
            });
        }
        update
    });
    Ok((updates.collect(), notes))
}

fn entry<S: Word>(value: &Value, place: &str, notes: &mut Vec<String>) -> Result<Entry<S>, String> {
    let fields = Fields::of(value, place)?;
    let display_at = fields.instant("display_at")?;
    let created_at = fields.instant("created_at")?;
    let updated_at = fields.instant("updated_at")?;
    let display_at = fields.required("display_at", display_at.or(created_at))?;
    let created_at = created_at.unwrap_or(display_at);
    let update = Update {
        id: fields.id("id")?,
        number: 0,
        status: fields.required("status", fields.word("status")?)?,
        body: fields.required("body", fields.text("body")?)?.to_owned(),
        display_at,
        created_at,
        edited_at: updated_at.filter(|updated| *updated > created_at),
        changes: Vec::new(),
    };
    let mut changes: Vec<Named> = Vec::new();
    for value in fields.list("affected_components")? {
        match named(value, place) {
            Ok(Some(change)) if changes.iter().any(|known| known.component == change.component) => {
                notes.push(format!("{place}: component {} is named twice", change.component));
            }
            Ok(change) => changes.extend(change),
            Err(reason) => notes.push(format!("{reason}; this component change was left out")),
        }
    }
    Ok(Entry { update, changes })
}

/// One entry of `affected_components`; `None` where it only says in words that nothing was affected.
fn named(value: &Value, place: &str) -> Result<Option<Named>, String> {
    let fields = Fields::of(value, &format!("{place}.affected_components"))?;
    let to = fields.component_status("new_status")?;
    let Some(component) = fields.id("code")? else {
        return match to {
            None => Ok(None),
            Some(_) => fields.required("code", None),
        };
    };
    Ok(Some(Named {
        component,
        name: fields.text("name")?.unwrap_or_default().to_owned(),
        from: fields.component_status("old_status")?,
        to: fields.required("new_status", to)?,
    }))
}
