//! Facts about the database itself.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel};

use super::Store;
use crate::domain::cursor::Epoch;
use crate::entity::setting;
use crate::error::{Error, Result};

const EPOCH: &str = "epoch";

/// The epoch of this database, made at the first start (DESIGN.md, 2).
pub(super) async fn epoch(db: &impl ConnectionTrait) -> Result<Epoch> {
    let kept = keep_first(db, EPOCH, &fresh_epoch().to_hex()).await?;
    Epoch::from_hex(&kept).ok_or_else(|| Error::Corrupt("an epoch that is none".to_owned()))
}

/// Puts a new epoch in the place of the one that is kept.
pub(super) async fn renew_epoch(db: &impl ConnectionTrait) -> Result<()> {
    let row = setting::Model {
        name: EPOCH.to_owned(),
        value: fresh_epoch().to_hex(),
    };
    let renewed = OnConflict::column(setting::Column::Name)
        .update_column(setting::Column::Value)
        .to_owned();
    setting::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(renewed)
        .exec_without_returning(db)
        .await?;
    Ok(())
}

fn fresh_epoch() -> Epoch {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    let mut fresh = [0; 8];
    // The two halves of a random UUID share its six fixed bits; folded together, none of the eight bytes is fixed.
    for (byte, (one, other)) in fresh.iter_mut().zip(bytes[..8].iter().zip(&bytes[8..])) {
        *byte = one ^ other;
    }
    Epoch(fresh)
}

/// The value under a name.
async fn read(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>> {
    Ok(setting::Entity::find_by_id(name.to_owned())
        .one(db)
        .await?
        .map(|row| row.value))
}

impl Store {
    /// Keeps a value under a name unless there is one, and returns the one that is kept.
    pub async fn keep_setting(&self, name: &str, value: &str) -> Result<String> {
        keep_first(&self.writer, name, value).await
    }
}

/// Keeps a value under a name unless there is one, and returns the one that is kept: nodes that start together agree.
async fn keep_first(db: &impl ConnectionTrait, name: &str, value: &str) -> Result<String> {
    let row = setting::Model {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    setting::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::column(setting::Column::Name).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(read(db, name).await?.unwrap_or_default())
}
