//! One run: rounds of faults, each followed by a calm in which everybody must catch up.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use allclear::domain::audience::Audience;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::database::Database;
use crate::feed::Transport;
use crate::journal::{Journal, Kind, Violation, WORLD};
use crate::node::Setting;
use crate::pause::pause;
use crate::postgres::Cluster;
use crate::random::Random;
use crate::require;
use crate::schedule::{Schedule, Shape, Timed};
use crate::subscriber::{Manner, Subscriber};
use crate::world::{CATCH_UP, World};
use crate::writer::Writer;

/// Of the subscribers of the first page, those from this one on ask for much.
const HEAVY_FROM: usize = 6;

/// How many write side by side.
const WRITERS: usize = 6;

/// Where the log is kept, and by how many nodes it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// One node.
    Sqlite,
    /// Three nodes.
    Postgres,
}

/// What a run is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) place: Place,
    pub(crate) seed: u64,
    pub(crate) length: Duration,
    pub(crate) shape: Shape,
    pub(crate) transports: &'static [Transport],
    /// Which bug the nodes are started with, if any.
    pub(crate) bug: Option<&'static str>,
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    /// The schedule as it was acted out, and what was delivered.
    pub(crate) story: String,
    pub(crate) delivered: usize,
    pub(crate) resets: usize,
    pub(crate) elapsed: Duration,
}

/// What runs.
struct Run {
    plan: Plan,
    world: Arc<World>,
    journal: Arc<Journal>,
    subscribers: Vec<Arc<Subscriber>>,
    writers: Vec<JoinHandle<()>>,
    story: String,
    delivered: usize,
    resets: usize,
}

/// Acts out a plan; `None`, and said, on a machine that lacks what it needs.
pub(crate) async fn run(plan: Plan) -> Option<Outcome> {
    let database = match plan.place {
        Place::Sqlite => None,
        Place::Postgres => match tokio::task::spawn_blocking(Cluster::start)
            .await
            .expect("it does not panic")
        {
            Ok(cluster) => Some(cluster),
            Err(why) => {
                require::lacking("postgres", &why);
                return None;
            }
        },
    };
    let seed = plan.seed;
    let outcome = act_out(plan, database).await;
    Some(outcome.unwrap_or_else(|why| panic!("the run of seed {seed:#x} broke off: {why}")))
}

async fn act_out(plan: Plan, cluster: Option<Cluster>) -> Result<Outcome, String> {
    let folder = TempDir::with_prefix("allclear-delivery-").map_err(|error| error.to_string())?;
    let (database, nodes) = match cluster {
        None => (Database::sqlite(folder.path()), 1),
        Some(cluster) => (Database::postgres(cluster).await?, 3),
    };
    let setting = Setting {
        database_url: database.url(),
        folder: folder.path().to_owned(),
        bug: plan.bug,
    };
    let journal = Arc::new(Journal::new());
    let world = World::begin(database, nodes, &setting, (plan.seed, plan.transports), &journal).await?;
    let mut run = Run {
        story: format!("seed {:#x}, {:?}, {nodes} nodes\n", plan.seed, plan.place),
        plan,
        world: Arc::new(world),
        journal: Arc::clone(&journal),
        subscribers: Vec::new(),
        writers: Vec::new(),
        delivered: 0,
        resets: 0,
    };
    let broken = tokio::select! {
        acted = run.act() => acted,
        () = journal.broken() => Ok(()),
    };
    broken?;
    let logs: Vec<PathBuf> = run.world.nodes.iter().map(|node| node.log()).collect();
    Ok(run.end(folder, &logs).await)
}

impl Run {
    async fn act(&mut self) -> Result<(), String> {
        self.subscribe();
        self.settle("everybody takes a place").await?;
        self.write();
        let mut schedule = Schedule::new(self.plan.seed, &self.plan.shape, self.world.nodes.len());
        let mut random = Random::of(self.plan.seed, "faults");
        loop {
            let round = schedule.round();
            let mut came = self.round(&round, &mut random).await;
            self.subscribers.append(&mut came);
            let is_last = self.journal.elapsed() >= self.plan.length;
            self.world.desk.is_closed.store(is_last, Ordering::Relaxed);
            self.settle("calm").await?;
            if is_last {
                return self.finish().await;
            }
            self.let_go();
        }
    }

    /// On every node over every transport, on every page, both audiences: as even as a few make it.
    fn subscribe(&mut self) {
        let pages = self.world.pages.len();
        let per_page = [12, 6, 6];
        let mut index = 0;
        for (place, page) in self.world.pages.iter().enumerate() {
            for turn in 0..per_page[place % pages] {
                let transport = self.plan.transports[turn % self.plan.transports.len()];
                let node = (turn / self.plan.transports.len() + place) % self.world.nodes.len();
                let manner = Manner {
                    page: page.clone(),
                    // Their number is odd: over each transport both.
                    audience: Audience::ALL[(turn + place) % 2],
                    transport,
                    node,
                    // Of the busiest page alone: elsewhere it takes too long until a kernel is full.
                    is_heavy: place == 0 && turn >= HEAVY_FROM,
                };
                let name = format!("subscriber {index} of {} over {transport:?}", page.slug);
                let subscriber = Subscriber::listen(&self.world.stage, name, manner, None);
                self.subscribers.push(subscriber);
                index += 1;
            }
        }
    }

