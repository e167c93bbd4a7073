//! The audit in chains: one for each page, one for the server. Each entry has a number and a hash over itself and the one
//! before; where each chain ends is kept with the heads of the page's log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Audit {
    Table,
    Chain,
    Number,
    TokenId,
    Address,
    Hash,
}

#[derive(DeriveIden)]
enum PageLog {
    Table,
    AuditCount,
    AuditHash,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A step that broke off half way must leave nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What was kept before stands outside the chains: it has no number. SQLite adds one column at a time.
        let of_audit = [
            uuid_null(Audit::Chain),
            big_integer_null(Audit::Number),
            uuid_null(Audit::TokenId),
            text_null(Audit::Address),
            text_null(Audit::Hash),
        ];
        for mut column in of_audit {
            let add = Table::alter().table(Audit::Table).add_column(&mut column).to_owned();
            manager.alter_table(add).await?;
        }
        let of_log = [
            big_integer(PageLog::AuditCount).default(0).to_owned(),
            text(PageLog::AuditHash).default("").to_owned(),
        ];
        for mut column in of_log {
            let add = Table::alter().table(PageLog::Table).add_column(&mut column).to_owned();
            manager.alter_table(add).await?;
        }
        manager
            .create_index(
                Index::create()
                    .unique()
                    .name("audit_by_chain")
                    .table(Audit::Table)
                    .col(Audit::Chain)
                    .col(Audit::Number)
                    .to_owned(),
            )
            .await
    }
}
