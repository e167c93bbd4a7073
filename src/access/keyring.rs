//! The tokens that are in use on this node: looked up once a second at most, and watched for as long as something that
//! they opened lasts.
//!
//! A token that was revoked on another node is noticed by the next look: a request's within [`FRESH`], a subscription's
//! when all that are held are looked at together, once in [`TENDING`]. So both end within 5 s, whatever the bell does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::Holder;
use super::secret::{self, Hash};
use crate::domain::role::Token;
use crate::domain::time::Timestamp;
use crate::entity::token;
use crate::error::{Error, Result};
use crate::store::Store;

/// How long a look at a token serves: a burst of requests costs one read.
const FRESH: Duration = Duration::from_secs(1);

/// How often the tokens are looked at that something lasting holds.
pub const TENDING: Duration = Duration::from_secs(1);

/// How often at most it is kept that a token was seen.
const MARKING_MILLIS: i64 = 60 * 1000;

/// Tokens by what they are looked up by. Only such are kept as exist, and those that nothing holds are let go.
#[derive(Debug, Default)]
pub(super) struct Keyring(Mutex<HashMap<String, Arc<Key>>>);

/// A token that is in use.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Uuid,
    hash: Hash,
    pub(super) holder: Arc<Holder>,
    state: Mutex<State>,
    has_ended: watch::Sender<bool>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    checked: Instant,
    expires_at: Option<Timestamp>,
    is_revoked: bool,
    used_at: Timestamp,
    marked_at: Option<Timestamp>,
}

impl State {
    fn of(token: &Token, now: Timestamp) -> State {
        State {
            checked: Instant::now(),
            expires_at: token.expires_at,
            is_revoked: token.revoked_at.is_some(),
            used_at: now,
            marked_at: token.last_used_at,
        }
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|end| now < end)
    }

    fn is_to_be_marked(&self) -> bool {
        self.marked_at
            .is_none_or(|marked| self.used_at.millis_since(marked) >= MARKING_MILLIS)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Key {
    fn of(token: &Token, hash: Hash, now: Timestamp) -> Key {
        Key {
            id: token.id,
            hash,
            holder: Arc::new(Holder::of(token)),
            state: Mutex::new(State::of(token, now)),
            has_ended: watch::Sender::new(false),
        }
    }

    /// Until when it opens anything, unless it is revoked before.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        lock(&self.state).expires_at
    }

    /// Waits until it opens nothing any more.
    pub(super) async fn ended(&self) {
        // The sender is ours: it is there for as long as this waits.
        let _ = self.has_ended.subscribe().wait_for(|has_ended| *has_ended).await;
    }

    /// Takes in how it stands in the database, where it is not there any more as revoked.
    fn refresh(&self, token: Option<&Token>, now: Timestamp) {
        {
            let mut state = lock(&self.state);
            state.checked = Instant::now();
            state.is_revoked |= token.is_none_or(|token| token.revoked_at.is_some());
            if let Some(token) = token {
                state.expires_at = token.expires_at;
                state.marked_at = state.marked_at.max(token.last_used_at);
            }
        }
        self.notice(now);
    }

    /// Tells those who wait if it has come to its end.
    fn notice(&self, now: Timestamp) {
        if !lock(&self.state).is_valid(now) {
            self.has_ended.send_replace(true);
        }
    }

    /// Lets it be used once, as far as is known.
    fn admit(&self, now: Timestamp) -> Result<()> {
        let mut state = lock(&self.state);
        state.used_at = state.used_at.max(now);
        match state.is_valid(now) {
            true => Ok(()),
            false => Err(Error::Unauthenticated),
        }
    }

    fn is_fresh(&self) -> bool {
        lock(&self.state).checked.elapsed() < FRESH
    }
}

