//! The log as the database holds it, read by statements of our own: what every subscriber is measured by.
//!
//! It is read all along, because pruning takes things away, and always before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use allclear::domain::audience::Audience;
use allclear::domain::event::{Payload, Subject};
use allclear::domain::time::Timestamp;
use allclear::entity::{event, page_log};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::database::Database;
use crate::journal::{Journal, Kind, WORLD};

/// How long a look at the database is tried for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an event is, as far as a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its type in the API.
    pub(crate) kind: String,
    /// What was said, where something was.
    pub(crate) body: Option<String>,
}

/// An event of the log.
#[derive(Clone, Debug)]
struct Row {
    public_number: Option<u64>,
    told: Told,
    at: i64,
}

/// One page's log.
#[derive(Clone, Debug, Default)]
struct PageRecord {
    rows: BTreeMap<u64, Row>,
    /// Every number up to this one is in `rows`.
    known_to: u64,
    public_head: u64,
    staff_head: u64,
    /// When somebody began to prune, and the floors (public, staff) that this led to.
    floors: Vec<(Instant, u64, u64)>,
}

/// A stream of a page.
pub(crate) type Stream = (Uuid, Audience);

/// All that the database has held of the log.
#[derive(Default)]
pub(crate) struct Record {
    pages: Mutex<HashMap<Uuid, PageRecord>>,
}

impl Record {
    pub(crate) fn of(pages: &[Uuid]) -> Record {
        let pages = pages.iter().map(|page| (*page, PageRecord::default())).collect();
        Record {
            pages: Mutex::new(pages),
        }
    }

    /// Reads what is new. Tried again while the database is away.
    pub(crate) async fn read(&self, database: &Database) -> Result<(), String> {
        let began = Instant::now();
        loop {
            match self.try_read(database).await {
                Ok(()) => return Ok(()),
                Err(why) if began.elapsed() > PATIENCE => return Err(format!("the log cannot be read: {why}")),
                Err(_) => crate::pause::pause(Duration::from_millis(100)).await,
            }
        }
    }

    async fn try_read(&self, database: &Database) -> Result<(), String> {
        let db = database.connect().await.map_err(|error| error.to_string())?;
        let pages: Vec<(Uuid, u64)> = self
            .pages()
            .iter()
            .map(|(page, record)| (*page, record.known_to))
            .collect();
        let mut read = Ok(());
        for (page, known_to) in pages {
            read = self.read_page(&db, page, known_to).await;
            if read.is_err() {
                break;
            }
        }
        // It was opened for this alone.
        let _ = db.close().await;
        read
    }

    async fn read_page(&self, db: &DatabaseConnection, page: Uuid, known_to: u64) -> Result<(), String> {
        // The heads first: what was committed up to them is then among the rows, unless it is missing.
        let heads = page_log::Entity::find_by_id(page).one(db).await;
        let heads = heads
            .map_err(|error| error.to_string())?
            .ok_or("a page without a log")?;
        let rows = event::Entity::find()
            .filter(event::Column::PageId.eq(page))
            .filter(event::Column::StaffNumber.gt(known_to.cast_signed()))
            .order_by_asc(event::Column::StaffNumber)
            .all(db)
            .await
            .map_err(|error| error.to_string())?;

        let mut pages = self.pages();
        let record = pages.entry(page).or_default();
        record.public_head = heads.public_head.cast_unsigned();
        record.staff_head = heads.staff_head.cast_unsigned();
        for row in rows {
            record.rows.insert(row.staff_number.cast_unsigned(), known(&row)?);
        }
        while record.rows.contains_key(&(record.known_to + 1)) {
            record.known_to += 1;
        }
        Ok(())
    }

    /// Prunes everything that is read, and nothing that is not: an event that is yet to come is of no earlier time than
    /// the last one here.
    pub(crate) async fn prune(&self, database: &Database) -> Result<u64, String> {
        self.read(database).await?;
        let last = |record: &PageRecord| record.rows.get(&record.known_to).map_or(0, |row| row.at);
        let older_than = self.pages().values().map(last).min().unwrap_or_default();
        let began = Instant::now();
        let pruned = database.prune(Timestamp::from_millis(older_than)).await;
        // Also when it failed: it may have come as far as some of the pages.
        let floors = self.read_floors(database).await?;
        for (page, record) in self.pages().iter_mut() {
            if let Some((public, staff)) = floors.get(page) {
                record.floors.push((began, *public, *staff));
            }
        }
        pruned
    }

