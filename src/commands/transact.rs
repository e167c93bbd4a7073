//! Running a command: on its own task, in one transaction, once for each idempotency key.

use std::sync::{Arc, PoisonError};

use futures_util::future::BoxFuture;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, Statement,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::{Call, Context, valid};
use crate::app::App;
use crate::domain::refusal::Refusal;
use crate::entity::{self, idempotency_key};
use crate::error::{Error, Result};
use crate::seeded::{self, Bug, seeded};
use crate::store::Write;

/// How long an answer is kept for its key (SCHEMA.md, conventions 6).
const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Runs a command in a transaction, on a task of its own. `action` is its name in the audit and part of what its key
/// stands for; nothing is kept of a call that fails.
///
/// # Errors
/// Those of the command; `IDEMPOTENCY_KEY_REUSED` and `IDEMPOTENCY_IN_PROGRESS`; those of the database.
pub(super) async fn transact<I, A, F>(
    context: &Context,
    action: &'static str,
    call: Call,
    input: I,
    run: F,
) -> Result<A>
where
    I: Serialize + Send + 'static,
    A: Answer,
    F: for<'w> FnOnce(&'w mut Write, I) -> BoxFuture<'w, Result<A>> + Send + 'static,
{
    let Context { app, author } = context.clone();
    context
        .app
        .run(async move {
            let Some(key) = call.idempotency_key else {
                let mut write = app.store.begin(author, action, &app.clock).await?;
                let answer = run(&mut write, input).await?;
                write.commit().await?;
                return Ok(answer);
            };
            let key = valid::idempotency_key(&key)?;
            let fingerprint = fingerprint(action, &input)?;
            let running = Running::enter(&app, &author.key_scope(), &key)?;
            let mut write = app.store.begin(author, action, &app.clock).await?;
            running.enter_database(&write).await?;
            if let Some(answer) = remembered(&write, &key, &fingerprint).await? {
                return Ok(answer);
            }
            let answer = run(&mut write, input).await?;
            if !seeded(Bug::IdempotencyForgotten) {
                remember(&write, key, fingerprint, entity::to_json(&answer)?).await?;
            }
            if seeded(Bug::AcknowledgedEarly) {
                drop(tokio::spawn(seeded::late(write.commit())));
                return Ok(answer);
            }
            write.commit().await?;
            Ok(answer)
        })
        .await
}

/// What a key stands for: the operation and its whole input.
fn fingerprint(action: &str, input: &impl Serialize) -> Result<String> {
    let digest = Sha256::digest(format!("{action}\n{}", entity::to_json(input)?));
    Ok(hex::encode(digest))
}

/// A place among the calls that run; leaving it is dropping it.
struct Running {
    app: Arc<App>,
    key: (String, String),
}

impl Running {
    fn enter(app: &Arc<App>, scope: &str, key: &str) -> Result<Running> {
        let key = (scope.to_owned(), key.to_owned());
        let mut running = app.running_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(key.clone()) {
            return Err(Refusal::IdempotencyInProgress.at(["idempotencyKey"]).into());
        }
        Ok(Running {
            app: Arc::clone(app),
            key,
        })
    }

    /// Other nodes share the database: PostgreSQL's lock on the key's hash ends with the transaction. SQLite has one
    /// node.
    async fn enter_database(&self, write: &Write) -> Result<()> {
        if write.db().get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let digest = Sha256::digest(format!("{}\n{}", self.key.0, self.key.1));
        let mut number = [0u8; 8];
        number.copy_from_slice(&digest[..8]);
        let asked = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_try_advisory_xact_lock($1) AS entered",
            [i64::from_be_bytes(number).into()],
        );
        let row = write.db().query_one_raw(asked).await?;
        let entered = row
            .map(|row| row.try_get::<bool>("", "entered"))
            .transpose()?
            .unwrap_or(false);
        if entered {
            Ok(())
        } else {
            Err(Refusal::IdempotencyInProgress.at(["idempotencyKey"]).into())
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app
            .running_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// The answer that was given, unless its page is none of the author's any more, as a JWT may say from one call to the next.
/// Then nothing was remembered: the command asks for the page itself, and refuses in its own words.
async fn remembered<A: Answer>(write: &Write, key: &str, fingerprint: &str) -> Result<Option<A>> {
    let scope = write.author().key_scope();
    let Some(known) = idempotency_key::Entity::find_by_id((scope, key.to_owned()))
        .one(write.db())
        .await?
    else {
        return Ok(None);
    };
    if known.created_at < write.now().plus_millis(-KEPT_MILLIS).millis() {
        return Ok(None);
    }
    if known.fingerprint != fingerprint {
        return Err(Refusal::IdempotencyKeyReused.at(["idempotencyKey"]).into());
    }
    let answer: A = entity::json(&known.answer)?;
    let is_theirs = answer.page().is_none_or(|page| write.author().scope.covers(page));
    Ok(is_theirs.then_some(answer))
}

/// Keeps an answer, and lets go of those whose day is over.
async fn remember(write: &Write, key: String, fingerprint: String, answer: String) -> Result<()> {
    let oldest = write.now().plus_millis(-KEPT_MILLIS).millis();
    idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::CreatedAt.lt(oldest))
        .exec(write.db())
        .await?;
    let row = idempotency_key::Model {
        scope: write.author().key_scope(),
        key,
        fingerprint,
        answer,
        created_at: write.now().millis(),
    };
    let inserted =
        idempotency_key::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(write.db());
    match inserted.await.map_err(Error::from) {
        Err(error) if error.is_duplicate() => Err(Refusal::IdempotencyInProgress.at(["idempotencyKey"]).into()),
        other => other.map(|_| ()),
    }
}
