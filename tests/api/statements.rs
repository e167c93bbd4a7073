//! No N+1: how many statements an answer takes depends on what is asked for, not on how much there is of it.

use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, noon};
use crate::support::for_each_database_unheld;
use crate::support::words::id;

/// Everything a status page shows.
const PAGE: &str = "query($slug: String!) { page(slug: $slug) {
    name cursor status { indicator description }
    componentGroups { name status uptimePercentage components { name } }
    components { name status group { name status } page { name } uptime(days: 30) { percentage days { percentage } } }
    activeIncidents { ...incident }
    activeMaintenances { ...maintenance }
    upcomingMaintenances { ...maintenance }
    incidents(first: 50) { totalCount nodes { ...incident } }
    maintenances(first: 50) { totalCount nodes { ...maintenance } }
} }
fragment incident on Incident {
    title status impact summary duration page { name } postmortem { body }
    affectedComponents { component { name group { name } } status worstStatus intervals { status } }
    latestUpdate { body }
    updates(first: 20) { totalCount nodes { body bodyHtml revisions { body } componentChanges { component { name } to } } }
}
fragment maintenance on Maintenance {
    title status components { name group { name } } updates(first: 20) { totalCount nodes { body } }
}";

/// The page and its cursor: 2. Its parts (page, groups, components): 3. Histories for the uptimes: 1. Incidents, listed
/// and active: a list, its updates, revisions, changes and postmortems, so 5 each; the total: 1. Maintenances, listed,
/// active and upcoming: a list, its components, updates, revisions and changes, so 5 each; the total: 1.
const MOST: usize = 2 + 3 + 1 + 2 * 5 + 1 + 3 * 5 + 1;

/// Makes a page with so many components in groups, and so many incidents with timelines; a fifth of them goes on.
async fn fill(test: &Test, slug: &str, components: usize, incidents: usize) {
    let page = test.page(slug).await;
    let mut groups = Vec::new();
    for name in ["Core", "Edge"] {
        let input = json!({ "page": page, "name": name });
        groups.push(id(
            &test.mutate("componentGroupCreate", input, "group { id }").await["group"],
        ));
    }
    let mut parts = Vec::new();
    for index in 0..components {
        let group = groups.get(index % 3);
        let input = json!({ "page": page, "name": format!("Part {index}"), "group": group });
        parts.push(id(
            &test.mutate("componentCreate", input, "component { id }").await["component"],
        ));
    }
    for index in 0..incidents {
        let incident = test
            .incident(&page, &format!("Incident {index}"), Some(&parts[index % components]))
            .await;
        let other = &parts[(index + 1) % components];
        let input = json!({ "incident": incident, "body": "One more.", "status": "IDENTIFIED",
            "components": [{ "component": other, "status": "PARTIAL_OUTAGE" }] });
        let posted = test.mutate("incidentUpdatePost", input, "update { id }").await;
        let input = json!({ "update": posted["update"]["id"], "body": "One more, corrected." });
        test.mutate("incidentUpdateEdit", input, "update { id }").await;
        if index % 5 != 0 {
            test.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
                .await;
            let draft = json!({ "incident": incident, "body": "What we learnt." });
            test.mutate("postmortemDraft", draft, "incident { id }").await;
        }
    }
    // At least one that goes on and one to come.
    for index in 0..incidents.div_ceil(5) + 1 {
        let input = json!({ "page": page, "title": format!("Work {index}"), "body": "We will.", "components": parts,
            "automatic": false, "scheduledFor": noon().plus_millis(3_600_000).to_string(),
            "scheduledUntil": noon().plus_millis(7_200_000).to_string() });
        let work = test.mutate("maintenanceSchedule", input, "maintenance { id }").await;
        if index % 2 == 0 {
            let input = json!({ "maintenance": work["maintenance"]["id"] });
            test.mutate("maintenanceStart", input, "maintenance { id }").await;
        }
    }
}

/// How many statements a query takes, whose answer must hold this at a place.
async fn count(test: &Test, document: &str, variables: Value, place: &str, expected: usize) -> usize {
    let (data, statements) = test.recorded(document, variables).await;
    assert_eq!(
        data.pointer(place).and_then(Value::as_array).map(Vec::len),
        Some(expected)
    );
    statements.len()
}

#[tokio::test]
async fn a_page_takes_the_same_statements_however_much_it_shows() {
    for_each_database_unheld(async |test| {
        fill(test, "small", 3, 5).await;
        fill(test, "large", 30, 50).await;
        let place = "/page/incidents/nodes";

        let small = count(test, PAGE, json!({ "slug": "small" }), place, 5).await;
        let large = count(test, PAGE, json!({ "slug": "large" }), place, 50).await;

        assert_eq!(small, large);
        assert!(large <= MOST, "{large} statements, {MOST} at most");
    })
    .await;
}

