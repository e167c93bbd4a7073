//! Taking over what another status system published: each record once, exactly as it was.

mod incident;
mod maintenance;
mod part;
mod report;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Answer;
use super::{Call, Context, page, valid};
use crate::domain::audience::Audience;
use crate::domain::code::Word;
use crate::domain::page::{Page, Visibility};
use crate::domain::refusal::{Refusal, Refused};
use crate::domain::role::Sight;
use crate::domain::time::Timestamp;
use crate::domain::timeline::{self, Change, MAX_UPDATES, Update};
use crate::error::{Error, Result};
use crate::queries::{self, View};
use crate::statuspage::{self, Capture, Kind, Problem};

pub use report::{Count, Progress, Report};

/// What became of one record.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Outcome {
    /// Its id here; `None` where nothing may name it any more.
    id: Option<Uuid>,
    /// Whether it was taken; otherwise an earlier import did so.
    is_new: bool,
    /// How many of its updates that import has not seen.
    newer: usize,
}

impl Answer for Outcome {
    fn page(&self) -> Option<Uuid> {
        None
    }
}

impl Outcome {
    const fn taken(id: Uuid) -> Outcome {
        Outcome {
            id: Some(id),
            is_new: true,
            newer: 0,
        }
    }

    const fn known(id: Option<Uuid>, newer: usize) -> Outcome {
        Outcome {
            id,
            is_new: false,
            newer,
        }
    }
}

/// Takes a captured Statuspage page into the page with this slug, which is made where it does not exist. Records are
/// known again by their id of origin, so that a second import of the same capture changes nothing. Each is one
/// transaction, oldest first; one that is refused is in the report, and the others go on.
///
/// # Errors
/// `INVALID_SLUG`, `SLUG_TAKEN` by an archived page, those of the page's name, and those of the database: what was
/// taken until then stays, and the same import goes on from there.
pub async fn statuspage(
    context: &Context,
    capture: &Capture,
    slug: &str,
    progress: impl Fn(Progress),
) -> Result<Report> {
    let mut import = Import {
        context,
        page: Uuid::nil(),
        groups: HashMap::new(),
        components: HashMap::new(),
        report: Report {
            slug: slug.to_owned(),
            files: capture.files.clone(),
            not_taken: capture.unreadable.clone(),
            ..Report::default()
        },
    };
    let total = capture.len();
    let mut done = 0;
    let mut step = || {
        progress(Progress { done, total });
        done += 1;
    };
    step();
    import.page = import.page_for(capture, slug).await?.id;
    for (position, group) in (1i32..).zip(&capture.groups) {
        import.group(group, position).await?;
        step();
    }
    for (position, component) in (1i32..).zip(&capture.components) {
        import.component(component, position, capture).await?;
        step();
    }
    for incident in &capture.incidents {
        import.incident(incident).await?;
        step();
    }
    for maintenance in &capture.maintenances {
        import.maintenance(maintenance).await?;
        step();
    }
    Ok(import.report)
}

/// An import on its way.
struct Import<'a> {
    context: &'a Context,
    page: Uuid,
    /// Ids here by ids of origin, of groups that are not removed.
    groups: HashMap<String, Uuid>,
    /// The same of components, archived ones too: history may name them.
    components: HashMap<String, Uuid>,
    report: Report,
}

/// Which record is spoken of.
#[derive(Clone, Copy)]
struct Record<'a> {
    file: &'static str,
    kind: Kind,
    id: &'a str,
}

/// What a record with a timeline tells.
struct Told {
    updates: usize,
    changes: usize,
    notes: Vec<String>,
}

impl Told {
    fn of<S>(updates: &[Update<S>], notes: Vec<String>) -> Told {
        Told {
            updates: updates.len(),
            changes: updates.iter().map(|update| update.changes.len()).sum(),
            notes,
        }
    }
}

impl Record<'_> {
    fn problem(self, reason: String) -> Problem {
        Problem {
            file: self.file,
            kind: self.kind,
            id: self.id.to_owned(),
            reason,
        }
    }
}

