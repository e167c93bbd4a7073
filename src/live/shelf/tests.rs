//! Tests of what is kept of the log.

use super::*;
use crate::store::log::Span;

const BOTH: [Audience; 2] = [Audience::Public, Audience::Staff];

/// How far a log goes whose two streams are alike.
fn extent(floor: u64, head: u64) -> Extent {
    let span = Span { floor, head };
    Extent {
        public: span,
        staff: span,
    }
}

/// A read of these numbers from a log that goes so far.
fn read(audience: Audience, extent: Extent, after: u64, numbers: impl IntoIterator<Item = u64>) -> Read {
    let entry = |number| Arc::new(Entry::sample(number, Some(number)));
    Read {
        extent,
        audience,
        after,
        limit: SEGMENT,
        entries: numbers.into_iter().map(entry).collect(),
    }
}

/// What a shelf tells of a position: the number of the next entry, or the head of a stream that has lost it.
fn look(shelf: &mut Shelf, audience: Audience, position: u64, now: Instant) -> Option<Result<u64, u64>> {
    match shelf.look(audience, position, now)? {
        Found::Entry(entry) => Some(Ok(entry.number(audience).expect("an entry of this stream"))),
        Found::Lost { head } => Some(Err(head)),
        Found::Nothing => panic!("a shelf does not know where a log ends"),
    }
}

#[test]
fn what_one_read_brought_serves_every_position_in_it_and_no_other() {
    for audience in BOTH {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        let missing = shelf.keep(read(audience, extent(3, 9), 4, 5..=9), now);

        let told: Vec<_> = (3..11)
            .map(|position| look(&mut shelf, audience, position, now))
            .collect();
        let other = BOTH.into_iter().find(|other| *other != audience).expect("two");

        assert_eq!(missing, None);
        assert_eq!(told[..2], [None, Some(Ok(5))]);
        assert_eq!(
            told[2..],
            [Some(Ok(6)), Some(Ok(7)), Some(Ok(8)), Some(Ok(9)), None, None]
        );
        assert_eq!(look(&mut shelf, other, 5, now), None);
    }
}

#[test]
fn a_position_below_the_floor_has_lost_something_unless_it_was_read_before() {
    let (mut shelf, now) = (Shelf::default(), Instant::now());
    shelf.keep(read(Audience::Staff, extent(0, 9), 2, 3..=5), now);

    shelf.know(extent(7, 12));

    let told: Vec<_> = (1..8)
        .map(|position| look(&mut shelf, Audience::Staff, position, now))
        .collect();
    let lost = Some(Err(12));
    assert_eq!(told, [lost, Some(Ok(3)), Some(Ok(4)), Some(Ok(5)), lost, lost, None]);
}

#[test]
fn what_pruning_leaves_below_the_floor_is_not_taken_for_the_stream() {
    let (mut shelf, now) = (Shelf::default(), Instant::now());

    // The newest events of two things, which happen to follow the position without a gap.
    let missing = shelf.keep(read(Audience::Staff, extent(6, 9), 2, [3, 4, 7, 8, 9]), now);

    assert_eq!(missing, None);
    assert_eq!(look(&mut shelf, Audience::Staff, 2, now), Some(Err(9)));
    assert_eq!(look(&mut shelf, Audience::Staff, 7, now), None);
}

#[test]
fn a_log_that_lacks_what_it_should_have_is_read_up_to_there() {
    let (mut shelf, now) = (Shelf::default(), Instant::now());

    let torn = shelf.keep(read(Audience::Staff, extent(0, 9), 2, [3, 4, 6, 7]), now);
    let short = shelf.keep(read(Audience::Public, extent(0, 9), 2, 3..=7), now);
    let bare = shelf.keep(read(Audience::Public, extent(0, 19), 9, []), now);

    assert_eq!((torn, short, bare), (Some(4), Some(7), Some(9)));
    assert_eq!(look(&mut shelf, Audience::Staff, 3, now), Some(Ok(4)));
    assert_eq!(look(&mut shelf, Audience::Staff, 4, now), None);
}

