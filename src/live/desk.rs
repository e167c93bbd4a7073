//! Where those who need the log ask for it: one read at a time and page, at most every 100 ms, and each serves all whom
//! it can. So ten thousand clients that come back at once cost the database as much as one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::shelf::{Found, Read, at_once};
use super::watched::Watched;
use crate::domain::audience::Audience;
use crate::domain::cursor::StreamId;
use crate::error::{Error, Result};
use crate::seeded::{self, Bug, seeded};
use crate::store::log::{self, Extent, Reach};
use crate::store::{self, Store};

/// From the beginning of one read of a page to that of the next. A reader that is alone never meets it, and a storm of
/// readers costs ten reads a second.
const APART: Duration = Duration::from_millis(100);

/// One question, and where its answer goes; who asked is gone when that is closed.
#[derive(Debug)]
pub(super) enum Ask {
    /// That the ring begins.
    Begin(oneshot::Sender<Result<()>>),
    /// What follows a position.
    Next {
        audience: Audience,
        position: u64,
        answer: oneshot::Sender<Result<Found>>,
    },
    /// How far a stream goes, to be told by a read that begins after the question, or that shows this number.
    Reach {
        audience: Audience,
        number: u64,
        /// How many reads had begun.
        after: u64,
        answer: oneshot::Sender<Result<Reach>>,
    },
}

impl Ask {
    fn is_closed(&self) -> bool {
        match self {
            Ask::Begin(answer) => answer.is_closed(),
            Ask::Next { answer, .. } => answer.is_closed(),
            Ask::Reach { answer, .. } => answer.is_closed(),
        }
    }

    fn fail(self, error: Error) {
        // Who is gone needs no answer; here and below.
        match self {
            Ask::Begin(answer) => drop(answer.send(Err(error))),
            Ask::Next { answer, .. } => drop(answer.send(Err(error))),
            Ask::Reach { answer, .. } => drop(answer.send(Err(error))),
        }
    }
}

/// The questions that wait, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Desk {
    asks: VecDeque<Ask>,
    /// A reader runs, and will look at what is added.
    is_open: bool,
    /// How many reads have begun, and when the last one did.
    reads: u64,
    began: Option<Instant>,
}

impl Desk {
    pub(super) const fn reads(&self) -> u64 {
        self.reads
    }

    /// When the next read may begin, if anybody still wants one; otherwise the desk closes.
    fn due(&mut self) -> Option<Instant> {
        self.asks.retain(|ask| !ask.is_closed());
        self.is_open = !self.asks.is_empty();
        self.is_open
            .then(|| self.began.map_or_else(Instant::now, |began| began + APART))
    }

    /// Counts a read that begins now, unless nobody wants it any more and the desk closes.
    fn next_read(&mut self) -> Option<u64> {
        self.due()?;
        self.reads += 1;
        self.began = Some(Instant::now());
        Some(self.reads)
    }

    /// Where to read from for whom neither the floor nor the head is an answer: the oldest of them is served for certain,
    /// and the read, which brings `limit` entries at most, begins as much earlier as serves more of the others.
    fn place(&self, extent: &Extent, limit: u64) -> Option<(Audience, u64)> {
        let mut wished = self.asks.iter().filter_map(|ask| match ask {
            Ask::Next { audience, position, .. } => {
                let span = extent.of(*audience);
                (span.floor..span.head)
                    .contains(position)
                    .then_some((*audience, *position))
            }
            Ask::Begin(_) | Ask::Reach { .. } => None,
        });
        let (audience, oldest) = wished.next()?;
        let near =
            wished.filter(|(other, position)| *other == audience && *position < oldest && oldest - *position < limit);
        let earliest = near.map(|(_, position)| position).min();
        Some((audience, earliest.unwrap_or(oldest)))
    }
}

