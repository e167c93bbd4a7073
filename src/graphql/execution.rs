//! Executing one query or mutation under a budget.

use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{PathSegment, Pos, Request, Response, ServerError};

use super::Schema;
use super::error::Failure;
use crate::access::Caller;
use crate::app::App;
use crate::budget::{Budget, Exceeded};
use crate::domain::role::Sight;
use crate::queries::{Basis, View};

/// An answer, and what it is a function of.
#[derive(Debug)]
pub struct Executed {
    pub response: Response,
    /// Of a query: `None` if it cannot be said for how long the same request would get the same answer.
    pub basis: Option<Basis>,
}

/// The view that the root fields of one query share: begun by the first that reads.
#[derive(Debug)]
pub(super) struct SharedView {
    view: OnceLock<View>,
    is_from_memory: bool,
}

impl SharedView {
    pub(super) fn new(is_from_memory: bool) -> Arc<SharedView> {
        Arc::new(SharedView {
            view: OnceLock::new(),
            is_from_memory,
        })
    }

    /// The view, begun now if nothing was read yet.
    pub(super) fn get(&self, app: &Arc<App>, sight: Sight, budget: Budget) -> View {
        let begin = || {
            if self.is_from_memory {
                View::latest(app, sight, budget)
            } else {
                View::now_within(app, sight, budget)
            }
        };
        self.view.get_or_init(begin).clone()
    }
}

/// Executes a request that was admitted. If it exceeds the budget, the answer is one error, `EXECUTION_LIMIT`, and no data. If a
/// page changes between a read of its state in memory and one of the database, the query is executed once more, from the database
/// alone.
pub async fn execute(schema: &Schema, mut request: Request, budget: &Budget) -> Executed {
    // Both are known before, since the execution takes the request.
    let mutated = mutated(&mut request);
    let again = Again::of(&request);
    let shared = request_data::<Arc<SharedView>>(&request).cloned();
    let response = within(schema, request, budget, mutated.clone()).await;
    let view = shared.as_ref().and_then(|shared| shared.view.get());
    if view.is_some_and(View::is_moved)
        && let Some(again) = again
    {
        let response = within(schema, again.reading_database(), budget, mutated).await;
        return Executed { response, basis: None };
    }
    let is_plain = response.errors.is_empty() && response.http_headers.is_empty();
    // What reads nothing, such as introspection, stays the same for as long as the server runs.
    let basis = view
        .map_or_else(|| Some(Basis::default()), View::basis)
        .filter(|_| is_plain);
    Executed { response, basis }
}

async fn within(schema: &Schema, request: Request, budget: &Budget, mutated: Option<String>) -> Response {
    let request = request.data(budget.clone());
    match budget.run(schema.execute(request)).await {
        Ok(response) => response,
        Err(exceeded) => over_budget(exceeded, mutated),
    }
}

/// What is needed to execute a request once more.
struct Again {
    request: Request,
    caller: Caller,
}

impl Again {
    fn of(request: &Request) -> Option<Again> {
        let caller = request_data::<Caller>(request)?.clone();
        let mut again = Request::new(&request.query).variables(request.variables.clone());
        again.operation_name = request.operation_name.clone();
        Some(Again { request: again, caller })
    }

    fn reading_database(self) -> Request {
        self.request.data(self.caller).data(SharedView::new(false))
    }
}

/// What was put into a request for its resolvers.
pub(super) fn request_data<T: Send + Sync + 'static>(request: &Request) -> Option<&T> {
    request.data.get(&std::any::TypeId::of::<T>())?.downcast_ref()
}

/// The response key of the first field of a mutation; none for a query.
fn mutated(request: &mut Request) -> Option<String> {
    let name = request.operation_name.clone();
    // One that does not parse is refused before it is executed.
    let document = request.parsed_query().ok()?;
    let operation = chosen(document, name.as_deref(), OperationType::Mutation)?;
    let first = operation.selection_set.node.items.first()?;
    Some(match &first.node {
        Selection::Field(field) => field.node.response_key().node.to_string(),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => "mutation".to_owned(),
    })
}

/// The operation that a request runs, if it is of a type.
pub(super) fn chosen<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
    ty: OperationType,
) -> Option<&'a OperationDefinition> {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) => operations.values().next(),
    };
    operation
        .map(|operation| &operation.node)
        .filter(|operation| operation.ty == ty)
}

/// The answer to a request that exceeded its budget. A mutation may have been carried out before that. So its error has a
/// path, by which the edge knows that something was executed, and says so.
pub(super) fn over_budget(exceeded: Exceeded, mutated: Option<String>) -> Response {
    let mut error = request_error(exceeded.into());
    if let Some(key) = mutated {
        error.message += " The mutation may have been carried out: read its result before you send it again.";
        error.path.push(PathSegment::Field(key));
    }
    Response::from_errors(vec![error])
}

/// The answer to a request of which nothing is executed.
pub(super) fn refusal(failure: Failure) -> Response {
    Response::from_errors(vec![request_error(failure)])
}

/// An error of the request as a whole: it has no place in the document.
fn request_error(failure: Failure) -> ServerError {
    let mut error = async_graphql::Error::from(failure).into_server_error(Pos::default());
    error.locations.clear();
    error
}
