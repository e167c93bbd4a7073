//! `Write`: the one way to change anything. Rows, events, heads and audit become visible together, or not at all.

#[cfg(feature = "seeded-bugs")]
use sea_orm::sea_query::ExprTrait;
use sea_orm::sea_query::{Expr, Func, LockType, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, FromQueryResult,
    IntoActiveModel, Iterable, JoinType, QueryFilter, QuerySelect, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::Store;
use super::audit::{self, Deed, Head};
use super::author::Author;
use super::bell::Bell;
use super::committed::Committed;
use super::version;
use crate::clock::Clock;
use crate::domain::audience::Audience;
#[cfg(feature = "seeded-bugs")]
use crate::domain::event::EventKind;
use crate::domain::event::{Event, PAYLOAD_VERSION, Payload};
use crate::domain::impact::{self, Condition};
use crate::domain::page::Page;
use crate::domain::time::Timestamp;
use crate::entity::batch::Batch;
use crate::entity::question::Questions;
use crate::entity::{self, component, event, page, page_log};
use crate::error::{Error, Result};
use crate::seeded::{Bug, seeded};

/// How a command locks the rows it is going to change, until its transaction ends.
///
/// Not `FOR UPDATE`: that would also stop others from writing rows that merely refer to these, and two writers that hold
/// each other up so would be a deadlock. SQLite has one writer and needs no lock.
pub const ROW_LOCK: LockType = LockType::NoKeyUpdate;

/// A transaction that changes one page. Dropping it undoes everything.
#[derive(Debug)]
pub struct Write {
    transaction: DatabaseTransaction,
    /// Given back after the transaction has ended.
    _turn: OwnedSemaphorePermit,
    bell: Bell,
    committed: Committed,
    author: Author,
    action: &'static str,
    now: Timestamp,
    page: Option<Uuid>,
    /// What was changed that is on no page.
    noted: Option<Uuid>,
    events: Vec<Event>,
    changes: Batch,
    /// Where [`Bug::NumberBeforeLock`] takes its numbers.
    #[cfg(feature = "seeded-bugs")]
    pool: sea_orm::DatabaseConnection,
}

impl Store {
    /// Begins to change something; `action` is what the audit calls it. All of it happens at the time the clock shows
    /// once it is this writer's turn.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub async fn begin(&self, author: Author, action: &'static str, clock: &Clock) -> Result<Write> {
        let (transaction, turn) = self.begin_plain().await?;
        let now = clock.now();
        let bell = self.bell().clone();
        Ok(Write {
            changes: Batch::new(&transaction),
            transaction,
            _turn: turn,
            bell,
            committed: self.committed.clone(),
            author,
            action,
            now,
            page: None,
            noted: None,
            events: Vec::new(),
            #[cfg(feature = "seeded-bugs")]
            pool: self.writer.clone(),
        })
    }

    /// A writing transaction without log or audit, for the database's own upkeep. SQLite's begins as a writer: a
    /// deferred one that turns writer later fails with "database is locked" (DESIGN.md, 3).
    pub(super) async fn begin_plain(&self) -> Result<(DatabaseTransaction, OwnedSemaphorePermit)> {
        let turn = self.turns.take().await?;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let begun = self.writer.begin_with_options(options).await.map_err(Error::from);
        self.turns.learn(&begun);
        Ok((begun?, turn))
    }
}

impl Write {
    /// What statements are sent through.
    pub const fn db(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// The time all of this happens at.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Who does it.
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// Gives a page that was just created its log, which begins with number 1 in both streams.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_log(&self, page: Uuid) -> Result<()> {
        let log = page_log::Model {
            page_id: page,
            public_head: 0,
            staff_head: 0,
            public_floor: 0,
            staff_floor: 0,
            last_at: self.now.millis(),
            audit_count: 0,
            audit_hash: String::new(),
        };
        page_log::Entity::insert(log.into_active_model().reset_all())
            .exec_without_returning(self.db())
            .await?;
        Ok(())
    }

    /// What is changed when this commits, before its events are written. What is read up to then does not show it.
    pub(crate) const fn changes(&mut self) -> &mut Batch {
        &mut self.changes
    }

    /// Adds an event to the page's log when this commits. All events of one write are of one page.
    pub fn record(&mut self, page: Uuid, event: Event) {
        debug_assert!(self.page.is_none_or(|known| known == page), "a write changes one page");
        self.page = Some(page);
        self.events.push(event);
    }

