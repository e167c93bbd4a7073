//! Rate limits: how much work one account or, without a token, one address may cause.
//!
//! Work is counted in units of cost ([`Limits::cost`](super::preflight::Limits)); one unit is about 5 µs of CPU. A request
//! pays in steps: for its bytes before they are parsed, for its static cost before it is executed, and for the difference to
//! the measured work afterwards. The last step needs refunds and debts, which is why the bucket is our own.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sha2::{Digest, Sha256};

use super::RequestError;
use super::address::Address;

/// What receiving any request costs, beside its bytes.
const RECEIVED: u64 = 1;

/// How many bytes of a request cost one unit: reading and parsing 1 KiB of JSON takes about 5 µs.
const BYTES_PER_UNIT: u64 = 1 << 10;

/// What executing a request costs beside its document: authentication, preflight, answer. With [`RECEIVED`], a small request
/// costs 10 units more than its document.
const EXECUTED: u64 = 9;

/// What a request costs that needs a token to be looked up, a connection to be upgraded, or the like, and executes nothing.
pub(super) const REQUEST: u64 = RECEIVED + EXECUTED;

/// The least that a refused document costs: parsing one takes longer than executing a small one.
const REFUSED: u64 = 100;

/// How many bytes of a refused document cost one unit. The preflight spends at most 2 ms, or 400 units, on 64 KiB; with
/// [`REFUSED`] a document of that size pays 400.
const REFUSED_BYTES_PER_UNIT: u64 = 218;

/// What a wrong token costs the address it comes from. There are more of them than anybody could try.
pub(super) const WRONG_TOKEN: u64 = 200;

/// What answering from a cache costs: 1 unit, so that a company behind one address can send several thousand such requests
/// a second.
const HIT: u64 = 1;

/// How far a payer can get into debt, in seconds of its rate. Measured work may exceed the static cost; a debt that is not
/// bounded would lock out an account for hours after one mistake.
const MAX_DEBT_SECONDS: f64 = 60.0;

/// How many payers are remembered: some 6 MB. A payer whose bucket is empty again is forgotten before.
const MAX_SENDERS: usize = 100_000;

/// How many buckets are shared once there are more payers. More than that are an attack, and a payer that is not part of it
/// still has a share that is not the attackers' alone.
const SHARES: u16 = 1_024;

/// How often empty buckets are forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// The answer's hint, in seconds, when to retry: in `extensions`, and as the header `Retry-After`.
pub(super) const RETRY_AFTER: &str = "retryAfter";

/// The code of answers to requests past the rate limit.
pub(super) const RATE_LIMITED: &str = "RATE_LIMITED";

/// How much one payer may ask for, in units of cost ([`preflight::Limits::cost`](super::preflight::Limits)).
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// In each second.
    pub cost: NonZeroU32,
    /// At once, after a while of silence.
    pub burst: NonZeroU32,
}

/// Who is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    /// The account of a valid token, by a hash: all are as long, and as likely to share as any other.
    Account([u8; 16]),
    Address(Address),
    /// One of many that share.
    Share(u16),
}

impl Payer {
    /// Who pays for requests of an account, or from an address without one.
    pub(super) fn of(account: Option<&[u8]>, address: Address) -> Payer {
        match account {
            Some(account) => {
                let hash = Sha256::digest(account);
                Payer::Account(*hash.first_chunk().expect("a SHA-256 is longer"))
            }
            None => Payer::Address(address),
        }
    }

    fn share(&self) -> Payer {
        let number = match self {
            Payer::Account([a, b, ..]) => u16::from_be_bytes([*a, *b]),
            Payer::Address(Address::V4(address)) => {
                let [.., c, d] = address.octets();
                u16::from_be_bytes([c, d])
            }
            Payer::Address(Address::V6([.., c, d])) => c ^ d,
            Payer::Share(number) => *number,
        };
        Payer::Share(number % SHARES)
    }
}

/// What a charge has taken from a payer's budget; [`Throttle::settle`] compares it with the measured work.
#[derive(Clone, Copy, Debug)]
#[must_use = "a charge is settled after the execution"]
pub(super) struct Charge {
    payer: Payer,
    /// Units that stand for the execution itself.
    execution: u64,
}

