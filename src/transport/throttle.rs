//! How much one sender may ask for: by whom its token or JWT stands for, or, without either, by its address; each document by
//! what it costs.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use sha2::{Digest, Sha256};

use super::RequestError;
use super::address::Address;

/// What a request costs beside its document.
const REQUEST: u64 = 10;

/// What a document costs that is refused before it is executed: parsing one takes longer than executing a small one.
pub(super) const REFUSED: u64 = 100;

/// What a wrong token costs the address it comes from. There are more of them than anybody could try.
pub(super) const WRONG_TOKEN: u64 = 200;

/// How many senders are remembered: some 6 MB. Who is within its rate for long enough is forgotten before.
const MAX_SENDERS: usize = 100_000;

/// How many share a rate among them once there are more. More senders than that are an attack, and those who are not part
/// of it still have a share that is not the attackers' alone.
const SHARES: u16 = 1_024;

/// How often those are forgotten who are within their rate.
const SWEEP: Duration = Duration::from_secs(1);

/// Where an answer says, in seconds, when to come again: in `extensions`, and as the header `Retry-After`.
pub(super) const RETRY_AFTER: &str = "retryAfter";

/// How much a sender may ask for, by [`preflight::Limits::cost`](super::preflight::Limits)'s measure.
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
    /// Somebody who was let in with a token, by a hash: all are as long, and as likely to share as any other.
    Account([u8; 16]),
    Address(Address),
    /// One of many that share.
    Share(u16),
}

impl Payer {
    /// What a sender is known by.
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

type Senders<C> = RateLimiter<Payer, HashMapStateStore<Payer>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// What everybody has asked for lately.
pub(super) struct Throttle<C: Clock = DefaultClock> {
    /// None where nothing is limited.
    limited: Option<Limited<C>>,
}

struct Limited<C: Clock> {
    senders: Senders<C>,
    clock: C,
    burst: NonZeroU32,
    max_senders: usize,
    swept: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(rate: Option<Rate>) -> Throttle {
        Throttle::with(rate, DefaultClock::default(), MAX_SENDERS)
    }
}

impl<C: Clock + Clone> Throttle<C> {
    fn with(rate: Option<Rate>, clock: C, max_senders: usize) -> Throttle<C> {
        let limited = rate.map(|rate| Limited {
            senders: RateLimiter::new(
                Quota::per_second(rate.cost).allow_burst(rate.burst),
                HashMapStateStore::default(),
                clock.clone(),
            ),
            clock,
            burst: rate.burst,
            max_senders,
            swept: Mutex::new(Instant::now()),
        });
        Throttle { limited }
    }

    /// Charges somebody for a request that costs so much beside being one.
    ///
    /// # Errors
    /// `RATE_LIMITED` for who has asked for too much lately.
    pub(super) fn charge(&self, payer: Payer, cost: u64) -> Result<(), RequestError> {
        match &self.limited {
            Some(limited) => limited.charge(payer, cost.saturating_add(REQUEST)),
            None => Ok(()),
        }
    }

    /// Charges somebody for work that was done for it without a request, such as an item of a subscription.
    ///
    /// # Errors
    /// `RATE_LIMITED` for who has used too much lately.
    pub(super) fn charge_work(&self, payer: Payer, work: u64) -> Result<(), RequestError> {
        match &self.limited {
            Some(limited) if work > 0 => limited.charge(payer, work),
            _ => Ok(()),
        }
    }
}

impl<C: Clock + Clone> Limited<C> {
    fn charge(&self, payer: Payer, cost: u64) -> Result<(), RequestError> {
        let payer = self.admit(payer);
        // Who has asked for nothing for a while may ask for anything that is not refused as such.
        let cost = u32::try_from(cost).unwrap_or(u32::MAX).min(self.burst.get());
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        let Ok(Err(not_until)) = self.senders.check_key_n(&payer, cost) else {
            return Ok(());
        };
        let wait = not_until.wait_time_from(self.clock.now());
        Err(rate_limited(wait))
    }

    /// Makes room for a sender; where there is none it shares with others.
    fn admit(&self, payer: Payer) -> Payer {
        if self.is_to_be_swept() {
            self.senders.retain_recent();
            self.senders.shrink_to_fit();
        }
        match self.senders.len() >= self.max_senders {
            true => payer.share(),
            false => payer,
        }
    }