#[test]
fn a_read_that_was_cut_at_its_limit_lacks_nothing() {
    let (mut shelf, now) = (Shelf::default(), Instant::now());

    let missing = shelf.keep(read(Audience::Staff, extent(0, 2 * SEGMENT), 0, 1..=SEGMENT), now);

    assert_eq!(missing, None);
    assert_eq!(look(&mut shelf, Audience::Staff, SEGMENT - 1, now), Some(Ok(SEGMENT)));
    assert_eq!(look(&mut shelf, Audience::Staff, SEGMENT, now), None);
}

#[test]
fn a_full_shelf_lets_go_of_what_was_read_least_lately() {
    let (mut shelf, now) = (Shelf::default(), Instant::now());
    let segments = MOST as u64 / SEGMENT;
    let whole = extent(0, 100 * SEGMENT);
    let keep = |shelf: &mut Shelf, at: u64| {
        let after = at * SEGMENT;
        shelf.keep(read(Audience::Staff, whole, after, after + 1..=after + SEGMENT), now);
    };
    for at in 0..segments {
        keep(&mut shelf, at);
    }
    assert_eq!(look(&mut shelf, Audience::Staff, 0, now), Some(Ok(1)));

    keep(&mut shelf, segments);

    assert_eq!(look(&mut shelf, Audience::Staff, 0, now), Some(Ok(1)));
    assert_eq!(look(&mut shelf, Audience::Staff, SEGMENT, now), None);
    assert_eq!(
        look(&mut shelf, Audience::Staff, 2 * SEGMENT, now),
        Some(Ok(2 * SEGMENT + 1))
    );
    assert_eq!(shelf.len(), MOST);
}

#[test]
fn what_nobody_reads_for_a_while_is_let_go() {
    let (mut shelf, then) = (Shelf::default(), Instant::now());
    shelf.keep(read(Audience::Staff, extent(0, 9), 0, 1..=4), then);
    shelf.keep(read(Audience::Public, extent(0, 9), 0, 1..=4), then);
    let later = then + UNUSED / 2;
    look(&mut shelf, Audience::Public, 2, later);

    shelf.tidy(then + UNUSED);

    assert_eq!(look(&mut shelf, Audience::Staff, 2, later), None);
    assert_eq!(look(&mut shelf, Audience::Public, 2, later), Some(Ok(3)));
}

#[test]
fn floors_and_heads_that_are_seen_late_do_not_sink() {
    let mut shelf = Shelf::default();
    shelf.know(extent(4, 9));

    shelf.know(extent(2, 7));

    assert_eq!(*shelf.extent(), extent(4, 9));
}

#[test]
fn reads_of_large_entries_make_room_for_newer_ones() {
    let (mut shelf, now) = (Shelf::default(), Instant::now());
    for after in [0, 2, 4, 6] {
        let mut large = read(Audience::Staff, extent(0, 8), after, after + 1..=after + 2);
        large.limit = 2;
        for entry in &mut large.entries {
            let entry = Arc::get_mut(entry).expect("nobody else holds it");
            entry.size = MOST_BYTES / 5;
        }
        assert_eq!(shelf.keep(large, now), None);
    }

    let told = [0, 2, 4, 6].map(|position| look(&mut shelf, Audience::Staff, position, now));

    assert_eq!(told, [None, None, Some(Ok(5)), Some(Ok(7))]);
}

#[test]
fn a_read_brings_as_many_as_are_foreseen_to_fit() {
    assert_eq!(at_once(0), SEGMENT);
    assert_eq!(at_once(1_000), SEGMENT);
    assert_eq!(at_once(READ_BYTES / 10), 10);
    assert_eq!(at_once(READ_BYTES + 1), 1);
}
