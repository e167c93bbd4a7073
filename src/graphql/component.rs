//! Components, their groups, their uptime.

use std::sync::Arc;

use async_graphql::{ID, Object, SimpleObject};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::charged::Charged;
use super::connection::{self, Arguments, Counted, Counting};
use super::enums::ComponentStatus;
use super::error::{Failure, Result};
use super::id::{self, Kind};
use super::page::{self, Page};
use super::scalar::DateTime;
use crate::domain;
use crate::domain::uptime::{self, DEFAULT_DAYS, MAX_DAYS};
use crate::entity::component_change::Recorded;
use crate::error::Error;
use crate::queries::{self, Key, View};

/// One part of a service that can fail by itself.
#[derive(Clone, Debug)]
pub struct Component {
    pub(super) state: Arc<domain::component::Component>,
    pub(super) view: View,
}

/// Components that are shown together.
#[derive(Clone, Debug)]
pub struct ComponentGroup {
    pub(super) state: Arc<domain::component::ComponentGroup>,
    pub(super) view: View,
}

impl Component {
    async fn owner(&self) -> Result<Arc<domain::page::Page>> {
        page::state(&self.view, self.state.page).await
    }

    async fn uptime_over(&self, days: u16) -> Result<uptime::Uptime> {
        let page = self.owner().await?;
        self.view.budget().breathe().await;
        Ok(queries::component::uptime(&self.view, &page, &self.state, days).await?)
    }
}

/// One part of a service that can fail by itself.
#[Object]
impl Component {
    /// Its global id.
    pub(super) async fn id(&self) -> ID {
        id::encode(Kind::Component, self.state.id)
    }

    /// The page it stands on.
    async fn page(&self) -> Result<Page> {
        Ok(Page::new(self.owner().await?, self.view.clone()))
    }

    /// The group it stands in; null where it stands by itself.
    async fn group(&self) -> Result<Option<ComponentGroup>> {
        let Some(group) = self.state.group else {
            return Ok(None);
        };
        let parts = self.view.parts(self.state.page).await?;
        let group = parts.group(group).cloned();
        Ok(group.map(|state| ComponentGroup {
            state,
            view: self.view.clone(),
        }))
    }

    /// Its name.
    async fn name(&self) -> Result<&str> {
        Ok(self.view.show(self.state.name.as_str())?)
    }

    /// What it does, for people; null where nobody said.
    async fn description(&self) -> Result<Option<&str>> {
        Ok(self
            .state
            .description
            .as_deref()
            .map(|text| self.view.show(text))
            .transpose()?)
    }

    /// Where it stands among its siblings.
    async fn position(&self) -> i32 {
        self.state.position
    }

    /// How it does.
    async fn status(&self) -> ComponentStatus {
        self.state.status.into()
    }

    /// What the system it was imported from calls it; null where it was made here.
    async fn external_ref(&self) -> Option<&str> {
        self.state.external_ref.as_deref()
    }

    /// How long it was up in the last days, 1 to 366 of them, cut in the page's time zone.
    async fn uptime(
        &self,
        #[graphql(
            default_with = "i32::from(DEFAULT_DAYS)",
            desc = "How many days, 1 to 366, today included."
        )]
        days: i32,
    ) -> Result<Uptime> {
        let days = days_asked(days)?;
        let uptime = self.uptime_over(days).await?;
        let weight = self.view.app().settings.partial_outage_weight;
        Ok(Uptime::new(&self.view, &uptime, weight))
    }

    /// The statuses it took, newest first.
    async fn status_changes(
        &self,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<Counting<ComponentStatusChange>> {
        let window = Arguments {
            first,
            after,
            last,
            before,
        }
        .window()?;
        let slice = queries::component::status_changes(&self.view, &self.state, window).await?;
        let counted = Counted::StatusChanges(Arc::clone(&self.state));
        let key = |taken: &Recorded| Key {
            order: taken.at.millis(),
            id: taken.id,
        };
        Ok(connection::build(&self.view, slice, counted, key, |taken| {
            ComponentStatusChange {
                from: taken.from.into(),
                to: taken.to.into(),
                at: taken.at.into(),
            }
        }))
    }

    /// Raised by every change; hand it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.state.version
    }

    /// When it was made here.
    async fn created_at(&self) -> DateTime {
        self.state.created_at.into()
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        self.state.updated_at.into()
    }
}

/// Components that are shown together.
#[Object]
impl ComponentGroup {
    /// Its global id.
    pub(super) async fn id(&self) -> ID {
        id::encode(Kind::ComponentGroup, self.state.id)
    }

    /// The page it stands on.
    async fn page(&self) -> Result<Page> {
        let page = page::state(&self.view, self.state.page).await?;
        Ok(Page::new(page, self.view.clone()))
    }

    /// Its name.
    async fn name(&self) -> Result<&str> {
        Ok(self.view.show(self.state.name.as_str())?)
    }

    /// What it holds, for people; null where nobody said.
    async fn description(&self) -> Result<Option<&str>> {
        Ok(self
            .state
            .description
            .as_deref()
            .map(|text| self.view.show(text))
            .transpose()?)
    }

    /// Where it stands on the page.
    async fn position(&self) -> i32 {
        self.state.position
    }

    /// The worst status of its components; operational where it has none.
    async fn status(&self) -> Result<ComponentStatus> {
        let parts = self.view.parts(self.state.page).await?;
        let children = parts.in_group(self.state.id).map(|component| component.status);
        Ok(domain::component::group_status(children).into())
    }