    /// Has the audit keep that a token was changed when this commits.
    pub const fn note(&mut self, token: Uuid) {
        self.noted = Some(token);
    }

    /// Numbers the events, makes everything visible, and rings the doorbell.
    ///
    /// # Errors
    /// `Forbidden` on a page that is none of the author's, which no command lets it come to; `Unavailable` or `Database`.
    /// Then nothing has changed, unless the connection broke during the commit itself.
    pub async fn commit(mut self) -> Result<()> {
        if self.page.is_some_and(|page| !self.author.scope.covers(page)) {
            return Err(Error::Forbidden);
        }
        let events = std::mem::take(&mut self.events);
        let nothing = Batch::new(self.db());
        let changes = std::mem::replace(&mut self.changes, nothing);
        let page = self.page.filter(|_| !events.is_empty());
        let mut appended = None;
        match page {
            Some(page) => appended = Some((page, self.append(page, changes, events).await?)),
            None => changes.send(self.db()).await?,
        }
        if let Some(token) = self.noted {
            let deed = self.deed(None, Some(("token", token)));
            audit::append_to_server(self.db(), &self.author, deed).await?;
        }
        if let Some(page) = page.filter(|_| seeded(Bug::BellBeforeCommit)) {
            self.bell.ring(page);
        }
        self.transaction.commit().await?;
        if let Some((page, number)) = appended {
            self.committed.note(page, number);
        }
        if let Some(page) = page.filter(|_| !seeded(Bug::BellBeforeCommit)) {
            self.bell.ring(page);
        }
        Ok(())
    }

    /// Raises the heads and writes the events under the numbers that gives. The row of the heads stays locked to the
    /// commit, so numbers become visible in order, and a rollback gives them back; it is locked after all other rows,
    /// so that writers of one page wait for one another as briefly as can be.
    ///
    /// Returns the staff's head.
    async fn append(&self, page: Uuid, mut changes: Batch, events: Vec<Event>) -> Result<u64> {
        if self.db().get_database_backend() == DbBackend::Postgres {
            std::mem::replace(&mut changes, Batch::new(self.db()))
                .send(self.db())
                .await?;
        }
        let taken = self.lock_heads(page, &events).await?;
        let stands = self.stands(page, changes).await?;
        let log = taken.as_ref().unwrap_or(&stands.log);
        let is_public = |event: &Event| event.audience(stands.page.visibility) == Audience::Public;
        let subject = events
            .first()
            .map(|event| (event.subject.kind().as_str(), event.subject.id(page)));
        let head = Head {
            count: log.audit_count,
            hash: log.audit_hash.clone(),
        };
        let (entry, head) = audit::next(&head, &self.author, self.deed(Some(page), subject))?;
        // The log's clock never goes back, also where the machine's does: "as of T" is then one place in the log.
        let at = Ord::max(log.last_at, self.now.millis());
        let (mut staff_head, mut public_head) = (log.staff_head, log.public_head);
        let mut rows = Vec::with_capacity(events.len());
        let mut batch = Batch::new(self.db());
        for event in events {
            let is_public = is_public(&event);
            staff_head += 1;
            public_head += i64::from(is_public);
            version::record(&mut batch, page, staff_head, &event);
            let (kind, subject) = (event.kind, event.subject.kind());
            let subject_id = event.subject.id(page);
            let payload = Payload {
                v: PAYLOAD_VERSION,
                page: stands.page.clone(),
                condition: stands.condition,
                subject: event.subject,
                components: event.components,
                update: event.update,
                status_move: event.status_move,
            };
            rows.push(event::Model {
                page_id: page,
                staff_number: staff_head,
                public_number: is_public.then_some(public_head),
                kind: kind.as_str().to_owned(),
                subject_kind: subject.as_str().to_owned(),
                subject_id,
                at,
                payload: entity::to_json(&payload)?,
            });
        }

        let mut heads = page_log::Entity::update_many()
            .col_expr(page_log::Column::AuditCount, Expr::value(head.count))
            .col_expr(page_log::Column::AuditHash, Expr::value(head.hash))
            .filter(page_log::Column::PageId.eq(page));
        if taken.is_none() {
            heads = heads
                .col_expr(page_log::Column::StaffHead, Expr::value(staff_head))
                .col_expr(page_log::Column::PublicHead, Expr::value(public_head))
                .col_expr(page_log::Column::LastAt, Expr::value(at));
        }
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
        batch.add(&heads);
        batch.add(&audit::insertion(entry));
        batch.add(&event::Entity::insert_many(rows));
        batch.send(self.db()).await?;
        super::log::number(staff_head)
    }

