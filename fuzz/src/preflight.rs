//! Documents: what is accepted parses, and measures what it is said to; what is refused is refused in one line, by name.

use std::collections::HashSet;

use allclear::transport::RequestError;
use allclear::transport::preflight::{Checked, Limits, check};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Request, Value, Variables};

/// What a document may be refused with.
const CODES: [&str; 6] = [
    "DOCUMENT_TOO_COMPLEX",
    "DUPLICATE_RESPONSE_KEY",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "INTROSPECTION_DISABLED",
    "OPERATION_NOT_FOUND",
];

/// What a request asks for.
struct Asked<'a> {
    document: &'a str,
    variables: Variables,
    operation: Option<&'a str>,
}

impl Asked<'_> {
    fn check(&self, limits: &Limits) -> Result<Checked, RequestError> {
        let mut request = Request::new(self.document).variables(self.variables.clone());
        request.operation_name = self.operation.map(str::to_owned);
        check(request, limits)
    }

    /// It is refused by one limit, by that name.
    fn is_past(&self, name: &str, limits: &Limits) {
        let error = self.check(limits).expect_err(name);
        assert_eq!(
            (error.code, limit_of(&error).as_deref()),
            (CODES[0], Some(name)),
            "{error:?}"
        );
    }
}

/// The bytes are a document, the JSON of its variables, and the name of an operation, with zeros between them.
///
/// # Panics
/// Where something does not hold.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut parts = text.splitn(3, '\0');
    let document = parts.next().unwrap_or_default();
    let variables = parts.next().and_then(|text| serde_json::from_str(text).ok());
    let asked = Asked {
        document,
        variables: variables.map(Variables::from_json).unwrap_or_default(),
        operation: parts.next(),
    };
    let limits = Limits::default();
    match asked.check(&limits) {
        Ok(checked) => accepted(&asked, checked, &limits),
        Err(error) => refused(document, &error),
    }
}

fn limit_of(error: &RequestError) -> Option<String> {
    let limit = error.extensions.iter().find(|(name, _)| *name == "limit");
    limit.map(|(_, value)| match value {
        Value::String(name) => name.clone(),
        other => panic!("{other} is no name"),
    })
}

fn refused(document: &str, error: &RequestError) {
    assert!(CODES.contains(&error.code), "{error:?}");
    assert_eq!(error.status.as_u16(), 400);
    assert!(
        !error.message.is_empty() && !error.message.contains(char::is_control),
        "{error:?}"
    );
    assert_eq!(limit_of(error).is_some(), error.code == CODES[0], "{error:?}");
    let lines = document.split('\n').count();
    for place in &error.locations {
        assert!((1..=lines).contains(&place.line) && place.column > 0, "{error:?}");
    }
}

fn accepted(asked: &Asked<'_>, checked: Checked, limits: &Limits) {
    let document = parse_query(asked.document).expect("what is accepted parses");
    let whole = Size::of(&document);

    // Exactly what it measures is enough, and less of any is not.
    let exact = Limits {
        bytes: asked.document.len(),
        depth: whole.depth,
        fields: whole.fields,
        aliases: whole.aliases,
        directives: whole.directives,
        cost: checked.cost,
        ..limits.clone()
    };
    let again = asked.check(&exact).expect("it measures no more");
    assert_eq!(
        (again.cost, again.operation, again.manner.compound),
        (checked.cost, checked.operation, checked.manner.compound)
    );
    let less = |name, lower: &dyn Fn(&mut Limits)| {
        let mut limits = exact.clone();
        lower(&mut limits);
        asked.is_past(name, &limits);
    };
    less("bytes", &|limits| limits.bytes -= 1);
    less("depth", &|limits| limits.depth -= 1);
    less("fields", &|limits| limits.fields -= 1);
    // Nothing is resolved where a fragment is asked for that is not there.
    if checked.cost > 0 {
        less("cost", &|limits| limits.cost -= 1);
    }
    if whole.aliases > 0 {
        less("aliases", &|limits| limits.aliases -= 1);
    }
    if whole.directives > 0 {
        less("directives", &|limits| limits.directives -= 1);
    }

    let operation = operation(&document, asked.operation);
    assert_eq!(operation.ty, checked.operation);
    let own = Size::default().with(&document, &operation.selection_set.node);
    match own.is_paged {
        false => assert_eq!(checked.cost, own.resolved, "each field is resolved once"),
        true => assert!(checked.cost >= own.resolved, "{} of {}", checked.cost, own.resolved),
    }
    root(&document, operation, checked);
}

