//! The audit: who did what, in chains of hashes, so that a cut or an edit is found.
//!
//! A chain needs one order. One chain for all would make the writers of all pages wait for one another; so each page has
//! its own, whose head lies in the row that the writers of a page wait for anyhow (`page_log`), and what is on no page
//! stands in the chain of the server.

use std::collections::HashMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, Insert, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Author, Store};
use crate::domain::time::Timestamp;
use crate::entity::{self, audit, page_log, setting};
use crate::error::{Error, Result};

/// The chain of what is on no page.
pub const SERVER: Uuid = Uuid::nil();

/// Where the server's chain ends, among the settings: its count and its hash.
const SERVER_HEAD: &str = "audit_head";

/// How many entries are read at once to be verified.
const BATCH: u64 = 1000;

/// Where a chain ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub count: i64,
    /// Of the last entry; empty where there is none.
    pub hash: String,
}

/// What is kept of a change beside who made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed<'a> {
    pub(super) at: Timestamp,
    pub(super) action: &'a str,
    pub(super) page: Option<Uuid>,
    pub(super) subject: Option<(&'a str, Uuid)>,
}

/// The entry that comes after a head, and the head it makes.
pub(super) fn next(head: &Head, author: &Author, deed: Deed<'_>) -> Result<(audit::Model, Head)> {
    let mut row = audit::Model {
        id: Uuid::now_v7(),
        at: deed.at.millis(),
        actor: author.actor.clone(),
        action: deed.action.to_owned(),
        request_id: author.request_id.clone(),
        page_id: deed.page,
        subject_kind: deed.subject.map(|(kind, _)| kind.to_owned()),
        subject_id: deed.subject.map(|(_, id)| id),
        chain: Some(deed.page.unwrap_or(SERVER)),
        number: Some(head.count + 1),
        token_id: author.token,
        address: author.address.map(|address| address.to_string()),
        hash: None,
    };
    let hash = hash(&row, &head.hash)?;
    row.hash = Some(hash.clone());
    let head = Head {
        count: head.count + 1,
        hash,
    };
    Ok((row, head))
}

/// The hash of an entry after another: over the text of all its fields as JSON, which keeps them apart.
fn hash(row: &audit::Model, before: &str) -> Result<String> {
    let text = entity::to_json(&(
        (before, row.chain, row.number, row.id, row.at),
        (&row.actor, row.token_id, &row.address, &row.action, &row.request_id),
        (row.page_id, &row.subject_kind, row.subject_id),
    ))?;
    let digest = Sha256::new()
        .chain_update(b"allclear audit 1\0")
        .chain_update(text)
        .finalize();
    Ok(hex::encode(digest))
}

/// What writes an entry.
pub(super) fn insertion(row: audit::Model) -> Insert<audit::ActiveModel> {
    audit::Entity::insert(row.into_active_model().reset_all())
}

/// Keeps what was done on no page, in the server's chain.
pub(super) async fn append_to_server(db: &impl ConnectionTrait, author: &Author, deed: Deed<'_>) -> Result<()> {
    let begin = setting::Model {
        name: SERVER_HEAD.to_owned(),
        value: written(&Head::default()),
    };
    setting::Entity::insert(begin.into_active_model().reset_all())
        .on_conflict(OnConflict::column(setting::Column::Name).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    // To be written is to be locked, on both databases.
    let locked = setting::Entity::update_many()
        .col_expr(setting::Column::Value, Expr::col(setting::Column::Value))
        .filter(setting::Column::Name.eq(SERVER_HEAD))
        .exec_with_returning(db)
        .await?;
    let head = read(locked.first())?;
    let (row, head) = next(&head, author, deed)?;
    insertion(row).exec_without_returning(db).await?;
    setting::Entity::update_many()
        .col_expr(setting::Column::Value, Expr::value(written(&head)))
        .filter(setting::Column::Name.eq(SERVER_HEAD))
        .exec(db)
        .await?;
    Ok(())
}

fn written(head: &Head) -> String {
    format!("{}:{}", head.count, head.hash)
}

fn read(row: Option<&setting::Model>) -> Result<Head> {
    let Some(row) = row else {
        return Ok(Head::default());
    };
    let head = row.value.split_once(':').and_then(|(count, hash)| {
        let (count, hash) = (count.parse().ok()?, hash.to_owned());
        Some(Head { count, hash })
    });
    head.ok_or_else(|| Error::Corrupt("the head of the audit".to_owned()))
}

/// Where each chain ends, in no order.
pub async fn heads(db: &DatabaseTransaction) -> Result<HashMap<Uuid, Head>> {
    let server = setting::Entity::find_by_id(SERVER_HEAD.to_owned()).one(db).await?;
    let mut heads = HashMap::from([(SERVER, read(server.as_ref())?)]);
    for log in page_log::Entity::find().all(db).await? {
        let (count, hash) = (log.audit_count, log.audit_hash);
        heads.insert(log.page_id, Head { count, hash });
    }
    Ok(heads)
}

/// Something about a chain that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The page whose chain it is; the nil id for the server's.
    pub chain: Uuid,
    /// The number it is about.
    pub number: i64,
    pub what: &'static str,
}