impl Keyring {
    /// The key of a token's whole text, which has this hash.
    ///
    /// # Errors
    /// `Unauthenticated`, the same whatever is wrong with it; those of the database.
    pub(super) async fn open(&self, store: &Store, now: Timestamp, text: &str, hash: &Hash) -> Result<Arc<Key>> {
        let public_part = secret::public_part(text).ok_or(Error::Unauthenticated)?;
        let known = lock(&self.0).get(public_part).cloned();
        let key = match known.filter(|key| key.is_fresh()) {
            Some(key) => key,
            None => {
                let row = store.token(public_part).await?.ok_or(Error::Unauthenticated)?;
                self.keep(row, now)?
            }
        };
        if !key.hash.is(hash) {
            return Err(Error::Unauthenticated);
        }
        key.admit(now)?;
        Ok(key)
    }

    /// The key of a token by its id, for who has shown its text before.
    ///
    /// # Errors
    /// As of [`Keyring::open`].
    pub(super) async fn open_by_id(&self, store: &Store, now: Timestamp, id: Uuid) -> Result<Arc<Key>> {
        let known = lock(&self.0).values().find(|key| key.id == id).cloned();
        let key = match known.filter(|key| key.is_fresh()) {
            Some(key) => key,
            None => {
                let row = store.token_by_id(id).await?.ok_or(Error::Unauthenticated)?;
                self.keep(row, now)?
            }
        };
        key.admit(now)?;
        Ok(key)
    }

    /// Lets a key be used again that was opened before.
    ///
    /// # Errors
    /// As of [`Keyring::open`].
    pub(super) async fn reopen(&self, store: &Store, now: Timestamp, key: &Key) -> Result<()> {
        if !key.is_fresh() {
            let tokens = store.tokens(&[key.id]).await?;
            key.refresh(tokens.first(), now);
        }
        key.admit(now)
    }

    /// One key for each token, for all who use it.
    fn keep(&self, row: token::Model, now: Timestamp) -> Result<Arc<Key>> {
        let hash =
            Hash::from_hex(&row.sha256).ok_or_else(|| Error::Corrupt("a token's hash that is none".to_owned()))?;
        let token = row.into_domain()?;
        let mut keys = lock(&self.0);
        if let Some(key) = keys.get(&token.public_part) {
            key.refresh(Some(&token), now);
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(Key::of(&token, hash, now));
        keys.insert(token.public_part, Arc::clone(&key));
        Ok(key)
    }

    /// Takes in at once what became of a token on this node.
    pub(super) fn revise(&self, now: Timestamp, token: &Token) {
        let key = lock(&self.0).get(&token.public_part).cloned();
        if let Some(key) = key {
            key.refresh(Some(token), now);
        }
    }

    /// Looks at all tokens that something lasting holds, keeps which were seen, and lets go of the rest.
    ///
    /// # Errors
    /// Those of the database: then nothing ends but what has expired, and the next look makes up for it.
    pub(super) async fn tend(&self, store: &Store, now: Timestamp) -> Result<()> {
        let (held, used) = self.sort_out();
        for key in &held {
            key.notice(now);
        }
        if !held.is_empty() {
            let ids: Vec<Uuid> = held.iter().map(|key| key.id).collect();
            let tokens = store.tokens(&ids).await?;
            let tokens: HashMap<Uuid, Token> = tokens.into_iter().map(|token| (token.id, token)).collect();
            for key in &held {
                key.refresh(tokens.get(&key.id), now);
            }
        }
        if !used.is_empty() {
            let ids: Vec<Uuid> = used.iter().map(|key| key.id).collect();
            store.mark_used(&ids, now).await?;
            for key in &used {
                lock(&key.state).marked_at = Some(now);
            }
        }
        Ok(())
    }

    /// The keys that something holds, and those of which it is to be kept that they were seen; what is neither, nor
    /// fresh, goes.
    fn sort_out(&self) -> (Vec<Arc<Key>>, Vec<Arc<Key>>) {
        let mut keys = lock(&self.0);
        keys.retain(|_, key| Arc::strong_count(key) > 1 || key.is_fresh() || lock(&key.state).is_to_be_marked());
        let held = keys
            .values()
            .filter(|key| Arc::strong_count(key) > 1)
            .cloned()
            .collect();
        let used = keys
            .values()
            .filter(|key| lock(&key.state).is_to_be_marked())
            .cloned()
            .collect();
        (held, used)
    }
}
