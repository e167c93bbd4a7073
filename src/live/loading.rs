//! Holding pages in memory: answering from the state that is held, and loading it.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use tokio::time::timeout;
use uuid::Uuid;

use super::present::{Collected, Present};
use super::tailer::Live;
use super::watched::Watched;
use crate::domain::audience::Audience;
use crate::entity::{self, component_change, incident, maintenance};
use crate::error::Result;
use crate::store::{self, Snapshot};

/// Incidents or maintenances that one statement reads while a page is loaded. Rows of that many are decoded in a few milliseconds, and
/// requests come in between.
const CHUNK: u64 = 50;

/// Components whose histories one statement reads, for the same reason.
const COMPONENTS: usize = 10;

/// How long a reader waits for the tailer to bring a commit of this node that is not applied yet. That takes milliseconds; the
/// database is asked afterwards.
const CATCH_UP: Duration = Duration::from_millis(250);

impl Live {
    /// The present state of a page, if it is held and includes every commit of this node, and of others unless their notice is on its
    /// way.
    pub async fn present(&self, page: Uuid) -> Option<Arc<Present>> {
        if !self.is_fresh() {
            return None;
        }
        let watched = self.residents.get(page)?;
        let committed = self.store.committed(page);
        let is_current = |present: &Arc<Present>| present.number(Audience::Staff) >= committed;
        if let Some(present) = watched.present().filter(is_current) {
            return Some(present);
        }
        let mut changed = watched.changes();
        let caught_up = async {
            loop {
                let present = watched.present()?;
                if is_current(&present) {
                    return Some(present);
                }
                changed.changed().await.ok()?;
            }
        };
        timeout(CATCH_UP, caught_up).await.ok().flatten()
    }

    /// The number that an audience's stream of a held page has come to; `None` if the page must be read to know.
    pub fn number(&self, page: Uuid, audience: Audience) -> Option<u64> {
        let present = self.is_fresh().then(|| self.residents.get(page))??.present()?;
        let is_current = present.number(Audience::Staff) >= self.store.committed(page);
        is_current.then(|| present.number(audience))
    }

    /// The page that was last known to have a slug, if it is held; it may have been renamed since.
    pub fn named(&self, slug: &str) -> Option<Uuid> {
        self.residents.named(slug)
    }

    /// The state of a page just after an entry of its log, if it is still held.
    pub fn present_at(&self, page: Uuid, staff_number: u64) -> Option<Arc<Present>> {
        self.residents.get(page)?.present_at(staff_number)
    }

    /// Loads a page in the background, unless it is held or was tried lately.
    pub fn hold(self: &Arc<Self>, page: Uuid) {
        if !self.is_fresh() || !self.residents.claim(page) {
            return;
        }
        let live = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = live.load(page).await {
                tracing::warn!(%page, error = &error as &dyn std::error::Error, "a page cannot be loaded into memory");
            }
        });
    }

    async fn load(&self, page: Uuid) -> Result<()> {
        let Ok(_permit) = self.residents.loads.acquire().await else {
            return Ok(());
        };
        let watched = self.watch(page).await?;
        let room = self.residents.room();
        let snapshot = store::in_time(self.store.read()).await?;
        let Some(present) = read(&watched, &snapshot, room).await? else {
            tracing::info!(%page, room, "a page is not held in memory: it is archived, or takes too many bytes");
            return Ok(());
        };
        drop(snapshot);
        let bytes = present.bytes();
        if watched.begin_present(present) {
            tracing::debug!(%page, bytes, "a page is held in memory");
            self.residents.hold(&watched);
        }
        Ok(())
    }
}

/// Reads a whole page; `None` if it is archived, or takes more than `room` bytes.
async fn read(watched: &Watched, snapshot: &Snapshot, room: usize) -> Result<Option<Present>> {
    let (db, page) = (snapshot.db(), watched.page);
    let extent = watched.extent(snapshot).await?;
    let Some(parts) = entity::parts::load(db, vec![page]).await?.remove(&page) else {
        return Ok(None);
    };
    let mut collected = Collected::new(Arc::unwrap_or_clone(parts));
    let mut last = None;
    while collected.bytes() <= room {
        let incidents = incidents_after(db, page, last).await?;
        let Some(newest) = incidents.last() else { break };
        last = Some((newest.started_at, newest.id));
        collected.add_incidents(entity::incident::load(db, incidents).await?);
        tokio::task::yield_now().await;
    }
    let mut last = None;
    while collected.bytes() <= room {
        let maintenances = maintenances_after(db, page, last).await?;
        let Some(latest) = maintenances.last() else { break };
        last = Some((latest.scheduled_for, latest.id));
        collected.add_maintenances(entity::maintenance::load(db, maintenances).await?);
        tokio::task::yield_now().await;
    }
    if collected.bytes() > room {
        return Ok(None);
    }
    let present = collected.finish(extent.staff.head, extent.public.head);
    let components: Vec<Uuid> = present
        .parts()
        .components
        .iter()
        .map(|component| component.id)
        .collect();
    for some in components.chunks(COMPONENTS) {
        let mut histories = component_change::histories(db, some.to_vec(), None).await?;
        for component in some {
            present.keep_history(*component, &histories.remove(component).unwrap_or_default());
        }
        tokio::task::yield_now().await;
    }
    Ok(Some(present))
}

async fn incidents_after(
    db: &impl ConnectionTrait,
    page: Uuid,
    last: Option<(i64, Uuid)>,
) -> Result<Vec<incident::Model>> {
    let all = incident::Entity::find().filter(incident::Column::PageId.eq(page));
    let mut cursor = all.cursor_by((incident::Column::StartedAt, incident::Column::Id));
    if let Some(last) = last {
        cursor.after(last);
    }
    Ok(cursor.first(CHUNK).all(db).await?)
}

async fn maintenances_after(
    db: &impl ConnectionTrait,
    page: Uuid,
    last: Option<(i64, Uuid)>,
) -> Result<Vec<maintenance::Model>> {
    let all = maintenance::Entity::find().filter(maintenance::Column::PageId.eq(page));
    let mut cursor = all.cursor_by((maintenance::Column::ScheduledFor, maintenance::Column::Id));
    if let Some(last) = last {
        cursor.after(last);
    }
    Ok(cursor.first(CHUNK).all(db).await?)
}
