//! `/graphql/stream`: `graphql-sse`'s single connection mode, for clients that may open few connections: one stream is
//! reserved and opened, and operations that are posted beside it send their results there. Without a stream's token, the
//! path serves as `/graphql` does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::stream::{Command, Session, Started};
use super::{Media, body, refuse};
use crate::transport::access::{Authenticate, Credentials};
use crate::transport::address::Address;
use crate::transport::engine::Engine;
use crate::transport::router::Edge;
use crate::transport::throttle::REFUSED;
use crate::transport::websocket::message::MAX_ID;
use crate::transport::{RequestError, RequestId, origin};

/// Where a client names its stream: in a header, or, as `EventSource` sets none, in the query.
const TOKEN_HEADER: &str = "x-graphql-event-stream-token";
const TOKEN: &str = "token";
/// Where it names an operation: in the extensions of the request, and in the query of what ends it.
const OPERATION_ID: &str = "operationId";

/// How many commands may wait for a stream. More than this at once, and the client is told to slow down.
const WAITING: usize = 32;

/// How many streams may be reserved and not opened: anybody may reserve.
const MAX_RESERVED: usize = 1_000;

/// The streams of a server, by token.
pub(in crate::transport) struct Streams<A: Authenticate>(Mutex<HashMap<String, Stream<A::Sender>>>);

impl<A: Authenticate> Default for Streams<A> {
    fn default() -> Streams<A> {
        Streams(Mutex::default())
    }
}

struct Stream<S> {
    commands: mpsc::Sender<Command<S>>,
    /// Until it is opened: the other end.
    reserved: Option<mpsc::Receiver<Command<S>>>,
    /// What runs on it, by the client's name.
    running: Arc<Mutex<HashSet<String>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// PUT reserves a stream, and answers with its token.
pub(in crate::transport) async fn reserve<E: Engine, A: Authenticate>(
    State(edge): State<Edge<E, A>>,
    request: Request,
) -> Response {
    let credentials = Credentials::of_headers(request.headers(), request.extensions(), &edge.config.proxies);
    let let_in = edge.let_in(&credentials).await;
    if let Err(error) = let_in.and_then(|(_, payer)| edge.throttle.charge(payer, 0)) {
        return refuse(Media::Assumed, error);
    }
    let patience = edge.config.websocket.init_timeout;
    let mut streams = lock(&edge.streams.0);
    streams.retain(|_, stream| !stream.commands.is_closed());
    if streams.values().filter(|stream| stream.reserved.is_some()).count() >= MAX_RESERVED {
        let message = "Too many streams are reserved and not opened; try again shortly.";
        let error = RequestError::new("TOO_MANY_STREAMS", StatusCode::TOO_MANY_REQUESTS, message);
        return refuse(Media::Assumed, error);
    }
    let token = Uuid::new_v4().to_string();
    let (commands, received) = mpsc::channel(WAITING);
    let stream = Stream {
        commands,
        reserved: Some(received),
        running: Arc::default(),
    };
    streams.insert(token.clone(), stream);
    drop(streams);
    tokio::spawn(forget(Arc::clone(&edge.streams), token.clone(), patience));
    let content_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::CREATED, content_type, token).into_response()
}

/// Lets go of a stream that is not opened in time, and of what was posted to it: nobody else may come for long.
async fn forget<A: Authenticate>(streams: Arc<Streams<A>>, token: String, patience: Duration) {
    sleep(patience).await;
    let mut streams = lock(&streams.0);
    if streams.get(&token).is_some_and(|stream| stream.reserved.is_some()) {
        streams.remove(&token);
    }
}

/// GET opens a stream that was reserved, POST starts an operation on one.
pub(in crate::transport) async fn serve<E: Engine, A: Authenticate>(
    state: State<Edge<E, A>>,
    request_id: Extension<RequestId>,
    request: Request,
) -> Response {
    let Some(token) = token(&request) else {
        return super::graphql(state, request_id, request).await;
    };
    let (State(edge), Extension(request_id)) = (state, request_id);
    let done = match *request.method() {
        Method::POST => start(&edge, &request_id, &token, request).await,
        _ => open(&edge, &request_id, &token, request),
    };
    done.unwrap_or_else(|error| refuse(Media::Assumed, error))
}

fn open<E: Engine, A: Authenticate>(
    edge: &Edge<E, A>,
    request_id: &RequestId,
    token: &str,
    request: Request,
) -> Result<Response, RequestError> {
    let (parts, _) = request.into_parts();
    let (commands, running) = take(edge, token)?;
    let address = Address::of(edge.config.proxies.sender(&parts.extensions, &parts.headers));
    let session = Session::single(edge, &parts, address, request_id)?;
    Ok(session.respond(commands, move |id| {
        lock(&running).remove(id);
    }))
}

