//! Versions of incidents and maintenances with the range of log numbers in which each was valid, and the components that
//! incidents name. Reads of the past find their rows here and parse only the events they return.

mod fill;

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, text_null, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum SubjectVersion {
    Table,
    PageId,
    SubjectKind,
    SubjectId,
    SinceNumber,
    UntilNumber,
    OrderAt,
    Status,
    Impact,
    Audience,
    ExternalRef,
}

#[derive(DeriveIden)]
enum IncidentComponent {
    Table,
    IncidentId,
    ComponentId,
    SinceNumber,
}

#[derive(DeriveIden)]
enum PageLog {
    Table,
    PageId,
}

#[derive(DeriveIden)]
enum Incident {
    Table,
    PageId,
    Status,
    Audience,
    PeakImpact,
    ImpactOverride,
    StartedAt,
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Undoes an interrupted step completely, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        versions(manager).await?;
        named_components(manager).await?;
        covering_indexes(manager).await?;
        fill::fill(manager.get_connection()).await
    }
}

async fn versions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(SubjectVersion::Table)
                .col(uuid(SubjectVersion::PageId))
                .col(text(SubjectVersion::SubjectKind))
                .col(uuid(SubjectVersion::SubjectId))
                .col(big_integer(SubjectVersion::SinceNumber))
                .col(big_integer(SubjectVersion::UntilNumber))
                .col(big_integer(SubjectVersion::OrderAt))
                .col(text(SubjectVersion::Status))
                .col(text_null(SubjectVersion::Impact))
                .col(text(SubjectVersion::Audience))
                .col(text_null(SubjectVersion::ExternalRef))
                // The current version of a subject has the greatest number there is as its end: at most one exists.
                .primary_key(
                    Index::create()
                        .col(SubjectVersion::PageId)
                        .col(SubjectVersion::SubjectId)
                        .col(SubjectVersion::UntilNumber),
                )
                .foreign_key(
                    ForeignKey::create()
                        .from(SubjectVersion::Table, SubjectVersion::PageId)
                        .to(PageLog::Table, PageLog::PageId),
                )
                .to_owned(),
        )
        .await?;
    // Both indexes hold all that lists and counts compare, except the external reference, so that neither reads the table.
    manager
        .create_index(
            Index::create()
                .name("subject_version_by_order")
                .table(SubjectVersion::Table)
                .col(SubjectVersion::PageId)
                .col(SubjectVersion::SubjectKind)
                .col(SubjectVersion::OrderAt)
                .col(SubjectVersion::SubjectId)
                .col(SubjectVersion::SinceNumber)
                .col(SubjectVersion::UntilNumber)
                .col(SubjectVersion::Audience)
                .col(SubjectVersion::Status)
                .col(SubjectVersion::Impact)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("subject_version_by_status")
                .table(SubjectVersion::Table)
                .col(SubjectVersion::PageId)
                .col(SubjectVersion::SubjectKind)
                .col(SubjectVersion::Status)
                .col(SubjectVersion::UntilNumber)
                .col(SubjectVersion::SinceNumber)
                .col(SubjectVersion::Audience)
                .col(SubjectVersion::Impact)
                .col(SubjectVersion::OrderAt)
                .col(SubjectVersion::SubjectId)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("subject_version_by_external_ref")
                .table(SubjectVersion::Table)
                .col(SubjectVersion::PageId)
                .col(SubjectVersion::ExternalRef)
                .to_owned(),
        )
        .await
}

async fn named_components(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(IncidentComponent::Table)
                .col(uuid(IncidentComponent::IncidentId))
                .col(uuid(IncidentComponent::ComponentId))
                .col(big_integer(IncidentComponent::SinceNumber))
                .primary_key(
                    Index::create()
                        .col(IncidentComponent::IncidentId)
                        .col(IncidentComponent::ComponentId),
                )
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("incident_component_by_component")
                .table(IncidentComponent::Table)
                .col(IncidentComponent::ComponentId)
                .col(IncidentComponent::SinceNumber)
                .col(IncidentComponent::IncidentId)
                .to_owned(),
        )
        .await
}

/// Makes the indexes of incidents hold what filters compare: a count reads the index alone.
async fn covering_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let by_start: [Incident; 4] = [
        Incident::Audience,
        Incident::Status,
        Incident::PeakImpact,
        Incident::ImpactOverride,
    ];
    let by_status: [Incident; 5] = [
        Incident::Audience,
        Incident::StartedAt,
        Incident::Id,
        Incident::PeakImpact,
        Incident::ImpactOverride,
    ];
    for name in ["incident_by_start", "incident_by_status"] {
        manager
            .drop_index(Index::drop().name(name).table(Incident::Table).to_owned())
            .await?;
    }
    let mut start = Index::create()
        .name("incident_by_start")
        .table(Incident::Table)
        .col(Incident::PageId)
        .col(Incident::StartedAt)
        .col(Incident::Id)
        .to_owned();
    for column in by_start {
        start.col(column);
    }
    manager.create_index(start).await?;
    let mut status = Index::create()
        .name("incident_by_status")
        .table(Incident::Table)
        .col(Incident::PageId)
        .col(Incident::Status)
        .to_owned();
    for column in by_status {
        status.col(column);
    }
    manager.create_index(status).await
}
