//! A view: what is in somebody's sight at one moment, all of it of one consistent state.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::loader::Loader;
use crate::app::App;
use crate::budget::Budget;
use crate::domain::audience::Audience;
use crate::domain::component::{Component, ComponentGroup, ComponentStatus};
use crate::domain::event::{Subject, SubjectKind};
use crate::domain::impact::{self, Condition};
use crate::domain::incident::Incident;
use crate::domain::maintenance::Maintenance;
use crate::domain::page::Page;
use crate::domain::role::Sight;
use crate::domain::time::Timestamp;
use crate::domain::timeline::Update;
use crate::entity::{component, component_change, component_group, page};
use crate::error::Result;
use crate::store::log::Place;
use crate::store::{Snapshot, log};

/// When a view looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Now,
    /// At a place in a page's log: what stood when its events up to there had happened.
    Past(Place),
}

/// What is in somebody's sight at one moment. The first read begins the snapshot that all others share; clones are the same
/// view.
#[derive(Clone, Debug)]
pub struct View(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: Arc<App>,
    sight: Sight,
    moment: Moment,
    instant: Timestamp,
    shared: Shared,
    /// The page as an event carries it.
    carried: OnceLock<Arc<Page>>,
    parts: Loader<Uuid, Arc<Parts>>,
    histories: Loader<Uuid, Arc<Vec<component_change::Model>>>,
    incidents: Loader<Uuid, Arc<Vec<Incident>>>,
    maintenances: Loader<Uuid, Arc<Vec<Maintenance>>>,
}

/// What all views of one answer share.
#[derive(Clone, Debug)]
struct Shared {
    /// Or why it could not begin: whatever else is asked of the view is told the same, and does not wait for it again.
    snapshot: Arc<OnceCell<Result<Snapshot>>>,
    /// What the answer may use.
    budget: Budget,
}

impl Shared {
    fn within(budget: Budget) -> Shared {
        Shared {
            snapshot: Arc::default(),
            budget,
        }
    }
}

/// What a page consists of: bounded, so that it is read as a whole.
#[derive(Debug, Default)]
pub struct Parts {
    pub page: Option<Arc<Page>>,
    /// In the order they are shown.
    pub groups: Vec<Arc<ComponentGroup>>,
    /// In the order they are shown: groups and what stands in none by position, then the components of a group.
    pub components: Vec<Arc<Component>>,
    /// Those that were taken off: incidents still name them.
    archived: Vec<Arc<Component>>,
}

impl Parts {
    fn new(
        page: Option<Page>,
        mut groups: Vec<ComponentGroup>,
        mut components: Vec<Component>,
        archived: Vec<Component>,
    ) -> Parts {
        groups.sort_by_key(|group| (group.position, group.id));
        let place: HashMap<Uuid, i32> = groups.iter().map(|group| (group.id, group.position)).collect();
        components
            .sort_by_key(|component| component.place(component.group.and_then(|group| place.get(&group).copied())));
        Parts {
            page: page.map(Arc::new),
            groups: groups.into_iter().map(Arc::new).collect(),
            components: components.into_iter().map(Arc::new).collect(),
            archived: archived.into_iter().map(Arc::new).collect(),
        }
    }

    /// A component of this page, archived ones too.
    pub fn component(&self, id: Uuid) -> Option<&Arc<Component>> {
        self.components
            .iter()
            .chain(&self.archived)
            .find(|component| component.id == id)
    }

    /// Where a component stands in the order they are shown; archived ones come last.
    pub fn place(&self, id: Uuid) -> usize {
        self.components
            .iter()
            .position(|component| component.id == id)
            .unwrap_or(usize::MAX)
    }

    /// A group of this page.
    pub fn group(&self, id: Uuid) -> Option<&Arc<ComponentGroup>> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The components of a group.
    pub fn in_group(&self, id: Uuid) -> impl Iterator<Item = &Arc<Component>> {
        self.components
            .iter()
            .filter(move |component| component.group == Some(id))
    }

    /// What the page says of its components.
    pub fn condition(&self) -> Condition {
        let statuses: Vec<ComponentStatus> = self.components.iter().map(|component| component.status).collect();
        impact::condition(&statuses)
    }
}

