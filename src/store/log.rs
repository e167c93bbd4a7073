//! Reading the log: entries after a number, the heads, and what stood at an earlier number.

use std::sync::{Arc, OnceLock};

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use uuid::Uuid;

use super::Store;
use crate::domain::audience::Audience;
use crate::domain::cursor::StreamId;
use crate::domain::event::{EventKind, PAYLOAD_VERSION, Payload, SubjectKind};
use crate::domain::time::Timestamp;
use crate::entity::{self, event, page_log};
use crate::error::{Error, Result};

/// One event as the log holds it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub page: Uuid,
    /// Its number in the staff's stream, which has every event.
    pub staff_number: u64,
    /// Its number in the public stream, unless it is the staff's alone.
    pub public_number: Option<u64>,
    pub kind: EventKind,
    pub at: Timestamp,
    /// What it carries, as the staff sees it.
    pub payload: Arc<Payload>,
    /// Bytes of that as the database holds it; in memory it takes about as much.
    pub size: usize,
    /// The same as the public sees it: made at the first ask, for all who ask.
    public_payload: OnceLock<Arc<Payload>>,
}

impl Entry {
    /// An entry that no database holds.
    #[cfg(test)]
    pub(crate) fn sample(staff_number: u64, public_number: Option<u64>) -> Entry {
        let payload = crate::domain::sample::payload(crate::domain::event::Subject::Page);
        Entry {
            page: payload.page.id,
            staff_number,
            public_number,
            kind: EventKind::PageAmended,
            at: payload.page.updated_at,
            payload: Arc::new(payload),
            size: 0,
            public_payload: OnceLock::new(),
        }
    }

    /// What it carries, as an audience sees it.
    pub fn seen_by(&self, audience: Audience) -> &Arc<Payload> {
        match audience {
            Audience::Staff => &self.payload,
            Audience::Public => self
                .public_payload
                .get_or_init(|| Arc::new(self.payload.as_ref().clone().seen_by(Audience::Public))),
        }
    }

    /// The place in the history just after it.
    pub fn place(&self) -> Place {
        Place {
            staff_number: self.staff_number,
            public_number: self.public_number.unwrap_or_default(),
            at: self.at,
        }
    }

    /// Its number in an audience's stream.
    pub const fn number(&self, audience: Audience) -> Option<u64> {
        match audience {
            Audience::Public => self.public_number,
            Audience::Staff => Some(self.staff_number),
        }
    }
}

/// How far one stream of a page goes: from just after `floor` to `head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub floor: u64,
    pub head: u64,
    /// Up to where the staff's stream went at the same moment.
    pub staff_head: u64,
}

/// From just after where one stream begins to where it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub floor: u64,
    pub head: u64,
}

/// How far both streams of a page go, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub public: Span,
    pub staff: Span,
}

impl Extent {
    /// One of the two.
    pub const fn of(&self, audience: Audience) -> Span {
        match audience {
            Audience::Public => self.public,
            Audience::Staff => self.staff,
        }
    }

    /// The same as its readers are told.
    pub const fn reach(&self, audience: Audience) -> Reach {
        let Span { floor, head } = self.of(audience);
        let staff_head = self.staff.head;
        Reach {
            floor,
            head,
            staff_head,
        }
    }
}

pub(super) fn number(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|_| Error::Corrupt(format!("the event number {stored}")))
}

/// A number of the log as it is stored.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn entry(row: &event::Model) -> Result<Entry> {
    let payload: Payload = entity::json(&row.payload)?;
    if payload.v != PAYLOAD_VERSION {
        return Err(Error::Corrupt(format!("an event of version {}", payload.v)));
    }
    Ok(Entry {
        page: row.page_id,
        staff_number: number(row.staff_number)?,
        public_number: row.public_number.map(number).transpose()?,
        kind: entity::word(&row.kind)?,
        at: Timestamp::from_millis(row.at),
        payload: Arc::new(payload),
        size: row.payload.len(),
        public_payload: OnceLock::new(),
    })
}

/// The events of a stream after a number, oldest first, `limit` at most.
pub async fn after(db: &impl ConnectionTrait, stream: StreamId, after: u64, limit: u64) -> Result<Vec<Entry>> {
    let rows = following(stream, after).limit(limit).all(db).await?;
    rows.iter().map(entry).collect()
}