impl Watched {
    /// Asks, and sees to it that somebody reads. The reader is a task of its own: who asks may be gone before the
    /// answer comes, or be held up by a slow socket, and nobody else may wait for that.
    pub(super) fn ask(self: &Arc<Self>, store: &Arc<Store>, ask: Ask) {
        let mut desk = self.desk();
        desk.asks.push_back(ask);
        if !std::mem::replace(&mut desk.is_open, true) {
            let reader = Reader {
                watched: Arc::clone(self),
                store: Arc::clone(store),
            };
            // In the span of who asked first: it is for them that the database is asked.
            tokio::spawn(tracing::Instrument::in_current_span(reader.run()));
        }
    }
}

/// One who reads for as long as there are questions.
struct Reader {
    watched: Arc<Watched>,
    store: Arc<Store>,
}

/// Should a reader break off, its questions do so too, and the next question opens the desk again.
impl Drop for Reader {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut desk = self.watched.desk();
            desk.asks.clear();
            desk.is_open = false;
        }
    }
}

impl Reader {
    async fn run(self) {
        loop {
            let due = self.watched.desk().due();
            let Some(due) = due else {
                return;
            };
            tokio::time::sleep_until(due.into()).await;
            // Nobody may be left to read for.
            let Some(read) = self.watched.desk().next_read() else {
                return;
            };
            if let Err(error) = store::in_time(self.read(read)).await {
                self.fail(&error);
            }
        }
    }

    /// Reads once, and answers all whom that can answer.
    async fn read(&self, number: u64) -> Result<()> {
        let watched = &self.watched;
        let snapshot = self.store.read().await?;
        let extent = watched.extent(&snapshot).await?;
        if !watched.has_begun() {
            if seeded(Bug::ReadBeforeWatch) {
                seeded::late(watched.fill(&snapshot, &extent)).await?;
            } else {
                watched.fill(&snapshot, &extent).await?;
                // What was committed meanwhile rang for a ring that had not begun.
                self.store.ring(watched.page);
            }
        }
        let limit = at_once(watched.size());
        let place = watched.desk().place(&extent, limit);
        let mut missing = None;
        if let Some((audience, after)) = place {
            let page = watched.page;
            let entries = log::after(snapshot.db(), StreamId { page, audience }, after, limit).await?;
            let read = Read {
                extent,
                audience,
                after,
                limit,
                entries: entries.into_iter().map(Arc::new).collect(),
            };
            missing = watched.shelf().keep(read, Instant::now()).map(|at| (audience, at));
        }
        drop(snapshot);
        self.answer(number, &extent, missing);
        Ok(())
    }

    /// Answers all whom a read can answer, of a log that goes so far and that lacks what comes after `missing`.
    fn answer(&self, read: u64, extent: &Extent, missing: Option<(Audience, u64)>) {
        let watched = &self.watched;
        let mut waiting = VecDeque::new();
        let mut desk = watched.desk();
        for ask in desk.asks.drain(..) {
            match ask {
                Ask::Begin(answer) => drop(answer.send(Ok(()))),
                Ask::Next {
                    audience,
                    position,
                    answer,
                } => {
                    let head = extent.of(audience).head;
                    let known = watched.shelf().look(audience, position, Instant::now());
                    let found = match known {
                        Some(found) => found,
                        None if position >= head => Found::Nothing,
                        None if missing == Some((audience, position)) => Found::Lost { head },
                        None => {
                            waiting.push_back(Ask::Next {
                                audience,
                                position,
                                answer,
                            });
                            continue;
                        }
                    };
                    drop(answer.send(Ok(found)));
                }
                Ask::Reach {
                    audience,
                    number,
                    after,
                    answer,
                } => {
                    if after < read || number <= extent.of(audience).head {
                        drop(answer.send(Ok(extent.reach(audience))));
                    } else {
                        waiting.push_back(Ask::Reach {
                            audience,
                            number,
                            after,
                            answer,
                        });
                    }
                }
            }
        }
        desk.asks = waiting;
    }

    /// Nobody who waits is let wait for the next try: where the database is away each takes seconds, and who asks again
    /// does so after a while.
    fn fail(&self, error: &Error) {
        let asks = std::mem::take(&mut self.watched.desk().asks);
        for ask in asks {
            ask.fail(error.again());
        }
    }
}
