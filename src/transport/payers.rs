//! Who pays for the work of shared subscriptions: those who share a selection pay for its items in equal parts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use super::RequestError;
use super::throttle::{Payer, Throttle};

/// How many distinct selections one token or address may follow at a time: 128, more than one socket may have operations.
/// The dashboards of a company that watch different pages need one each, however many people look at them.
const MOST_SELECTIONS: usize = 128;

/// All who pay for selections.
pub(super) struct Payers {
    throttle: Arc<Throttle>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    selections: HashMap<u64, HashMap<Payer, Member>>,
    /// How many distinct selections each follows.
    distinct: HashMap<Payer, usize>,
}

struct Member {
    account: Arc<Account>,
    subscriptions: usize,
}

/// One payer of one selection.
#[derive(Debug)]
pub(super) struct Account {
    payer: Payer,
    /// It could not pay: its subscriptions to the selection end.
    is_over: AtomicBool,
}

impl Account {
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

/// One subscription's part in paying for a selection. It ends when this is dropped.
pub(super) struct Share {
    payers: Arc<Payers>,
    selection: u64,
    account: Arc<Account>,
}

impl std::fmt::Debug for Payers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payers").finish_non_exhaustive()
    }
}

impl Payers {
    pub(super) fn new(throttle: Arc<Throttle>) -> Arc<Payers> {
        let state = Mutex::default();
        Arc::new(Payers { throttle, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a subscription share a selection.
    ///
    /// # Errors
    /// `TOO_MANY_SELECTIONS` for a payer that follows as many as it may.
    pub(super) fn join(self: &Arc<Self>, selection: u64, payer: Payer) -> Result<Share, RequestError> {
        let mut state = self.state();
        let State { selections, distinct } = &mut *state;
        let members = selections.entry(selection).or_default();
        if !members.contains_key(&payer) {
            let followed = distinct.entry(payer).or_default();
            if *followed >= MOST_SELECTIONS {
                if members.is_empty() {
                    selections.remove(&selection);
                }
                return Err(too_many());
            }
            *followed += 1;
        }
        let member = members.entry(payer).or_insert_with(|| Member {
            account: Arc::new(Account {
                payer,
                is_over: AtomicBool::new(false),
            }),
            subscriptions: 0,
        });
        member.subscriptions += 1;
        Ok(Share {
            payers: Arc::clone(self),
            selection,
            account: Arc::clone(&member.account),
        })
    }

    /// Charges one payer for work that was done for it alone.
    ///
    /// # Errors
    /// `RATE_LIMITED` when it has used too much lately.
    pub(super) fn charge(&self, payer: Payer, work: u64) -> Result<(), RequestError> {
        self.throttle.charge_item(payer, work)
    }

    /// Charges all who share a selection for work that was done once for all of them, in equal parts; less than one unit
    /// each is free. Returns whether there are some who could not pay.
    pub(super) fn charge_all(&self, selection: u64, work: u64) -> bool {
        let accounts: Vec<Arc<Account>> = {
            let state = self.state();
            let Some(members) = state.selections.get(&selection) else {
                return false;
            };
            if work < members.len() as u64 {
                return false;
            }
            members.values().map(|member| Arc::clone(&member.account)).collect()
        };
        let part = work / accounts.len().max(1) as u64;
        let mut are_some_over = false;
        for account in accounts {
            if self.throttle.charge_item(account.payer, part).is_err() {
                account.is_over.store(true, Ordering::Release);
                are_some_over = true;
            }
        }
        are_some_over
    }
}

impl Share {
    /// Whose part it is.
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Charges this subscription's payer for work that was done for it alone.
    ///
    /// # Errors
    /// `RATE_LIMITED` when it has used too much lately.
    pub(super) fn charge(&self, work: u64) -> Result<(), RequestError> {
        match self.account.is_over() {
            // For its part in something that was done for all.
            true => Err(super::throttle::rate_limited(1)),
            false => self.payers.charge(self.account.payer, work),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let payer = self.account.payer;
        let mut state = self.payers.state();
        let State { selections, distinct } = &mut *state;
        let Some(members) = selections.get_mut(&self.selection) else {
            return;
        };
        let Some(member) = members.get_mut(&payer) else {
            return;
        };
        member.subscriptions -= 1;
        if member.subscriptions > 0 {
            return;
        }
        members.remove(&payer);
        if members.is_empty() {
            selections.remove(&self.selection);
        }
        if let Some(followed) = distinct.get_mut(&payer) {
            *followed -= 1;
            if *followed == 0 {
                distinct.remove(&payer);
            }
        }
    }
}

fn too_many() -> RequestError {
    let message = format!("You follow {MOST_SELECTIONS} different selections already, as many as you may.");
    RequestError::new("TOO_MANY_SELECTIONS", StatusCode::TOO_MANY_REQUESTS, message).with("max", MOST_SELECTIONS)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::num::NonZeroU32;

    use super::*;
    use crate::transport::Rate;

    fn payer(number: u32) -> Payer {
        Payer::of(None, IpAddr::V4(Ipv4Addr::from_bits(number)).into())
    }

    /// Each may use 1,000 units at once, and hardly any after that.
    fn payers() -> Arc<Payers> {
        let number = |number| NonZeroU32::new(number).expect("not 0");
        Payers::new(Arc::new(Throttle::new(Some(Rate {
            cost: number(1),
            burst: number(1_000),
        }))))
    }

    #[test]
    fn those_who_share_a_selection_pay_equal_parts() {
        let payers = payers();
        let shares: Vec<Share> = (0..4)
            .map(|number| payers.join(7, payer(number)).expect("a share"))
            .collect();
        let _second_of_the_same = payers.join(7, payer(0)).expect("a share");

        assert!(!payers.charge_all(7, 3_600), "900 each");
        assert!(payers.charge_all(7, 800), "200 each are too many");

        assert!(shares.iter().all(|share| share.account().is_over()));
        assert_eq!(shares[0].charge(0).map_err(|error| error.code), Err("RATE_LIMITED"));
    }

    #[test]
    fn who_shares_another_selection_does_not_pay() {
        let payers = payers();
        let one = payers.join(1, payer(1)).expect("a share");
        let other = payers.join(2, payer(2)).expect("a share");

        assert!(payers.charge_all(1, 1_001));

        assert!(one.account().is_over() && !other.account().is_over());
        other.charge(900).expect("it has used nothing");
    }

    #[test]
    fn less_than_a_unit_each_is_free() {
        let payers = payers();
        let _shares: Vec<Share> = (0..2_000)
            .map(|number| payers.join(7, payer(number)).expect("a share"))
            .collect();

        for _ in 0..10_000 {
            assert!(!payers.charge_all(7, 1_999));
        }
    }

    #[test]
    fn one_payer_follows_only_so_many_distinct_selections() {
        let payers = payers();
        let mut shares: Vec<Share> = (0..MOST_SELECTIONS as u64)
            .map(|selection| payers.join(selection, payer(1)).expect("a share"))
            .collect();

        let refused = payers.join(1_000, payer(1)).map(drop).map_err(|error| error.code);
        assert_eq!(refused, Err("TOO_MANY_SELECTIONS"));
        let _again = payers.join(0, payer(1)).expect("it follows that one already");
        let _other = payers.join(1_000, payer(2)).expect("another payer");
        shares.pop();
        let _freed = payers.join(1_000, payer(1)).expect("one was ended");
    }

    #[test]
    fn nothing_is_kept_of_those_who_have_left() {
        let payers = payers();
        let shares: Vec<Share> = (0..10)
            .map(|number| payers.join(number, payer(1)).expect("a share"))
            .collect();

        drop(shares);

        let state = payers.state();
        assert!(state.selections.is_empty() && state.distinct.is_empty());
    }
}
