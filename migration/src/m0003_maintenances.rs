//! Maintenances and the components they are going to affect.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, integer, text, text_null, uuid};

use super::m0001_pages::{Component, Page};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Maintenance {
    Table,
    Id,
    PageId,
    Title,
    Status,
    ScheduledFor,
    ScheduledUntil,
    AnnouncedAt,
    StartedAt,
    CompletedAt,
    Automatic,
    ExternalRef,
    Version,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum MaintenanceComponent {
    Table,
    MaintenanceId,
    ComponentId,
    Position,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A step that broke off half way must leave nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Maintenance::Table)
                    .col(uuid(Maintenance::Id).primary_key())
                    .col(uuid(Maintenance::PageId))
                    .col(text(Maintenance::Title))
                    .col(text(Maintenance::Status))
                    .col(big_integer(Maintenance::ScheduledFor))
                    .col(big_integer(Maintenance::ScheduledUntil))
                    .col(big_integer(Maintenance::AnnouncedAt))
                    .col(big_integer_null(Maintenance::StartedAt))
                    .col(big_integer_null(Maintenance::CompletedAt))
                    .col(boolean(Maintenance::Automatic))
                    .col(text_null(Maintenance::ExternalRef))
                    .col(integer(Maintenance::Version))
                    .col(big_integer(Maintenance::CreatedAt))
                    .col(big_integer(Maintenance::UpdatedAt))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Maintenance::Table, Maintenance::PageId)
                            .to(Page::Table, Page::Id),
                    )
                    .to_owned(),
            )
            .await?;
        let indexes = [
            ("maintenance_by_start", Maintenance::ScheduledFor),
            ("maintenance_by_status", Maintenance::Status),
            ("maintenance_by_external_ref", Maintenance::ExternalRef),
        ];
        for (name, column) in indexes {
            manager
                .create_index(
                    Index::create()
                        .name(name)
                        .table(Maintenance::Table)
                        .col(Maintenance::PageId)
                        .col(column)
                        .col(Maintenance::Id)
                        .to_owned(),
                )
                .await?;
        }
        // What automation looks through every second: the few that wait for their time. Not a partial index: a planner
        // that does not know a statement's values cannot tell that it asks for nothing else.
        manager
            .create_index(
                Index::create()
                    .name("maintenance_due")
                    .table(Maintenance::Table)
                    .col(Maintenance::Status)
                    .col(Maintenance::ScheduledFor)
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(MaintenanceComponent::Table)
                    .col(uuid(MaintenanceComponent::MaintenanceId))
                    .col(uuid(MaintenanceComponent::ComponentId))
                    .col(integer(MaintenanceComponent::Position))
                    .primary_key(
                        Index::create()
                            .col(MaintenanceComponent::MaintenanceId)
                            .col(MaintenanceComponent::ComponentId),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(MaintenanceComponent::Table, MaintenanceComponent::MaintenanceId)
                            .to(Maintenance::Table, Maintenance::Id),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(MaintenanceComponent::Table, MaintenanceComponent::ComponentId)
                            .to(Component::Table, Component::Id),
                    )
                    .to_owned(),
            )
            .await
    }
}
