//! What is served where.

use std::future::Future;
use std::sync::Arc;

use async_graphql::Request;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};

use super::access::{Authenticate, Credentials, Refused};
use super::concurrency::{Executions, TOO_MANY_REQUESTS};
use super::documents::Documents;
use super::engine::Engine;
use super::fanout::{Fanouts, Seat};
use super::graphiql::Explorer;
use super::http::{Media, Streams, refuse};
use super::operation::Start;
use super::payers::Payers;
use super::penalty::Penalties;
use super::place::Places;
use super::preflight::{self, Checked};
use super::read_cache::ReadCache;
use super::throttle::{Charge, Payer, RATE_LIMITED, REQUEST, Throttle, WRONG_TOKEN};
use super::{Config, Connections, RequestError, RequestId, browser, http, request_id, websocket};

const GRAPHQL: &str = "/graphql";
const WEBSOCKET: &str = "/graphql/ws";
const STREAM: &str = "/graphql/stream";

/// What handlers work with.
#[derive(Clone)]
pub(super) struct Edge<E, A: Authenticate> {
    pub(super) engine: E,
    pub(super) access: A,
    pub(super) config: Arc<Config>,
    pub(super) connections: Connections,
    documents: Arc<Documents>,
    pub(super) fanouts: Arc<Fanouts>,
    pub(super) streams: Arc<Streams<A>>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) read_cache: Arc<ReadCache>,
    payers: Arc<Payers>,
    pub(super) places: Arc<Places>,
    pub(super) executions: Arc<Executions>,
    penalties: Arc<Penalties>,
}

impl<E: Engine, A: Authenticate> Edge<E, A> {
    /// Decides whether a request may be executed, once its document is known.
    pub(super) fn check(&self, request: Request) -> Result<Checked, RequestError> {
        // Before it is hashed: that takes longer than refusing it.
        preflight::check_bytes(&request, &self.config.limits)?;
        let (request, fresh) = self.documents.find(request)?;
        let checked = preflight::check(request, &self.config.limits)?;
        if let Some(fresh) = fresh {
            self.documents.remember(fresh);
        }
        Ok(checked)
    }

    /// Decides whether a request may be executed, and charges for it either way: for the execution, or for refusing it.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the payer cannot pay; inside, why the request is refused.
    pub(super) fn check_for(
        &self,
        payer: Payer,
        request: Request,
    ) -> Result<Result<(Checked, Charge), RequestError>, RequestError> {
        let document_bytes = request.query.len();
        match self.check(request) {
            Ok(checked) => {
                let charge = self.throttle.charge_execution(payer, checked.cost)?;
                Ok(Ok((checked, charge)))
            }
            Err(error) => {
                self.throttle.charge_refused(payer, document_bytes)?;
                Ok(Err(error))
            }
        }
    }