/// The same; none of them if they have more bytes than so many together.
pub async fn after_within(
    db: &impl ConnectionTrait,
    stream: StreamId,
    after: u64,
    limit: u64,
    most_bytes: u64,
) -> Result<Vec<Entry>> {
    let (size, sizes) = (Alias::new("size"), Alias::new("sizes"));
    let each = following(stream, after)
        .limit(limit)
        .select_only()
        .expr_as(size_of_payload(), "size");
    let mut sum = Query::select();
    sum.expr(Func::coalesce([Expr::col(size).sum(), Expr::value(0)]))
        .from_subquery(QueryTrait::into_query(each), sizes);
    let sum = SimpleExpr::SubQuery(None, Box::new(sum.into()));
    let fitting = following(stream, after)
        .filter(sum.lte(stored(most_bytes)))
        .limit(limit);
    let rows = fitting.all(db).await?;
    rows.iter().map(entry).collect()
}

/// The events of a stream after a number, oldest first.
fn following(stream: StreamId, after: u64) -> Select<event::Entity> {
    let column = match stream.audience {
        Audience::Public => event::Column::PublicNumber,
        Audience::Staff => event::Column::StaffNumber,
    };
    event::Entity::find()
        .filter(event::Column::PageId.eq(stream.page))
        .filter(column.gt(stored(after)))
        .order_by_asc(column)
}

/// Bytes of an event's payload. Neither database reads a text to know how long it is.
fn size_of_payload() -> SimpleExpr {
    Func::cust("octet_length").arg(Expr::col(event::Column::Payload)).into()
}

/// After which number of the staff's stream the newest entries begin, `most` of them at most, and as many as have so many bytes
/// together; the newest is always one of them.
///
/// # Errors
/// Those of the database.
pub async fn newest(db: &impl ConnectionTrait, page: Uuid, most: u64, bytes: usize) -> Result<u64> {
    let sizes = event::Entity::find()
        .select_only()
        .column(event::Column::StaffNumber)
        .expr_as(size_of_payload(), "size")
        .filter(event::Column::PageId.eq(page))
        .order_by_desc(event::Column::StaffNumber)
        .limit(most)
        .into_tuple::<(i64, i32)>()
        .all(db)
        .await?;
    let mut together = 0;
    let fitting = sizes.iter().enumerate().take_while(|(index, (_, size))| {
        together += usize::try_from(*size).unwrap_or(usize::MAX);
        *index == 0 || together <= bytes
    });
    match fitting.last() {
        Some((_, (oldest, _))) => Ok(number(*oldest)?.saturating_sub(1)),
        None => Ok(0),
    }
}

/// How far a stream goes; `None` for a page that does not exist.
pub async fn reach(db: &impl ConnectionTrait, stream: StreamId) -> Result<Option<Reach>> {
    let extent = extents(db, &[stream.page]).await?.pop();
    Ok(extent.map(|(_, extent)| extent.reach(stream.audience)))
}

/// How far the streams of pages go, of those that exist, in no order.
pub async fn extents(db: &impl ConnectionTrait, pages: &[Uuid]) -> Result<Vec<(Uuid, Extent)>> {
    let logs = page_log::Entity::find()
        .filter(page_log::Column::PageId.is_in(pages.iter().copied()))
        .all(db)
        .await?;
    let extent = |log: page_log::Model| {
        let span = |floor, head| {
            Ok::<_, Error>(Span {
                floor: number(floor)?,
                head: number(head)?,
            })
        };
        let public = span(log.public_floor, log.public_head)?;
        let staff = span(log.staff_floor, log.staff_head)?;
        Ok((log.page_id, Extent { public, staff }))
    };
    logs.into_iter().map(extent).collect()
}

/// A place in a page's history: everything up to a number of the staff's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub staff_number: u64,
    /// How many of those events the public stream has.
    pub public_number: u64,
    pub at: Timestamp,
}

