//! Incidents, the timelines they share with maintenances, and what became of components.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, integer, text, text_null, uuid, uuid_null};

use super::m0001_pages::{Component, Page};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Incident {
    Table,
    Id,
    PageId,
    Title,
    Status,
    PeakImpact,
    ImpactOverride,
    StartedAt,
    MonitoringAt,
    ResolvedAt,
    ExternalRef,
    Metadata,
    Backfilled,
    Version,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum Postmortem {
    Table,
    IncidentId,
    Draft,
    Published,
    PublishedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum TimelineUpdate {
    Table,
    Id,
    OwnerId,
    Number,
    Status,
    Body,
    DisplayAt,
    CreatedAt,
    EditedAt,
    ExternalRef,
}

#[derive(DeriveIden)]
enum UpdateRevision {
    Table,
    UpdateId,
    Number,
    Body,
    DisplayAt,
    ReplacedAt,
}

#[derive(DeriveIden)]
enum ComponentChange {
    Table,
    Id,
    ComponentId,
    UpdateId,
    Position,
    FromStatus,
    ToStatus,
    At,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A step that broke off half way must leave nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        incidents(manager).await?;
        timelines(manager).await?;
        component_changes(manager).await
    }
}

async fn incidents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Incident::Table)
                .col(uuid(Incident::Id).primary_key())
                .col(uuid(Incident::PageId))
                .col(text(Incident::Title))
                .col(text(Incident::Status))
                .col(text(Incident::PeakImpact))
                .col(text_null(Incident::ImpactOverride))
                .col(big_integer(Incident::StartedAt))
                .col(big_integer_null(Incident::MonitoringAt))
                .col(big_integer_null(Incident::ResolvedAt))
                .col(text_null(Incident::ExternalRef))
                .col(text_null(Incident::Metadata))
                .col(boolean(Incident::Backfilled))
                .col(integer(Incident::Version))
                .col(big_integer(Incident::CreatedAt))
                .col(big_integer(Incident::UpdatedAt))
                .foreign_key(
                    ForeignKey::create()
                        .from(Incident::Table, Incident::PageId)
                        .to(Page::Table, Page::Id),
                )
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("incident_by_start")
                .table(Incident::Table)
                .col(Incident::PageId)
                .col(Incident::StartedAt)
                .col(Incident::Id)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("incident_by_status")
                .table(Incident::Table)
                .col(Incident::PageId)
                .col(Incident::Status)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("incident_by_external_ref")
                .table(Incident::Table)
                .col(Incident::PageId)
                .col(Incident::ExternalRef)
                .to_owned(),
        )
        .await?;
    // One open incident per page and reference (DOMAIN.md, 3). sea-query cannot say WHERE on an index for both.
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE UNIQUE INDEX incident_open_external_ref ON incident (page_id, external_ref) \
             WHERE external_ref IS NOT NULL AND status IN ('investigating', 'identified', 'monitoring')",
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(Postmortem::Table)
                .col(uuid(Postmortem::IncidentId).primary_key())
                .col(text_null(Postmortem::Draft))
                .col(text_null(Postmortem::Published))
                .col(big_integer_null(Postmortem::PublishedAt))
                .col(big_integer(Postmortem::UpdatedAt))
                .foreign_key(
                    ForeignKey::create()
                        .from(Postmortem::Table, Postmortem::IncidentId)
                        .to(Incident::Table, Incident::Id),
                )
                .to_owned(),
        )
        .await
}

async fn timelines(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(TimelineUpdate::Table)
                .col(uuid(TimelineUpdate::Id).primary_key())
                .col(uuid(TimelineUpdate::OwnerId))
                .col(integer(TimelineUpdate::Number))
                .col(text(TimelineUpdate::Status))
                .col(text(TimelineUpdate::Body))
                .col(big_integer(TimelineUpdate::DisplayAt))
                .col(big_integer(TimelineUpdate::CreatedAt))
                .col(big_integer_null(TimelineUpdate::EditedAt))
                .col(text_null(TimelineUpdate::ExternalRef))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .unique()
                .name("timeline_update_number")
                .table(TimelineUpdate::Table)
                .col(TimelineUpdate::OwnerId)
                .col(TimelineUpdate::Number)
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(UpdateRevision::Table)
                .col(uuid(UpdateRevision::UpdateId))
                .col(integer(UpdateRevision::Number))
                .col(text(UpdateRevision::Body))
                .col(big_integer(UpdateRevision::DisplayAt))
                .col(big_integer(UpdateRevision::ReplacedAt))
                .primary_key(
                    Index::create()
                        .col(UpdateRevision::UpdateId)
                        .col(UpdateRevision::Number),
                )
                .foreign_key(
                    ForeignKey::create()
                        .from(UpdateRevision::Table, UpdateRevision::UpdateId)
                        .to(TimelineUpdate::Table, TimelineUpdate::Id)
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await
}

async fn component_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(ComponentChange::Table)
                .col(uuid(ComponentChange::Id).primary_key())
                .col(uuid(ComponentChange::ComponentId))
                .col(uuid_null(ComponentChange::UpdateId))
                .col(integer(ComponentChange::Position))
                .col(text(ComponentChange::FromStatus))
                .col(text(ComponentChange::ToStatus))
                .col(big_integer(ComponentChange::At))
                .foreign_key(
                    ForeignKey::create()
                        .from(ComponentChange::Table, ComponentChange::ComponentId)
                        .to(Component::Table, Component::Id),
                )
                .foreign_key(
                    ForeignKey::create()
                        .from(ComponentChange::Table, ComponentChange::UpdateId)
                        .to(TimelineUpdate::Table, TimelineUpdate::Id)
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("component_change_by_time")
                .table(ComponentChange::Table)
                .col(ComponentChange::ComponentId)
                .col(ComponentChange::At)
                .col(ComponentChange::Id)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("component_change_by_update")
                .table(ComponentChange::Table)
                .col(ComponentChange::UpdateId)
                .to_owned(),
        )
        .await
}
