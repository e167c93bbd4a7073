//! Pages that are held in memory are answered as the database would answer, at every moment.

use std::sync::Arc;

use allclear::access::{Access, Caller};
use allclear::app::{App, Settings};
use allclear::budget::Budget;
use allclear::domain::role::Sight;
use allclear::graphql::{self, Limits, Schema};
use async_graphql::Request;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, noon};
use crate::support::for_each_database;

/// Everything that a page shows.
const EVERYTHING: &str = "{ page(slug: \"shop\") {
    id slug name description visibility version updatedAt cursor status { indicator description }
    componentGroups { id name position status components { id } uptimePercentage(days: 3) version }
    components { id name description position status version group { id } uptime(days: 3) { percentage days { date
        percentage partialOutageSeconds majorOutageSeconds observedSeconds } }
        statusChanges(first: 100) { totalCount nodes { from to at } pageInfo { endCursor } }
        last: statusChanges(last: 2) { nodes { from to at } pageInfo { hasPreviousPage } } }
    activeIncidents { id } activeMaintenances { id } upcomingMaintenances { id }
    incidents(first: 100) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { ...whole } }
    two: incidents(first: 2) { pageInfo { hasNextPage endCursor } nodes { id } }
    oldest: incidents(last: 2) { pageInfo { hasPreviousPage } nodes { id } }
    bad: incidents(first: 100, filter: { minimumImpact: MAJOR }) { totalCount nodes { id } }
    open: incidents(first: 1, filter: { statuses: [INVESTIGATING, IDENTIFIED, MONITORING] }) { totalCount nodes { id } }
    maintenances(first: 100) { totalCount nodes { id title status version components { id } updates(first: 100) {
        nodes { id number body status } } } }
} }
fragment whole on Incident { id title status impact impactOverride startedAt monitoringAt resolvedAt duration summary
    affectedComponents { status worstStatus component { id } intervals { status from until } }
    updates(first: 100) { totalCount nodes { id number status body displayAt editedAt revisions { body }
        componentChanges { component { id } from to } } }
    postmortem { body draft publishedAt updatedAt } externalRef audience backfilled version updatedAt }";

/// A server in this process without a port, over the database of a test.
struct Reader {
    schema: Schema,
}

impl Reader {
    fn over(app: &Arc<App>) -> Reader {
        let limits = Limits::default();
        Reader {
            schema: graphql::schema(Arc::clone(app), limits, true),
        }
    }

    /// What a query shows, and whether it was made of pages in memory alone.
    async fn ask(&self, document: &str, sight: Sight) -> (Value, bool) {
        let caller = Caller::reader(sight, "memory".to_owned());
        let executed = graphql::execute(
            &self.schema,
            graphql::admit(Request::new(document), caller),
            &Budget::default(),
        )
        .await;
        assert!(executed.response.errors.is_empty(), "{:?}", executed.response.errors);
        let data = executed.response.data.into_json().expect("it is JSON");
        (data, executed.basis.is_some())
    }
}

/// A server that holds nothing in memory, on the same database.
fn without_memory(test: &Test) -> Reader {
    let settings = Settings {
        page_memory: 0,
        ..Settings::default()
    };
    let clock = test.app.clock.clone();
    Reader::over(&App::new(
        Arc::clone(&test.app.store),
        Access::closed(),
        clock,
        settings,
    ))
}

/// Asks for a page until it is held in memory.
async fn until_held(test: &Test, reader: &Reader) {
    loop {
        let (_, is_from_memory) = reader.ask("{ page(slug: \"shop\") { name } }", Sight::ALL).await;
        if is_from_memory {
            return;
        }
        // Each request passes through the server, so that it has a chance to load the page.
        test.data("{ page(slug: \"shop\") { name } }", json!({})).await;
    }
}

/// Picks pseudo-random numbers: the same ones in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).expect("it is small")
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        match of.len() {
            0 => None,
            sides => of.get(self.roll(sides)),
        }
    }
}