#[tokio::test]
async fn a_list_of_pages_takes_the_same_statements_however_many_there_are() {
    for_each_database_unheld(async |test| {
        let document = "query($first: Int!) { pages(first: $first) { totalCount nodes {
            name status { indicator } components { name group { name } uptime(days: 7) { percentage } }
            activeIncidents { title affectedComponents { component { name } } } activeMaintenances { title } } } }";
        for page in 0..20 {
            fill(test, &format!("page-{page}"), 2, 1).await;
        }

        let few = count(test, document, json!({ "first": 2 }), "/pages/nodes", 2).await;
        let many = count(test, document, json!({ "first": 20 }), "/pages/nodes", 20).await;

        assert_eq!(few, many);
        // The list and its total, parts, histories, incidents, maintenances.
        assert!(many <= 2 + 3 + 1 + 5 + 5, "{many} statements");
    })
    .await;
}

#[tokio::test]
async fn things_refetched_together_are_read_together() {
    for_each_database_unheld(async |test| {
        fill(test, "large", 12, 12).await;
        let document = "{ page(slug: \"large\") { incidents(first: 12) { nodes { id } } components { id } } }";
        let data = test.data(document, json!({})).await;
        let ids = |place: &str| -> Vec<String> {
            let all = data.pointer(place).and_then(Value::as_array).expect("a list");
            all.iter().map(id).collect()
        };
        let ids = [ids("/page/incidents/nodes"), ids("/page/components")];
        let document = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id
            ... on Incident { title page { name } } ... on Component { name page { name } } } }";

        for ids in ids {
            let few = count(test, document, json!({ "ids": ids[..2] }), "/nodes", 2).await;
            let many = count(test, document, json!({ "ids": ids }), "/nodes", 12).await;

            assert_eq!(few, many, "{}", ids[0]);
        }
    })
    .await;
}

#[tokio::test]
async fn the_audit_takes_the_same_statements_however_much_it_lists() {
    for_each_database_unheld(async |test| {
        for number in 0..5 {
            let page = test.page(&format!("page-{number}")).await;
            let (_, text) = test.token("MANAGER", Some(&[&page])).await;
            let component = test.component(&page, "Search").await;
            test.group(&page, "Core").await;
            test.maintenance(&page, "Disks", &component, 60).await;
            let open = "mutation($page: ID!) { incidentOpen(input: { page: $page, title: \"Down\", body: \"Down.\" }) {
                incident { id } } }";
            let (status, _) = test.respond(open, json!({ "page": page }), Some(&text)).await;
            assert_eq!(status, 200);
        }
        let document = "query($first: Int!) { auditEntries(first: $first) { nodes {
            token { name pages { slug } } page { name }
            subject { __typename id
                ... on Page { name } ... on ComponentGroup { name } ... on Component { name }
                ... on Incident { title } ... on Maintenance { title } ... on Token { name pages { slug } } } } } }";
        let place = "/auditEntries/nodes";

        // What was done to one page, and what was done to all.
        let few = count(test, document, json!({ "first": 6 }), place, 6).await;
        let many = count(test, document, json!({ "first": 30 }), place, 30).await;

        assert_eq!(few, many);
        // The list; the pages' parts; tokens; where components and groups are; incidents and maintenances whole.
        assert!(many <= 1 + 3 + 1 + 2 + 5 + 5, "{many} statements");
    })
    .await;
}

#[tokio::test]
async fn the_pages_of_a_token_are_read_together() {
    for_each_database_unheld(async |test| {
        let mut pages = Vec::new();
        for number in 0..10 {
            pages.push(test.page(&format!("page-{number}")).await);
        }
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let document = "{ tokens(first: 1) { nodes { pages { slug } } } }";
        let place = "/tokens/nodes/0/pages";

        test.token("VIEWER", Some(&pages[..2])).await;
        let few = count(test, document, json!({}), place, 2).await;
        test.pass_minutes(1);
        test.token("VIEWER", Some(&pages)).await;
        let many = count(test, document, json!({}), place, 10).await;

        assert_eq!(few, many);
    })
    .await;
}

#[tokio::test]
async fn who_asks_costs_no_read_but_one_look_at_a_token_in_a_while() {
    for_each_database_unheld(async |test| {
        test.page("shop").await;
        let (_, text) = test.token("VIEWER", None).await;
        let ask = async |token: Option<&str>| {
            let (_, statements) = test
                .recorded_as("{ page(slug: \"shop\") { name } }", json!({}), token)
                .await;
            statements
        };

        let public = ask(None).await;
        let admin = ask(Some(ADMIN)).await;
        let first = ask(Some(&text)).await;

        let names_tokens = |statements: &Vec<String>| statements.iter().any(|one| one.contains("\"token\""));
        assert!(
            !names_tokens(&public) && !names_tokens(&admin),
            "{public:#?} {admin:#?}"
        );
        assert_eq!(admin.len(), public.len());
        assert_eq!(first.len(), public.len() + 1, "{first:#?}");
        // A machine that is busy may take longer between two requests than a look serves.
        let mut later = Vec::new();
        for _ in 0..10 {
            later.push(names_tokens(&ask(Some(&text)).await));
        }
        assert!(later.contains(&false), "{later:?}");
    })
    .await;
}