/// A leaky bucket: units that were spent and have not yet drained at the rate.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Units; above the burst, the payer is in debt.
    spent: f64,
    /// When `spent` was true, since the throttle began.
    at: Duration,
}

/// Every payer's recent spending.
pub(super) struct Throttle {
    /// None where nothing is limited.
    limited: Option<Limited>,
}

struct Limited {
    /// Units that drain from a bucket in each second.
    rate: f64,
    /// Units that a bucket holds.
    burst: f64,
    max_senders: usize,
    clock: Ticks,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    of: HashMap<Payer, Bucket>,
    swept: Duration,
}

/// Time since the throttle began. Tests let it stand still.
type Ticks = Box<dyn Fn() -> Duration + Send + Sync>;

impl Charge {
    /// Who was charged.
    pub(super) const fn payer(&self) -> Payer {
        self.payer
    }
}

impl Throttle {
    pub(super) fn new(rate: Option<Rate>) -> Throttle {
        let began = Instant::now();
        Throttle::with(rate, Box::new(move || began.elapsed()), MAX_SENDERS)
    }

    fn with(rate: Option<Rate>, clock: Ticks, max_senders: usize) -> Throttle {
        let limited = rate.map(|rate| Limited {
            rate: f64::from(rate.cost.get()),
            burst: f64::from(rate.burst.get()),
            max_senders,
            clock,
            buckets: Mutex::default(),
        });
        Throttle { limited }
    }

    /// Refuses a payer whose budget is used up, before anything is done for the request. Charges nothing.
    ///
    /// # Errors
    /// `RATE_LIMITED` if not even a request of no bytes could be paid for.
    pub(super) fn check(&self, payer: Payer) -> Result<(), RequestError> {
        match &self.limited {
            Some(limited) => limited.affordable(payer, RECEIVED),
            None => Ok(()),
        }
    }

    /// Charges a request for its bytes, before they are parsed.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget does not suffice.
    pub(super) fn charge_bytes(&self, payer: Payer, bytes: usize) -> Result<(), RequestError> {
        self.charge(payer, RECEIVED.saturating_add(bytes as u64 / BYTES_PER_UNIT))
    }

    /// Charges an operation's static cost, before it is executed. Settle it afterwards.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget does not suffice.
    pub(super) fn charge_execution(&self, payer: Payer, cost: u64) -> Result<Charge, RequestError> {
        let taken = match &self.limited {
            Some(limited) => limited.take(payer, cost.saturating_add(EXECUTED))?,
            None => 0,
        };
        Ok(Charge {
            payer,
            execution: taken.saturating_sub(EXECUTED),
        })
    }

    /// Charges for a document that was refused: in proportion to the work of refusing it.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget does not suffice.
    pub(super) fn charge_refused(&self, payer: Payer, document_bytes: usize) -> Result<(), RequestError> {
        self.charge(
            payer,
            (EXECUTED + REFUSED).saturating_add(document_bytes as u64 / REFUSED_BYTES_PER_UNIT),
        )
    }

    /// Charges for an answer that came from a cache; call it instead of every other charge.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget does not suffice.
    pub(super) fn charge_hit(&self, payer: Payer) -> Result<(), RequestError> {
        self.charge(payer, HIT)
    }

