//! Reading the public files of a Statuspage page: what `/api/v2/*.json` answered, kept in a folder (DOMAIN.md, 9).
//!
//! Nothing is written here. A record that cannot be read is kept as a [`Problem`], and the others go on.

mod field;
mod incident;
mod reading;
mod record;
mod timeline;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::component::ComponentStatus;
use crate::domain::time::Timestamp;
use reading::Reading;

pub use incident::{Incident, Maintenance};
pub use record::{Component, Group, Page};
pub use timeline::{Change, Update};

/// The files that are looked for, by the names of their addresses or with underscores. All have one form, a page and
/// some lists, and what an earlier one says of a record holds against a later one.
const FILES: [&str; 11] = [
    "components.json",
    "incidents.json",
    "scheduled_maintenances.json",
    "scheduled-maintenances.json",
    "unresolved.json",
    "active_scheduled_maintenances.json",
    "active.json",
    "upcoming_scheduled_maintenances.json",
    "upcoming.json",
    "summary.json",
    "status.json",
];

/// What a folder of files says of one page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capture {
    /// The files it was read from.
    pub files: Vec<&'static str>,
    pub page: Page,
    /// In the order of the page.
    pub groups: Vec<Group>,
    /// In the order of the page.
    pub components: Vec<Component>,
    /// Oldest first.
    pub incidents: Vec<Incident>,
    /// Oldest first.
    pub maintenances: Vec<Maintenance>,
    /// Records that could not be read.
    pub unreadable: Vec<Problem>,
}

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Page,
    Group,
    Component,
    Incident,
    Maintenance,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: &'static str,
    pub kind: Kind,
    /// The record's id, or its place in the list where it has none that can be read.
    pub id: String,
    pub reason: String,
}

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{} holds none of the files of a Statuspage page ({})", .0.display(), FILES.join(", "))]
    Empty(PathBuf),
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("{0} is not JSON")]
    NotJson(&'static str, #[source] serde_json::Error),
    #[error("{0} holds no JSON object, so it is no file of a Statuspage page")]
    NotAnObject(&'static str),
}

impl Capture {
    /// Reads the files of a folder, each of which may be missing.
    ///
    /// # Errors
    /// When there is none of them, or one that is not JSON.
    pub fn read(folder: &Path) -> Result<Capture, ReadError> {
        let mut found = Vec::new();
        for name in FILES {
            let path = folder.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => found.push((name, bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(ReadError::Unreadable(path, error)),
            }
        }
        if found.is_empty() {
            return Err(ReadError::Empty(folder.to_owned()));
        }
        Capture::of(&found)
    }

    /// Puts together what files say, the more telling first.
    ///
    /// # Errors
    /// `NotJson` and `NotAnObject`, with the name of the file.
    pub fn of<B: AsRef<[u8]>>(files: &[(&'static str, B)]) -> Result<Capture, ReadError> {
        let mut reading = Reading::default();
        let mut embedded = Vec::new();
        for (file, bytes) in files {
            let bytes = bytes.as_ref();
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            let value: Value = serde_json::from_slice(bytes).map_err(|error| ReadError::NotJson(file, error))?;
            if !value.is_object() {
                return Err(ReadError::NotAnObject(file));
            }
            reading.read(file, &value);
            embedded.push((*file, value));
        }
        // Incidents hold whole components too: a file of components may be missing.
        for (file, value) in &embedded {
            reading.embedded(file, value);
        }
        Ok(reading.finish(files.iter().map(|(file, _)| *file).collect()))
    }

    /// How many records there are to take, the page not counted.
    pub fn len(&self) -> usize {
        self.groups.len() + self.components.len() + self.incidents.len() + self.maintenances.len()
    }

    /// Whether there is no record to take.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the timelines leave a component: the last status any of them gave it, and when.
    pub fn left_at(&self, component: &str) -> Option<(Timestamp, ComponentStatus)> {
        let incidents = self.incidents.iter().flat_map(|incident| {
            let updates = incident.updates.iter();
            updates.flat_map(|update| update.changes.iter().map(|change| (update.display_at, change)))
        });
        let maintenances = self.maintenances.iter().flat_map(|maintenance| {
            let updates = maintenance.updates.iter();
            updates.flat_map(|update| update.changes.iter().map(|change| (update.display_at, change)))
        });
        incidents
            .chain(maintenances)
            .filter(|(_, change)| change.component == component)
            .max_by_key(|(at, _)| *at)
            .map(|(at, change)| (at, change.to))
    }
}

impl Capture {
    /// Puts components into the groups that list them, and takes them out of groups that are not there.
    fn join_groups(&mut self) {
        let mut listed = HashMap::new();
        for group in &self.groups {
            listed.extend(group.members.iter().map(|member| (member.clone(), group.id.clone())));
        }
        let groups: HashSet<&str> = self.groups.iter().map(|group| group.id.as_str()).collect();
        for component in &mut self.components {
            let group = component.group.take().or_else(|| listed.remove(&component.id));
            match group {
                Some(group) if !groups.contains(group.as_str()) => {
                    let note = format!("its group {group} is not in the capture: it stands without a group");
                    component.notes.push(note);
                }
                group => component.group = group,
            }
        }
    }

    fn ids(&self) -> HashSet<(Kind, String)> {
        let groups = self.groups.iter().map(|group| (Kind::Group, group.id.clone()));
        let components = self.components.iter().map(|one| (Kind::Component, one.id.clone()));
        let incidents = self.incidents.iter().map(|one| (Kind::Incident, one.id.clone()));
        let maintenances = self.maintenances.iter().map(|one| (Kind::Maintenance, one.id.clone()));
        groups.chain(components).chain(incidents).chain(maintenances).collect()
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Page => "page",
            Kind::Group => "component group",
            Kind::Component => "component",
            Kind::Incident => "incident",
            Kind::Maintenance => "maintenance",
        })
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, reason) = (InLine(&self.id), InLine(&self.reason));
        write!(f, "{}: {} {id}: {reason}", self.file, self.kind)
    }
}

/// Foreign text in a line for people: what would break the line, or tell their terminal something, is spelt out.
struct InLine<'a>(&'a str);

impl std::fmt::Display for InLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character.is_control() {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
