use async_graphql::parser::parse_query;
use async_graphql::value;

use super::*;

fn measured(document: &str, variables: &Variables, limits: &Limits) -> Result<u64, String> {
    let document = parse_query(document).expect("a document");
    let (_, operation) = document.operations.iter().next().expect("an operation");
    walk(&document, operation, variables, limits).map_err(|error| error.message)
}

fn cost(document: &str) -> u64 {
    measured(
        document,
        &Variables::default(),
        &Limits {
            cost: u64::MAX,
            ..Limits::default()
        },
    )
    .expect("a cost")
}

#[test]
fn fields_count_one_and_those_below_a_page_as_often_as_it_is_long() {
    assert_eq!(cost("{ a b { c d } }"), 4);
    assert_eq!(cost("{ a(first: 10) { nodes { b } } }"), 1 + 10 * 2);
    assert_eq!(
        cost("{ a(last: 10) { b(first: 20) { c d } e } }"),
        1 + 10 * (1 + 20 * 2 + 1)
    );
    assert_eq!(cost("{ nodes(ids: [1, 2, 3]) { id } }"), 1 + 3);
}

#[test]
fn a_fragment_costs_where_it_is_used() {
    assert_eq!(
        cost("{ ...f ...f x(first: 5) { ...f } } fragment f on T { a ... on U { b } }"),
        2 + 2 + 1 + 5 * 2
    );
    assert_eq!(cost("{ a } fragment f on T { b }"), 1);
    assert_eq!(cost("{ a ...missing }"), 1);
}

#[test]
fn a_page_with_incidents_and_their_updates_is_well_within_the_limits() {
    let incident = "id title status impact impactOverride startedAt monitoringAt resolvedAt duration summary \
        externalRef metadata backfilled version createdAt updatedAt allowedTransitions \
        affectedComponents { component { id name } status worst intervals { from to status } } \
        updates(first: 20) { nodes { id status body bodyHtml displayAt createdAt editedAt \
        componentChanges { component { id name } from to } } pageInfo { hasNextPage endCursor } }";
    let document = format!("{{ page(slug: \"a\") {{ incidents(first: 50) {{ nodes {{ {incident} }} }} }} }}");

    let cost = measured(&document, &Variables::default(), &Limits::default()).expect("within the limits");

    assert!((10_000..25_000).contains(&cost), "{cost}");
}

#[test]
fn pages_within_pages_within_pages_are_past_the_cost() {
    let document = "{ a(first: 100) { b(first: 100) { c(first: 100) { d } } } }";

    let refusal = measured(document, &Variables::default(), &Limits::default());

    assert_eq!(
        refusal,
        Err("This request is too complex: its cost is 1010101 and may be at most 50000.".to_owned())
    );
}

#[test]
fn only_the_operation_that_runs_has_a_cost() {
    let document = parse_query("query A { a } query B { b(first: 100) { c(first: 100) { d(first: 100) { e } } } }")
        .expect("a document");
    let of = |name: &str| {
        let operation = document
            .operations
            .iter()
            .find(|(found, _)| found.is_some_and(|found| found == name));
        walk(
            &document,
            operation.expect("the operation").1,
            &Variables::default(),
            &Limits::default(),
        )
    };

    assert_eq!(of("A"), Ok(1));
    assert_eq!(of("B").map_err(|error| error.code), Err("DOCUMENT_TOO_COMPLEX"));
}

#[test]
fn nothing_overflows() {
    let mut document = "{ ...f0 }".to_owned();
    for i in 0..100 {
        document += &format!(
            " fragment f{i} on T {{ x(first: 100) {{ ...f{next} ...f{next} }} }}",
            next = i + 1
        );
    }
    let all = Limits {
        depth: u64::MAX,
        fields: u64::MAX,
        aliases: u64::MAX,
        cost: u64::MAX,
        arguments: u64::MAX,
        ..Limits::default()
    };

    assert_eq!(measured(&document, &Variables::default(), &all), Ok(u64::MAX));
}

