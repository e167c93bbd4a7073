//! The power is cut while changes are made: what was acknowledged is there, nothing is there by half, and the program
//! goes on.
//!
//! The program runs with a recorder in front of the C library (`crash/recorder.c`), which writes down what it does to its
//! files. That is replayed onto the model of a disk (`crash/disk.rs`) and cut off at many points: what the disk may hold by
//! then is laid out as files, and opened by the program's own code.
//!
//! `ALLCLEAR_TEST_CUTS=10000 cargo test --test program crash -- --nocapture` cuts more often, with `ALLCLEAR_SEED=2` elsewhere.
//! A failure keeps its recording, which differs from run to run, and says how to have it again: `ALLCLEAR_TEST_RECORDING`.

mod disk;
mod recording;
mod trace;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use allclear::error::Error;
use allclear::store::{Options, Store};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::held::{held, said};
use crate::random::Random;
use crate::serving::{TURN, start};
use disk::{Disk, Files};
use recording::Recording;
use trace::{Effect, Record, Trace};

/// How often the power is cut, unless `ALLCLEAR_TEST_CUTS` says otherwise.
const CUTS: usize = 400;

/// How often it is, to see that a disk that lies about being told to wait is noticed.
const LYING_CUTS: usize = 40;

/// After how many cuts the program itself goes on with what is there, and takes a change.
const GOES_ON: usize = 50;

/// How many states are looked at side by side.
const SIDE_BY_SIDE: usize = 4;

/// Where SQLite writes changes first, and what it folds them into later.
const WAL: &str = "allclear.db-wal";
const DATABASE: &str = "allclear.db";

