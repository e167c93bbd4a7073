//! The keys of an issuer as this node knows them: asked for every few minutes, and at once when somebody shows a JWT of a
//! key that is not known; but once a minute at most, whatever comes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::fetch::Fetcher;
use super::key::{self, Key, KeyId, Wanted};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// How often at most an issuer is asked, whoever wants it: by this node, and for whatever reason.
const ASKING_MILLIS: i64 = 60 * 1000;

/// How often it is asked when all is well: what was signed with a key that it has taken back ends so much later.
const RENEWING_MILLIS: i64 = 5 * 60 * 1000;

/// The keys of an issuer.
#[derive(Clone, Debug)]
pub(super) struct Keyset(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    fetcher: Fetcher,
    state: Mutex<State>,
    /// How often it was asked.
    asked: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The last that were heard of, however long ago.
    keys: Vec<Key>,
    asked_at: Option<Timestamp>,
    is_asking: bool,
    /// Whether it answered when it was asked last.
    is_well: bool,
}

impl State {
    /// Whether so much time is over since it was asked. A clock that was put back by more than a minute makes no difference;
    /// by less, it may be that of somebody who looked at it before another asked.
    fn is_due(&self, now: Timestamp, millis: i64) -> bool {
        self.asked_at
            .is_none_or(|asked| !(-ASKING_MILLIS..millis).contains(&now.millis_since(asked)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who asks. However that ends, those who wait go on.
struct Asking(Arc<Shared>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.state().is_asking = false;
        self.0.asked.send_modify(|count| *count += 1);
    }
}

impl Asking {
    async fn ask(self) {
        let found = self.0.fetcher.keys().await;
        let mut state = self.0.state();
        match found {
            Ok(keys) => {
                match keys.len() {
                    0 => tracing::warn!(
                        known = state.keys.len(),
                        "the issuer of JWTs tells no key that is of use here: no JWT lets in"
                    ),
                    keys if !state.is_well || keys != state.keys.len() => {
                        tracing::info!(keys, "the issuer of JWTs has told its keys");
                    }
                    _ => {}
                }
                state.is_well = true;
                state.keys = keys;
            }
            Err(why) => {
                state.is_well = false;
                tracing::warn!(
                    why,
                    known = state.keys.len(),
                    "the issuer of JWTs does not tell its keys; it is asked again in a minute"
                );
            }
        }
    }
}

impl Keyset {
    pub(super) fn new(fetcher: Fetcher) -> Keyset {
        Keyset(Arc::new(Shared {
            fetcher,
            state: Mutex::default(),
            asked: watch::Sender::new(0),
        }))
    }

    /// The key that a JWT was signed with.
    ///
    /// # Errors
    /// `Unauthenticated` where the issuer has none; `IssuerAway` where it cannot be found out.
    pub(super) async fn find(&self, now: Timestamp, wanted: &Wanted) -> Result<Key> {
        self.look(now, |keys| key::pick(keys, wanted).cloned()).await
    }

    /// Makes sure that a key is still one of the issuer's.
    ///
    /// # Errors
    /// As of [`Keyset::find`].
    pub(super) async fn find_by_id(&self, now: Timestamp, id: KeyId) -> Result<()> {
        self.look(now, |keys| keys.iter().any(|key| key.id == id).then_some(()))
            .await
    }

    async fn look<T>(&self, now: Timestamp, found: impl Fn(&[Key]) -> Option<T>) -> Result<T> {
        let known = found(&self.0.state().keys);
        if let Some(known) = known {
            return Ok(known);
        }
        self.renew(now).await;
        let state = self.0.state();
        found(&state.keys).ok_or(match state.is_well {
            true => Error::Unauthenticated,
            false => Error::IssuerAway,
        })
    }

    /// Whether a key is one of those that are known.
    pub(super) fn holds(&self, id: KeyId) -> bool {
        self.0.state().keys.iter().any(|key| key.id == id)
    }

    /// Asks the issuer if it is time to.
    pub(super) async fn tend(&self, now: Timestamp) {
        let is_due = {
            let state = self.0.state();
            state.is_due(now, if state.is_well { RENEWING_MILLIS } else { ASKING_MILLIS })
        };
        if is_due {
            self.renew(now).await;
        }
    }

    /// Asks the issuer unless it was asked within a minute, or waits for what it says to somebody who asks already.
    async fn renew(&self, now: Timestamp) {
        // Before the look at who asks, so that the end of it is not missed.
        let mut asked = self.0.asked.subscribe();
        {
            let mut state = self.0.state();
            if !state.is_asking {
                if !state.is_due(now, ASKING_MILLIS) {
                    return;
                }
                state.is_asking = true;
                state.asked_at = Some(now);
                // Apart from the request that wants it, which may be given up: that would use the minute up for nothing.
                tokio::spawn(Asking(Arc::clone(&self.0)).ask());
            }
        }
        // The sender is held by us.
        let _ = asked.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_time_again_after_a_minute_or_when_the_clock_was_put_back_by_one() {
        let at = Timestamp::from_millis;
        let mut state = State::default();
        assert!(state.is_due(at(0), ASKING_MILLIS));

        state.asked_at = Some(at(1_000_000));

        for (now, is_due) in [
            (1_000_000, false),
            (1_059_999, false),
            (1_060_000, true),
            (999_999, false),
            (939_999, true),
            (0, true),
        ] {
            assert_eq!(state.is_due(at(now), ASKING_MILLIS), is_due, "{now}");
        }
    }
}
