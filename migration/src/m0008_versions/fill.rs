//! Fills the tables from the events that exist, read in batches.

use std::collections::{HashMap, HashSet};

use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;
use sea_orm_migration::prelude::*;
use serde_json::Value;

use super::{IncidentComponent, PageLog, SubjectVersion};

/// How many events are read, or rows written, in one statement. An event of a long incident has a megabyte.
const BATCH: usize = 100;

/// The end of a version that is still valid. No log reaches this number.
const CURRENT: i64 = i64::MAX;

#[derive(DeriveIden)]
enum Event {
    Table,
    PageId,
    StaffNumber,
    SubjectKind,
    SubjectId,
    Payload,
}

/// What a version stores of a subject; two events that agree on it belong to one version.
#[derive(Clone, PartialEq)]
struct Stored {
    kind: String,
    order_at: i64,
    status: String,
    impact: Option<String>,
    audience: String,
    external_ref: Option<String>,
}

/// A version that has begun, and since which number.
struct Open {
    since: i64,
    stored: Stored,
}

type VersionRow = (Uuid, i64, i64, Stored);

pub(super) async fn fill(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let pages = Query::select().column(PageLog::PageId).from(PageLog::Table).to_owned();
    for row in db.query_all(&pages).await? {
        fill_page(db, row.try_get_by_index(0)?).await?;
    }
    // Incidents that are older than the log are in no event. The present's filter finds them; the past does not show them.
    db.execute_unprepared(
        "INSERT INTO incident_component (incident_id, component_id, since_number) \
         SELECT DISTINCT u.owner_id, c.component_id, 9223372036854775807 FROM component_change AS c \
         JOIN timeline_update AS u ON u.id = c.update_id JOIN incident AS i ON i.id = u.owner_id \
         WHERE NOT EXISTS (SELECT 1 FROM incident_component AS n \
             WHERE n.incident_id = u.owner_id AND n.component_id = c.component_id)",
    )
    .await?;
    Ok(())
}

async fn fill_page(db: &SchemaManagerConnection<'_>, page: Uuid) -> Result<(), DbErr> {
    let mut open: HashMap<Uuid, Open> = HashMap::new();
    let mut named: HashSet<(Uuid, Uuid)> = HashSet::new();
    let mut after = 0;
    loop {
        let events = Query::select()
            .columns([Event::StaffNumber, Event::SubjectKind, Event::SubjectId, Event::Payload])
            .from(Event::Table)
            .and_where(Expr::col(Event::PageId).eq(page))
            .and_where(Expr::col(Event::StaffNumber).gt(after))
            .and_where(Expr::col(Event::SubjectKind).is_in(["incident", "maintenance"]))
            .order_by(Event::StaffNumber, Order::Asc)
            .limit(BATCH as u64)
            .to_owned();
        let rows = db.query_all(&events).await?;
        let is_last = rows.len() < BATCH;
        let (mut ended, mut links) = (Vec::new(), Vec::new());
        for row in rows {
            let number: i64 = row.try_get_by_index(0)?;
            let kind: String = row.try_get_by_index(1)?;
            let subject: Uuid = row.try_get_by_index(2)?;
            let payload: String = row.try_get_by_index(3)?;
            after = number;
            let unreadable = || DbErr::Custom(format!("event {number} of page {page} cannot be read"));
            let payload: Value = serde_json::from_str(&payload).map_err(|_| unreadable())?;
            let state = &payload["subject"][kind.as_str()];
            let stored = stored(kind, state).ok_or_else(unreadable)?;
            for component in components(state) {
                if named.insert((subject, component)) {
                    links.push((subject, component, number));
                }
            }
            match open.get_mut(&subject) {
                Some(known) if known.stored == stored => {}
                Some(known) => {
                    let before = std::mem::replace(known, Open { since: number, stored });
                    ended.push((subject, before.since, number, before.stored));
                }
                None => {
                    open.insert(subject, Open { since: number, stored });
                }
            }
        }
        insert_versions(db, page, ended).await?;
        insert_links(db, links).await?;
        if is_last {
            break;
        }
    }
    let current = open
        .into_iter()
        .map(|(subject, open)| (subject, open.since, CURRENT, open.stored));
    insert_versions(db, page, current.collect()).await
}

/// What a version stores of an incident or a maintenance as an event has it.
fn stored(kind: String, state: &Value) -> Option<Stored> {
    let text = |field: &str| state[field].as_str().map(str::to_owned);
    let (order, impact) = match kind.as_str() {
        "incident" => (
            "started_at",
            Some(text("impact_override").or_else(|| text("peak_impact"))?),
        ),
        _ => ("scheduled_for", None),
    };
    let order_at = chrono::DateTime::parse_from_rfc3339(state[order].as_str()?).ok()?;
    Some(Stored {
        kind,
        order_at: order_at.timestamp_millis(),
        status: text("status")?,
        impact,
        audience: text("audience").unwrap_or_else(|| "public".to_owned()),
        external_ref: text("external_ref"),
    })
}

/// The components that an incident names; a maintenance has no such filter.
fn components(state: &Value) -> Vec<Uuid> {
    if state.get("peak_impact").is_none() {
        return Vec::new();
    }
    let updates = state["updates"].as_array().into_iter().flatten();
    updates
        .flat_map(|update| update["changes"].as_array().into_iter().flatten())
        .filter_map(|change| change["component"].as_str()?.parse().ok())
        .collect()
}

async fn insert_versions(db: &SchemaManagerConnection<'_>, page: Uuid, versions: Vec<VersionRow>) -> Result<(), DbErr> {
    for some in versions.chunks(BATCH) {
        let mut insert = Query::insert()
            .into_table(SubjectVersion::Table)
            .columns([
                SubjectVersion::PageId,
                SubjectVersion::SubjectKind,
                SubjectVersion::SubjectId,
                SubjectVersion::SinceNumber,
                SubjectVersion::UntilNumber,
                SubjectVersion::OrderAt,
                SubjectVersion::Status,
                SubjectVersion::Impact,
                SubjectVersion::Audience,
                SubjectVersion::ExternalRef,
            ])
            .to_owned();
        for (subject, since, until, stored) in some.iter().cloned() {
            insert.values_panic([
                page.into(),
                stored.kind.into(),
                subject.into(),
                since.into(),
                until.into(),
                stored.order_at.into(),
                stored.status.into(),
                stored.impact.into(),
                stored.audience.into(),
                stored.external_ref.into(),
            ]);
        }
        db.execute(&insert).await?;
    }
    Ok(())
}

async fn insert_links(db: &SchemaManagerConnection<'_>, links: Vec<(Uuid, Uuid, i64)>) -> Result<(), DbErr> {
    for some in links.chunks(BATCH) {
        let mut insert = Query::insert()
            .into_table(IncidentComponent::Table)
            .columns([
                IncidentComponent::IncidentId,
                IncidentComponent::ComponentId,
                IncidentComponent::SinceNumber,
            ])
            .to_owned();
        for (incident, component, since) in some {
            insert.values_panic([(*incident).into(), (*component).into(), (*since).into()]);
        }
        db.execute(&insert).await?;
    }
    Ok(())
}