impl View {
    /// What is in somebody's sight now.
    pub fn now(app: &Arc<App>, sight: Sight) -> View {
        View::now_within(app, sight, Budget::new(app.settings.execution))
    }

    /// The same, charged to the budget of an execution.
    pub fn now_within(app: &Arc<App>, sight: Sight, budget: Budget) -> View {
        View::at(app, sight, Moment::Now, app.clock.now(), Shared::within(budget))
    }

    /// What was in somebody's sight at a place in the log, charged to the budget of an execution.
    pub fn past(app: &Arc<App>, sight: Sight, place: Place, budget: Budget) -> View {
        let shared = Shared::within(budget);
        View::at(app, sight, Moment::Past(place), place.at, shared)
    }

    /// What was in the same sight at a place in the log, by the same snapshot: however much of the past an answer
    /// shows, it takes one connection.
    pub fn back_at(&self, place: Place) -> View {
        let shared = self.0.shared.clone();
        View::at(self.app(), self.sight().clone(), Moment::Past(place), place.at, shared)
    }

    fn at(app: &Arc<App>, sight: Sight, moment: Moment, instant: Timestamp, shared: Shared) -> View {
        let budget = || shared.budget.clone();
        View(Arc::new(Inner {
            app: Arc::clone(app),
            sight,
            moment,
            instant,
            carried: OnceLock::new(),
            parts: Loader::within(budget()),
            histories: Loader::within(budget()),
            incidents: Loader::within(budget()),
            maintenances: Loader::within(budget()),
            shared,
        }))
    }

    /// The server it looks at.
    pub fn app(&self) -> &Arc<App> {
        &self.0.app
    }

    /// What is in sight.
    pub fn sight(&self) -> &Sight {
        &self.0.sight
    }

    /// As whom it looks at a page.
    pub fn audience_of(&self, page: Uuid) -> Audience {
        self.0.sight.audience_of(page)
    }

    /// When it looks.
    pub fn moment(&self) -> Moment {
        self.0.moment
    }

    /// The time of day it looks at.
    pub fn instant(&self) -> Timestamp {
        self.0.instant
    }

    /// Takes the page from the event that carries it, so that showing the event needs no read of it.
    pub fn carry(&self, page: &Page) {
        self.0.carried.get_or_init(|| Arc::new(page.clone()));
    }

    /// A page as this view sees it; `None` where it is not there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn page(&self, id: Uuid) -> Result<Option<Arc<Page>>> {
        match self.0.carried.get().filter(|page| page.id == id) {
            Some(page) => Ok(Some(Arc::clone(page))),
            None => Ok(self.parts(id).await?.page.clone()),
        }
    }

    /// What the answer may use.
    pub fn budget(&self) -> &Budget {
        &self.0.shared.budget
    }

    /// A text to be put into the answer, charged to its budget.
    ///
    /// # Errors
    /// `ExecutionLimit`.
    pub fn show<T: AsRef<str>>(&self, text: T) -> Result<T> {
        self.budget().show(text.as_ref().len())?;
        Ok(text)
    }

    /// Rows that were read, charged to the answer's budget.
    ///
    /// # Errors
    /// `ExecutionLimit`.
    pub(super) fn counted<T>(&self, rows: Vec<T>) -> Result<Vec<T>> {
        self.budget().rows(rows.len())?;
        Ok(rows)
    }

    /// Charges a timeline that was read. One that is empty was left unread because all of them were too long together.
    ///
    /// # Errors
    /// `ExecutionLimit`.
    pub(super) fn charge_timeline<S>(&self, updates: &[Update<S>]) -> Result<()> {
        if updates.is_empty() {
            self.budget().read(u64::MAX)?;
        }
        for update in updates {
            let revisions: usize = update.revisions.iter().map(|revision| revision.body.len()).sum();
            self.budget().read((update.body.len() + revisions) as u64)?;
            self.budget().rows(1 + update.changes.len() + update.revisions.len())?;
        }
        Ok(())
    }

    pub(super) fn histories(&self) -> &Loader<Uuid, Arc<Vec<component_change::Model>>> {
        &self.0.histories
    }

    pub(super) fn incidents(&self) -> &Loader<Uuid, Arc<Vec<Incident>>> {
        &self.0.incidents
    }

    pub(super) fn maintenances(&self) -> &Loader<Uuid, Arc<Vec<Maintenance>>> {
        &self.0.maintenances
    }

    /// What statements are sent through.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub(super) async fn db(&self) -> Result<&DatabaseTransaction> {
        self.budget().check()?;
        let begin = || self.0.app.store.read_within(self.budget());
        match self.0.shared.snapshot.get_or_init(begin).await {
            Ok(snapshot) => snapshot.db_within(self.budget()).await,
            Err(error) => Err(error.again()),
        }
    }

    /// What a page consists of: read once for a view, and together for all pages an answer shows.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn parts(&self, page: Uuid) -> Result<Arc<Parts>> {
        self.0.parts.load(page, |pages| self.read_parts(pages)).await
    }

    async fn read_parts(&self, pages: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<Parts>>> {
        match self.moment() {
            Moment::Now => {
                let all = present_parts(self.db().await?, pages).await?;
                for parts in all.values() {
                    self.budget()
                        .rows(1 + parts.groups.len() + parts.components.len() + parts.archived.len())?;
                }
                Ok(all)
            }
            Moment::Past(place) => {
                let mut all = HashMap::new();
                for page in pages {
                    all.insert(page, Arc::new(past_parts(self.db().await?, page, place).await?));
                }
                Ok(all)
            }
        }
    }
}

