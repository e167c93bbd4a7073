//! Tests of the ring against a plain list.

use proptest::prelude::*;

use super::*;

/// A page's whole log as a list: for each entry, its number in the public stream.
struct Log {
    floors: (u64, u64),
    entries: Vec<Option<u64>>,
}

impl Log {
    fn new(public_head: u64, staff_head: u64) -> Log {
        Log {
            floors: (public_head, staff_head),
            entries: Vec::new(),
        }
    }

    fn public_head(&self) -> u64 {
        self.entries.iter().flatten().last().copied().unwrap_or(self.floors.0)
    }

    fn staff_head(&self) -> u64 {
        self.floors.1 + self.entries.len() as u64
    }

    fn append(&mut self, is_public: bool) -> Arc<Entry> {
        let public_number = is_public.then(|| self.public_head() + 1);
        self.entries.push(public_number);
        Arc::new(Entry::sample(self.staff_head(), public_number))
    }

    /// What comes after a position, as the rule has it: the number, or the name of the answer.
    fn after(&self, audience: Audience, position: u64) -> Result<u64, &'static str> {
        let (begin, head) = match audience {
            Audience::Public => (self.floors.0, self.public_head()),
            Audience::Staff => (self.floors.1, self.staff_head()),
        };
        if position < begin.max(head.saturating_sub(CAPACITY as u64)) {
            Err("gone")
        } else if position < head {
            Ok(position + 1)
        } else {
            Err("wait")
        }
    }
}

/// The same of a ring; an entry must carry the number it is given under.
fn after(ring: &Ring, audience: Audience, position: u64) -> Result<u64, &'static str> {
    match ring.after(audience, position) {
        Next::Entry(number, entry) => {
            assert_eq!(entry.number(audience), Some(number), "{audience}");
            Ok(number)
        }
        Next::Gone => Err("gone"),
        Next::Wait => Err("wait"),
    }
}

/// A ring that begins at these heads.
fn empty(public_head: u64, staff_head: u64) -> Ring {
    let span = |head| Span { floor: 0, head };
    let extent = Extent {
        public: span(public_head),
        staff: span(staff_head),
    };
    Ring::begin(&extent, &[])
}

/// A ring that begins at nothing, with these entries: `true` for a public one.
fn ring(entries: impl IntoIterator<Item = bool>) -> Ring {
    let (mut ring, mut log) = (empty(0, 0), Log::new(0, 0));
    for is_public in entries {
        ring.push(&log.append(is_public));
    }
    ring
}

#[test]
fn a_reader_takes_every_entry_in_turn_and_then_waits() {
    let ring = ring([true, true, true]);

    for &audience in Audience::ALL {
        let found: Vec<_> = (0..5).map(|position| after(&ring, audience, position)).collect();
        assert_eq!(found, [Ok(1), Ok(2), Ok(3), Err("wait"), Err("wait")]);
    }
}

#[test]
fn what_is_the_staffs_alone_neither_appears_nor_counts_in_the_public_stream() {
    let ring = ring([true, false, false, true, false]);

    let public: Vec<_> = (0..3)
        .map(|position| after(&ring, Audience::Public, position))
        .collect();
    let staff: Vec<_> = (0..6).map(|position| after(&ring, Audience::Staff, position)).collect();

    assert_eq!(public, [Ok(1), Ok(2), Err("wait")]);
    assert_eq!(staff, [Ok(1), Ok(2), Ok(3), Ok(4), Ok(5), Err("wait")]);
    let Next::Entry(_, second) = ring.after(Audience::Public, 1) else {
        panic!("the second public entry is there");
    };
    assert_eq!(second.staff_number, 4);
}

#[test]
fn a_ring_knows_nothing_of_what_was_before_it_began() {
    let ring = empty(7, 9);

    assert_eq!(after(&ring, Audience::Public, 6), Err("gone"));
    assert_eq!(after(&ring, Audience::Public, 7), Err("wait"));
    assert_eq!(after(&ring, Audience::Staff, 8), Err("gone"));
    assert_eq!(after(&ring, Audience::Staff, 9), Err("wait"));
    assert_eq!(ring.span(Audience::Staff).head, 9);
}

#[test]
fn a_full_ring_lets_its_oldest_entry_go_and_says_so() {
    let full = ring(std::iter::repeat_n(true, CAPACITY));
    let over = ring(std::iter::repeat_n(true, CAPACITY + 1));

    for &audience in Audience::ALL {
        assert_eq!(after(&full, audience, 0), Ok(1));
        assert_eq!(after(&over, audience, 0), Err("gone"));
        assert_eq!(after(&over, audience, 1), Ok(2));
        assert_eq!(after(&over, audience, CAPACITY as u64), Ok(CAPACITY as u64 + 1));
    }
    assert_eq!(over.staff.entries.len(), CAPACITY);
}

