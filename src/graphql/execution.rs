//! Executing a query or a mutation under a budget.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{PathSegment, Pos, Request, Response, ServerError};

use super::Schema;
use super::error::Failure;
use crate::budget::{Budget, Exceeded};

/// Executes a request that was let in. When it exceeds the budget, the answer is one error, `EXECUTION_LIMIT`, and no
/// data.
pub async fn execute(schema: &Schema, mut request: Request, budget: &Budget) -> Response {
    // Known before, since the execution takes the request.
    let mutated = mutated(&mut request);
    let request = request.data(budget.clone());
    match budget.run(schema.execute(request)).await {
        Ok(response) => response,
        Err(exceeded) => over_budget(exceeded, mutated),
    }
}

/// The response key of the first field of a mutation; none for a query.
fn mutated(request: &mut Request) -> Option<String> {
    let name = request.operation_name.clone();
    // One that does not parse is refused before it is executed.
    let document = request.parsed_query().ok()?;
    let operation = chosen(document, name.as_deref()).filter(|operation| operation.ty == OperationType::Mutation)?;
    let first = operation.selection_set.node.items.first()?;
    Some(match &first.node {
        Selection::Field(field) => field.node.response_key().node.to_string(),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => "mutation".to_owned(),
    })
}

fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) => operations.values().next(),
    };
    operation.map(|operation| &operation.node)
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
