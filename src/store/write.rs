//! `Write`: the one way to change anything. Rows, events, heads and audit become visible together, or not at all.

use std::net::IpAddr;

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::Store;
use super::audit::{self, Deed, Head};
use super::bell::Bell;
use super::log::stored;
use crate::clock::Clock;
use crate::domain::audience::Audience;
#[cfg(feature = "seeded-bugs")]
use crate::domain::event::EventKind;
use crate::domain::event::{Event, PAYLOAD_VERSION, Payload};
use crate::domain::impact;
use crate::domain::role::Scope;
use crate::domain::time::Timestamp;
use crate::entity::{self, component, event, page, page_log};
use crate::error::{Error, Result};
use crate::seeded::{Bug, seeded};

/// How a command locks the rows it is going to change, until its transaction ends.
///
/// Not `FOR UPDATE`: that would also stop others from writing rows that merely refer to these, and two writers that hold
/// each other up so would be a deadlock. SQLite has one writer and needs no lock.
pub const ROW_LOCK: LockType = LockType::NoKeyUpdate;

/// Who changes something, for the audit, and where they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Who: the name of the token, or whom a JWT is for.
    pub actor: String,
    /// The token, where it is one of many.
    pub token: Option<Uuid>,
    /// The request it came with.
    pub request_id: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// The pages that may be changed.
    pub scope: Scope,
}

impl Author {
    /// The server itself: its automation, its import, its demo.
    pub fn server(request_id: &str) -> Author {
        Author {
            actor: "server".to_owned(),
            token: None,
            request_id: request_id.to_owned(),
            address: None,
            scope: Scope::All,
        }
    }

    /// Whose idempotency keys theirs are: names of tokens are not unique. What is left is the server, its admin token, and
    /// those who have JWTs, of whom no two are called alike.
    pub fn key_scope(&self) -> String {
        match self.token {
            Some(token) => format!("token:{token}"),
            None => self.actor.clone(),
        }
    }
}

