//! The seam for any log, ring, position and order of what happens.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    Append,
    Prune(u64),
    /// The tailer hears the bell.
    Advance,
    /// The follower asks for what there is, so many times.
    Read(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Append),
        1 => (0..MOST).prop_map(Act::Prune),
        3 => Just(Act::Advance),
        4 => (1..6_usize).prop_map(Act::Read),
    ]
}

impl Reader {
    /// What there is now, up to so many steps; the numbers it was given.
    fn take(&mut self, most: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        for _ in 0..most {
            let before = self.position.0;
            let step = self.position.ready(&mut self.place).now_or_never();
            let step = step.expect("this log answers at once").expect("and can be read");
            let Some(step) = step else { break };
            self.check(before, &step);
            if let Step::Entry(number, _) = step {
                taken.push(number);
            }
        }
        taken
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_follows_a_position_is_handed_out_in_order_each_once_or_is_told_to_be_lost(
        head in 0..20_u64,
        newest in 0..8_usize,
        capacity in 1..8_usize,
        batch in 1..8_usize,
        place in 0.0..1.0_f64,
        is_public: bool,
        acts in prop::collection::vec(act(), 0..40),
    ) {
        let audience = if is_public { Audience::Public } else { Audience::Staff };
        let node = Node::new(head, newest, capacity, batch, || ());
        let stream_head = node.with(&node.log, |log| log.extent().of(audience).head);
        let after = (place * (stream_head + 1) as f64) as u64;
        let mut reader = Reader::new(&node, audience, after);
        let mut taken = Vec::new();

        for act in acts {
            match act {
                Act::Append if node.with(&node.log, |log| log.head) < MOST => node.append(),
                Act::Append => {}
                Act::Prune(floor) => node.prune(floor),
                Act::Advance => node.advance(),
                Act::Read(most) => taken.extend(reader.take(most)),
            }
        }
        node.advance();
        taken.extend(reader.take(usize::MAX));

        // `check` holds each step against the promise; this is its end.
        let end = node.with(&node.log, |log| log.extent().of(audience));
        prop_assert_eq!(reader.position.0, end.head);
        if reader.lost == 0 {
            prop_assert_eq!(taken, (after + 1..=end.head).collect::<Vec<_>>());
        }
        if end.floor <= after {
            prop_assert_eq!(reader.lost, 0);
        }
    }
}