    fn write(&mut self) {
        let interval = Duration::from_secs(1) * u32::try_from(WRITERS).expect("few") / self.plan.shape.rate as u32;
        for index in 0..WRITERS {
            let writer = Writer::new(&self.world.desk, format!("writer {index}"));
            self.writers
                .push(tokio::spawn(writer.run(self.world.pages.clone(), interval)));
        }
    }

    /// Lets a round of faults happen, until each is mended.
    async fn round(&mut self, round: &[Timed], random: &mut Random) -> Vec<Arc<Subscriber>> {
        let began = self.journal.elapsed();
        let mut faults = JoinSet::new();
        for timed in round.iter().copied() {
            let at = (began + timed.at).as_secs_f64();
            writeln!(self.story, "  {at:7.2} s  {}", timed.fault).expect("a text grows");
            let world = Arc::clone(&self.world);
            let random = Random::new(random.next());
            faults.spawn(async move {
                pause(timed.at).await;
                world.suffer(timed.fault, random).await
            });
        }
        let mut come = Vec::new();
        while let Some(brought) = faults.join_next().await {
            come.extend(brought.expect("a fault does not panic"));
        }
        come
    }

    /// All is mended: within the promise's time every writer has its answers and every subscriber has everything.
    async fn settle(&mut self, what: &str) -> Result<(), String> {
        self.journal.tell(WORLD, format!("{what} begins"));
        let began = Instant::now();
        let deadline = began + CATCH_UP;
        let desk = Arc::clone(&self.world.desk);
        let Ok(_still) = timeout_at(deadline, desk.gate.write()).await else {
            let what = format!("a change has no answer {CATCH_UP:?} after the last fault");
            self.journal.violate(Kind::Late, "writers", what);
            return Ok(());
        };
        self.world.record.read(&self.world.database).await?;
        for subscriber in &self.subscribers {
            let head = self.world.record.head(subscriber.stream());
            if timeout_at(deadline, subscriber.reaches(head)).await.is_err() {
                let stands = subscriber.position();
                let what = format!("{CATCH_UP:?} after the last fault it has {stands:?} of {head}");
                self.journal.violate(Kind::Late, &subscriber.name, what);
                return Ok(());
            }
        }
        let took = began.elapsed();
        self.world.record.check(&self.journal);
        self.world.desk.acknowledged.check(&self.world.record, &self.journal);
        for subscriber in &self.subscribers {
            subscriber.check(&self.world.record);
        }
        let line = format!("{what}: all is known and checked after {} ms", took.as_millis());
        self.journal.tell(WORLD, &line);
        let at = self.journal.elapsed().as_secs_f64();
        writeln!(self.story, "  {at:7.2} s  {line}").expect("a text grows");
        Ok(())
    }

    /// Those who came back have seen enough: they leave once they have caught up.
    fn let_go(&mut self) {
        let (staying, leaving): (Vec<_>, Vec<_>) = self
            .subscribers
            .drain(..)
            .partition(|subscriber| !subscriber.name.starts_with("returner"));
        self.subscribers = staying;
        for subscriber in leaving {
            self.count(&subscriber);
            subscriber.leave();
        }
    }

    fn count(&mut self, subscriber: &Subscriber) {
        let (events, resets) = subscriber.counts();
        self.delivered += events;
        self.resets += resets;
    }

    /// The promise as a whole.
    async fn finish(&mut self) -> Result<(), String> {
        for subscriber in &self.subscribers {
            let acknowledged = self.world.desk.acknowledged.of(subscriber.manner.page.id);
            subscriber.check_all(&acknowledged, &self.world.record);
        }
        self.world.check_polling().await?;
        for node in &self.world.nodes {
            if let Err(why) = node.stop().await {
                self.journal.violate(Kind::NodeFailed, WORLD, why);
            }
        }
        for node in &self.world.nodes {
            let log = tokio::fs::read_to_string(node.log()).await.unwrap_or_default();
            if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
                let what = format!("{}: {line}", node.name);
                self.journal.violate(Kind::NodeFailed, WORLD, what);
            }
        }
        Ok(())
    }

    async fn end(mut self, folder: TempDir, logs: &[PathBuf]) -> Outcome {
        for writer in self.writers.drain(..) {
            writer.abort();
        }
        for subscriber in std::mem::take(&mut self.subscribers) {
            self.count(&subscriber);
            subscriber.leave();
        }
        let violation = self.journal.violation();
        if violation.is_some() {
            for log in logs {
                let text = tokio::fs::read_to_string(log).await.unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(30)..].join("\n    ");
                writeln!(self.story, "  the end of {}:\n    {last}", log.display()).expect("a text grows");
            }
        }
        self.story.push_str(&self.journal.counts());
        drop(folder);
        Outcome {
            violation,
            delivered: self.delivered,
            resets: self.resets,
            elapsed: self.journal.elapsed(),
            story: self.story,
        }
    }
}
