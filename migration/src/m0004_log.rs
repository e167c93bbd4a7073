//! The log of every page with the heads of its streams, the audit, and the answers kept for idempotency keys.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null, uuid, uuid_null};

use super::m0001_pages::Page;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum PageLog {
    Table,
    PageId,
    PublicHead,
    StaffHead,
    PublicFloor,
    StaffFloor,
    LastAt,
}

#[derive(DeriveIden)]
enum Event {
    Table,
    PageId,
    StaffNumber,
    PublicNumber,
    Kind,
    SubjectKind,
    SubjectId,
    At,
    Payload,
}

#[derive(DeriveIden)]
enum Audit {
    Table,
    Id,
    At,
    Actor,
    Action,
    RequestId,
    PageId,
    SubjectKind,
    SubjectId,
}

#[derive(DeriveIden)]
enum IdempotencyKey {
    Table,
    Scope,
    Key,
    Fingerprint,
    Answer,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A step that broke off half way must leave nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        log(manager).await?;
        audit(manager).await?;
        idempotency(manager).await
    }
}

async fn log(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(PageLog::Table)
                .col(uuid(PageLog::PageId).primary_key())
                .col(big_integer(PageLog::PublicHead))
                .col(big_integer(PageLog::StaffHead))
                .col(big_integer(PageLog::PublicFloor))
                .col(big_integer(PageLog::StaffFloor))
                .col(big_integer(PageLog::LastAt))
                .foreign_key(
                    ForeignKey::create()
                        .from(PageLog::Table, PageLog::PageId)
                        .to(Page::Table, Page::Id),
                )
                .to_owned(),
        )
        .await?;
    manager
        .get_connection()
        .execute_unprepared(
            "INSERT INTO page_log (page_id, public_head, staff_head, public_floor, staff_floor, last_at) \
             SELECT id, 0, 0, 0, 0, created_at FROM page",
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(Event::Table)
                .col(uuid(Event::PageId))
                .col(big_integer(Event::StaffNumber))
                .col(big_integer_null(Event::PublicNumber))
                .col(text(Event::Kind))
                .col(text(Event::SubjectKind))
                .col(uuid(Event::SubjectId))
                .col(big_integer(Event::At))
                .col(text(Event::Payload))
                .primary_key(Index::create().col(Event::PageId).col(Event::StaffNumber))
                // To the heads, whose row is locked by then, and not to the page, which somebody may hold who waits for
                // the heads.
                .foreign_key(
                    ForeignKey::create()
                        .from(Event::Table, Event::PageId)
                        .to(PageLog::Table, PageLog::PageId),
                )
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .unique()
                .name("event_public_number")
                .table(Event::Table)
                .col(Event::PageId)
                .col(Event::PublicNumber)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("event_by_time")
                .table(Event::Table)
                .col(Event::PageId)
                .col(Event::At)
                .col(Event::StaffNumber)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("event_by_subject")
                .table(Event::Table)
                .col(Event::PageId)
                .col(Event::SubjectKind)
                .col(Event::SubjectId)
                .col(Event::StaffNumber)
                .to_owned(),
        )
        .await
}

async fn audit(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Audit::Table)
                .col(uuid(Audit::Id).primary_key())
                .col(big_integer(Audit::At))
                .col(text(Audit::Actor))
                .col(text(Audit::Action))
                .col(text(Audit::RequestId))
                .col(uuid_null(Audit::PageId))
                .col(text_null(Audit::SubjectKind))
                .col(uuid_null(Audit::SubjectId))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("audit_by_time")
                .table(Audit::Table)
                .col(Audit::At)
                .col(Audit::Id)
                .to_owned(),
        )
        .await
}

async fn idempotency(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(IdempotencyKey::Table)
                .col(text(IdempotencyKey::Scope))
                .col(text(IdempotencyKey::Key))
                .col(text(IdempotencyKey::Fingerprint))
                .col(text(IdempotencyKey::Answer))
                .col(big_integer(IdempotencyKey::CreatedAt))
                .primary_key(Index::create().col(IdempotencyKey::Scope).col(IdempotencyKey::Key))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("idempotency_key_by_age")
                .table(IdempotencyKey::Table)
                .col(IdempotencyKey::CreatedAt)
                .to_owned(),
        )
        .await
}