    fn is_to_be_swept(&self) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = swept.elapsed() >= SWEEP;
        if is_due {
            *swept = Instant::now();
        }
        is_due
    }
}

pub(super) fn rate_limited(wait: Duration) -> RequestError {
    // Whole seconds, as the header has them, and not less than it takes.
    let seconds = wait.as_secs() + 1;
    let message = format!("You have asked for too much lately; try again in {seconds} s.");
    RequestError::new("RATE_LIMITED", StatusCode::TOO_MANY_REQUESTS, message).with(RETRY_AFTER, seconds)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use governor::clock::FakeRelativeClock;

    use super::*;

    /// A rate of 100 a second and 1,000 at once.
    fn throttle(max_senders: usize) -> (Throttle<FakeRelativeClock>, FakeRelativeClock) {
        let number = |number| NonZeroU32::new(number).expect("not 0");
        let rate = Rate {
            cost: number(100),
            burst: number(1_000),
        };
        let clock = FakeRelativeClock::default();
        (Throttle::with(Some(rate), clock.clone(), max_senders), clock)
    }

    fn sender(number: u32) -> Payer {
        Payer::of(None, IpAddr::V4(Ipv4Addr::from_bits(number)).into())
    }

    fn seconds(charged: Result<(), RequestError>) -> String {
        let error = charged.expect_err("it is too much");
        assert_eq!((error.code, error.status.as_u16()), ("RATE_LIMITED", 429));
        error.extensions[0].1.to_string()
    }

    #[test]
    fn who_asks_for_too_much_is_told_when_to_come_again_and_nobody_else_is() {
        let (throttle, clock) = throttle(10);

        throttle.charge(sender(1), 990).expect("a burst");
        assert_eq!(seconds(throttle.charge(sender(1), 240)), "3");
        throttle.charge(sender(2), 990).expect("somebody else");
        clock.advance(Duration::from_millis(2_500));
        throttle.charge(sender(1), 240).expect("it has waited");
        assert_eq!(seconds(throttle.charge(sender(1), 0)), "1");
    }

    #[test]
    fn an_account_is_charged_wherever_it_comes_from_and_not_its_address() {
        let (throttle, _) = throttle(10);
        let (here, there) = (IpAddr::V4(Ipv4Addr::from_bits(1)), IpAddr::V4(Ipv4Addr::from_bits(2)));

        throttle
            .charge(Payer::of(Some(b"account"), here.into()), 990)
            .expect("a burst");

        seconds(throttle.charge(Payer::of(Some(b"account"), there.into()), 0));
        throttle.charge(Payer::of(None, here.into()), 990).expect("the address");
        throttle
            .charge(Payer::of(Some(b"other"), here.into()), 990)
            .expect("another account");
    }

    #[test]
    fn what_costs_more_than_a_burst_has_its_turn_after_a_silence() {
        let (throttle, _) = throttle(10);

        throttle.charge(sender(1), u64::MAX).expect("it has been silent");

        assert_eq!(seconds(throttle.charge(sender(1), u64::MAX)), "11");
    }

    #[test]
    fn no_more_senders_are_remembered_than_there_is_room_for() {
        let (throttle, _) = throttle(50);
        for number in 0..100_000 {
            // Some are told to come again.
            let _ = throttle.charge(sender(number), 0);
        }

        let limited = throttle.limited.as_ref().expect("it is limited");
        let remembered = limited.senders.len();
        assert!(remembered <= 50 + usize::from(SHARES), "{remembered}");
        // Those who share cannot have more by coming from elsewhere: they have used up what they share.
        seconds(throttle.charge(sender(100_001), 990));
    }

    #[test]
    fn who_is_within_its_rate_is_forgotten() {
        let (throttle, clock) = throttle(50);
        for number in 0..50 {
            throttle.charge(sender(number), 0).expect("a little");
        }
        clock.advance(Duration::from_secs(60));

        let limited = throttle.limited.as_ref().expect("it is limited");
        *limited.swept.lock().expect("nobody panics") -= SWEEP;
        throttle.charge(sender(51), 0).expect("a little");

        assert_eq!(limited.senders.len(), 1);
    }

    #[test]
    fn nothing_is_charged_where_nothing_is_limited() {
        let throttle = Throttle::new(None);

        for _ in 0..1_000 {
            throttle.charge(sender(1), u64::MAX).expect("no limit");
        }
    }
}