#[derive(Default)]
struct World {
    page: String,
    groups: Vec<String>,
    components: Vec<String>,
    incidents: Vec<String>,
    updates: Vec<String>,
    maintenances: Vec<String>,
}

const STATUSES: [&str; 4] = ["OPERATIONAL", "DEGRADED_PERFORMANCE", "PARTIAL_OUTAGE", "MAJOR_OUTAGE"];
const OPEN: [&str; 3] = ["INVESTIGATING", "IDENTIFIED", "MONITORING"];

impl World {
    /// The name of a mutation, its input, and what to ask of its payload; many of them are refused.
    fn next(&self, dice: &mut Dice, turn: usize) -> (&'static str, Value, &'static str) {
        let ago = |minutes: usize| noon().plus_millis(-60_000 * i64::try_from(minutes).expect("it is small"));
        let component = dice.pick(&self.components).cloned().unwrap_or_default();
        let affected = match dice.roll(3) {
            0 => json!([]),
            _ => json!([{ "component": component, "status": STATUSES[dice.roll(4)] }]),
        };
        let incident = dice.pick(&self.incidents).cloned().unwrap_or_default();
        let update = dice.pick(&self.updates).cloned().unwrap_or_default();
        let maintenance = dice.pick(&self.maintenances).cloned().unwrap_or_default();
        let group = dice.pick(&self.groups).cloned().unwrap_or_default();
        let text = format!("text {turn}");
        match dice.roll(24) {
            0..=2 => {
                let input = json!({ "page": self.page, "title": text, "body": text, "components": affected,
                    "status": OPEN[dice.roll(3)], "startedAt": ago(dice.roll(5_000)).to_string() });
                ("incidentOpen", input, "incident { id } update { id }")
            }
            3 => {
                let input = json!({ "page": self.page, "title": text, "body": text, "audience": "STAFF" });
                ("incidentOpen", input, "incident { id } update { id }")
            }
            4..=6 => {
                let input = json!({ "incident": incident, "body": text, "status": OPEN[dice.roll(3)],
                    "components": affected });
                ("incidentUpdatePost", input, "update { id }")
            }
            7 => {
                let input = json!({ "incident": incident, "body": text, "audience": "STAFF" });
                ("incidentUpdatePost", input, "update { id }")
            }
            8 | 9 => (
                "incidentResolve",
                json!({ "incident": incident, "body": text }),
                "update { id }",
            ),
            10 => (
                "incidentReopen",
                json!({ "incident": incident, "body": text }),
                "update { id }",
            ),
            11 => {
                let input = json!({ "incident": incident, "title": text, "impactOverride": "CRITICAL",
                    "startedAt": ago(dice.roll(9_000)).to_string() });
                ("incidentAmend", input, "incident { id }")
            }
            12 => {
                let input = json!({ "update": update, "body": text, "displayAt": ago(dice.roll(60)).to_string() });
                ("incidentUpdateEdit", input, "update { id }")
            }
            13 => (
                "postmortemDraft",
                json!({ "incident": incident, "body": text }),
                "incident { id }",
            ),
            14 => ("postmortemPublish", json!({ "incident": incident }), "incident { id }"),
            15 => ("incidentPublish", json!({ "incident": incident }), "incident { id }"),
            16 => {
                let until = noon().plus_millis(7_200_000).to_string();
                let input = json!({ "page": self.page, "title": text, "body": text, "components": [component],
                    "scheduledFor": noon().plus_millis(3_600_000).to_string(), "scheduledUntil": until });
                ("maintenanceSchedule", input, "maintenance { id }")
            }
            17 => (
                "maintenanceStart",
                json!({ "maintenance": maintenance }),
                "maintenance { id }",
            ),
            18 => (
                "maintenanceComplete",
                json!({ "maintenance": maintenance }),
                "maintenance { id }",
            ),
            19 => {
                let input = json!({ "component": component, "status": STATUSES[dice.roll(4)] });
                ("componentStatusSet", input, "component { id }")
            }
            20 => {
                let input = json!({ "page": self.page, "name": text, "group": self.groups.last() });
                ("componentCreate", input, "component { id }")
            }
            21 => {
                let input = json!({ "component": component, "position": 1 + dice.roll(3) });
                ("componentMove", input, "component { id }")
            }
            22 if dice.roll(3) == 0 => (
                "componentArchive",
                json!({ "component": component }),
                "component { id }",
            ),
            22 if dice.roll(2) == 0 => ("componentGroupRemove", json!({ "group": group }), "group { id }"),
            22 => (
                "componentGroupCreate",
                json!({ "page": self.page, "name": text }),
                "group { id }",
            ),
            _ => (
                "pageAmend",
                json!({ "page": self.page, "description": text }),
                "page { id }",
            ),
        }
    }

