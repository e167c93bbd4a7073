//! Chance that can be had again: everything a run decides follows from its seed.

use std::time::Duration;

/// `SplitMix64`: one number of state, good enough to choose faults by, and the same on every machine and in every version.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Chance of its own for somebody, so that what one does shifts nobody else's.
    pub(crate) fn of(seed: u64, who: &str) -> Random {
        let mut random = Random(seed);
        for byte in who.bytes() {
            random.0 = random.0.wrapping_add(u64::from(byte));
            random.0 = random.next();
        }
        random
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another, which must not be 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A length of time of so many milliseconds or more, and fewer than so many.
    pub(crate) fn millis(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis((from + self.below(to - from)) as u64)
    }
}

#[test]
fn chance_repeats_itself_by_its_seed() {
    let of = |seed: u64, who: &str| {
        let mut random = Random::of(seed, who);
        (0..4).map(|_| random.next()).collect::<Vec<_>>()
    };

    assert_eq!(of(7, "writer 1"), of(7, "writer 1"));
    assert_ne!(of(7, "writer 1"), of(7, "writer 2"));
    assert_ne!(of(7, "writer 1"), of(8, "writer 1"));
}
