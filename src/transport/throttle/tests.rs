//! Budgets, refunds and debts, on a clock that stands still.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// A clock that tests move.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a short time");
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

/// A rate of 100 a second and 1,000 at once.
fn throttle(max_senders: usize) -> (Throttle, Hand) {
    let number = |number| NonZeroU32::new(number).expect("not 0");
    let rate = Rate {
        cost: number(100),
        burst: number(1_000),
    };
    let hand = Hand::default();
    let clock = {
        let hand = hand.clone();
        move || Duration::from_millis(hand.0.load(Ordering::Relaxed))
    };
    (Throttle::with(Some(rate), Box::new(clock), max_senders), hand)
}

fn sender(number: u32) -> Payer {
    Payer::of(None, IpAddr::V4(Ipv4Addr::from_bits(number)).into())
}

/// How many seconds a refused payer is told to wait.
fn seconds<T: std::fmt::Debug>(charged: Result<T, RequestError>) -> String {
    let error = charged.expect_err("it is too much");
    assert_eq!((error.code, error.status.as_u16()), ("RATE_LIMITED", 429));
    error.extensions[0].1.to_string()
}

fn buckets(throttle: &Throttle) -> usize {
    throttle.limited.as_ref().expect("it is limited").buckets().of.len()
}

#[test]
fn a_payer_past_its_rate_is_told_when_to_retry_and_no_other_payer_is() {
    let (throttle, clock) = throttle(10);

    throttle.charge(sender(1), 1_000).expect("a burst");
    assert_eq!(seconds(throttle.charge(sender(1), 250)), "3");
    throttle.charge(sender(2), 1_000).expect("another payer");
    clock.advance(Duration::from_millis(2_500));
    throttle.charge(sender(1), 250).expect("it has waited");
    assert_eq!(seconds(throttle.charge(sender(1), 10)), "1");
}

#[test]
fn an_account_is_charged_from_any_address_and_its_address_is_not() {
    let (throttle, _) = throttle(10);
    let (here, there) = (IpAddr::V4(Ipv4Addr::from_bits(1)), IpAddr::V4(Ipv4Addr::from_bits(2)));

    throttle
        .charge(Payer::of(Some(b"account"), here.into()), 1_000)
        .expect("a burst");

    seconds(throttle.charge(Payer::of(Some(b"account"), there.into()), 10));
    throttle
        .charge(Payer::of(None, here.into()), 1_000)
        .expect("the address");
    throttle
        .charge(Payer::of(Some(b"other"), here.into()), 1_000)
        .expect("another account");
}

#[test]
fn a_charge_above_the_burst_passes_after_a_silence() {
    let (throttle, _) = throttle(10);

    throttle.charge(sender(1), u64::MAX).expect("it has been silent");

    assert_eq!(seconds(throttle.charge(sender(1), u64::MAX)), "11");
}

#[test]
fn a_refused_charge_takes_nothing() {
    let (throttle, _) = throttle(10);
    throttle.charge(sender(1), 900).expect("a burst");

    seconds(throttle.charge(sender(1), 101));

    throttle.charge(sender(1), 100).expect("what was left");
}

#[test]
fn settling_refunds_what_an_execution_did_not_use() {
    let (throttle, _) = throttle(10);
    let charge = throttle.charge_execution(sender(1), 900).expect("a burst");
    seconds(throttle.charge(sender(1), 300));

    throttle.settle(charge, Some(600));

    throttle
        .charge(sender(1), 300 + 91)
        .expect("the refund, and what was left");
    seconds(throttle.charge(sender(1), 1));
}

#[test]
fn settling_charges_what_an_execution_used_beyond_its_cost_up_to_a_bounded_debt() {
    let (throttle, clock) = throttle(10);
    let charge = throttle.charge_execution(sender(1), 491).expect("a burst");
    throttle.check(sender(1)).expect("there is some left");

    throttle.settle(charge, Some(1_291));

    // 300 of debt, and the one unit of a request.
    assert_eq!(seconds(throttle.check(sender(1))), "4");
    throttle.charge_work(sender(1), u64::MAX);
    assert_eq!(seconds(throttle.check(sender(1))), "61");
    clock.advance(Duration::from_millis(60_010));
    throttle.check(sender(1)).expect("the debt is paid");
}

#[test]
fn an_execution_that_was_not_measured_keeps_its_static_cost() {
    let (throttle, _) = throttle(10);
    let charge = throttle.charge_execution(sender(1), 991).expect("a burst");

    throttle.settle(charge, None);

    seconds(throttle.check(sender(1)));
}

#[test]
fn a_refund_never_fills_a_budget_beyond_its_burst() {
    let (throttle, clock) = throttle(10);
    let charge = throttle.charge_execution(sender(1), 900).expect("a burst");
    clock.advance(Duration::from_secs(60));

    throttle.settle(charge, Some(0));

    throttle.charge(sender(1), 1_000).expect("a burst");
    seconds(throttle.charge(sender(1), 1));
}

#[test]
fn a_charge_that_was_capped_is_refunded_as_it_was_capped() {
    let (throttle, _) = throttle(10);
    let charge = throttle
        .charge_execution(sender(1), 1_000_000)
        .expect("it has been silent");

    throttle.settle(charge, Some(991));

    seconds(throttle.charge(sender(1), 1));
}

#[test]
fn bytes_and_refused_documents_are_charged_by_their_size() {
    let (throttle, _) = throttle(10);

    throttle.charge_bytes(sender(1), 100 << 10).expect("a burst");
    throttle.charge(sender(1), 1_000 - 101).expect("the rest");
    seconds(throttle.charge(sender(1), 1));
    throttle.charge_refused(sender(2), 64 << 10).expect("a burst");
    throttle.charge(sender(2), 1_000 - 409).expect("the rest");
    seconds(throttle.charge(sender(2), 1));
}

#[test]
fn no_more_payers_are_remembered_than_there_is_room_for() {
    let (throttle, _) = throttle(50);
    for number in 0..100_000 {
        // Some are refused.
        let _ = throttle.charge(sender(number), 10);
    }

    let remembered = buckets(&throttle);
    assert!(remembered <= 50 + usize::from(SHARES), "{remembered}");
    // Those who share cannot have more by coming from elsewhere: they have used up what they share.
    seconds(throttle.charge(sender(100_001), 1_000));
    throttle.charge(sender(1), 10).expect("a payer that was there before");
}

#[test]
fn a_payer_within_its_rate_is_forgotten() {
    let (throttle, clock) = throttle(50);
    for number in 0..50 {
        throttle.charge(sender(number), 10).expect("a little");
    }
    clock.advance(Duration::from_secs(60));

    throttle.charge(sender(51), 10).expect("a little");

    assert_eq!(buckets(&throttle), 1);
}

#[test]
fn nothing_is_charged_where_nothing_is_limited() {
    let throttle = Throttle::new(None);

    for _ in 0..1_000 {
        throttle.charge(sender(1), u64::MAX).expect("no limit");
        throttle.charge_work(sender(1), u64::MAX);
    }
    throttle.check(sender(1)).expect("no limit");
}
