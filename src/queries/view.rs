//! A view: what is in somebody's sight at one moment, all of it of one consistent state.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use sea_orm::DatabaseTransaction;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::loader::Loader;
use super::source::{Basis, Sources};
use crate::app::App;
use crate::budget::Budget;
use crate::domain::audience::Audience;
use crate::domain::event::{Subject, SubjectKind};
use crate::domain::incident::Incident;
use crate::domain::maintenance::Maintenance;
use crate::domain::page::Page;
use crate::domain::parts::Parts;
use crate::domain::role::Sight;
use crate::domain::time::Timestamp;
use crate::domain::timeline::Update;
use crate::entity;
use crate::error::Result;
use crate::live::{History, Present};
use crate::store::Snapshot;
use crate::store::log::{self, Place};

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
    histories: Loader<Uuid, History>,
    incidents: Loader<Uuid, Arc<Vec<Arc<Incident>>>>,
    maintenances: Loader<Uuid, Arc<Vec<Arc<Maintenance>>>>,
}

/// What all views of one answer share.
#[derive(Clone, Debug)]
struct Shared {
    sources: Arc<Sources>,
    /// Or why it could not begin: whatever else is asked of the view is told the same, and does not wait for it again.
    snapshot: Arc<OnceCell<Result<Snapshot>>>,
    /// What the answer may use.
    budget: Budget,
}

impl Shared {
    fn new(is_from_memory: bool, budget: Budget) -> Shared {
        Shared {
            sources: Arc::new(Sources::new(is_from_memory)),
            snapshot: Arc::default(),
            budget,
        }
    }
}

impl View {
    /// What is in somebody's sight now, by the database alone.
    pub fn now(app: &Arc<App>, sight: Sight) -> View {
        View::now_within(app, sight, Budget::new(app.settings.execution))
    }

    /// The same, charged to the budget of an execution.
    pub fn now_within(app: &Arc<App>, sight: Sight, budget: Budget) -> View {
        View::at(app, sight, Moment::Now, app.clock.now(), Shared::new(false, budget))
    }

    /// What is in somebody's sight now, by the states of pages that are held in memory as far as possible. Any read may fail with
    /// `Moved`, after which [`View::now_within`] is to be used instead.
    pub fn latest(app: &Arc<App>, sight: Sight, budget: Budget) -> View {
        View::at(app, sight, Moment::Now, app.clock.now(), Shared::new(true, budget))
    }

    /// What was in somebody's sight at a place in the log, charged to the budget of an execution.
    pub fn past(app: &Arc<App>, sight: Sight, place: Place, budget: Budget) -> View {
        let shared = Shared::new(false, budget);
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

    /// What everything that was read through this view is a function of; `None` if that cannot be said.
    pub fn basis(&self) -> Option<Basis> {
        self.0.shared.sources.basis(self.sight())
    }

    /// Whether the answer must be made anew with [`View::now`], as a page changed while it was made.
    pub fn is_moved(&self) -> bool {
        self.0.shared.sources.is_moved()
    }

    /// Notes that what is shown depends on something else than pages, such as the caller.
    pub fn untie(&self) {
        self.0.shared.sources.untie();
    }

    /// Notes that what is shown changes with the clock, at the latest at this time.
    pub fn hold_until(&self, until: Timestamp) {
        self.0.shared.sources.hold_until(until);
    }

    /// The state of a page in memory, at the view's moment; `None` if the database is to be asked.
    pub(super) async fn present(&self, page: Uuid) -> Option<Arc<Present>> {
        match self.moment() {
            Moment::Now => self.0.shared.sources.present(self.app(), page).await,
            Moment::Past(place) => self.app().live.present_at(page, place.staff_number),
        }
    }

    /// Has a page that is being read held in memory for the queries to come.
    pub(super) fn hold(&self, page: Uuid) {
        if self.0.shared.sources.is_from_memory() {
            self.app().live.hold(page);
        }
    }

    /// The present state of the page with a slug, if it is held in memory.
    pub(super) async fn present_named(&self, slug: &str) -> Option<Arc<Present>> {
        if !self.0.shared.sources.is_from_memory() {
            return None;
        }
        let present = self.present(self.app().live.named(slug)?).await?;
        let is_named = present.parts().page.as_ref().is_some_and(|page| page.slug == slug);
        is_named.then_some(present)
    }

    pub(super) fn histories(&self) -> &Loader<Uuid, History> {
        &self.0.histories
    }

    pub(super) fn incidents(&self) -> &Loader<Uuid, Arc<Vec<Arc<Incident>>>> {
        &self.0.incidents
    }

    pub(super) fn maintenances(&self) -> &Loader<Uuid, Arc<Vec<Arc<Maintenance>>>> {
        &self.0.maintenances
    }

    /// What statements are sent through.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub(super) async fn db(&self) -> Result<&DatabaseTransaction> {
        self.untie();
        self.tied_db().await
    }

    /// The same for reading what belongs to a page whose state in memory was used: the answer still depends on that page alone.
    ///
    /// # Errors
    /// As of [`View::db`].
    pub(super) async fn tied_db(&self) -> Result<&DatabaseTransaction> {
        self.budget().check()?;
        let Shared {
            sources,
            snapshot,
            budget,
        } = &self.0.shared;
        let begin = || sources.begin_snapshot(self.app(), budget);
        match snapshot.get_or_init(begin).await {
            Ok(snapshot) => snapshot.db_within(budget).await,
            Err(error) => Err(error.again()),
        }
    }

    /// What a page consists of: read once for a view, and together for all pages an answer shows.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn parts(&self, page: Uuid) -> Result<Arc<Parts>> {
        if let Some(present) = self.present(page).await {
            return Ok(Arc::clone(present.parts()));
        }
        self.0.parts.load(page, |pages| self.read_parts(pages)).await
    }

    async fn read_parts(&self, pages: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<Parts>>> {
        match self.moment() {
            Moment::Now => {
                let all = entity::parts::load(self.db().await?, pages).await?;
                for parts in all.values() {
                    self.budget().rows(parts.count())?;
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
