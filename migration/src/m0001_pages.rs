//! Settings of the database itself, pages, and the components they show.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Setting {
    Table,
    Name,
    Value,
}

#[derive(DeriveIden)]
pub(crate) enum Page {
    Table,
    Id,
    Slug,
    Name,
    Description,
    Url,
    TimeZone,
    Visibility,
    ExternalRef,
    Version,
    CreatedAt,
    UpdatedAt,
    ArchivedAt,
}

#[derive(DeriveIden)]
enum ComponentGroup {
    Table,
    Id,
    PageId,
    Name,
    Description,
    Position,
    ExternalRef,
    Version,
    CreatedAt,
    UpdatedAt,
    ArchivedAt,
}

#[derive(DeriveIden)]
pub(crate) enum Component {
    Table,
    Id,
    PageId,
    GroupId,
    Name,
    Description,
    Position,
    Status,
    ExternalRef,
    Version,
    CreatedAt,
    UpdatedAt,
    ArchivedAt,
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
                    .table(Setting::Table)
                    .col(text(Setting::Name).primary_key())
                    .col(text(Setting::Value))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Page::Table)
                    .col(uuid(Page::Id).primary_key())
                    .col(text(Page::Slug))
                    .col(text(Page::Name))
                    .col(text_null(Page::Description))
                    .col(text_null(Page::Url))
                    .col(text(Page::TimeZone))
                    .col(text(Page::Visibility))
                    .col(text_null(Page::ExternalRef))
                    .col(integer(Page::Version))
                    .col(big_integer(Page::CreatedAt))
                    .col(big_integer(Page::UpdatedAt))
                    .col(big_integer_null(Page::ArchivedAt))
                    .to_owned(),
            )
            .await?;
        // The slug of a page that was taken off is free again. sea-query cannot say WHERE on an index for both databases.
        manager
            .get_connection()
            .execute_unprepared("CREATE UNIQUE INDEX page_slug ON page (slug) WHERE archived_at IS NULL")
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("page_by_age")
                    .table(Page::Table)
                    .col(Page::CreatedAt)
                    .col(Page::Id)
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(ComponentGroup::Table)
                    .col(uuid(ComponentGroup::Id).primary_key())
                    .col(uuid(ComponentGroup::PageId))
                    .col(text(ComponentGroup::Name))
                    .col(text_null(ComponentGroup::Description))
                    .col(integer(ComponentGroup::Position))
                    .col(text_null(ComponentGroup::ExternalRef))
                    .col(integer(ComponentGroup::Version))
                    .col(big_integer(ComponentGroup::CreatedAt))
                    .col(big_integer(ComponentGroup::UpdatedAt))
                    .col(big_integer_null(ComponentGroup::ArchivedAt))
                    .foreign_key(
                        ForeignKey::create()
                            .from(ComponentGroup::Table, ComponentGroup::PageId)
                            .to(Page::Table, Page::Id),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("component_group_by_page")
                    .table(ComponentGroup::Table)
                    .col(ComponentGroup::PageId)
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Component::Table)
                    .col(uuid(Component::Id).primary_key())
                    .col(uuid(Component::PageId))
                    .col(uuid_null(Component::GroupId))
                    .col(text(Component::Name))
                    .col(text_null(Component::Description))
                    .col(integer(Component::Position))
                    .col(text(Component::Status))
                    .col(text_null(Component::ExternalRef))
                    .col(integer(Component::Version))
                    .col(big_integer(Component::CreatedAt))
                    .col(big_integer(Component::UpdatedAt))
                    .col(big_integer_null(Component::ArchivedAt))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Component::Table, Component::PageId)
                            .to(Page::Table, Page::Id),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(Component::Table, Component::GroupId)
                            .to(ComponentGroup::Table, ComponentGroup::Id),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("component_by_page")
                    .table(Component::Table)
                    .col(Component::PageId)
                    .to_owned(),
            )
            .await
    }
}