fn number(variable: &str, otherwise: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.map_or(otherwise, |told| {
        told.parse().unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

/// What came of a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Sound,
    /// What was acknowledged is not there; what is there is whole.
    Lost(Vec<String>),
    Broken(String),
}

/// After how many records the power is cut: by turns just before and just after something was waited for, while the
/// database itself is written to, when somebody has just been told, and anywhere.
fn points(trace: &Trace, acknowledged: &[(u64, String)], count: usize, random: &mut Random) -> Vec<usize> {
    let records = &trace.records;
    let after = |which: &dyn Fn(&Record) -> bool| -> Vec<usize> {
        let numbered = records.iter().enumerate().filter(|(_, record)| which(record));
        numbered.map(|(number, _)| number + 1).collect()
    };
    let waited = after(&|record| matches!(record.effect, Effect::Sync | Effect::SyncFolder));
    let kinds = [
        waited.iter().map(|point| point - 1).collect(),
        waited,
        after(&|record| record.name == DATABASE),
        acknowledged
            .iter()
            .map(|(length, _)| records.partition_point(|record| record.end < *length) + 1)
            .collect(),
        (0..=records.len()).collect::<Vec<usize>>(),
    ];
    let mut points: Vec<usize> = (0..count)
        .map(|cut| *random.pick(&kinds[cut % kinds.len()]))
        .map(|point| point.min(records.len()))
        .collect();
    points.sort_unstable();
    points
}

/// A state that a cut left, and what must be there.
struct State {
    files: Files,
    acknowledged: HashSet<String>,
    goes_on: bool,
    /// How to tell it from others.
    told: String,
}

impl State {
    /// Lays it out in a folder, and looks at what the program makes of it.
    async fn look(self) -> (String, Found, TempDir) {
        let folder = TempDir::with_prefix("allclear-cut-").expect("a folder");
        for (name, bytes) in &self.files {
            std::fs::write(folder.path().join(name), bytes).expect("the folder takes it");
        }
        let mut found = self.opened(folder.path()).await;
        if self.goes_on && found == Found::Sound {
            let (mut child, client, _) = start(folder.path()).await;
            let input = serde_json::json!({ "slug": "next", "name": "Next", "idempotencyKey": "next" });
            client.make("pageCreate", input, "page").await;
            child.kill().await.expect("it can be killed");
            found = self.opened(folder.path()).await;
        }
        (self.told, found, folder)
    }

    async fn opened(&self, folder: &Path) -> Found {
        let options = Options {
            url: format!("sqlite://{}?mode=rwc", folder.join(DATABASE).display()),
            connections: 1,
            listen_url: None,
        };
        let store = match Store::open(&options).await {
            Ok(store) => store,
            Err(error) => return Found::Broken(format!("it does not open: {error:?}")),
        };
        let found = self.read(&store).await;
        store.close().await;
        found.unwrap_or_else(|error| Found::Broken(format!("it cannot be read: {error:?}")))
    }

    async fn read(&self, store: &Store) -> Result<Found, Error> {
        let verified = store.verify_audit().await?;
        if !verified.faults.is_empty() || verified.outside > 0 {
            return Ok(Found::Broken(format!(
                "the audit is not as it was written: {verified:?}"
            )));
        }
        let snapshot = store.read().await?;
        let db = snapshot.db();
        let ask = |question: &str| db.query_all_raw(Statement::from_string(DbBackend::Sqlite, question));
        let integrity = ask("PRAGMA integrity_check").await?;
        let integrity: Result<Vec<String>, _> = integrity.iter().map(|row| row.try_get_by_index(0)).collect();
        let integrity = integrity?;
        if integrity != ["ok"] {
            return Ok(Found::Broken(format!("its file is damaged: {integrity:?}")));
        }
        if !ask("PRAGMA foreign_key_check").await?.is_empty() {
            return Ok(Found::Broken("a row refers to nothing".to_owned()));
        }
        let held = held(db).await?;
        if !held.is_whole() {
            return Ok(Found::Broken(format!("a change is there by half: {held:?}")));
        }
        let said = said(db, "").await?;
        let distinct: HashSet<&String> = said.iter().collect();
        if distinct.len() < said.len() {
            return Ok(Found::Broken(format!("something is there twice: {said:?}")));
        }
        let is_lost = |text: &&String| !distinct.contains(text);
        let lost: Vec<String> = self.acknowledged.iter().filter(is_lost).cloned().collect();
        Ok(match lost.is_empty() {
            true => Found::Sound,
            false => Found::Lost(lost),
        })
    }
}

/// What came of all cuts that was not sound.
#[derive(Default)]
struct Tally {
    cuts: usize,
    lost: Vec<String>,
    broken: Vec<String>,
    /// A state of those, as it was after it was looked at.
    example: Option<TempDir>,
}

impl Tally {
    fn take(&mut self, (told, found, folder): (String, Found, TempDir)) {
        self.cuts += 1;
        match found {
            Found::Sound => return,
            Found::Lost(lost) => self.lost.push(format!("{told}: {lost:?} lost")),
            Found::Broken(why) => self.broken.push(format!("{told}: {why}")),
        }
        self.example.get_or_insert(folder);
    }
}

/// Cuts the power at so many points of a recording. A disk that lies does not do what it is told to wait for.
async fn replay(recording: &Recording, cuts: usize, lies: bool) -> Tally {
    let trace = Trace::read(&recording.trace());
    let seed = number("ALLCLEAR_SEED", 1) as u64;
    let points = points(&trace, &recording.acknowledged, cuts, &mut Random::of(seed, "points"));
    let (mut disk, mut done) = (Disk::default(), 0);
    let (mut tally, mut looking) = (Tally::default(), JoinSet::new());
    for (cut, point) in points.into_iter().enumerate() {
        for record in &trace.records[done..point] {
            if !(lies && record.name == WAL && record.effect == Effect::Sync) {
                disk.take(record, &trace);
            }
        }
        done = point;
        let length = point.checked_sub(1).map_or(0, |last| trace.records[last].end);
        let known = recording.acknowledged.iter().filter(|(at, _)| *at <= length);
        let (files, how) = disk.cut(&trace, &mut Random::of(seed, &format!("cut {cut}")));
        let state = State {
            files,
            acknowledged: known.map(|(_, text)| text.clone()).collect(),
            goes_on: cut % GOES_ON == 0,
            told: format!("cut {cut} of {cuts} by seed {seed}, after record {point}, {how:?} left"),
        };
        if looking.len() == SIDE_BY_SIDE {
            let looked = looking.join_next().await.expect("some are looked at");
            tally.take(looked.expect("no panic"));
        }
        looking.spawn(state.look());
    }
    while let Some(looked) = looking.join_next().await {
        tally.take(looked.expect("no panic"));
    }
    tally
}

/// What was recorded is what happened, up to the end of a run of the program: nothing was done past the recorder.
fn holds_all(trace: &Path, files: &Files) {
    let trace = Trace::read(trace);
    let mut disk = Disk::default();
    for record in &trace.records {
        disk.take(record, &trace);
    }
    let recorded = disk.files(&trace);
    assert!(
        recorded.keys().eq(files.keys()),
        "{:?} {:?}",
        recorded.keys(),
        files.keys()
    );
    for (name, bytes) in files {
        assert!(recorded[name] == *bytes, "{name} was changed past the recorder");
    }
}

/// The recording holds what a cut must be tried in: SQLite folded while changes were made, and began its file anew.
fn holds_checkpoints(recording: &Recording) -> String {
    let trace = Trace::read(&recording.trace());
    let count = |which: &dyn Fn(&Record) -> bool| trace.records.iter().filter(|record| which(record)).count();
    let is_head = |record: &Record| record.name == WAL && matches!(&record.effect, Effect::Write(0, _));
    let made = count(&|record| record.name == WAL && record.effect == Effect::Create);
    let begun = count(&is_head);
    let folded = count(&|record| record.name == DATABASE && record.effect == Effect::Sync);
    let syncs = count(&|record| record.effect == Effect::Sync);
    assert!(
        begun > made,
        "its file beside the database was begun anew {begun} times"
    );
    let (records, mebibytes) = (trace.records.len(), trace.bytes.len() >> 20);
    format!(
        "{records} records of {mebibytes} MiB, {syncs} syncs, {begun} begun, {folded} times synced into the database"
    )
}

async fn recording(bug: Option<&str>) -> Recording {
    match std::env::var("ALLCLEAR_TEST_RECORDING") {
        Ok(kept) => Recording::kept(kept.into()),
        Err(_) => Recording::make(bug, |trace, files| holds_all(trace, &files)).await,
    }
}

fn story(faults: &[String], recording: Recording, example: Option<TempDir>) -> String {
    let mut story = faults.iter().take(5).fold(String::new(), |mut story, fault| {
        let _ = writeln!(story, "{fault}");
        story
    });
    let _ = writeln!(
        story,
        "{} in all; ALLCLEAR_TEST_RECORDING={} repeats it",
        faults.len(),
        recording.keep().display()
    );
    if let Some(example) = example {
        let _ = writeln!(story, "the first is in {}", example.keep().display());
    }
    story
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "it tells its figures")]
async fn a_power_cut_loses_nothing_that_was_acknowledged_and_leaves_nothing_by_half() {
    let _turn = TURN.lock().await;
    let recording = recording(None).await;
    let held = holds_checkpoints(&recording);

    let honest = replay(&recording, number("ALLCLEAR_TEST_CUTS", CUTS), false).await;
    let lying = replay(&recording, LYING_CUTS, true).await;

    let acknowledged = recording.acknowledged.len();
    eprintln!("{} cuts, {acknowledged} changes acknowledged; {held}", honest.cuts);
    eprintln!(
        "a disk that does not wait lost some at {} of {}, and broke {}",
        lying.lost.len(),
        lying.cuts,
        lying.broken.len()
    );
    assert!(!lying.lost.is_empty(), "a loss would not be seen");
    let faults = [honest.broken, honest.lost].concat();
    assert!(faults.is_empty(), "{}", story(&faults, recording, honest.example));
}

/// The same with `synchronous=NORMAL`, where a commit does not wait for the disk: `cargo test --features seeded-bugs`.
#[cfg(feature = "seeded-bugs")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "it tells its figures")]
async fn commits_that_do_not_wait_for_the_disk_are_seen_to_be_lost() {
    let _turn = TURN.lock().await;
    let recording = recording(Some(allclear::seeded::Bug::CommitNotOnDisk.as_str())).await;
    let held = holds_checkpoints(&recording);

    let found = replay(&recording, number("ALLCLEAR_TEST_CUTS", CUTS), false).await;

    eprintln!(
        "some of what was acknowledged was lost at {} of {} cuts; {held}",
        found.lost.len(),
        found.cuts
    );
    assert!(!found.lost.is_empty(), "a loss was not seen");
    // SQLite promises that much.
    assert!(
        found.broken.is_empty(),
        "{}",
        story(&found.broken, recording, found.example)
    );
}