/// The last event of a page at a time, or `None` where it had none by then.
pub async fn place_at(db: &impl ConnectionTrait, page: Uuid, at: Timestamp) -> Result<Option<Place>> {
    let found = event::Entity::find()
        .select_only()
        .column(event::Column::StaffNumber)
        .filter(event::Column::PageId.eq(page))
        .filter(event::Column::At.lte(at.millis()))
        .order_by_desc(event::Column::At)
        .order_by_desc(event::Column::StaffNumber)
        .into_tuple::<i64>()
        .one(db)
        .await?;
    let Some(staff_number) = found else {
        return Ok(None);
    };
    let log = page_log::Entity::find_by_id(page).one(db).await?;
    let public = event::Entity::find()
        .select_only()
        .column(event::Column::PublicNumber)
        .filter(event::Column::PageId.eq(page))
        .filter(event::Column::StaffNumber.lte(staff_number))
        .filter(event::Column::PublicNumber.is_not_null())
        .order_by_desc(event::Column::StaffNumber)
        .into_tuple::<Option<i64>>()
        .one(db)
        .await?
        .flatten()
        .unwrap_or(0);
    // Where public events up to here were pruned, those that are left tell too little: the floor knows.
    let floor = log
        .filter(|log| staff_number >= log.staff_floor)
        .map_or(0, |log| log.public_floor);
    let public = Ord::max(public, floor);
    Ok(Some(Place {
        staff_number: number(staff_number)?,
        public_number: number(public)?,
        at,
    }))
}

/// The newest event of each subject of a kind on a page up to a number of the staff's stream: the state at that number,
/// and what had been removed by then. The caller cuts it to an audience.
///
/// # Errors
/// Those of the database.
pub async fn standing_at(db: &impl ConnectionTrait, page: Uuid, kind: SubjectKind, up_to: u64) -> Result<Vec<Entry>> {
    let key = match kind {
        SubjectKind::Page => "id",
        _ => "page_id",
    };
    standing(db, page, kind, Expr::col(Alias::new(key)).eq(page), up_to).await
}

/// The same for subjects of these ids.
///
/// # Errors
/// Those of the database.
pub async fn standing_of(
    db: &impl ConnectionTrait,
    page: Uuid,
    kind: SubjectKind,
    ids: &[Uuid],
    up_to: u64,
) -> Result<Vec<Entry>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Expr::col(Alias::new("id")).is_in(ids.iter().copied());
    standing(db, page, kind, wanted, up_to).await
}

/// One seek in the index for each subject, however many events it has. A kind is named like the table of its subjects, which
/// keeps the rows of those that were removed.
async fn standing(
    db: &impl ConnectionTrait,
    page: Uuid,
    kind: SubjectKind,
    wanted: Expr,
    up_to: u64,
) -> Result<Vec<Entry>> {
    let subject = (Alias::new(kind.as_str()), Alias::new("id"));
    let newest = Query::select()
        .expr(Expr::col(event::Column::StaffNumber).max())
        .from(event::Entity)
        .and_where(event::Column::PageId.eq(page))
        .and_where(event::Column::SubjectKind.eq(kind.as_str()))
        .and_where(Expr::col((event::Entity, event::Column::SubjectId)).equals(subject))
        .and_where(event::Column::StaffNumber.lte(stored(up_to)))
        .to_owned();
    let of_each = Query::select()
        .expr(Expr::SubQuery(None, Box::new(newest.into())))
        .from(Alias::new(kind.as_str()))
        .and_where(wanted)
        .to_owned();
    let rows = event::Entity::find()
        .filter(event::Column::PageId.eq(page))
        .filter(event::Column::StaffNumber.in_subquery(of_each))
        .all(db)
        .await?;
    rows.iter().map(entry).collect()
}

impl Store {
    /// How far the streams of pages go, in one statement and so of one moment.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn extents(&self, pages: &[Uuid]) -> Result<Vec<(Uuid, Extent)>> {
        extents(&self.reader, pages).await
    }

    /// The events of a stream after a number, oldest first, `limit` at most, in one statement: without the floor, they
    /// tell what comes next only as far as no number is missing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn after(&self, stream: StreamId, number: u64, limit: u64) -> Result<Vec<Entry>> {
        after(&self.reader, stream, number, limit).await
    }
}
