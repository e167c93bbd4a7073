//! The cost of a selection, and of selections on an interface, of which a value meets only those for its own type.

use std::collections::BTreeMap;

use super::prices::{Prices, TypeId};

/// Units of a selection. Numbers stop at their maximum, so that no document overflows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) now: View,
    /// The same if the selection is read from a past state.
    pub(super) past: View,
}

/// Units of a selection in one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) once: u64,
    /// Units for each item that the closest field above with a count asks for.
    pub(super) each: u64,
}

impl View {
    fn plus(self, other: View) -> View {
        View {
            once: self.once.saturating_add(other.once),
            each: self.each.saturating_add(other.each),
        }
    }

    fn max(self, other: View) -> View {
        View {
            once: self.once.max(other.once),
            each: self.each.max(other.each),
        }
    }

    /// What stands below a field that asks for so many items.
    pub(super) fn asking(self, count: u64) -> u64 {
        self.once.saturating_add(self.each.saturating_mul(count))
    }
}

impl Cost {
    /// A number of units in any state.
    pub(super) fn once(units: u64) -> Cost {
        let view = View { once: units, each: 0 };
        Cost { now: view, past: view }
    }

    fn plus(self, other: Cost) -> Cost {
        Cost {
            now: self.now.plus(other.now),
            past: self.past.plus(other.past),
        }
    }

    fn max(self, other: Cost) -> Cost {
        Cost {
            now: self.now.max(other.now),
            past: self.past.max(other.past),
        }
    }
}

/// The cost of a selection for each type that the value may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Costs {
    /// What every value costs.
    shared: Cost,
    /// What a value of a type costs in addition.
    of: BTreeMap<TypeId, Cost>,
}

impl Costs {
    /// Adds a field, which every value has.
    pub(super) fn add(&mut self, cost: Cost) {
        self.shared = self.shared.plus(cost);
    }

    /// Adds what a fragment on type `on` selects, within a selection on type `within`. Where a type is not known, which
    /// validation refuses later, the fragment counts for every value.
    pub(super) fn add_fragment(
        &mut self,
        prices: &Prices,
        within: Option<TypeId>,
        on: Option<TypeId>,
        fragment: &Costs,
    ) {
        let (Some(within), Some(on)) = (within, on) else {
            return self.add(fragment.most());
        };
        let met = prices.possible(on);
        let (mut all, mut types) = (true, Vec::new());
        for ty in prices.possible(within) {
            match within == on || met.binary_search(ty).is_ok() {
                true => types.push(*ty),
                false => all = false,
            }
        }
        if all {
            self.add(fragment.shared);
        }
        for ty in types {
            let own = fragment.of.get(&ty).copied();
            let shared = (!all).then_some(fragment.shared);
            for cost in own.into_iter().chain(shared) {
                let sum = self.of.entry(ty).or_default();
                *sum = sum.plus(cost);
            }
        }
    }

    /// What the most expensive type costs.
    pub(super) fn most(&self) -> Cost {
        let dearest = self.of.values().copied().fold(Cost::default(), Cost::max);
        self.shared.plus(dearest)
    }
}
