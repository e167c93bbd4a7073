//! Putting together what several files say of the same records.

use std::collections::HashMap;

use serde_json::Value;

use super::field::id_of;
use super::record::Part;
use super::{Capture, Incident, Kind, Maintenance, Page, Problem};

/// A capture while its files are read: records by id, the first of each kept unless a later file has a newer one.
#[derive(Default)]
pub(super) struct Reading {
    page: Page,
    parts: Records<Part>,
    incidents: Records<Incident>,
    maintenances: Records<Maintenance>,
    problems: Vec<Problem>,
}

struct Records<T> {
    places: HashMap<String, usize>,
    all: Vec<T>,
}

impl<T> Default for Records<T> {
    fn default() -> Records<T> {
        Records {
            places: HashMap::new(),
            all: Vec::new(),
        }
    }
}

impl<T> Records<T> {
    fn add(&mut self, id: String, record: T, is_newer: impl Fn(&T, &T) -> bool) {
        match self.places.get(&id) {
            None => {
                self.places.insert(id, self.all.len());
                self.all.push(record);
            }
            Some(place) if is_newer(&record, &self.all[*place]) => self.all[*place] = record,
            Some(_) => {}
        }
    }
}

impl Reading {
    /// Takes what one file lists.
    pub(super) fn read(&mut self, file: &'static str, value: &Value) {
        let page = Page::read(&value["page"]);
        self.page = std::mem::take(&mut self.page).or(page);
        for (index, value) in self.list(file, value, "components", Kind::Component) {
            match Part::read(value, file) {
                Ok(part) => self.parts.add(part.id().to_owned(), part, |_, _| false),
                Err(reason) => {
                    let is_group = value["group"] == Value::Bool(true);
                    let kind = if is_group { Kind::Group } else { Kind::Component };
                    self.refuse(file, kind, index, value, reason);
                }
            }
        }
        for (index, value) in self.list(file, value, "incidents", Kind::Incident) {
            match Incident::read(value, file) {
                Ok(incident) => {
                    let is_newer = |new: &Incident, old: &Incident| new.updated_at > old.updated_at;
                    self.incidents.add(incident.id.clone(), incident, is_newer);
                }
                Err(reason) => self.refuse(file, Kind::Incident, index, value, reason),
            }
        }
        for (index, value) in self.list(file, value, "scheduled_maintenances", Kind::Maintenance) {
            match Maintenance::read(value, file) {
                Ok(maintenance) => {
                    let is_newer = |new: &Maintenance, old: &Maintenance| new.updated_at > old.updated_at;
                    self.maintenances.add(maintenance.id.clone(), maintenance, is_newer);
                }
                Err(reason) => self.refuse(file, Kind::Maintenance, index, value, reason),
            }
        }
    }

    /// Takes the components that stand in incidents and maintenances alone. One that cannot be read is no loss of a
    /// record: what names it will say so.
    pub(super) fn embedded(&mut self, file: &'static str, value: &Value) {
        for owners in ["incidents", "scheduled_maintenances"] {
            let owners = value[owners].as_array().into_iter().flatten();
            for value in owners.filter_map(|owner| owner["components"].as_array()).flatten() {
                if let Ok(part) = Part::read(value, file) {
                    self.parts.add(part.id().to_owned(), part, |_, _| false);
                }
            }
        }
    }

    fn list<'v>(&mut self, file: &'static str, value: &'v Value, name: &str, kind: Kind) -> Vec<(usize, &'v Value)> {
        match &value[name] {
            Value::Null => Vec::new(),
            Value::Array(list) => list.iter().enumerate().collect(),
            _ => {
                self.problems.push(Problem {
                    file,
                    kind,
                    id: name.to_owned(),
                    reason: "is not a list".to_owned(),
                });
                Vec::new()
            }
        }
    }

    fn refuse(&mut self, file: &'static str, kind: Kind, index: usize, value: &Value, reason: String) {
        let id = id_of(value).unwrap_or_else(|| format!("at place {}", index + 1));
        self.problems.push(Problem { file, kind, id, reason });
    }

    /// Puts everything into its order.
    pub(super) fn finish(self, files: Vec<&'static str>) -> Capture {
        let mut capture = Capture {
            files,
            page: self.page,
            incidents: self.incidents.all,
            maintenances: self.maintenances.all,
            ..Capture::default()
        };
        for part in self.parts.all {
            match part {
                Part::Group(group) => capture.groups.push(group),
                Part::Component(component) => capture.components.push(component),
            }
        }
        capture.join_groups();
        capture.groups.sort_by_key(|group| group.position);
        capture.components.sort_by_key(|component| component.position);
        capture
            .incidents
            .sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        capture
            .maintenances
            .sort_by(|one, other| (one.announced_at, &one.id).cmp(&(other.announced_at, &other.id)));
        // One file's bad copy of a record is no loss where another has a good one, and two bad copies are one loss.
        let mut settled = capture.ids();
        capture.unreadable = self.problems;
        capture
            .unreadable
            .retain(|problem| settled.insert((problem.kind, problem.id.clone())));
        capture
    }
}
