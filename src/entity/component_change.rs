//! What became of components, by an update or by itself; a component's history is read from here.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect};

use super::word;
use crate::domain::component::ComponentStatus;
use crate::domain::time::Timestamp;
use crate::domain::timeline::Change;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "component_change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub component_id: Uuid,
    pub update_id: Option<Uuid>,
    pub position: i32,
    pub from_status: String,
    pub to_status: String,
    pub at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The change this row holds.
    pub fn to_domain(&self) -> Result<Change> {
        Ok(Change {
            component: self.component_id,
            from: word(&self.from_status)?,
            to: word(&self.to_status)?,
        })
    }
}

/// A status that a component took, as its history has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub id: Uuid,
    pub from: ComponentStatus,
    pub to: ComponentStatus,
    pub at: Timestamp,
}

impl Model {
    /// The row of a component's history.
    ///
    /// # Errors
    /// `Corrupt` for a status that is none.
    pub fn recorded(&self) -> Result<Recorded> {
        Ok(Recorded {
            id: self.id,
            from: word(&self.from_status)?,
            to: word(&self.to_status)?,
            at: Timestamp::from_millis(self.at),
        })
    }
}

/// The histories of components, each oldest first; a component without one is left out. One statement, of so many rows at most.
///
/// # Errors
/// Those of the database.
pub async fn histories(
    db: &impl ConnectionTrait,
    components: Vec<Uuid>,
    limit: Option<u64>,
) -> Result<HashMap<Uuid, Arc<Vec<Recorded>>>> {
    let rows = Entity::find()
        .filter(Column::ComponentId.is_in(components))
        .order_by_asc(Column::ComponentId)
        .order_by_asc(Column::At)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    let mut histories: HashMap<Uuid, Vec<Recorded>> = HashMap::new();
    for row in rows {
        histories.entry(row.component_id).or_default().push(row.recorded()?);
    }
    let shared = histories
        .into_iter()
        .map(|(component, rows)| (component, Arc::new(rows)));
    Ok(shared.collect())
}