impl Import<'_> {
    async fn page_for(&mut self, capture: &Capture, slug: &str) -> Result<Page> {
        let captured = &capture.page;
        let view = View::now(&self.context.app, Sight::ALL);
        if let Some(page) = queries::page::by_slug(&view, slug).await? {
            self.report.pages.add(false, 1);
            return Ok(Arc::unwrap_or_clone(page));
        }
        let record = Record {
            // Every file holds it.
            file: capture.files.first().copied().unwrap_or_default(),
            kind: Kind::Page,
            id: captured.id.as_deref().unwrap_or(slug),
        };
        let mut note = |field: &str, refused: &Refused| {
            let note = record.problem(format!("its {field} was left out: {refused}"));
            self.report.notes.push(note);
        };
        let url = valid::url(captured.url.as_deref()).unwrap_or_else(|refused| {
            note("url", &refused);
            None
        });
        let time_zone = captured.time_zone.as_deref().unwrap_or("UTC");
        let time_zone = valid::time_zone(time_zone).unwrap_or_else(|refused| {
            note("time_zone", &refused);
            "UTC".to_owned()
        });
        let create = page::Create {
            slug: slug.to_owned(),
            name: captured.name.clone().unwrap_or_else(|| slug.to_owned()),
            description: None,
            url,
            time_zone,
            visibility: Visibility::Public,
            external_ref: captured.id.clone(),
        };
        let page = page::create(self.context, Call::PLAIN, create).await?;
        self.report.pages.add(true, 1);
        Ok(page)
    }

    /// Takes down what became of a record; `None` where it was refused.
    fn outcome<T>(&mut self, record: Record<'_>, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(outcome) => Ok(Some(outcome)),
            Err(Error::Refused(refused)) => {
                let reason = describe(&refused);
                self.report.not_taken.push(record.problem(reason));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Counts what a record with a timeline brought, and keeps the remarks on one that was taken.
    fn told(&mut self, record: Record<'_>, outcome: Outcome, told: Told) {
        let report = &mut self.report;
        let (records, updates) = match record.kind {
            Kind::Maintenance => (&mut report.maintenances, &mut report.maintenance_updates),
            _ => (&mut report.incidents, &mut report.incident_updates),
        };
        records.add(outcome.is_new, 1);
        updates.add(outcome.is_new, told.updates - outcome.newer);
        report.component_changes.add(outcome.is_new, told.changes);
        if outcome.is_new {
            self.notes(record, told.notes);
        } else if outcome.newer > 0 {
            let newer = outcome.newer;
            let note = format!("it was imported before and stays as it is, without {newer} newer update(s)");
            self.notes(record, [note]);
        }
    }

    fn notes(&mut self, record: Record<'_>, notes: impl IntoIterator<Item = String>) {
        let notes = notes.into_iter().map(|note| record.problem(note));
        self.report.notes.extend(notes);
    }
}

fn describe(refused: &Refused) -> String {
    if refused.field.is_empty() {
        refused.to_string()
    } else {
        format!("{}: {refused}", refused.field.join("."))
    }
}

/// A captured timeline as the domain has it, and remarks on component changes that name components unknown here.
fn timeline<S: Word>(
    captured: &[statuspage::Update<S>],
    components: &HashMap<String, Uuid>,
    now: Timestamp,
) -> Result<(Vec<Update<S>>, Vec<String>), Refused> {
    if captured.len() > MAX_UPDATES {
        return Err(Refusal::TooManyUpdates { max: MAX_UPDATES }.at(["updates"]));
    }
    let mut notes = Vec::new();
    let mut updates = Vec::with_capacity(captured.len());
    for update in captured {
        let checked = checked(update, now).map_err(|mut refused| {
            let place = update.id.clone().unwrap_or_else(|| update.number.to_string());
            refused.field.splice(0..0, ["updates".to_owned(), place]);
            refused
        });
        let (body, external_ref) = checked?;
        let mut changes = Vec::with_capacity(update.changes.len());
        for change in &update.changes {
            match components.get(&change.component) {
                Some(component) => changes.push(Change {
                    component: *component,
                    from: change.from,
                    to: change.to,
                }),
                None => notes.push(format!(
                    "a change of component {} ({}) from {} to {} at {} was left out: the capture does not hold the \
                     component",
                    change.component, change.name, change.from, change.to, update.display_at
                )),
            }
        }
        updates.push(Update {
            id: Uuid::now_v7(),
            number: update.number,
            status: update.status,
            body,
            display_at: update.display_at,
            created_at: update.created_at,
            edited_at: update.edited_at,
            revisions: Vec::new(),
            changes,
            external_ref,
            audience: Audience::Public,
        });
    }
    timeline::sort(&mut updates);
    Ok((updates, notes))
}

fn checked<S>(update: &statuspage::Update<S>, now: Timestamp) -> Result<(String, Option<String>), Refused> {
    timeline::check_not_ahead(update.display_at, now).map_err(|refusal| refusal.at(["displayAt"]))?;
    Ok((valid::body(&update.body)?, valid::external_ref(update.id.as_deref())?))
}

/// How many updates of a capture an earlier import has not seen.
fn newer<S, T>(captured: &[Update<S>], known: &[Update<T>]) -> usize {
    let is_known = |update: &&Update<S>| known.iter().any(|known| known.external_ref == update.external_ref);
    captured.len() - captured.iter().filter(is_known).count()
}