    /// Charges a number of units.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget does not suffice; nothing is charged then.
    pub(super) fn charge(&self, payer: Payer, units: u64) -> Result<(), RequestError> {
        match &self.limited {
            Some(limited) => limited.take(payer, units).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Charges a message on a socket for its bytes, whether or not the budget suffices: it has been received.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget is used up.
    pub(super) fn charge_message(&self, payer: Payer, bytes: usize) -> Result<(), RequestError> {
        self.charge_work(payer, RECEIVED.saturating_add(bytes as u64 / BYTES_PER_UNIT));
        self.check(payer)
    }

    /// Charges for work that was done without a request, such as an item of a subscription.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the budget is used up; the work is charged all the same.
    pub(super) fn charge_item(&self, payer: Payer, work: u64) -> Result<(), RequestError> {
        self.charge_work(payer, work);
        self.check(payer)
    }

    /// Charges for work that was done already, whether or not the budget suffices: a payer may get into debt.
    pub(super) fn charge_work(&self, payer: Payer, units: u64) {
        if let Some(limited) = &self.limited {
            limited.adjust(payer, units as f64);
        }
    }

    /// Replaces what was charged for an execution by the work that was measured: refunds or charges the difference. If
    /// nothing was measured, the static cost stands.
    pub(super) fn settle(&self, charge: Charge, work: Option<u64>) {
        if let (Some(limited), Some(work)) = (&self.limited, work) {
            limited.adjust(charge.payer, work as f64 - charge.execution as f64);
        }
    }
}

/// The refusal of a payer that may send again in so many seconds.
pub(super) fn rate_limited(seconds: u64) -> RequestError {
    let message = format!("You have asked for too much lately; try again in {seconds} s.");
    RequestError::new(RATE_LIMITED, StatusCode::TOO_MANY_REQUESTS, message).with(RETRY_AFTER, seconds)
}

impl Limited {
    /// Takes units from a budget, and returns how many.
    fn take(&self, payer: Payer, units: u64) -> Result<u64, RequestError> {
        let now = (self.clock)();
        let mut buckets = self.buckets();
        let payer = self.admit(&mut buckets, payer, now);
        let bucket = buckets.of.entry(payer).or_insert(Bucket { spent: 0.0, at: now });
        let spent = self.drain(bucket, now);
        let (units, needed) = self.capped(units);
        if spent + needed > self.burst {
            return Err(self.rate_limited(spent + needed));
        }
        bucket.spent = spent + needed;
        Ok(units)
    }

    /// Whether units could be taken.
    fn affordable(&self, payer: Payer, units: u64) -> Result<(), RequestError> {
        let now = (self.clock)();
        let mut buckets = self.buckets();
        let payer = self.admit(&mut buckets, payer, now);
        let Some(bucket) = buckets.of.get_mut(&payer) else {
            return Ok(());
        };
        let needed = self.drain(bucket, now) + self.capped(units).1;
        match needed > self.burst {
            true => Err(self.rate_limited(needed)),
            false => Ok(()),
        }
    }

    /// Adds to, or takes from, what was spent.
    fn adjust(&self, payer: Payer, units: f64) {
        let now = (self.clock)();
        let mut buckets = self.buckets();
        let payer = self.admit(&mut buckets, payer, now);
        let bucket = buckets.of.entry(payer).or_insert(Bucket { spent: 0.0, at: now });
        let most = self.burst + self.rate * MAX_DEBT_SECONDS;
        bucket.spent = (self.drain(bucket, now) + units).clamp(0.0, most);
    }

    /// What a bucket holds now.
    fn drain(&self, bucket: &mut Bucket, now: Duration) -> f64 {
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.spent = (bucket.spent - passed * self.rate).max(0.0);
        bucket.at = now;
        bucket.spent
    }

    /// After a silence, anything may be asked for that is not refused as such, whatever the burst is.
    fn capped(&self, units: u64) -> (u64, f64) {
        let most = self.burst as u64;
        let units = units.min(most);
        (units, units as f64)
    }

    /// Makes room for a payer; where there is none it shares with others.
    fn admit(&self, buckets: &mut Buckets, payer: Payer, now: Duration) -> Payer {
        if now.saturating_sub(buckets.swept) >= SWEEP {
            buckets.swept = now;
            buckets.of.retain(|_, bucket| self.drain(bucket, now) > 0.0);
            buckets.of.shrink_to(self.max_senders / 8);
        }
        match buckets.of.len() >= self.max_senders && !buckets.of.contains_key(&payer) {
            true => payer.share(),
            false => payer,
        }
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusal of a charge that would bring a bucket to this many units.
    fn rate_limited(&self, spent: f64) -> RequestError {
        let wait = (spent - self.burst) / self.rate;
        // Whole seconds, as the header has them, and not less than it takes.
        rate_limited(wait.max(0.0) as u64 + 1)
    }
}

#[cfg(test)]
mod tests;