/// A transaction that changes one page. Dropping it undoes everything.
#[derive(Debug)]
pub struct Write {
    transaction: DatabaseTransaction,
    /// Given back after the transaction has ended.
    _turn: OwnedSemaphorePermit,
    bell: Bell,
    author: Author,
    action: &'static str,
    now: Timestamp,
    page: Option<Uuid>,
    /// What was changed that is on no page.
    noted: Option<Uuid>,
    events: Vec<Event>,
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
            transaction,
            _turn: turn,
            bell,
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
        let page = self.page.filter(|_| !events.is_empty());
        if let Some(page) = page {
            self.append(page, events).await?;
        }
        if let Some(token) = self.noted {
            let deed = self.deed(None, Some(("token", token)));
            audit::append_to_server(self.db(), &self.author, deed).await?;
        }
        if let Some(page) = page.filter(|_| seeded(Bug::BellBeforeCommit)) {
            self.bell.ring(page);
        }
        self.transaction.commit().await?;
        if let Some(page) = page.filter(|_| !seeded(Bug::BellBeforeCommit)) {
            self.bell.ring(page);
        }
        Ok(())
    }

    /// Raises the heads and writes the events under the numbers that gives. The row of the heads stays locked to the
    /// commit, so numbers become visible in order, and a rollback gives them back; it is locked after all other rows,
    /// so that writers of one page wait for one another as briefly as can be.
    async fn append(&self, page: Uuid, events: Vec<Event>) -> Result<()> {
        #[cfg(feature = "seeded-bugs")]
        // A log that was begun just now is nobody else's yet.
        if seeded(Bug::NumberBeforeLock) && events.iter().all(|event| event.kind != EventKind::PageCreated) {
            return self.append_under(&self.pool, page, events).await;
        }
        self.append_under(self.db(), page, events).await
    }

    async fn append_under(&self, heads: &impl ConnectionTrait, page: Uuid, events: Vec<Event>) -> Result<()> {
        let log = self.raise_staff_head(heads, page, events.len()).await?;
        let stands = self.page_and_condition(page).await?;
        let is_public = |event: &Event| event.audience(stands.0.visibility) == Audience::Public;
        let public_count = events.iter().filter(|event| is_public(event)).count();
        let subject = events
            .first()
            .map(|event| (event.subject.kind().as_str(), event.subject.id(page)));
        let head = Head {
            count: log.audit_count,
            hash: log.audit_hash.clone(),
        };
        let (entry, head) = audit::next(&head, &self.author, self.deed(Some(page), subject))?;
        let public_head = self.raise_other_heads(heads, page, public_count, &head).await?;
        audit::insert(self.db(), entry).await?;

        let staff_numbers = log.staff_head - count(events.len()) + 1..;
        let mut public_number = public_head - count(public_count);
        let mut rows = Vec::with_capacity(events.len());
        for (staff_number, event) in staff_numbers.zip(events) {
            let is_public = is_public(&event);
            public_number += i64::from(is_public);
            let (kind, subject) = (event.kind, event.subject.kind());
            let subject_id = event.subject.id(page);
            let payload = Payload {
                v: PAYLOAD_VERSION,
                page: stands.0.clone(),
                condition: stands.1,
                subject: event.subject,
                components: event.components,
                update: event.update,
                status_move: event.status_move,
            };
            rows.push(event::Model {
                page_id: page,
                staff_number,
                public_number: is_public.then_some(public_number),
                kind: kind.as_str().to_owned(),
                subject_kind: subject.as_str().to_owned(),
                subject_id,
                at: log.last_at,
                payload: entity::to_json(&payload)?,
            });
        }
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
        event::Entity::insert_many(rows)
            .exec_without_returning(self.db())
            .await?;
        Ok(())
    }

    /// The log's clock never goes back, also where the machine's does: "as of T" is then one place in the log.
    async fn raise_staff_head(&self, heads: &impl ConnectionTrait, page: Uuid, by: usize) -> Result<page_log::Model> {
        let now = self.now.millis();
        let later = CaseStatement::new()
            .case(
                Expr::col(page_log::Column::LastAt).gt(now),
                Expr::col(page_log::Column::LastAt),
            )
            .finally(Expr::value(now));
        let raised = page_log::Entity::update_many()
            .col_expr(
                page_log::Column::StaffHead,
                Expr::col(page_log::Column::StaffHead).add(count(by)),
            )
            .col_expr(page_log::Column::LastAt, later.into())
            .filter(page_log::Column::PageId.eq(page))
            .exec_with_returning(heads)
            .await?;
        raised.into_iter().next().ok_or_else(no_log)
    }

    /// Raises the public head and that of the audit under the lock that raising the other took, once it is known who may
    /// hear.
    async fn raise_other_heads(
        &self,
        heads: &impl ConnectionTrait,
        page: Uuid,
        by: usize,
        audit: &Head,
    ) -> Result<i64> {
        let raised = page_log::Entity::update_many()
            .col_expr(
                page_log::Column::PublicHead,
                Expr::col(page_log::Column::PublicHead).add(count(by)),
            )
            .col_expr(page_log::Column::AuditCount, Expr::value(audit.count))
            .col_expr(page_log::Column::AuditHash, Expr::value(audit.hash.as_str()))
            .filter(page_log::Column::PageId.eq(page))
            .exec_with_returning(heads)
            .await?;
        let raised = raised.into_iter().next();
        raised.map(|log| log.public_head).ok_or_else(no_log)
    }

    fn deed<'a>(&'a self, page: Option<Uuid>, subject: Option<(&'a str, Uuid)>) -> Deed<'a> {
        Deed {
            at: self.now,
            action: self.action,
            page,
            subject,
        }
    }

    /// The page and what its components make of it, read under the lock of the heads: each event says what stood at
    /// its number.
    async fn page_and_condition(&self, id: Uuid) -> Result<(crate::domain::page::Page, impact::Condition)> {
        let page = page::Entity::find_by_id(id).one(self.db()).await?;
        let page = page
            .ok_or_else(|| Error::Corrupt("a log without a page".to_owned()))?
            .into_domain()?;
        let statuses: Vec<String> = component::Entity::find()
            .select_only()
            .column(component::Column::Status)
            .filter(component::Column::PageId.eq(id))
            .filter(component::Column::ArchivedAt.is_null())
            .into_tuple()
            .all(self.db())
            .await?;
        let statuses = statuses
            .iter()
            .map(|status| entity::word(status))
            .collect::<Result<Vec<_>>>()?;
        Ok((page, impact::condition(&statuses)))
    }
}

fn no_log() -> Error {
    Error::Corrupt("a page without a log".to_owned())
}

fn count(events: usize) -> i64 {
    stored(events as u64)
}
