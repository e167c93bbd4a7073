//! What is checked of a document before anything is executed, on every transport.
//!
//! Each step bounds the work of the next: bytes bound the scan, the scan bounds the parser (which is recursive), and
//! one memoised walk over the fragments bounds validation and execution, both of which expand fragments. The library's
//! own limits come after the work they should prevent.

mod cost;
mod limits;
mod measure;
mod page;
mod prices;
mod root;
mod scan;
mod variables;
mod walk;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::{Positioned, Request, Value};
use axum::http::StatusCode;

pub use limits::Limits;
pub use prices::Prices;

use super::RequestError;

/// A request that may be executed.
#[derive(Debug)]
pub struct Checked {
    /// The request, with its document parsed: it is not parsed a second time.
    pub request: Request,
    pub operation: OperationType,
    /// What the operation may cost at most, by [`Limits::cost`]'s measure.
    pub cost: u64,
    /// What its answer must look like.
    pub manner: Manner,
}

/// What the answer to a request must look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether it is a mutation of several fields: when one of them fails, others may have run.
    pub compound: bool,
    /// The cost, and the most it may be, where the request asks for them.
    pub cost: Option<(u64, u64)>,
    /// Whether errors keep to themselves what the schema has that is spelt alike.
    pub discreet: bool,
}

/// The extension of a request by which it asks what it costs.
pub const ASKS_COST: &str = "cost";

/// Decides whether a request may be executed.
pub fn check(mut request: Request, limits: &Limits) -> Result<Checked, RequestError> {
    limits.bytes(request.query.len())?;
    scan::scan(&request.query, limits)?;
    variables::check(&request.variables, limits)?;
    let mut document = parse_query(&request.query).map_err(|error| syntax_error(&error))?;

    let operation = choose(&document, request.operation_name.as_deref())?;
    let ty = operation.node.ty;
    let cost = walk::walk(&document, operation, &request.variables, limits)?;

    let mut compound = false;
    match ty {
        OperationType::Query => {}
        OperationType::Mutation => compound = root::distinct_keys(&document, &operation.node.selection_set)? > 1,
        OperationType::Subscription => {
            let only = root::single_field(&document, &operation.node.selection_set)?;
            root::lift(&mut document, request.operation_name.as_deref(), only);
        }
    }
    request.set_parsed_query(document);
    let asks_cost = request.extensions.get(ASKS_COST) == Some(&Value::Boolean(true));
    Ok(Checked {
        request,
        operation: ty,
        cost,
        manner: Manner {
            compound,
            cost: asks_cost.then_some((cost, limits.cost)),
            discreet: !limits.introspectable,
        },
    })
}

/// Refuses a document that is too long, before anything else is done with it.
pub(super) fn check_bytes(request: &Request, limits: &Limits) -> Result<(), RequestError> {
    limits.bytes(request.query.len())
}

/// Decides whether a document by itself could be executed, whatever operation of it and with whatever variables.
pub(super) fn check_document(document: &str, limits: &Limits) -> Result<(), RequestError> {
    limits.bytes(document.len())?;
    scan::scan(document, limits)?;
    parse_query(document).map(|_| ()).map_err(|error| syntax_error(&error))
}

/// The operation that is asked for: by name, or the only one there is.
fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, RequestError> {
    let not_found = |message: String| {
        Err(RequestError::new(
            "OPERATION_NOT_FOUND",
            StatusCode::BAD_REQUEST,
            message,
        ))
    };
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            Ok(operations.values().next().expect("the only operation"))
        }
        (DocumentOperations::Multiple(_), None) => {
            not_found("The document has several operations: `operationName` must say which to run.".to_owned())
        }
        (DocumentOperations::Single(_), Some(name)) => {
            not_found(format!("The document has no operation named {name:?}."))
        }
        (DocumentOperations::Multiple(operations), Some(name)) => match operations.get(name) {
            Some(operation) => Ok(operation),
            None => not_found(format!("The document has no operation named {name:?}.")),
        },
    }
}