type Opened<S> = (mpsc::Receiver<Command<S>>, Arc<Mutex<HashSet<String>>>);

fn take<E, A: Authenticate>(edge: &Edge<E, A>, token: &str) -> Result<Opened<A::Sender>, RequestError> {
    let mut streams = lock(&edge.streams.0);
    let stream = streams.get_mut(token).ok_or_else(no_such_stream)?;
    match stream.reserved.take() {
        Some(commands) => Ok((commands, Arc::clone(&stream.running))),
        None => {
            let message = "This stream is open already.";
            Err(RequestError::new("STREAM_IS_OPEN", StatusCode::CONFLICT, message))
        }
    }
}

async fn start<E: Engine, A: Authenticate>(
    edge: &Edge<E, A>,
    request_id: &RequestId,
    token: &str,
    request: Request,
) -> Result<Response, RequestError> {
    let (parts, content) = request.into_parts();
    let credentials = Credentials::of_headers(&parts.headers, &parts.extensions, &edge.config.proxies);
    let request = body::posted(&parts.headers, content, &edge.config).await?;
    let id = match request.extensions.get(OPERATION_ID) {
        Some(async_graphql::Value::String(id)) if (1..=MAX_ID).contains(&id.len()) => id.clone(),
        _ => {
            let message = format!(
                "`extensions.{OPERATION_ID}` must be a string of 1 to {MAX_ID} bytes that names the operation."
            );
            return Err(RequestError::malformed(message));
        }
    };
    let (sender, payer) = edge.let_in(&credentials).await?;
    let sender = Arc::new(sender);
    let checked = edge.check(request);
    if matches!(&checked, Ok(checked) if checked.operation == OperationType::Mutation) {
        origin::check(&parts.headers, &edge.config.allowed_origins)?;
    }
    let cost = checked.as_ref().map_or(REFUSED, |checked| checked.cost);
    edge.throttle.charge(payer, cost)?;

    let streams = lock(&edge.streams.0);
    let stream = streams.get(token).ok_or_else(no_such_stream)?;
    let mut running = lock(&stream.running);
    let max = edge.config.websocket.max_operations;
    if running.len() >= max {
        let message = format!("A stream may have {max} operations at a time.");
        let error = RequestError::new("TOO_MANY_OPERATIONS", StatusCode::TOO_MANY_REQUESTS, message);
        return Err(error.with("max", max));
    }
    if !running.insert(id.clone()) {
        let message = "An operation of this name runs already.";
        return Err(RequestError::new("OPERATION_EXISTS", StatusCode::CONFLICT, message));
    }
    let started = Started {
        id: id.clone(),
        sender: (sender, payer),
        request_id: request_id.clone(),
        checked,
        after: None,
    };
    match stream.commands.try_send(Command::Start(Box::new(started))) {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(error) => {
            running.remove(&id);
            Err(not_taken(&error))
        }
    }
}

/// DELETE ends an operation.
pub(in crate::transport) async fn end<E: Engine, A: Authenticate>(
    State(edge): State<Edge<E, A>>,
    request: Request,
) -> Response {
    let (Some(token), Some(id)) = (token(&request), in_query(request.uri().query(), OPERATION_ID)) else {
        let message = format!("A stream's token and `{OPERATION_ID}` say what to end.");
        return refuse(Media::Assumed, RequestError::malformed(message));
    };
    let streams = lock(&edge.streams.0);
    let ended = match streams.get(&token) {
        Some(stream) => stream
            .commands
            .try_send(Command::Stop(id))
            .map_err(|error| not_taken(&error)),
        None => Err(no_such_stream()),
    };
    match ended {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => refuse(Media::Assumed, error),
    }
}

fn token(request: &Request) -> Option<String> {
    match request.headers().get(TOKEN_HEADER) {
        Some(token) => Some(String::from_utf8_lossy(token.as_bytes()).into_owned()),
        None => in_query(request.uri().query(), TOKEN),
    }
}

fn in_query(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find_map(|(found, value)| (found == name).then(|| value.into_owned()))
}

fn no_such_stream() -> RequestError {
    RequestError::new("STREAM_NOT_FOUND", StatusCode::NOT_FOUND, "There is no such stream.")
}

fn not_taken<S>(error: &mpsc::error::TrySendError<Command<S>>) -> RequestError {
    match error {
        mpsc::error::TrySendError::Closed(_) => no_such_stream(),
        mpsc::error::TrySendError::Full(_) => {
            let message = "The stream has too much to do; try again shortly.";
            RequestError::new("TOO_MANY_OPERATIONS", StatusCode::TOO_MANY_REQUESTS, message)
        }
    }
}
