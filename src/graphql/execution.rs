//! Executing one query or mutation.

use std::sync::{Arc, OnceLock};

use async_graphql::{Request, Response};

use super::Schema;
use crate::access::Caller;
use crate::app::App;
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
    pub(super) fn get(&self, app: &Arc<App>, sight: Sight) -> View {
        let begin = || {
            if self.is_from_memory {
                View::latest(app, sight)
            } else {
                View::now(app, sight)
            }
        };
        self.view.get_or_init(begin).clone()
    }
}

/// Executes a request that was admitted. If a page changes between a read of its state in memory and one of the database, the query
/// is executed once more, from the database alone.
pub async fn execute(schema: &Schema, request: Request) -> Executed {
    let again = Again::of(&request);
    let shared = request_data::<Arc<SharedView>>(&request).cloned();
    let response = schema.execute(request).await;
    let view = shared.as_ref().and_then(|shared| shared.view.get());
    if view.is_some_and(View::is_moved)
        && let Some(again) = again
    {
        let response = schema.execute(again.from_database()).await;
        return Executed { response, basis: None };
    }
    let is_plain = response.errors.is_empty() && response.http_headers.is_empty();
    // What reads nothing, such as introspection, stays the same for as long as the server runs.
    let basis = view
        .map_or_else(|| Some(Basis::default()), View::basis)
        .filter(|_| is_plain);
    Executed { response, basis }
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

    fn from_database(self) -> Request {
        self.request.data(self.caller).data(SharedView::new(false))
    }
}

/// What was put into a request for its resolvers.
pub(super) fn request_data<T: Send + Sync + 'static>(request: &Request) -> Option<&T> {
    request.data.get(&std::any::TypeId::of::<T>())?.downcast_ref()
}
