//! What goes wrong, and when: all of it drawn from the seed.

use std::fmt;
use std::time::Duration;

use crate::proxy::Trouble;
use crate::random::Random;

/// One thing that goes wrong, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// `kill -9`, and a start after a while.
    Kill { node: usize, away: Duration },
    /// SIGSTOP, and SIGCONT after a while.
    Freeze { node: usize, length: Duration },
    /// SIGTERM and a start, one node after another.
    Roll,
    /// PostgreSQL stops as in a crash, and starts.
    RestartPostgres,
    /// The nodes' listener connections are cut.
    CutListeners,
    /// All of one database's connections are cut.
    CutBackends,
    /// So many in a hundred of the connections between clients and a node get into trouble.
    Links {
        node: usize,
        trouble: Trouble,
        percent: usize,
        length: Duration,
    },
    /// All that can be pruned is, while so many clients come back from long ago, and as many after it.
    Prune { clients: usize },
    /// So many clients come back from long ago.
    Return { clients: usize },
    /// Many changes of one page at once.
    Burst { changes: usize },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What can be drawn. A run draws each once before it draws one again, so that no short run is all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Card {
    Kill,
    Freeze,
    Roll,
    RestartPostgres,
    CutListeners,
    CutBackends,
    Reset,
    BlackHole,
    ServerForgotten,
    ClientForgotten,
    Split,
    Delay,
    Stall,
    /// A stall longer than a server puts up with.
    Hang,
    Prune,
    Return,
    Burst,
}

impl Card {
    /// What can befall one node on SQLite.
    pub(crate) const ALONE: [Card; 13] = [
        Card::Kill,
        Card::Freeze,
        Card::Roll,
        Card::Reset,
        Card::BlackHole,
        Card::ServerForgotten,
        Card::ClientForgotten,
        Card::Split,
        Card::Delay,
        Card::Stall,
        Card::Prune,
        Card::Return,
        Card::Burst,
    ];
    /// What can befall several nodes on PostgreSQL besides.
    pub(crate) const SHARED: [Card; 3] = [Card::RestartPostgres, Card::CutListeners, Card::CutBackends];

    fn draw(self, nodes: usize, random: &mut Random) -> Fault {
        let node = random.below(nodes);
        let mut links = |trouble: Trouble, from: usize, to: usize| Fault::Links {
            node,
            trouble,
            percent: 30 + random.below(71),
            length: random.millis(from, to),
        };
        match self {
            Card::Reset => links(Trouble::Reset, 1, 2),
            // Longer than a client's patience with silence, or shorter: both must do.
            Card::BlackHole => links(Trouble::BlackHole, 1000, 5000),
            Card::ServerForgotten => links(Trouble::ServerForgotten, 1000, 4000),
            Card::ClientForgotten => links(Trouble::ClientForgotten, 1000, 4000),
            Card::Split => links(Trouble::Split, 1000, 2500),
            Card::Delay => links(Trouble::Delay, 1000, 3000),
            Card::Stall => links(Trouble::Stall, 2000, 5000),
            Card::Hang => links(Trouble::Stall, 14_000, 15_000),
            Card::Kill => Fault::Kill {
                node,
                away: random.millis(10, 1500),
            },
            Card::Freeze => Fault::Freeze {
                node,
                length: random.millis(500, 4500),
            },
            Card::Roll => Fault::Roll,
            Card::RestartPostgres => Fault::RestartPostgres,
            Card::CutListeners => Fault::CutListeners,
            Card::CutBackends => Fault::CutBackends,
            Card::Prune => Fault::Prune {
                clients: 1 + random.below(3),
            },
            Card::Return => Fault::Return {
                clients: 2 + random.below(4),
            },
            Card::Burst => Fault::Burst {
                changes: 20 + random.below(40),
            },
        }
    }
}

/// How hard a run is, and in which way.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// What may go wrong; a card that is there twice goes wrong twice as often.
    pub(crate) deck: Vec<Card>,
    /// How many faults one round has.
    pub(crate) faults: usize,
    /// In how long a time they begin. After them all is mended, and everybody must catch up.
    pub(crate) round: Duration,
    /// Changes a second, as long as nothing is wrong.
    pub(crate) rate: usize,
}

/// A fault of a round, and when in the round it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timed {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
}

/// The schedule of a run, round after round.
pub(crate) struct Schedule {
    random: Random,
    shape: Shape,
    nodes: usize,
    undrawn: Vec<Card>,
}

impl Schedule {
    pub(crate) fn new(seed: u64, shape: &Shape, nodes: usize) -> Schedule {
        Schedule {
            random: Random::of(seed, "schedule"),
            shape: shape.clone(),
            nodes,
            undrawn: Vec::new(),
        }
    }

    /// The faults of the next round, in the order in which they begin.
    pub(crate) fn round(&mut self) -> Vec<Timed> {
        let millis = usize::try_from(self.shape.round.as_millis()).expect("a round is short");
        let mut round: Vec<Timed> = (0..self.shape.faults)
            .map(|_| {
                if self.undrawn.is_empty() {
                    self.undrawn.clone_from(&self.shape.deck);
                }
                let card = self.undrawn.swap_remove(self.random.below(self.undrawn.len()));
                Timed {
                    at: self.random.millis(0, millis),
                    fault: card.draw(self.nodes, &mut self.random),
                }
            })
            .collect();
        round.sort_by_key(|timed| timed.at);
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            deck: [&Card::ALONE[..], &Card::SHARED[..]].concat(),
            faults: 6,
            round: Duration::from_secs(6),
            rate: 10,
        }
    }

    fn rounds(seed: u64, count: usize) -> Vec<Timed> {
        let mut schedule = Schedule::new(seed, &shape(), 3);
        (0..count).flat_map(|_| schedule.round()).collect()
    }

    #[test]
    fn a_schedule_follows_from_its_seed() {
        assert_eq!(rounds(1, 5), rounds(1, 5));
        assert_ne!(rounds(1, 5), rounds(2, 5));
    }

    #[test]
    fn every_kind_of_fault_comes_before_any_comes_again() {
        let deck = shape().deck.len();

        let first: Vec<_> = rounds(3, deck.div_ceil(6))
            .into_iter()
            .map(|timed| timed.fault)
            .collect();

        assert!(first.iter().any(|fault| matches!(fault, Fault::Kill { .. })));
        assert!(first.iter().any(|fault| matches!(fault, Fault::RestartPostgres)));
        let stalls = |fault: &&Fault| {
            matches!(
                fault,
                Fault::Links {
                    trouble: Trouble::Stall,
                    ..
                }
            )
        };
        assert!(first.iter().any(|fault| stalls(&fault)));
    }
}
