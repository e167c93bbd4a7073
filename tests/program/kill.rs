//! `kill -9`, again and again, while changes are made: what was acknowledged is there, nothing is there by half, and the
//! program serves again at once.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::Database;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::held::{held, said};
use crate::serving::{TURN, start};

/// How often it is killed, unless `ALLCLEAR_TEST_KILLS` says otherwise.
const KILLS: usize = 50;

/// Within what time 99 of 100 starts after a kill must have led to serving.
const SERVING: Duration = Duration::from_millis(500);

/// How many write side by side, each with one change under way.
const WRITERS: usize = 4;

/// From how many changes of a round on it may be killed at the latest.
const CHANGES: u64 = 8;

/// By how many microseconds the moment of the kill is moved at most, to fall anywhere in what is under way.
const MOVED: u64 = 4_000;

/// After how many kills the whole file is looked through as well.
const THOROUGH: usize = 10;

/// All that is written to while it is killed.
struct World {
    folder: TempDir,
    db: String,
    page: String,
    component: String,
    /// The texts that were acknowledged.
    acknowledged: HashSet<String>,
    starts: Vec<Duration>,
}

impl World {
    async fn begin() -> World {
        let folder = TempDir::with_prefix("allclear-kill-").expect("a folder");
        let (mut child, client, _) = start(folder.path()).await;
        let page = client
            .make(
                "pageCreate",
                json!({ "slug": "shop", "name": "Shop", "idempotencyKey": "page" }),
                "page",
            )
            .await;
        let input = json!({ "page": page, "name": "Checkout", "idempotencyKey": "component" });
        let component = client.make("componentCreate", input, "component").await;
        child.kill().await.expect("it can be killed");
        World {
            db: format!("sqlite://{}", folder.path().join("allclear.db").display()),
            folder,
            page,
            component,
            acknowledged: HashSet::new(),
            starts: Vec::new(),
        }
    }

    /// Starts it, looks at what is there, writes, and kills it.
    async fn round(&mut self, round: usize) {
        let (mut child, client, took) = start(self.folder.path()).await;
        self.starts.push(took);
        self.check(round).await;
        let opened = format!("{round}-opened");
        let input = json!({
            "page": self.page, "title": "Checkout fails", "body": opened, "idempotencyKey": opened,
        });
        let incident = client.make("incidentOpen", input, "incident").await;
        self.acknowledged.insert(opened);

        let (acknowledged, count) = (Mutex::new(Vec::new()), Semaphore::new(0));
        let chance = u64::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().last_chunk().expect("16 bytes"));
        let killing = async {
            let changes = u32::try_from(chance % CHANGES + 1).expect("few");
            count.acquire_many(changes).await.expect("it is never closed").forget();
            // allow-sleep: nothing is waited for; the kill is to fall anywhere.
            tokio::time::sleep(Duration::from_micros((chance >> 8) % MOVED)).await;
            child.kill().await.expect("it can be killed");
        };
        let writing = (0..WRITERS).map(|writer| {
            let (client, component, incident) = (&client, &self.component, &incident);
            let (acknowledged, count) = (&acknowledged, &count);
            async move {
                for turn in 0.. {
                    let body = format!("{round}-{writer}-{turn}");
                    let status = ["MAJOR_OUTAGE", "DEGRADED_PERFORMANCE", "OPERATIONAL"][turn % 3];
                    let components = json!([{ "component": component, "status": status }]);
                    let input = json!({
                        "incident": incident, "body": body, "components": components, "idempotencyKey": body,
                    });
                    let said = client.mutate("incidentUpdatePost", input, "update { id }").await;
                    if said.is_none() {
                        return;
                    }
                    acknowledged.lock().expect("no writer panics").push(body);
                    count.add_permits(1);
                }
            }
        });
        tokio::join!(killing, join_all(writing));
        self.acknowledged
            .extend(acknowledged.into_inner().expect("no writer panics"));
    }

    /// What was acknowledged up to a round is there, and everything is there as a whole.
    async fn check(&self, round: usize) {
        let db = Database::connect(&self.db).await.expect("the file is there");
        let found = held(&db).await.expect("an answer");
        let is_thorough = round.is_multiple_of(THOROUGH);
        let prefix = match (is_thorough, round.checked_sub(1)) {
            (false, Some(last)) => format!("{last}-"),
            _ => String::new(),
        };
        let said = said(&db, &prefix).await.expect("an answer");
        db.close().await.expect("the connection closes");

        assert!(found.is_whole(), "{found:?}");
        let distinct: HashSet<&String> = said.iter().collect();
        assert_eq!(distinct.len(), said.len(), "nothing is there twice");
        let lost: Vec<&String> = self
            .acknowledged
            .iter()
            .filter(|text| text.starts_with(&prefix) && !distinct.contains(text))
            .collect();
        assert_eq!(lost, [] as [&String; 0], "killed {round} times");
        if is_thorough {
            // SQLite's own look at every page of the file, and ours at every number of the log.
            let copy = self.folder.path().join("copy");
            let sound = allclear::store::backup(&self.db, &copy).await;
            sound.expect("a sound database");
            std::fs::remove_file(copy).expect("it was made");
        }
    }
}

fn kills() -> usize {
    let told = std::env::var("ALLCLEAR_TEST_KILLS").ok();
    told.map_or(KILLS, |told| told.parse().expect("ALLCLEAR_TEST_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "it tells its figures")]
async fn a_program_that_is_killed_again_and_again_loses_nothing_that_it_acknowledged_and_serves_again_at_once() {
    let _turn = TURN.lock().await;
    let mut world = World::begin().await;
    let kills = kills();

    for round in 0..kills {
        world.round(round).await;
    }
    let (mut child, _, took) = start(world.folder.path()).await;
    world.starts.push(took);
    world.check(kills.next_multiple_of(THOROUGH)).await;
    child.kill().await.expect("it can be killed");

    world.starts.sort();
    let starts = &world.starts;
    let slow = starts[(starts.len() * 99).div_ceil(100) - 1];
    let changes = world.acknowledged.len();
    eprintln!("{kills} kills, {changes} changes acknowledged; 99 of 100 starts led to serving within {slow:?}");
    let log = std::fs::read_to_string(world.folder.path().join("log")).expect("a log");
    let fault = log
        .lines()
        .find(|line| line.contains("panicked") || line.contains(" ERROR "));
    assert_eq!(fault, None);
    assert!(slow < SERVING, "{slow:?}");
}