#[test]
fn introspection_that_goes_round_is_refused() {
    let round = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    let through_fragments = "{ __type(name: \"A\") { ...t } } fragment t on __Type { fields { type { ...u } } } \
        fragment u on __Type { possibleTypes { ...v } } fragment v on __Type { fields { name } }";

    for document in [round, through_fragments] {
        let refusal = measured(document, &Variables::default(), &Limits::default());
        assert_eq!(
            refusal,
            Err("This request is too complex: its introspection is 3 and may be at most 2.".to_owned())
        );
    }
    // The same names elsewhere are nobody's concern.
    assert_eq!(cost("{ fields { fields { fields { fields { a } } } } }"), 5);
}

#[test]
fn the_introspection_of_clients_passes() {
    let of_type = (0..9).fold("name kind".to_owned(), |inner, _| {
        format!("name kind ofType {{ {inner} }}")
    });
    let document = format!(
        "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} types {{ ...FullType }} \
         directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }} \
         fragment FullType on __Type {{ kind name description specifiedByURL isOneOf \
         fields(includeDeprecated: true) {{ name args(includeDeprecated: true) {{ ...InputValue }} type {{ ...TypeRef }} }} \
         inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }} \
         enumValues(includeDeprecated: true) {{ name isDeprecated }} possibleTypes {{ ...TypeRef }} }} \
         fragment InputValue on __InputValue {{ name type {{ ...TypeRef }} defaultValue isDeprecated }} \
         fragment TypeRef on __Type {{ {of_type} }}"
    );

    let cost = measured(&document, &Variables::default(), &Limits::default()).expect("within the limits");

    assert!(cost < 30_000, "{cost}");
}

#[test]
fn an_argument_counts_as_often_as_it_is_read() {
    let variables = Variables::from_value(value!({"x": "12345678"}));
    let limits = |arguments| Limits {
        arguments,
        ..Limits::default()
    };
    // Eight bytes of text and eight for its place; `first` is a value too.
    for (document, bytes) in [
        ("query($x: String) { a(b: $x) }", 16),
        ("query($x: String) { a(b: $x) c(d: $x) }", 32),
        ("query($x: String) { a(first: 10) { b(c: $x) } }", 8 + 160),
        (
            "query($x: String) { a(first: 10) { b(last: 5) { c(d: $x) } } }",
            8 + 10 * (8 + 5 * 16),
        ),
        ("query($x: String) { ...f ...f } fragment f on T { a(b: $x) }", 32),
        ("{ a(b: \"12345678\") }", 16),
        ("{ a(b: {c: [\"1234\"]}) }", 3 * 8 + 1 + 4),
        ("query($y: String = \"12345678\") { a(b: $y) }", 16),
    ] {
        assert!(measured(document, &variables, &limits(bytes)).is_ok(), "{document}");
        let refusal = measured(document, &variables, &limits(bytes - 1)).expect_err("one too many");
        assert!(refusal.contains("arguments"), "{document}: {refusal}");
    }
}

#[test]
fn a_schema_that_is_not_told_is_not_told_anywhere() {
    let limits = Limits {
        introspectable: false,
        ..Limits::default()
    };
    for document in [
        "{ __schema { types { name } } }",
        "{ a __type(name: \"A\") { name } }",
        "{ ...f } fragment f on Query { ... { x: __schema { queryType { name } } } }",
        "query A { a } query B { __schema { queryType { name } } }",
    ] {
        let document = parse_query(document).expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        let error = walk(&document, operation, &Variables::default(), &limits).expect_err("refused");
        assert_eq!((error.code, error.locations.len()), ("INTROSPECTION_DISABLED", 1));
    }
    assert_eq!(measured("{ a { __typename } }", &Variables::default(), &limits), Ok(2));
}

#[test]
fn variables_say_how_long_a_page_is() {
    let document = "query($n: Int = 7) { a(first: $n) { b } }";
    let with = |variables| measured(document, &Variables::from_value(variables), &Limits::default());

    assert_eq!(with(value!({"n": 20})), Ok(21));
    assert_eq!(with(value!({})), Ok(8));
}