/// What verifying brought to light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub chains: usize,
    pub entries: u64,
    /// What was kept before there were chains, and cannot be verified.
    pub outside: u64,
    /// The first of each chain: what comes after it cannot be told.
    pub faults: Vec<Fault>,
}

impl Store {
    /// Reads the whole audit, and holds it against its hashes and the heads of its chains.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn verify_audit(&self) -> Result<Verified> {
        let snapshot = self.read().await?;
        let db = snapshot.db();
        let mut heads = heads(db).await?;
        let chained: Vec<Option<Uuid>> = audit::Entity::find()
            .select_only()
            .column(audit::Column::Chain)
            .distinct()
            .into_tuple()
            .all(db)
            .await?;
        // One whose head is gone is one that ought to be empty.
        for chain in chained.into_iter().flatten() {
            heads.entry(chain).or_default();
        }
        let is_outside = audit::Column::Chain.is_null().or(audit::Column::Number.is_null());
        let mut verified = Verified {
            chains: heads.len(),
            outside: audit::Entity::find().filter(is_outside).count(db).await?,
            ..Verified::default()
        };
        let mut heads: Vec<(Uuid, Head)> = heads.into_iter().collect();
        heads.sort_by_key(|(chain, _)| *chain);
        for (chain, head) in heads {
            let (entries, fault) = verify(db, chain, &head).await?;
            verified.entries += entries;
            verified.faults.extend(fault);
        }
        Ok(verified)
    }
}

/// Walks a chain from its beginning, and returns how many of its entries are sound, with the first fault.
async fn verify(db: &DatabaseTransaction, chain: Uuid, head: &Head) -> Result<(u64, Option<Fault>)> {
    let mut last = Head::default();
    let sound = |last: &Head| u64::try_from(last.count).unwrap_or_default();
    let fault = |number, what| Some(Fault { chain, number, what });
    loop {
        let rows = audit::Entity::find()
            .filter(audit::Column::Chain.eq(chain))
            .filter(audit::Column::Number.gt(last.count))
            .order_by_asc(audit::Column::Number)
            .limit(BATCH)
            .all(db)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let number = last.count + 1;
            if row.number != Some(number) {
                return Ok((sound(&last), fault(number, "is missing")));
            }
            let expected = hash(&row, &last.hash)?;
            if row.hash.as_deref() != Some(expected.as_str()) {
                return Ok((sound(&last), fault(number, "was changed, or one before it was")));
            }
            last = Head {
                count: number,
                hash: expected,
            };
        }
    }
    let fault = match last.count.cmp(&head.count) {
        std::cmp::Ordering::Less => fault(last.count + 1, "is missing at the end"),
        std::cmp::Ordering::Greater => fault(head.count + 1, "is one more than were written"),
        std::cmp::Ordering::Equal if last.hash != head.hash => {
            fault(last.count, "is not the one that was written last")
        }
        std::cmp::Ordering::Equal => None,
    };
    Ok((sound(&last), fault))
}
