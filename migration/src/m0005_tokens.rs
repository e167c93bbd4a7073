//! The tokens that open the API, of each of which only a hash is kept.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Token {
    Table,
    Id,
    Name,
    PublicPart,
    Sha256,
    Role,
    Pages,
    CreatedBy,
    CreatedAt,
    ExpiresAt,
    RevokedAt,
    LastUsedAt,
    SucceededBy,
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
                    .table(Token::Table)
                    .col(uuid(Token::Id).primary_key())
                    .col(text(Token::Name))
                    .col(text(Token::PublicPart))
                    .col(text(Token::Sha256))
                    .col(text(Token::Role))
                    .col(text_null(Token::Pages))
                    .col(text(Token::CreatedBy))
                    .col(big_integer(Token::CreatedAt))
                    .col(big_integer_null(Token::ExpiresAt))
                    .col(big_integer_null(Token::RevokedAt))
                    .col(big_integer_null(Token::LastUsedAt))
                    .col(uuid_null(Token::SucceededBy))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .unique()
                    .name("token_public_part")
                    .table(Token::Table)
                    .col(Token::PublicPart)
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("token_by_time")
                    .table(Token::Table)
                    .col(Token::CreatedAt)
                    .col(Token::Id)
                    .to_owned(),
            )
            .await
    }
}
