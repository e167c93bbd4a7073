//! Keeps the versions of incidents and maintenances, and the components that incidents name, in step with the log.

use sea_orm::sea_query::{BinOper, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
};
use uuid::Uuid;

use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::incident::Incident;
use crate::entity::batch::Batch;
use crate::entity::incident_component;
use crate::entity::subject_version::{self, CURRENT, Column, Model};
use crate::error::Result;

/// Adds what an event of this number changes: it ends the current version of its subject if the event leaves it different,
/// and begins the next one.
pub(super) fn record(batch: &mut Batch, page: Uuid, number: i64, event: &Event) {
    let Some(version) = Model::current(page, number, &event.subject) else {
        return;
    };
    batch.add(
        &subject_version::Entity::update_many()
            .col_expr(Column::UntilNumber, Expr::value(number))
            .filter(Column::PageId.eq(page))
            .filter(Column::SubjectId.eq(version.subject_id))
            .filter(Column::UntilNumber.eq(CURRENT))
            .filter(differs(&version)),
    );
    // The key holds the end of a version: where the current one is still valid, this inserts nothing.
    batch.add(
        &subject_version::Entity::insert(version.into_active_model().reset_all())
            .on_conflict(OnConflict::new().do_nothing().to_owned()),
    );
    if let Subject::Incident(incident) = &event.subject {
        let links: Vec<_> = named(incident, event)
            .into_iter()
            .map(|component_id| incident_component::Model {
                incident_id: incident.id,
                component_id,
                since_number: number,
            })
            .map(|link| link.into_active_model().reset_all())
            .collect();
        if !links.is_empty() {
            batch.add(
                &incident_component::Entity::insert_many(links).on_conflict(OnConflict::new().do_nothing().to_owned()),
            );
        }
    }
}

/// Whether a stored version differs from another in what it stores of its subject.
fn differs(version: &Model) -> Condition {
    // Unlike `<>`, this is true or false for a null too.
    let distinct = BinOper::Custom("IS DISTINCT FROM");
    Condition::any()
        .add(Column::OrderAt.ne(version.order_at))
        .add(Column::Status.ne(&version.status))
        .add(Column::Audience.ne(&version.audience))
        .add(Expr::col(Column::Impact).binary(distinct, Expr::value(version.impact.clone())))
        .add(Expr::col(Column::ExternalRef).binary(distinct, Expr::value(version.external_ref.clone())))
}

/// The components that an event may be the first to name.
fn named(incident: &Incident, event: &Event) -> Vec<Uuid> {
    let posted = incident.updates.iter().find(|update| Some(update.id) == event.update);
    let affected = || incident.affected().into_iter().map(|affected| affected.component);
    let mut components: Vec<Uuid> = match (event.kind, posted) {
        // Most changes add one update. An incident that is entered as a whole begins with many.
        (EventKind::IncidentUpdatePosted | EventKind::IncidentResolved | EventKind::IncidentReopened, Some(update)) => {
            update.changes.iter().map(|change| change.component).collect()
        }
        _ => affected().collect(),
    };
    components.sort_unstable();
    components.dedup();
    components
}

/// Deletes the versions that ended at or before a number, below which a page's log is no longer read.
pub(super) async fn prune(db: &DatabaseTransaction, page: Uuid, floor: i64) -> Result<()> {
    subject_version::Entity::delete_many()
        .filter(Column::PageId.eq(page))
        .filter(Column::UntilNumber.lte(floor))
        .exec(db)
        .await?;
    Ok(())
}
