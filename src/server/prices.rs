//! The prices of the API's fields, as the edge adds them up.

use crate::graphql;
use crate::transport::preflight::Prices;

/// The prices of a schema, which is given as text.
pub(super) fn of(sdl: &str) -> Prices {
    Prices::new(sdl, graphql::price::of).expect("the schema is GraphQL")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use async_graphql::{Request, Variables, value};

    use super::*;
    use crate::transport::preflight::{Limits, check};

    fn limits() -> Limits {
        Limits {
            prices: Arc::new(of(&graphql::sdl())),
            ..Limits::default()
        }
    }

    /// What a document costs, whatever the limit.
    fn cost(document: &str) -> u64 {
        let limits = Limits {
            cost: u64::MAX,
            ..limits()
        };
        check(Request::new(document), &limits).expect("a cost").cost
    }

    /// The same for fields of a page.
    fn of_page(fields: &str) -> u64 {
        cost(&format!("{{ page(slug: \"a\") {{ {fields} }} }}")) - 1
    }

    #[test]
    fn a_connection_costs_its_nodes_as_often_as_it_is_long_and_its_total_once() {
        assert_eq!(of_page("id incidents(first: 20) { nodes { id title } }"), 2 + 20 * 3);
        assert_eq!(
            of_page("incidents(first: 20) { totalCount pageInfo { hasNextPage } }"),
            1 + 5 + 2
        );
        assert_eq!(
            of_page("incidents(first: 20) { edges { cursor node { id } } }"),
            1 + 20 * 4
        );
        assert_eq!(cost("{ nodes(ids: [\"a\", \"b\", \"c\"]) { id } }"), 1 + 3);
    }

    #[test]
    fn a_plain_list_costs_its_bound() {
        assert_eq!(of_page("components { id name }"), 1 + 100 * 2);
        assert_eq!(of_page("componentGroups { components { id } }"), 1 + 10 * (1 + 10));
    }

    #[test]
    fn pages_of_components_of_pages_are_refused() {
        let document = "{page(slug:\"healthwise\"){components{page{components{page{components{id}}}}}}}";

        let error = check(Request::new(document), &limits()).expect_err("too complex");

        assert_eq!(error.code, "DOCUMENT_TOO_COMPLEX");
        let extensions: Vec<_> = error
            .extensions
            .iter()
            .map(|(name, value)| (*name, value.clone()))
            .collect();
        assert_eq!(
            extensions,
            [
                ("limit", value!("cost")),
                ("requested", value!(1_020_202)),
                ("max", value!(50_000))
            ]
        );
        assert!(error.message.contains("its cost is 1020202 and may be at most 50000"));
    }

    #[test]
    fn exclusive_branches_cost_their_maximum() {
        let incident = "incident { id title status affectedComponents { component { id name } status } \
            updates(last: 5) { nodes { id status body } } }";
        let events = |branches: &str| of_page(&format!("events(first: 100) {{ nodes {{ cursor {branches} }} }}"));
        let opened = format!("... on IncidentOpened {{ {incident} }}");
        let resolved = format!("... on IncidentResolved {{ {incident} at }}");

        assert_eq!(events(&format!("{opened} {resolved}")), events(&resolved));
        assert_eq!(events(&format!("{resolved} {opened}")), events(&resolved));
        // What all have is added to each; a fragment on the interface is met by all.
        assert_eq!(
            events(&format!(
                "{resolved} ... on PageEvent {{ at }} {opened} ... on Node {{ id }}"
            )),
            events(&format!("at {resolved}"))
        );
        // The same type twice is no alternative.
        assert!(events(&format!("{opened} {opened}")) > events(&resolved));
    }

    #[test]
    fn fragments_on_exclusive_types_cost_their_maximum_too() {
        let document = |spreads: &str| {
            cost(&format!(
                "{{ page(slug: \"a\") {{ events(first: 100) {{ nodes {{ {spreads} }} }} }} }} \
                 fragment all on PageEvent {{ ...opened ...resolved }} \
                 fragment opened on IncidentOpened {{ incident {{ id title }} }} \
                 fragment resolved on IncidentResolved {{ incident {{ id title status }} }}"
            ))
        };

        assert_eq!(document("...all"), document("...resolved"));
        assert_eq!(document("...opened ...resolved"), document("...resolved"));
        assert_eq!(
            document("...all ...resolved"),
            2 * document("...resolved") - (1 + 20 + 100)
        );
    }

    #[test]
    fn a_hundred_events_with_two_rich_branches_fit() {
        let update =
            "id status body bodyHtml displayAt createdAt editedAt componentChanges { component { id name } from to }";
        let incident = format!(
            "incident {{ id title status impact startedAt resolvedAt duration summary version \
             affectedComponents {{ component {{ id name status }} status worstStatus }} \
             updates(last: 3) {{ nodes {{ {update} }} pageInfo {{ hasNextPage }} }} }}"
        );
        let document = format!(
            "{{ page(slug: \"a\") {{ events(first: 100) {{ nodes {{ __typename cursor at \
             ... on IncidentUpdatePosted {{ {incident} update {{ {update} }} }} \
             ... on IncidentResolved {{ {incident} update {{ {update} }} }} }} }} }} }}"
        );

        let cost = check(Request::new(document), &limits()).expect("it fits").cost;

        assert!((5_000..40_000).contains(&cost), "{cost}");
    }

    #[test]
    fn a_status_page_with_timelines_and_one_with_days_of_uptime_fit() {
        let component = "id name description status group { id }";
        let update =
            "id status body bodyHtml displayAt createdAt editedAt componentChanges { component { id name } from to }";
        let incident = format!(
            "id title status impact impactOverride startedAt monitoringAt resolvedAt duration summary externalRef metadata \
             backfilled version createdAt updatedAt allowedTransitions \
             affectedComponents {{ component {{ id name }} status worstStatus intervals {{ from until status }} }} \
             updates(first: 20) {{ nodes {{ {update} }} pageInfo {{ hasNextPage endCursor }} }}"
        );
        for fields in [
            format!("name status {{ indicator }} incidents(first: 50) {{ nodes {{ {incident} }} totalCount }}"),
            format!(
                "name status {{ indicator description }} componentGroups {{ id name status components {{ {component} }} }} \
                 components {{ {component} }} activeIncidents {{ id title status updates(first: 10) {{ nodes {{ id body }} }} }} \
                 activeMaintenances {{ id title components {{ id }} }} upcomingMaintenances {{ id title scheduledFor }}"
            ),
            "components { id name status uptime(days: 90) { percentage days { date percentage } } }".to_owned(),
        ] {
            let document = format!("{{ page(slug: \"a\") {{ {fields} }} }}");
            assert!(check(Request::new(document), &limits()).is_ok(), "{fields}");
        }
    }

    #[test]
    fn expensive_fields_have_their_own_prices() {
        let now = of_page("incidents(first: 1) { totalCount }");
        let filtered = of_page("incidents(first: 1, filter: { components: [\"a\", \"b\"] }) { totalCount }");
        let past = cost("{ page(slug: \"a\", asOf: \"2026-03-02T12:00:00Z\") { incidents(first: 1) { totalCount } } }");
        let uptime = of_page("components { uptime(days: 366) { percentage } }");
        let events = of_page("events(first: 20) { nodes { page { incidents(first: 1) { totalCount } } } }");

        // The filter's object, its list and two ids are values.
        assert_eq!(filtered, now + 20 + 4);
        assert_eq!(past, 1 + now + 200 + 100 + 100);
        assert_eq!(uptime, 1 + 100 * (1 + 366 + 1));
        assert_eq!(events, 20 + 20 * (1 + 1 + 1 + 5 + 100 + 100));
        assert_eq!(cost("{ page(slug: \"a\", asOf: null) { id } }"), 2);
        assert!(of_page("componentGroups { uptimePercentage }") > 10 * 10 * 90);
        assert!(of_page("components { statusChanges(first: 1) { totalCount } }") > 100 * 20);
    }

    #[test]
    fn the_days_of_uptime_are_as_many_as_asked_for() {
        let component = |uptime: &str| of_page(&format!("components {{ {uptime} }}"));

        assert_eq!(component("uptime { days { date } }"), 1 + 100 * (1 + 90 + 90 * 2));
        assert_eq!(
            component("uptime(days: 7) { days { date } }"),
            1 + 100 * (1 + 7 + 7 * 2)
        );
        // More are refused when they are resolved.
        assert_eq!(component("uptime(days: 100000)"), component("uptime(days: 366)"));
        let limits = Limits {
            cost: u64::MAX,
            ..limits()
        };
        let document = "query($n: Int!) { page(slug: \"a\") { components { uptime(days: $n) { days { date } } } } }";
        let request = Request::new(document).variables(Variables::from_value(value!({ "n": 7 })));
        let by_variable = check(request, &limits).expect("a cost").cost;
        assert_eq!(by_variable, 1 + component("uptime(days: 7) { days { date } }"));
    }

    #[test]
    fn mutations_and_subscriptions_have_prices_too() {
        let open =
            "mutation { incidentOpen(input: {}) { incident { page { components { id } } } userErrors { code } } }";
        assert_eq!(cost(open), 1 + 1 + 1 + (1 + 100) + 1 + 3);

        let follow = "subscription { pageEvents(page: \"a\") { ... on Heartbeat { page { components { id } } } } }";
        assert_eq!(cost(follow), 1 + 1 + (1 + 100 + 100));
    }

    #[test]
    fn hostile_documents_are_priced_in_time() {
        let inline = |depth: usize| {
            let inner = "... on PageEvent { at } ... on IncidentOpened { at } ".repeat(60);
            let nested = (0..depth).fold(inner, |inner, _| format!("... on PageEvent {{ {inner} }}"));
            format!("{{ page(slug: \"a\") {{ events(first: 100) {{ nodes {{ {nested} }} }} }} }}")
        };
        let mut fragments = "{ page(slug: \"a\") { events(first: 100) { nodes { ...f0 ...f0 } } } }".to_owned();
        for i in 0..25 {
            fragments += &format!(
                " fragment f{i} on PageEvent {{ ...f{next} ...f{next} ...g{i} }}",
                next = i + 1
            );
            fragments += &format!(" fragment g{i} on IncidentOpened {{ at }}");
        }
        fragments += " fragment f25 on PageEvent { at }";
        for document in [inline(20), fragments] {
            let limits = limits();
            // The best of several: another test may have had the processor.
            let took = (0..20).map(|_| {
                let began = Instant::now();
                let _ = check(Request::new(document.as_str()), &limits);
                began.elapsed()
            });
            let best = took.min().expect("it was tried");
            // Builds for tests are some ten times slower than those that are served.
            assert!(best < Duration::from_millis(20), "{best:?}");
        }
    }
}