    fn learn(&mut self, payload: &Value) {
        let id = |member: &str| payload[member]["id"].as_str().map(str::to_owned);
        let keep = |known: &mut Vec<String>, fresh: Option<String>| {
            known.extend(fresh.filter(|fresh| !known.contains(fresh)));
        };
        keep(&mut self.incidents, id("incident"));
        keep(&mut self.updates, id("update"));
        keep(&mut self.maintenances, id("maintenance"));
        keep(&mut self.components, id("component"));
        keep(&mut self.groups, id("group"));
    }
}

/// Whether a mutation exists with this name and payload; those that the schema lacks are a fault of this test.
async fn act(test: &Test, world: &mut World, dice: &mut Dice, turn: usize) -> &'static str {
    let (name, input, payload) = world.next(dice, turn);
    let type_name = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let document =
        format!("mutation($input: {type_name}!) {{ {name}(input: $input) {{ {payload} userErrors {{ code }} }} }}");
    let (_, answer) = test.respond(&document, json!({ "input": input }), Some(ADMIN)).await;
    if let Some(errors) = answer.get("errors") {
        // Ids that are empty are refused as such; everything else must be known to the schema.
        let code = errors[0]["extensions"]["code"].as_str();
        assert!(
            !matches!(code, Some("GRAPHQL_VALIDATION_FAILED" | "INTERNAL")),
            "{answer:#} {input:#}"
        );
    }
    world.learn(&answer["data"][name]);
    name
}

#[tokio::test]
async fn memory_shows_what_the_database_shows_after_every_change() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let mut world = World {
            components: vec![
                test.component(&page, "Checkout").await,
                test.component(&page, "Search").await,
            ],
            page,
            ..World::default()
        };
        let (held, stored) = (Reader::over(&test.app), without_memory(test));
        until_held(test, &held).await;

        let mut dice = Dice(42);
        for turn in 0..120 {
            let name = act(test, &mut world, &mut dice, turn).await;

            for sight in [Sight::Public, Sight::ALL] {
                let (in_memory, is_from_memory) = held.ask(EVERYTHING, sight.clone()).await;
                let (in_database, _) = stored.ask(EVERYTHING, sight.clone()).await;
                pretty(turn, name, &sight, &in_memory, &in_database);
                assert!(is_from_memory, "{name} needed the database, turn {turn}");
            }
        }
        assert!(world.incidents.len() > 10 && world.maintenances.len() > 1 && world.updates.len() > 20);
    })
    .await;
}

fn pretty(turn: usize, name: &str, sight: &Sight, in_memory: &Value, in_database: &Value) {
    if in_memory == in_database {
        return;
    }
    let lines = |value: &Value| format!("{value:#}").lines().map(str::to_owned).collect::<Vec<_>>();
    let (memory, database) = (lines(in_memory), lines(in_database));
    let differing = memory
        .iter()
        .zip(&database)
        .position(|(one, other)| one != other)
        .unwrap_or_default();
    let near = differing.saturating_sub(12)..differing + 5;
    panic!(
        "turn {turn}, {name}, {sight:?}: line {differing}\nmemory: {:#?}\ndatabase: {:#?}",
        memory.get(near.clone()),
        database.get(near)
    );
}