    /// Its components, in the order they are shown.
    async fn components(&self) -> Result<Charged<Vec<Component>>> {
        Ok(Charged::list(&self.view, self.children().await?))
    }

    /// The mean of its components' uptime over the last days, 1 to 366 of them, in percent; null where nothing of it was
    /// observed.
    async fn uptime_percentage(
        &self,
        #[graphql(
            default_with = "i32::from(DEFAULT_DAYS)",
            desc = "How many days, 1 to 366, today included."
        )]
        days: i32,
    ) -> Result<Option<f64>> {
        let days = days_asked(days)?;
        let weight = self.view.app().settings.partial_outage_weight;
        let children = self.children().await?;
        // Together, so that their histories are read together.
        let uptimes = try_join_all(children.iter().map(|child| child.uptime_over(days))).await?;
        let percentages: Vec<_> = uptimes.iter().map(|uptime| uptime.times().percentage(weight)).collect();
        Ok(uptime::group_mean(&percentages))
    }

    /// What the system it was imported from calls it; null where it was made here.
    async fn external_ref(&self) -> Option<&str> {
        self.state.external_ref.as_deref()
    }

    /// Raised by every change; hand it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.state.version
    }
}

impl ComponentGroup {
    async fn children(&self) -> Result<Vec<Component>> {
        let parts = self.view.parts(self.state.page).await?;
        Ok(list(&self.view, parts.in_group(self.state.id)))
    }
}

/// Components as the API shows them.
pub(super) fn list<'a>(
    view: &View,
    components: impl Iterator<Item = &'a Arc<domain::component::Component>>,
) -> Vec<Component> {
    components
        .map(|state| Component {
            state: Arc::clone(state),
            view: view.clone(),
        })
        .collect()
}

/// The component an incident or a maintenance names: as its event carries it, else as the view sees it.
pub(super) async fn named(
    view: &View,
    carried: Option<&[domain::component::Component]>,
    page: Uuid,
    id: Uuid,
) -> Result<Component> {
    if let Some(component) = carried.and_then(|all| all.iter().find(|component| component.id == id)) {
        return Ok(Component {
            state: Arc::new(component.clone()),
            view: view.clone(),
        });
    }
    let parts = view.parts(page).await?;
    let state = parts.component(id).cloned();
    let state = state.ok_or_else(|| Error::Corrupt("an update that names no component".to_owned()))?;
    Ok(Component {
        state,
        view: view.clone(),
    })
}

/// Components that an incident or a maintenance names, in the order the page shows them. An event or a command brings
/// them along in that order.
pub(super) async fn in_order(
    view: &View,
    carried: Option<&[domain::component::Component]>,
    page: Uuid,
    ids: &[Uuid],
) -> Result<Vec<Component>> {
    let mut components = Vec::with_capacity(ids.len());
    for id in ids {
        components.push(named(view, carried, page, *id).await?);
    }
    match carried {
        Some(carried) => {
            let place = |id: Uuid| carried.iter().position(|one| one.id == id).unwrap_or(usize::MAX);
            components.sort_by_key(|component| place(component.state.id));
        }
        None if components.is_empty() => {}
        None => {
            let parts = view.parts(page).await?;
            components.sort_by_key(|component| parts.place(component.state.id));
        }
    }
    Ok(components)
}

fn days_asked(days: i32) -> Result<u16> {
    u16::try_from(days)
        .ok()
        .filter(|days| (1..=MAX_DAYS).contains(days))
        .ok_or_else(|| Failure::bad_user_input(format!("`days` must be from 1 to {MAX_DAYS}.")))
}

/// A status that a component left for another.
#[derive(SimpleObject, Debug)]
pub struct ComponentStatusChange {
    /// The status it left.
    from: ComponentStatus,
    /// The status it took.
    to: ComponentStatus,
    /// When it did, as the timeline shows it.
    at: DateTime,
}

/// How long a component was up. Degraded performance and maintenance count as up.
#[derive(SimpleObject, Debug)]
pub struct Uptime {
    /// Over the whole time, in percent; null where nothing of it was observed.
    percentage: Option<f64>,
    /// One entry for each day, oldest first.
    days: Charged<Vec<UptimeDay>>,
}

/// How long a component was up on one day of its page's time zone.
#[derive(SimpleObject, Debug)]
pub struct UptimeDay {
    /// The day, as `2026-03-29`.
    date: String,
    /// In percent; null where nothing of the day was observed.
    percentage: Option<f64>,
    /// Seconds spent in a partial outage.
    partial_outage_seconds: f64,
    /// Seconds spent in a major outage.
    major_outage_seconds: f64,
    /// Seconds of the day that were observed: 82,800, 86,400 or 90,000 of a whole one, less of today.
    observed_seconds: f64,
}

impl Uptime {
    fn new(view: &View, uptime: &uptime::Uptime, weight: f64) -> Uptime {
        let seconds = |millis: i64| millis as f64 / 1000.0;
        let day = |day: &uptime::Day| UptimeDay {
            date: day.date.to_string(),
            percentage: day.times.percentage(weight),
            partial_outage_seconds: seconds(day.times.in_status(domain::component::ComponentStatus::PartialOutage)),
            major_outage_seconds: seconds(day.times.in_status(domain::component::ComponentStatus::MajorOutage)),
            observed_seconds: seconds(day.times.observed()),
        };
        Uptime {
            percentage: uptime.times().percentage(weight),
            days: Charged::list(view, uptime.days.iter().map(day).collect()),
        }
    }
}
