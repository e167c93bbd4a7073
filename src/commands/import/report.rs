//! What an import did, record by record where something was left out.

use crate::statuspage::{Kind, Problem};

/// How far an import has come: the CLI's progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

/// What became of the records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub taken: usize,
    /// Those that an earlier import took.
    pub unchanged: usize,
}

/// What an import did. `Display` is the text for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The page it went into.
    pub slug: String,
    /// The files it came from.
    pub files: Vec<&'static str>,
    pub pages: Count,
    pub groups: Count,
    pub components: Count,
    pub incidents: Count,
    pub incident_updates: Count,
    pub maintenances: Count,
    pub maintenance_updates: Count,
    /// What updates made of components, in incidents and maintenances.
    pub component_changes: Count,
    /// Records that were not taken, each with the reason.
    pub not_taken: Vec<Problem>,
    /// What was left out or changed of records that were taken.
    pub notes: Vec<Problem>,
}

impl Count {
    pub(super) fn add(&mut self, is_taken: bool, number: usize) {
        if is_taken {
            self.taken += number;
        } else {
            self.unchanged += number;
        }
    }
}

impl Report {
    fn not_taken_of(&self, kind: Kind) -> usize {
        self.not_taken.iter().filter(|problem| problem.kind == kind).count()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Imported {} into the page \"{}\".", self.files.join(", "), self.slug)?;
        writeln!(f)?;
        writeln!(f, "{:<20} {:>9} {:>9} {:>9}", "", "taken", "unchanged", "not taken")?;
        let rows = [
            ("pages", self.pages, Some(Kind::Page)),
            ("component groups", self.groups, Some(Kind::Group)),
            ("components", self.components, Some(Kind::Component)),
            ("incidents", self.incidents, Some(Kind::Incident)),
            ("  their updates", self.incident_updates, None),
            ("maintenances", self.maintenances, Some(Kind::Maintenance)),
            ("  their updates", self.maintenance_updates, None),
            ("component changes", self.component_changes, None),
        ];
        for (name, count, kind) in rows {
            let not_taken = kind.map_or_else(String::new, |kind| self.not_taken_of(kind).to_string());
            let line = format!("{name:<20} {:>9} {:>9} {not_taken:>9}", count.taken, count.unchanged);
            writeln!(f, "{}", line.trim_end())?;
        }
        for (title, problems) in [("Not taken:", &self.not_taken), ("Taken, but:", &self.notes)] {
            if problems.is_empty() {
                continue;
            }
            writeln!(f, "\n{title}")?;
            for problem in problems {
                writeln!(f, "  {problem}")?;
            }
        }
        Ok(())
    }
}
