//! Incidents and updates that only the staff sees, and what the public is told of changes in their place.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, integer_null, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Incident {
    Table,
    Audience,
    PublicVersion,
    PublicUpdatedAt,
}

#[derive(DeriveIden)]
enum TimelineUpdate {
    Table,
    Audience,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A step that broke off half way must leave nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        let columns = [
            text(Incident::Audience).default("public").to_owned(),
            integer_null(Incident::PublicVersion),
            big_integer_null(Incident::PublicUpdatedAt),
        ];
        for mut column in columns {
            let add = Table::alter().table(Incident::Table).add_column(&mut column).to_owned();
            manager.alter_table(add).await?;
        }
        let mut audience = text(TimelineUpdate::Audience).default("public").to_owned();
        let add = Table::alter()
            .table(TimelineUpdate::Table)
            .add_column(&mut audience)
            .to_owned();
        manager.alter_table(add).await
    }
}
