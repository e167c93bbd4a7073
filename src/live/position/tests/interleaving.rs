//! The seam under every interleaving of small scenes, and under many of larger ones.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{Config, Runner, future, thread};

use super::*;

/// Enough for the deepest stack here; the default is too little for an unoptimised build.
const STACK: usize = 256 * 1024;

/// How many schedules of a larger scene are run.
const SCHEDULES: usize = 800;

shuttle::lazy_static::lazy_static! {
    static ref POINT: AtomicUsize = AtomicUsize::new(0);
}

/// Where the scheduler may switch.
fn pause() {
    POINT.load(Ordering::SeqCst);
}

/// Runs a scene under schedules; returns how many there were.
fn run(scheduler: impl Scheduler + 'static, scene: impl Fn() + Send + Sync + 'static) -> usize {
    // Made once, and outside of what is scheduled.
    entry(0);
    let mut config = Config::new();
    config.stack_size = STACK;
    Runner::new(scheduler, config).run(scene)
}

fn every(scene: impl Fn() + Send + Sync + 'static) -> usize {
    run(DfsScheduler::new(None, false), scene)
}

fn many(scene: impl Fn() + Send + Sync + Clone + 'static) {
    run(RandomScheduler::new(SCHEDULES), scene.clone());
    run(PctScheduler::new(3, SCHEDULES), scene);
}

fn follow(node: &Arc<Node>, audience: Audience, after: u64, until: u64) -> thread::JoinHandle<usize> {
    let mut reader = Reader::new(node, audience, after);
    thread::spawn(move || {
        future::block_on(reader.follow(until));
        reader.lost
    })
}

#[test]
fn a_follower_that_waits_hears_of_what_comes_under_every_interleaving() {
    let schedules = every(|| {
        let node = Node::new(1, 1, 4, 4, pause);
        let follower = follow(&node, Audience::Staff, 1, 2);

        node.append();
        node.advance();

        assert_eq!(follower.join().expect("it ends"), 0);
    });

    assert!(schedules > 100, "{schedules}");
}

#[test]
fn a_follower_that_comes_from_the_log_passes_to_the_ring_under_every_interleaving() {
    // The ring begins at the head; one entry is to be read of the log, one comes meanwhile.
    let schedules = every(|| {
        let node = Node::new(1, 0, 4, 4, pause);
        let follower = follow(&node, Audience::Staff, 0, 2);

        node.append();
        node.advance();

        assert_eq!(follower.join().expect("it ends"), 0);
    });

    assert!(schedules > 100, "{schedules}");
}

#[test]
fn a_follower_that_the_ring_moves_on_from_falls_back_to_the_log_under_every_interleaving() {
    let schedules = every(|| {
        let node = Node::new(1, 1, 1, 4, pause);
        let follower = follow(&node, Audience::Staff, 1, 3);

        node.append();
        node.append();
        node.advance();

        assert_eq!(follower.join().expect("it ends"), 0);
    });

    assert!(schedules > 100, "{schedules}");
}

#[test]
fn a_follower_is_told_of_what_is_pruned_before_it_reads_it_and_of_nothing_else_under_every_interleaving() {
    let schedules = every(|| {
        // Of the two events that are pruned, the second stays in the log as the newest of its thing.
        let node = Node::new(5, 0, 4, 4, pause);
        let follower = follow(&node, Audience::Staff, 2, 5);

        node.prune(4);

        assert!(follower.join().expect("it ends") <= 1);
    });

    assert!(schedules > 20, "{schedules}");
}

/// Writers, a tailer that is rung and one that polls, pruning, and followers at different places of both streams.
fn crowd(prunes: bool) {
    let node = Node::new(6, 2, 3, 2, pause);
    let (head, audiences) = (12, [Audience::Staff, Audience::Public]);
    let followers: Vec<_> = (0..4)
        .map(|one| {
            let audience = audiences[one % 2];
            let until = if audience == Audience::Staff {
                head
            } else {
                public(head)
            };
            follow(&node, audience, one as u64, until)
        })
        .collect();
    let mut others = Vec::new();
    for writer in 0..2 {
        let node = Arc::clone(&node);
        others.push(thread::spawn(move || {
            for turn in 0..3 {
                node.append();
                if prunes && writer == 0 {
                    node.prune(2 + 3 * turn);
                }
            }
        }));
    }
    let tailer = Arc::clone(&node);
    others.push(thread::spawn(move || tailer.advance()));
    for other in others {
        other.join().expect("it ends");
    }
    // The poll, which comes after all.
    node.advance();

    for follower in followers {
        let lost = follower.join().expect("it ends");
        assert!(prunes || lost == 0, "nothing was pruned");
    }
}

#[test]
fn a_crowd_of_followers_misses_nothing_under_many_interleavings() {
    many(|| crowd(false));
}

#[test]
fn a_crowd_of_followers_misses_nothing_untold_while_the_log_is_pruned() {
    many(|| crowd(true));
}
