//! Many who catch up at once cost the database as much as few.

use std::time::{Duration, Instant};

use allclear::domain::audience::Audience;
use allclear::domain::cursor::StreamId;
use allclear::domain::event::{Event, EventKind, Subject};
use allclear::live::{Follow, Step};
use allclear::store::Author;
use futures_util::future::join_all;

use super::relying_on_the_bell;
use crate::support::database::{Test, noon};
use crate::support::for_each_database;
use crate::support::log::uuid;
use crate::support::statements::recorded;

const DAY: i64 = 24 * 60 * 60 * 1000;
const READERS: u64 = 500;

/// How far apart reads of one page are at least (`live/desk.rs`).
const APART: Duration = Duration::from_millis(100);

/// Reads that may begin beside those: the first, and one that began just before the time was taken.
const BESIDES: u128 = 2;

/// From which number on readers have begun before the log is pruned.
const BEGUN: u64 = 600;

/// Adds so many events to a page's log; every fifth is the staff's alone.
async fn fill(test: &Test, page: &str, events: u64) {
    for batch in 0..events.div_ceil(50) {
        let author = Author::server("test");
        let write = test.app.store.begin(author, "fill", &test.app.clock).await;
        let mut write = write.expect("nothing else writes");
        for number in batch * 50..events.min(batch * 50 + 50) {
            let kind = match number % 5 {
                0 => EventKind::PostmortemDrafted,
                _ => EventKind::PageAmended,
            };
            write.record(uuid(page), Event::of(kind, Subject::Page));
        }
        write.commit().await.expect("it commits");
    }
}

fn stream(page: &str, audience: Audience) -> StreamId {
    StreamId {
        page: uuid(page),
        audience,
    }
}

async fn follow(test: &Test, stream: StreamId, after: u64) -> Follow {
    let follow = test.app.live.follow(stream, after).await;
    follow.expect("the log can be read")
}

/// Everything that a follower is given up to a number; `None` in it where it was told that something is lost.
async fn take(follow: &mut Follow, until: u64) -> Vec<Option<u64>> {
    let mut taken = Vec::new();
    while follow.position() < until {
        match follow.next().await.expect("the log can be read") {
            Step::Entry(number, _) => taken.push(Some(number)),
            Step::Lost => taken.push(None),
        }
    }
    taken
}

/// How many bring entries of the log; a look at how long they are brings none.
fn reads(statements: &[String]) -> u128 {
    let is_read = |statement: &&String| statement.contains("\"event\".\"payload\"") && statement.starts_with("SELECT");
    statements.iter().filter(is_read).count() as u128
}

#[tokio::test]
async fn five_hundred_who_catch_up_from_different_places_share_at_most_a_read_every_100_ms() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        fill(test, &page, 2_000).await;
        let heads = test.heads(&page).await;
        let places = (0..READERS).map(|reader| {
            let (audience, head) = match reader % 4 {
                0 => (Audience::Public, heads.public_head as u64),
                _ => (Audience::Staff, heads.staff_head as u64),
            };
            (audience, reader * head / READERS, head)
        });
        let storm = places.map(async |(audience, after, head)| {
            let mut follow = follow(test, stream(&page, audience), after).await;
            (after, head, take(&mut follow, head).await)
        });

        let began = Instant::now();
        let (taken, statements) = recorded(join_all(storm)).await;
        let elapsed = began.elapsed();

        for (after, head, taken) in taken {
            assert_eq!(taken, (after + 1..=head).map(Some).collect::<Vec<_>>());
        }
        let reads = reads(&statements);
        assert!(reads >= 4, "more than the ring has was read: {reads}");
        let most = elapsed.as_millis() / APART.as_millis() + BESIDES;
        assert!(reads <= most, "{reads} reads within {elapsed:?}");
    })
    .await;
}