    async fn read_floors(&self, database: &Database) -> Result<HashMap<Uuid, (u64, u64)>, String> {
        let began = Instant::now();
        loop {
            let read = async {
                let db = database.connect().await?;
                let read = page_log::Entity::find().all(&db).await;
                db.close().await?;
                read
            };
            match read.await {
                Ok(logs) => {
                    let floors =
                        |log: &page_log::Model| (log.public_floor.cast_unsigned(), log.staff_floor.cast_unsigned());
                    return Ok(logs.iter().map(|log| (log.page_id, floors(log))).collect());
                }
                Err(error) if began.elapsed() > PATIENCE => return Err(error.to_string()),
                Err(_) => crate::pause::pause(Duration::from_millis(100)).await,
            }
        }
    }

    /// How far a stream goes.
    pub(crate) fn head(&self, (page, audience): Stream) -> u64 {
        self.pages().get(&page).map_or(0, |record| match audience {
            Audience::Public => record.public_head,
            Audience::Staff => record.staff_head,
        })
    }

    /// The highest number of a stream that was pruned, or was being pruned, at a moment.
    pub(crate) fn floor(&self, (page, audience): Stream, at: Instant) -> u64 {
        let pages = self.pages();
        let floors = pages
            .get(&page)
            .map(|record| record.floors.as_slice())
            .unwrap_or_default();
        let until = floors.iter().filter(|(began, ..)| *began <= at);
        let of = |(_, public, staff): &(Instant, u64, u64)| match audience {
            Audience::Public => *public,
            Audience::Staff => *staff,
        };
        until.map(of).max().unwrap_or(0)
    }

    /// What each number of a stream says.
    pub(crate) fn stream(&self, (page, audience): Stream) -> BTreeMap<u64, Told> {
        let pages = self.pages();
        let rows = pages.get(&page).map(|record| &record.rows).into_iter().flatten();
        rows.filter_map(|(staff_number, row)| {
            let number = match audience {
                Audience::Public => row.public_number?,
                Audience::Staff => *staff_number,
            };
            Some((number, row.told.clone()))
        })
        .collect()
    }

    /// How often each text was said on a page.
    pub(crate) fn times_said(&self, page: Uuid) -> HashMap<String, usize> {
        let mut times = HashMap::new();
        let pages = self.pages();
        let rows = pages.get(&page).map(|record| &record.rows).into_iter().flatten();
        for body in rows.filter_map(|(_, row)| row.told.body.clone()) {
            *times.entry(body).or_default() += 1;
        }
        times
    }

    /// Holds the log to its own promise: both streams run 1, 2, 3, … to their heads, each number once.
    pub(crate) fn check(&self, journal: &Journal) {
        for (page, record) in self.pages().iter() {
            let staff: Vec<u64> = record.rows.keys().copied().collect();
            let public: Vec<u64> = record.rows.values().filter_map(|row| row.public_number).collect();
            for (audience, numbers, head) in [
                (Audience::Staff, staff, record.staff_head),
                (Audience::Public, public, record.public_head),
            ] {
                let wrong = numbers.iter().zip(1..).find(|(number, expected)| **number != *expected);
                if let Some((number, expected)) = wrong {
                    let what = format!("page {page}, {audience:?}: number {expected} expected, {number} found");
                    journal.violate(Kind::LogBroken, WORLD, what);
                } else if numbers.len() as u64 != head {
                    let what = format!(
                        "page {page}, {audience:?}: {} numbers below a head of {head}",
                        numbers.len()
                    );
                    journal.violate(Kind::LogBroken, WORLD, what);
                }
            }
        }
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, PageRecord>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(row: &event::Model) -> Result<Row, String> {
    let payload: Payload = serde_json::from_str(&row.payload).map_err(|error| error.to_string())?;
    let body = match (&payload.subject, payload.update) {
        (Subject::Incident(incident), Some(id)) => {
            let update = incident.updates.iter().find(|update| update.id == id);
            update.map(|update| update.body.clone())
        }
        _ => None,
    };
    Ok(Row {
        public_number: row.public_number.map(i64::cast_unsigned),
        told: Told {
            kind: type_name(&row.kind),
            body,
        },
        at: row.at,
    })
}

/// The API's type for a kind of event: `incident_opened` is told as `IncidentOpened`.
fn type_name(kind: &str) -> String {
    let words = kind.split('_').filter_map(|word| {
        let (first, rest) = word.split_at_checked(1)?;
        Some(format!("{}{rest}", first.to_uppercase()))
    });
    words.collect()
}