#[test]
fn entries_of_the_staff_push_none_of_the_public_out() {
    let ring = ring(std::iter::once(true).chain(std::iter::repeat_n(false, CAPACITY)));

    assert_eq!(after(&ring, Audience::Public, 0), Ok(1));
    assert_eq!(after(&ring, Audience::Staff, 0), Err("gone"));
}

#[test]
fn an_entry_that_is_not_the_next_is_passed_over() {
    let mut ring = ring([true, true]);
    for number in [0, 1, 2, 4, 5] {
        ring.push(&Arc::new(Entry::sample(number, Some(number))));
    }
    assert_eq!(ring.span(Audience::Staff).head, 2);
    assert_eq!(after(&ring, Audience::Public, 2), Err("wait"));

    ring.push(&Arc::new(Entry::sample(3, Some(3))));

    assert_eq!(ring.span(Audience::Staff).head, 3);
    assert_eq!(after(&ring, Audience::Public, 2), Ok(3));
}

#[test]
fn a_ring_begins_with_the_newest_entries_that_lead_up_to_the_head() {
    let span = |head| Span { floor: 0, head };
    let extent = Extent {
        public: span(5),
        staff: span(9),
    };
    let newest = [(4, Some(3)), (6, None), (7, Some(4)), (8, None), (9, Some(5))];
    let entries = newest.map(|(staff, public)| Arc::new(Entry::sample(staff, public)));

    let whole = Ring::begin(&extent, &entries);
    let torn = Ring::begin(&extent, &entries[..4]);

    assert_eq!(whole.span(Audience::Staff), Span { floor: 5, head: 9 });
    assert_eq!(whole.span(Audience::Public), Span { floor: 3, head: 5 });
    assert_eq!(after(&whole, Audience::Staff, 4), Err("gone"));
    assert_eq!(after(&whole, Audience::Staff, 5), Ok(6));
    assert_eq!(after(&whole, Audience::Public, 3), Ok(4));
    assert_eq!(after(&whole, Audience::Public, 5), Err("wait"));
    assert_eq!(torn.span(Audience::Staff), Span { floor: 9, head: 9 });
    assert_eq!(torn.span(Audience::Public), Span { floor: 5, head: 5 });
}

#[test]
fn entries_join_the_ring_as_far_as_no_number_is_missing() {
    let mut ring = ring([true, true]);
    let entries = |numbers: &[u64]| -> Vec<Arc<Entry>> {
        let sample = |number: &u64| Arc::new(Entry::sample(*number, Some(*number)));
        numbers.iter().map(sample).collect()
    };

    assert!(ring.extend(&entries(&[2, 3])));
    assert_eq!(ring.span(Audience::Staff).head, 3);
    assert!(!ring.extend(&entries(&[3, 4, 6])));
    assert_eq!(ring.span(Audience::Staff).head, 4);
    assert!(!ring.extend(&entries(&[6, 7])));
    assert_eq!(ring.span(Audience::Staff).head, 4);
    assert!(ring.extend(&entries(&[])));
    assert!(ring.extend(&entries(&[5])));
    assert_eq!(ring.span(Audience::Staff).head, 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_ring_answers_as_the_whole_log_would(
        public_head in 0..5_u64,
        hidden in 0..5_u64,
        entries in prop::collection::vec((prop::bool::weighted(0.8), prop::bool::weighted(0.1)), 0..CAPACITY * 2),
    ) {
        let staff_head = public_head + hidden;
        let (mut ring, mut log) = (empty(public_head, staff_head), Log::new(public_head, staff_head));

        for (is_public, again) in entries {
            let entry = log.append(is_public);
            ring.push(&entry);
            if again {
                ring.push(&entry);
            }
        }

        prop_assert_eq!(ring.span(Audience::Staff).head, log.staff_head());
        for &audience in Audience::ALL {
            for position in 0..log.staff_head() + 2 {
                prop_assert_eq!(after(&ring, audience, position), log.after(audience, position));
            }
        }
    }
}

#[test]
fn entries_that_are_large_are_fewer_and_the_newest_is_always_there() {
    let of_size = |number, size| {
        let mut entry = Entry::sample(number, Some(number));
        entry.size = size;
        Arc::new(entry)
    };
    let mut ring = Ring::begin(&Extent::default(), &[]);
    for number in 1..=10 {
        assert!(ring.extend(&[of_size(number, MOST_BYTES / 3)]));
    }

    for audience in [Audience::Public, Audience::Staff] {
        assert_eq!(ring.span(audience), Span { floor: 7, head: 10 });
        assert_eq!(after(&ring, audience, 6), Err("gone"));
        assert_eq!(after(&ring, audience, 7), Ok(8));
    }
    assert!(ring.extend(&[of_size(11, MOST_BYTES + 1)]));
    assert_eq!(ring.span(Audience::Staff), Span { floor: 10, head: 11 });
    assert_eq!(after(&ring, Audience::Staff, 10), Ok(11));
}