/// What the library would do wrongly does not reach it.
fn root(document: &ExecutableDocument, operation: &OperationDefinition, mut checked: Checked) {
    match operation.ty {
        OperationType::Query => {}
        OperationType::Mutation => {
            let mut keys = Vec::new();
            roots(document, &operation.selection_set.node, &mut keys);
            let distinct: HashSet<&str> = keys.iter().map(|field| field.response_key().node.as_str()).collect();
            assert_eq!(distinct.len(), keys.len(), "a key stands twice");
            assert_eq!(checked.manner.compound, keys.len() > 1);
        }
        OperationType::Subscription => {
            let name = checked.request.operation_name.clone();
            let passed = checked.request.parsed_query().expect("it was parsed");
            let items = &self::operation(passed, name.as_deref()).selection_set.node.items;
            assert!(
                matches!(items.as_slice(), [only] if matches!(only.node, Selection::Field(_))),
                "{items:?}"
            );
        }
    }
}

/// The fields at the root, fragments expanded.
fn roots<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, into: &mut Vec<&'a Field>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => into.push(&field.node),
            Selection::InlineFragment(inline) => roots(document, &inline.node.selection_set.node, into),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    roots(document, &fragment.node.selection_set.node, into);
                }
            }
        }
    }
}

fn operation<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> &'a OperationDefinition {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name),
        (DocumentOperations::Multiple(all), None) => all.values().next(),
    };
    &operation.expect("it was chosen").node
}

/// What is there once every fragment is written out where it is used: counted one by one, since what is accepted is
/// bounded.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    depth: u64,
    fields: u64,
    aliases: u64,
    directives: u64,
    /// Fields alone.
    resolved: u64,
    /// Whether something may be resolved more than once.
    is_paged: bool,
}

impl Size {
    fn of(document: &ExecutableDocument) -> Size {
        let mut size = Size::default();
        for (_, operation) in document.operations.iter() {
            size.directives += operation.node.directives.len() as u64;
            size = size.with(document, &operation.node.selection_set.node);
        }
        // Fragments that nobody uses may not be deep either.
        for fragment in document.fragments.values() {
            let alone = Size::default().with(document, &fragment.node.selection_set.node);
            size.depth = size.depth.max(alone.depth);
        }
        size
    }

    /// With a selection beside it.
    fn with(mut self, document: &ExecutableDocument, set: &SelectionSet) -> Size {
        self.add(document, set, 1);
        self
    }

    fn add(&mut self, document: &ExecutableDocument, set: &SelectionSet, depth: u64) {
        self.depth = self.depth.max(depth);
        for selection in &set.items {
            self.fields += 1;
            self.directives += selection.node.directives().len() as u64;
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.resolved += 1;
                    self.aliases += u64::from(field.alias.is_some());
                    self.is_paged |= !field.arguments.is_empty() || field.name.node.starts_with("__");
                    if !field.selection_set.node.items.is_empty() {
                        self.add(document, &field.selection_set.node, depth + 1);
                    }
                }
                Selection::InlineFragment(inline) => self.add(document, &inline.node.selection_set.node, depth + 1),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.directives += fragment.node.directives.len() as u64;
                        self.add(document, &fragment.node.selection_set.node, depth + 1);
                    }
                }
            }
        }
    }
}
