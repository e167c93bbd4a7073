//! What the fields of the schema cost, where that is not the default of one unit (about 5 µs of CPU).
//!
//! Two kinds of fields need an entry: plain lists, whose length no argument tells, and fields that have to look at more than
//! their object. A list without an entry fails a test. Figures for lists are what realistic pages have, not the highest
//! number that is accepted (500 components for one update): a static cost at those bounds would refuse the queries of every
//! status page. What an execution takes beyond its static cost is charged afterwards.

use crate::domain::uptime::MAX_DAYS;
use crate::price::{Argument, Count, Items, Past, Price};

/// Components of a page: 9 of 10 public pages have fewer.
const COMPONENTS: u64 = 100;

/// Groups of a page, and components of a group: together as many as the components of a page.
const GROUPS: u64 = 10;
const GROUP_COMPONENTS: u64 = 10;

/// Incidents or maintenances that are open, or announced, at the same time.
const ACTIVE: u64 = 5;

/// Components that one incident or maintenance affects, and the statuses that each of them goes through.
const AFFECTED: u64 = 5;
const INTERVALS: u64 = 3;

/// Components that one update changes.
const CHANGES: u64 = 3;

/// Corrections of one update. Most have none.
const REVISIONS: u64 = 1;

/// Pages of a token that is not for all pages; at most 100.
const TOKEN_PAGES: u64 = 10;

/// Errors of one mutation, and names in the path of one; statuses that another may change to.
const ERRORS: u64 = 3;
const PATH: u64 = 4;
const TRANSITIONS: u64 = 4;

/// A list or a total that is read from a past state: one read by an index, about 0.5 ms.
const PAST_READ: u64 = 100;

/// Finding the past state itself: two reads by an index, about 1 ms.
const AS_OF: u64 = 200;

/// A read from the database in the present, about 0.1 ms: of what is not kept in memory.
const READ: u64 = 20;

/// A total in the present: a count that is kept, or one pass over the incidents in memory.
const TOTAL: u64 = 5;

/// A filter: one pass over the incidents of a page in memory, 5,000 of them in 0.1 ms; each listed value is one more
/// comparison.
const FILTER: Argument = Argument {
    name: "filter",
    given: 20,
    each_value: 1,
};

/// Rendering Markdown: 25 µs for an ordinary body. One of the longest takes forty times that.
const MARKDOWN: u64 = 5;

/// The sentence that sums up an incident, which looks at its timeline and names its components.
const SUMMARY: u64 = 5;

/// A day of uptime of one component: between 1 µs from daily sums and 15 µs from the log.
const fn days(components: u64) -> Count {
    Count {
        argument: "days",
        most: MAX_DAYS as u64,
        each: components,
    }
}

/// The price of a field of an object or interface, which implements these interfaces; `None` for the default.
pub fn of(type_name: &str, implements: &[&str], field: &str) -> Option<Price> {
    if type_name.ends_with("Connection") && matches!(field, "nodes" | "edges") {
        return Some(Price {
            items: Items::Asked,
            ..Price::FIELD
        });
    }
    // An event shows what stood at that event, however old it is.
    if type_name == "PageEvent" || implements.contains(&"PageEvent") {
        return Some(Price {
            past: Past::Always,
            ..Price::FIELD
        });
    }
    Some(match (type_name, field) {
        ("Query", "page") => Price {
            past: Past::IfGiven("asOf"),
            ..Price::FIELD.with(Argument {
                name: "asOf",
                given: AS_OF,
                each_value: 0,
            })
        },
        ("Query", "nodes") => Price {
            items: Items::Counted,
            ..Price::FIELD
        },
        ("Query", "pages" | "tokens" | "auditEntries") => Price::of(READ),

        ("Page", "components") => Price::list(COMPONENTS).in_past(PAST_READ),
        ("Page", "componentGroups") => Price::list(GROUPS).in_past(PAST_READ),
        ("Page", "activeIncidents" | "activeMaintenances" | "upcomingMaintenances") => {
            Price::list(ACTIVE).in_past(PAST_READ)
        }
        ("Page", "incidents" | "maintenances") => Price::FIELD.in_past(PAST_READ).with(FILTER),
        ("Page", "events") => Price::of(READ).in_past(PAST_READ),

        ("ComponentGroup", "components") => Price::list(GROUP_COMPONENTS).in_past(PAST_READ),
        ("ComponentGroup", "status") => Price::of(2).in_past(PAST_READ),
        ("ComponentGroup", "uptimePercentage") => Price::FIELD.in_past(PAST_READ).counting(days(GROUP_COMPONENTS)),
        ("Component", "group") => Price::FIELD.in_past(PAST_READ),
        ("Component", "uptime") => Price::FIELD.in_past(PAST_READ).counting(days(1)),
        ("Component", "statusChanges") => Price::of(READ).in_past(PAST_READ),
        ("Uptime", "days") => Price {
            items: Items::Asked,
            ..Price::FIELD
        },

        ("Incident" | "Maintenance" | "Component" | "ComponentGroup", "page") => Price::FIELD.in_past(PAST_READ),
        ("Incident", "affectedComponents") => Price::list(AFFECTED),
        ("AffectedComponent", "intervals") => Price::list(INTERVALS),
        ("Incident", "summary") => Price::of(SUMMARY),
        ("Maintenance", "components") => Price::list(AFFECTED),
        ("Incident" | "Maintenance", "allowedTransitions") => Price::list(TRANSITIONS),
        ("IncidentUpdate" | "MaintenanceUpdate", "componentChanges") => Price::list(CHANGES),
        ("IncidentUpdate" | "MaintenanceUpdate", "revisions") => Price::list(REVISIONS),
        (_, "bodyHtml") => Price::of(MARKDOWN),
        (_, "totalCount") => Price::of(TOTAL).in_past(PAST_READ),

        ("Viewer" | "Token", "pages") => Price::list(TOKEN_PAGES),
        (_, "userErrors") => Price::list(ERRORS),
        ("UserError", "field") => Price::list(PATH),
        (_, "field") if implements.contains(&"UserError") => Price::list(PATH),
        ("IllegalTransition" | "IllegalMaintenanceTransition", "allowed") => Price::list(TRANSITIONS),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_schema;
    use async_graphql::parser::types::{BaseType, TypeKind, TypeSystemDefinition};

    use super::*;

    #[test]
    fn every_list_in_the_schema_has_a_price() {
        let document = parse_schema(crate::graphql::sdl()).expect("the schema is GraphQL");
        let mut lists = 0;
        let mut missing = Vec::new();
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let (fields, implements) = match &definition.node.kind {
                TypeKind::Object(object) => (&object.fields, &object.implements),
                TypeKind::Interface(interface) => (&interface.fields, &interface.implements),
                _ => continue,
            };
            let name = definition.node.name.node.as_str();
            let implements: Vec<&str> = implements.iter().map(|name| name.node.as_str()).collect();
            for field in fields {
                if !matches!(field.node.ty.node.base, BaseType::List(_)) {
                    continue;
                }
                lists += 1;
                let field = field.node.name.node.as_str();
                if of(name, &implements, field).is_none_or(|price| price.items == Items::One) {
                    missing.push(format!("{name}.{field}"));
                }
            }
        }

        assert!(lists > 50, "{lists}");
        assert!(missing.is_empty(), "lists without a price: {missing:?}");
    }
}