    /// Answers a request that is refused. The answer to a client past its rate limit is delayed, so that one that keeps
    /// sending does not keep this server busy with refusals.
    pub(super) async fn refuse(&self, media: Media, error: RequestError) -> Response {
        let is_rate_limited = matches!(error.code, RATE_LIMITED | TOO_MANY_REQUESTS);
        let mut response = refuse(media, error);
        if is_rate_limited && !self.penalties.serve(self.connections.stop().token()).await {
            // There are too many of them already. A connection costs the client more than a request.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    /// What runs an operation on a connection that lasts.
    pub(super) fn start(
        &self,
        sender: Arc<A::Sender>,
        request_id: RequestId,
        seat: Seat,
        charge: Charge,
    ) -> Start<E, A> {
        Start {
            executions: Arc::clone(&self.executions),
            throttle: Arc::clone(&self.throttle),
            charge,
            engine: self.engine.clone(),
            access: self.access.clone(),
            sender,
            request_id,
            fanouts: Arc::clone(&self.fanouts),
            payers: Arc::clone(&self.payers),
            seat,
            after: None,
        }
    }

    /// Looks at a token, or at the lack of one: whom it belongs to, and who pays for what it asks. Tries at tokens are paid
    /// for by the address they come from.
    pub(super) async fn let_in(&self, credentials: &Credentials) -> Result<(A::Sender, Payer), RequestError> {
        match credentials.identify(&self.access).await {
            Ok(sender) => {
                let payer = Payer::of(self.access.account(&sender), credentials.address());
                Ok((sender, payer))
            }
            Err(Refused::Unauthenticated) => {
                self.throttle
                    .charge(Payer::Address(credentials.address()), REQUEST + WRONG_TOKEN)?;
                Err(Refused::Unauthenticated.into())
            }
            Err(refused) => {
                // Looking has cost something, whatever would have come of it.
                if credentials.has_any() {
                    self.throttle.charge(Payer::Address(credentials.address()), REQUEST)?;
                }
                Err(refused.into())
            }
        }
    }
}

/// All routes of the server.
///
/// `ready` says whether requests can be served (the database answers, the tailer runs), or why not; the reason is
/// logged and not shown.
pub fn router<E, A, R, F>(engine: E, access: A, ready: R, config: Config, connections: Connections) -> Router
where
    E: Engine,
    A: Authenticate,
    R: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send,
{
    let graphiql = config.graphiql;
    let config = Arc::new(config);
    let throttle = Arc::new(Throttle::new(config.rate));
    let payers = Payers::new(Arc::clone(&throttle));
    let edge = Edge {
        engine,
        access,
        throttle,
        fanouts: Arc::new(Fanouts::new(Arc::clone(&payers))),
        payers,
        read_cache: Arc::new(ReadCache::new(config.read_cache_bytes)),
        places: Places::new(config.room),
        executions: Executions::new(config.executions),
        penalties: Arc::new(Penalties::new(config.rate_limit_delay)),
        documents: Arc::new(Documents::new(&config)),
        config: Arc::clone(&config),
        connections,
        streams: Arc::default(),
    };
    let mut routes = Router::new()
        .route(GRAPHQL, get(http::graphql::<E, A>).post(http::graphql::<E, A>))
        .route(WEBSOCKET, get(websocket::upgrade::<E, A>))
        .route(
            STREAM,
            put(http::single::reserve::<E, A>)
                .get(http::single::serve::<E, A>)
                .post(http::single::serve::<E, A>)
                .delete(http::single::end::<E, A>),
        )
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readiness(ready().await)))
        .route("/", get(async move || index(graphiql)));
    if graphiql {
        let explorer = Explorer::new(GRAPHQL, WEBSOCKET);
        routes = routes.route("/graphiql", get(async move || explorer.respond()));
    }
    routes
        .fallback(async || not_found())
        .method_not_allowed_fallback(async || method_not_allowed())
        .layer(axum::middleware::from_fn_with_state(config, browser::guard))
        .layer(axum::middleware::from_fn(request_id::identify))
        .with_state(edge)
}

fn readiness(ready: Result<(), String>) -> Response {
    match ready {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => {
            tracing::warn!(reason, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
        }
    }
}

fn index(graphiql: bool) -> Response {
    let mut text = format!(
        "Allclear\n\n\
         {GRAPHQL}         GraphQL: POST with application/json, or GET for queries; subscriptions with\n\
         \u{20}                Accept: text/event-stream, or multipart/mixed;subscriptionSpec=1.0\n\
         {WEBSOCKET}      the same over WebSocket: graphql-transport-ws\n\
         {STREAM}  the same over server-sent events: graphql-sse\n"
    );
    if graphiql {
        text += "/graphiql        an explorer for both\n";
    }
    text += "/healthz         whether the server runs\n/readyz          whether it can serve requests\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn not_found() -> Response {
    refuse(
        Media::Assumed,
        RequestError::new("NOT_FOUND", StatusCode::NOT_FOUND, "There is nothing here; see /."),
    )
}

/// axum adds which methods are allowed.
fn method_not_allowed() -> Response {
    let message = "This path does not serve this method.";
    let mut response = refuse(
        Media::Assumed,
        RequestError::new("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED, message),
    );
    response.headers_mut().remove(header::ALLOW);
    response
}