    /// Waits for those who have locked the heads, and locks them. SQLite's transaction has locked all there is. None, as
    /// no number is taken yet; [`Bug::NumberBeforeLock`] takes them, and says where the log stood before.
    async fn lock_heads(&self, page: Uuid, events: &[Event]) -> Result<Option<page_log::Model>> {
        #[cfg(feature = "seeded-bugs")]
        // A log that was begun just now is nobody else's yet.
        if seeded(Bug::NumberBeforeLock) && events.iter().all(|event| event.kind != EventKind::PageCreated) {
            return self
                .take_numbers(page, super::log::stored(events.len() as u64))
                .await
                .map(Some);
        }
        #[cfg(not(feature = "seeded-bugs"))]
        let _ = events;
        if self.db().get_database_backend() == DbBackend::Postgres {
            page_log::Entity::find_by_id(page)
                .select_only()
                .column(page_log::Column::PageId)
                .lock(ROW_LOCK)
                .into_tuple::<Uuid>()
                .one(self.db())
                .await?;
        }
        Ok(None)
    }

    #[cfg(feature = "seeded-bugs")]
    async fn take_numbers(&self, page: Uuid, count: i64) -> Result<page_log::Model> {
        let raised = page_log::Entity::update_many()
            .col_expr(
                page_log::Column::StaffHead,
                Expr::col(page_log::Column::StaffHead).add(count),
            )
            .col_expr(
                page_log::Column::PublicHead,
                Expr::col(page_log::Column::PublicHead).add(count),
            )
            .filter(page_log::Column::PageId.eq(page))
            .exec_with_returning(&self.pool)
            .await?;
        let mut log = raised.into_iter().next().ok_or_else(no_log)?;
        log.staff_head -= count;
        log.public_head -= count;
        Ok(log)
    }

    fn deed<'a>(&'a self, page: Option<Uuid>, subject: Option<(&'a str, Uuid)>) -> Deed<'a> {
        Deed {
            at: self.now,
            action: self.action,
            page,
            subject,
        }
    }

    /// How the page and its log stand after some changes, read under the lock of the heads: each event says what stood at its
    /// number.
    async fn stands(&self, page: Uuid, changes: Batch) -> Result<Stands> {
        let mut statuses = Query::select();
        statuses
            .expr(Func::cust("string_agg").args([Expr::col(component::Column::Status), Expr::value(BETWEEN)]))
            .from(component::Entity)
            .and_where(component::Column::PageId.eq(page))
            .and_where(component::Column::ArchivedAt.is_null());
        let log = page::Entity::belongs_to(page_log::Entity)
            .from(page::Column::Id)
            .to(page_log::Column::PageId);
        let found = page::Entity::find_by_id(page)
            .join(JoinType::InnerJoin, log.into())
            .columns(page_log::Column::iter())
            .expr_as(Expr::SubQuery(None, Box::new(statuses.into())), "statuses");
        let mut questions = Questions::new(self.db());
        let found = questions.ask(found);
        let mut answers = questions.send_after(changes, self.db()).await?;
        let row: Row = answers.take(found)?.pop().ok_or_else(no_log)?;
        let statuses = row.statuses.iter().flat_map(|statuses| statuses.split(BETWEEN));
        let statuses = statuses.map(entity::word).collect::<Result<Vec<_>>>()?;
        Ok(Stands {
            log: row.log,
            page: row.page.into_domain()?,
            condition: impact::condition(&statuses),
        })
    }
}

/// How a page and its log stand.
struct Stands {
    log: page_log::Model,
    page: Page,
    /// What its components make of it.
    condition: Condition,
}

/// The same as it is read, in one statement.
#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    page: page::Model,
    #[sea_orm(nested)]
    log: page_log::Model,
    /// Those of its components; none where it has none.
    statuses: Option<String>,
}

/// What stands between two words for a status, neither of which has one.
const BETWEEN: &str = ",";

fn no_log() -> Error {
    Error::Corrupt("a page without a log".to_owned())
}