#[tokio::test]
async fn who_comes_back_to_a_node_that_was_restarted_is_served_from_one_read() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        fill(test, &page, 600).await;
        let head = test.heads(&page).await.staff_head as u64;
        let returning = (0..READERS).map(async |reader| {
            let after = head - reader % 200;
            let mut follow = follow(test, stream(&page, Audience::Staff), after).await;
            let reach = follow.reach(after).await.expect("the log can be read");
            assert!(reach.floor <= after && reach.head == head, "{reach:?}");
            (after, take(&mut follow, head).await)
        });

        let (taken, statements) = recorded(join_all(returning)).await;

        for (after, taken) in taken {
            assert_eq!(taken, (after + 1..=head).map(Some).collect::<Vec<_>>());
        }
        assert_eq!(reads(&statements), 1, "{statements:#?}");
    })
    .await;
}

#[tokio::test]
async fn many_who_ask_about_a_number_ahead_of_the_log_share_a_read() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let head = test.heads(&page).await.staff_head as u64;
        let follow = follow(test, stream(&page, Audience::Staff), head).await;

        let asking = join_all((0..READERS).map(|ahead| follow.reach(head + 1 + ahead)));
        let (told, statements) = recorded(asking).await;

        for reach in told {
            assert_eq!(reach.expect("the log can be read").head, head);
        }
        let asked = statements.iter().filter(|statement| statement.contains("page_log"));
        assert!(asked.count() <= 2, "{statements:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_number_that_another_node_gave_just_now_is_known_although_no_bell_rang() {
    let Some(first) = relying_on_the_bell().await else {
        return;
    };
    let deaf = first.another_listening(Some(first.elsewhere())).await;
    let page = first.page("shop").await;
    let head = first.heads(&page).await.staff_head as u64;
    let follow = follow(&deaf, stream(&page, Audience::Staff), head).await;

    for number in head + 1..head + 4 {
        fill(&first, &page, 1).await;
        let reach = follow.reach(number).await.expect("the log can be read");

        assert_eq!((reach.head, reach.staff_head), (number, number));
    }
    deaf.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn those_alone_whose_events_are_pruned_while_they_catch_up_are_told_that_they_lost_some() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        fill(test, &page, 1_000).await;
        let floor = test.heads(&page).await.staff_head as u64;
        test.app.clock.set(noon().plus_millis(2 * DAY));
        fill(test, &page, 1_000).await;
        let head = test.heads(&page).await.staff_head as u64;
        let begin = async |after: u64| {
            let mut reader = follow(test, stream(&page, Audience::Staff), after).await;
            // Those further on have begun to read, which leaves what they need in memory.
            let begun = match after {
                0..BEGUN => Vec::new(),
                _ => take(&mut reader, (after + 10).min(head)).await,
            };
            (after, reader, begun)
        };
        let readers = join_all((0..head).step_by(37).map(begin)).await;

        let pruned = test.app.store.prune(noon().plus_millis(DAY)).await.expect("it prunes");
        let ending = readers.into_iter().map(async |(after, mut reader, mut taken)| {
            taken.extend(take(&mut reader, head).await);
            (after, taken)
        });
        let ended = join_all(ending).await;

        assert!(pruned > 0);
        for (after, taken) in ended {
            let whole: Vec<_> = (after + 1..=head).map(Some).collect();
            match after {
                0..BEGUN => assert_eq!(taken, [None], "after {after}"),
                // What was read before it was pruned may be handed out all the same.
                _ if after < floor && taken.contains(&None) => {
                    let told = taken.len() - 1;
                    assert_eq!(taken[..told], whole[..told], "after {after}");
                    assert!(after + (told as u64) < floor, "{after} lost what was there");
                }
                _ => assert_eq!(taken, whole, "after {after}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_gives_up_half_way_holds_nobody_up() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        fill(test, &page, 1_500).await;
        let head = test.heads(&page).await.staff_head as u64;
        let mut patient = follow(test, stream(&page, Audience::Staff), 0).await;
        for after in 0..200 {
            let mut hasty = follow(test, stream(&page, Audience::Staff), after).await;
            // Polled once, and let go while its read is under way or waited for.
            let _ = futures_util::FutureExt::now_or_never(hasty.next());
        }

        let taken = take(&mut patient, head).await;

        assert_eq!(taken, (1..=head).map(Some).collect::<Vec<_>>());
    })
    .await;
}