/// The parser's error in one line: as it comes, it draws the line of the document with an arrow below.
fn syntax_error(error: &ParseError) -> RequestError {
    let text = error.to_string();
    let message = match text.lines().rev().find_map(|line| line.trim_start().strip_prefix("= ")) {
        Some(expectation) => format!("Syntax error: {expectation}."),
        None => format!("Syntax error: {}", text.lines().next().unwrap_or_default()),
    };
    error
        .positions()
        .fold(RequestError::unparsable(message), RequestError::at)
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;
    use proptest::prelude::*;

    use super::*;

    pub(super) fn code(document: &str) -> Result<u64, &'static str> {
        check(Request::new(document), &Limits::default())
            .map(|checked| checked.cost)
            .map_err(|error| error.code)
    }

    fn limit(document: &str) -> String {
        let error = check(Request::new(document), &Limits::default()).expect_err("a document past a limit");
        assert_eq!((error.code, error.status.as_u16()), ("DOCUMENT_TOO_COMPLEX", 400));
        let limit = error
            .extensions
            .into_iter()
            .find(|(name, _)| *name == "limit")
            .expect("which limit");
        limit.1.to_string().trim_matches('"').to_owned()
    }

    #[test]
    fn hostile_documents_meet_the_limit_that_stops_them() {
        let bomb = |count: usize| {
            let mut text = "query { ...f0 }".to_owned();
            for i in 0..count {
                text += &format!(" fragment f{i} on Query {{ ...f{next} ...f{next} }}", next = i + 1);
            }
            text + &format!(" fragment f{count} on Query {{ a }}")
        };
        assert_eq!(limit(&"{".repeat(100_000)), "bytes");
        assert_eq!(limit(&"{ a".repeat(10_000)), "nesting");
        assert_eq!(limit(&"[".repeat(60_000)), "nesting");
        assert_eq!(limit(&format!("{{ a(x: {}", "[".repeat(60_000))), "nesting");
        assert_eq!(limit(&format!("query($x: {}", "[".repeat(60_000))), "nesting");
        assert_eq!(limit(&format!("{{ {} }}", "a ".repeat(10_000))), "tokens");
        assert_eq!(limit(&format!("{{ {} }}", "a:b ".repeat(250))), "aliases");
        assert_eq!(limit(&format!("{{ {} }}", "a@x".repeat(250))), "directives");
        assert_eq!(limit(&bomb(50)), "depth");
        assert_eq!(limit(&bomb(25)), "fields");
    }

    #[test]
    fn operations_that_are_not_chosen_count_too() {
        // The library validates, and expands, every operation of the document.
        let document = "query A { a } query B { ...f } fragment f on Query { ".to_owned() + &"a:b ".repeat(250) + "}";

        let error = check(Request::new(document).operation_name("A"), &Limits::default()).expect_err("too complex");

        assert_eq!(error.code, "DOCUMENT_TOO_COMPLEX");
    }

    #[test]
    fn fragments_that_nobody_uses_are_bounded_too() {
        let mut document = "{ a }".to_owned();
        for i in 0..100 {
            document += &format!(" fragment f{i} on Query {{ ...f{} }}", i + 1);
        }

        assert_eq!(limit(&document), "depth");
    }

    #[test]
    fn fragment_cycles_are_refused() {
        assert_eq!(
            code("{ ...a } fragment a on Q { ...a }"),
            Err("GRAPHQL_VALIDATION_FAILED")
        );
        assert_eq!(
            code("{ x } fragment a on Q { x ...b } fragment b on Q { y { ...c } } fragment c on Q { ...a }"),
            Err("GRAPHQL_VALIDATION_FAILED")
        );
    }

    #[test]
    fn a_document_that_is_no_graphql_is_refused_in_one_line() {
        let error = check(Request::new("{ a("), &Limits::default()).expect_err("a syntax error");

        assert_eq!(error.code, "GRAPHQL_PARSE_FAILED");
        assert_eq!(error.message, "Syntax error: expected name.");
        assert_eq!(error.locations.len(), 1);
        for wrong in [
            "",
            "{",
            "{}",
            "mutation",
            "{ a } { b }",
            "query A { a } query A { b }",
            "{ a(b: \"",
            "{ a(b: \"\"\"",
        ] {
            assert_eq!(code(wrong), Err("GRAPHQL_PARSE_FAILED"), "{wrong}");
        }
    }

    #[test]
    fn the_operation_to_run_is_named_or_the_only_one() {
        let chosen = |document: &str, name: Option<&str>| {
            let mut request = Request::new(document);
            request.operation_name = name.map(str::to_owned);
            check(request, &Limits::default())
                .map(|checked| checked.operation)
                .map_err(|error| error.code)
        };
        let two = "query A { a } mutation B { b }";

        assert_eq!(chosen("{ a }", None), Ok(OperationType::Query));
        assert_eq!(chosen("query A { a }", None), Ok(OperationType::Query));
        assert_eq!(chosen(two, Some("B")), Ok(OperationType::Mutation));
        for (document, name) in [(two, None), (two, Some("C")), ("{ a }", Some("A")), ("{ a }", Some(""))] {
            assert_eq!(
                chosen(document, name),
                Err("OPERATION_NOT_FOUND"),
                "{document} {name:?}"
            );
        }
    }

    #[test]
    fn the_document_is_passed_on_parsed() {
        let checked = check(Request::new("{ a }"), &Limits::default()).expect("a fine document");
        let mut request = checked.request;
        request.query = "not the document".to_owned();

        assert!(request.parsed_query().is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}", graphql in "([{}()\\[\\]a1\"\\\\#!$:@. \n]|\\.\\.\\.|on|\"\"\"|fragment a on b|subscription|mutation){0,60}") {
            let _ = check(Request::new(text).variables(Variables::default()), &Limits::default());
            let _ = check(Request::new(graphql), &Limits::default());
        }
    }
}