async fn present_parts(db: &DatabaseTransaction, pages: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<Parts>>> {
    let found = page::Entity::find()
        .filter(page::Column::Id.is_in(pages.clone()))
        .filter(page::Column::ArchivedAt.is_null())
        .all(db)
        .await?;
    let groups = component_group::Entity::find()
        .filter(component_group::Column::PageId.is_in(pages.clone()))
        .filter(component_group::Column::ArchivedAt.is_null())
        .all(db)
        .await?;
    let components = component::Entity::find()
        .filter(component::Column::PageId.is_in(pages))
        .all(db)
        .await?;

    let mut groups_of: HashMap<Uuid, Vec<ComponentGroup>> = HashMap::new();
    for row in groups {
        groups_of.entry(row.page_id).or_default().push(row.into_domain());
    }
    let mut components_of: HashMap<Uuid, (Vec<Component>, Vec<Component>)> = HashMap::new();
    for row in components {
        let (present, archived) = components_of.entry(row.page_id).or_default();
        let kept = if row.archived_at.is_none() { present } else { archived };
        kept.push(row.into_domain()?);
    }
    found
        .into_iter()
        .map(|row| {
            let (present, archived) = components_of.remove(&row.id).unwrap_or_default();
            let groups = groups_of.remove(&row.id).unwrap_or_default();
            Ok((
                row.id,
                Arc::new(Parts::new(Some(row.into_domain()?), groups, present, archived)),
            ))
        })
        .collect()
}

async fn past_parts(db: &DatabaseTransaction, page: Uuid, place: Place) -> Result<Parts> {
    let (mut groups, mut present, mut archived) = (Vec::new(), Vec::new(), Vec::new());
    for entry in log::standing_at(db, page, SubjectKind::ComponentGroup, place.staff_number).await? {
        if let (Subject::ComponentGroup(group), false) = (&entry.payload.subject, entry.kind.removes()) {
            groups.push(group.clone());
        }
    }
    for entry in log::standing_at(db, page, SubjectKind::Component, place.staff_number).await? {
        if let Subject::Component(component) = &entry.payload.subject {
            let kept = if entry.kind.removes() {
                &mut archived
            } else {
                &mut present
            };
            kept.push(component.clone());
        }
    }
    let pages = log::standing_at(db, page, SubjectKind::Page, place.staff_number).await?;
    let stood = pages
        .into_iter()
        .find(|entry| !entry.kind.removes())
        .map(|entry| entry.payload.page.clone());
    Ok(Parts::new(stood, groups, present, archived))
}
