//! A server as a whole: the API over an app, what runs beside it, and how all of it stops in good order.

mod engine;
mod prices;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::{Pass, TENDING};
use crate::app::App;
use crate::commands::maintenance;
use crate::error::Error;
use crate::graphql::{self, Limits};
use crate::transport::{self, Authenticate, Config, Connections, Patience, Refused, RequestId, Stop};
use engine::Api;

/// How often automation looks for maintenances whose time has come: a window is set in minutes.
const AUTOMATION: Duration = Duration::from_secs(1);

/// How often events past their retention are taken out of the log.
const PRUNING: Duration = Duration::from_secs(60 * 60);

/// What is kept of the grace for each step after requests and sockets have ended: a tenth, and at most a second. Commands run
/// from the beginning of the grace on, and mostly need none of it.
const RESERVE: Duration = Duration::from_secs(1);

/// Serves an app until `stop`, then closes sockets, finishes the commands that run, and closes the database: all of that
/// within `grace`. What is still executed shortly before its end is cancelled.
pub async fn run(app: Arc<App>, listener: TcpListener, mut config: Config, stop: impl Into<Stop>, grace: Duration) {
    let stops = stop.into();
    let stop = stops.token().clone();
    let background = start_background(&app, &stop);
    let limits = limits(&config);
    let connections = Connections::new(stops, config.room.connections, config.proxies.clone());
    let reserve = RESERVE.min(grace / 10);
    let patience = Patience {
        head: config.head_timeout,
        send: config.websocket.send_timeout,
        end: grace.saturating_sub(2 * reserve),
    };
    let schema = graphql::schema(Arc::clone(&app), limits, config.limits.introspectable);
    config.limits.prices = Arc::new(prices::of(&schema.sdl()));
    let router = transport::router(
        Api::new(Arc::clone(&app), schema),
        Door(Arc::clone(&app)),
        readiness(&app),
        config,
        connections.clone(),
    );

    let served = async {
        transport::serve(listener, router, connections, patience).await;
        stop.cancel();
        app.finish().await;
        background.await;
        app.store.close().await;
    };
    let too_late = async {
        stop.cancelled().await;
        // The caller has the rest to end the process in good order.
        tokio::time::sleep(grace.saturating_sub(reserve)).await;
    };
    tokio::select! {
        () = served => {}
        () = too_late => tracing::warn!("stopping with work that does not end"),
    }
}

/// Starts what runs beside the requests: the tailer, the ear for other nodes, automation, the watch over tokens, the keys
/// of the issuer of JWTs, pruning. The future ends when they have.
fn start_background(app: &Arc<App>, stop: &CancellationToken) -> impl Future<Output = ()> + use<> {
    let tailer = tokio::spawn(Arc::clone(&app.live).run(stop.clone()));
    let listening = tokio::spawn({
        let (store, stop) = (Arc::clone(&app.store), stop.clone());
        async move { store.listen(stop).await }
    });
    let automation = tokio::spawn(every(AUTOMATION, stop.clone(), {
        let app = Arc::clone(app);
        move || {
            let app = Arc::clone(&app);
            async move { maintenance::run_due(&app).await.map(|_| ()) }
        }
    }));
    let tending = tokio::spawn(every(TENDING, stop.clone(), {
        let app = Arc::clone(app);
        move || {
            let app = Arc::clone(&app);
            async move { app.access.tend(&app.store, app.clock.now()).await }
        }
    }));
    // Each apart, as the tokens may wait for the database, and the keys for the issuer.
    let visitors = tokio::spawn(every(TENDING, stop.clone(), {
        let app = Arc::clone(app);
        move || {
            app.access.tend_visitors(app.clock.now());
            std::future::ready(Ok(()))
        }
    }));
    let keys = tokio::spawn({
        let (app, stop) = (Arc::clone(app), stop.clone());
        let kept = every(TENDING, stop.clone(), move || {
            let app = Arc::clone(&app);
            async move {
                app.access.keep_keys(app.clock.now()).await;
                Ok(())
            }
        });
        async move { stop.run_until_cancelled(kept).await }
    });
    let pruning = tokio::spawn(every(PRUNING, stop.clone(), {
        let app = Arc::clone(app);
        move || {
            let app = Arc::clone(&app);
            async move {
                let oldest = app.clock.now().plus_millis(-app.settings.retention_millis);
                app.store.prune(oldest).await.map(|_| ())
            }
        }
    }));
    async move {
        // They end by `stop`; a panic in one was logged where it happened.
        let _ = tokio::join!(tailer, listening, automation, tending, visitors, keys, pruning);
    }
}

async fn every<F, R>(period: Duration, stop: CancellationToken, job: F)
where
    F: Fn() -> R,
    R: Future<Output = Result<(), Error>>,
{
    let mut timer = tokio::time::interval(period);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timer.tick() => {}
        }
        if let Err(error) = job().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "background work failed; it is tried again"
            );
        }
    }
}

fn limits(config: &transport::Config) -> Limits {
    fn of<T: TryInto<i32>>(value: T) -> i32 {
        value.try_into().unwrap_or(i32::MAX)
    }
    let (document, socket) = (&config.limits, &config.websocket);
    Limits {
        body_bytes: of(config.body_limit),
        document_bytes: of(document.bytes),
        document_tokens: of(document.tokens),
        document_nesting: of(document.nesting),
        document_depth: of(document.depth),
        document_fields: of(document.fields),
        document_aliases: of(document.aliases),
        document_directives: of(document.directives),
        document_cost: of(document.cost),
        variable_nesting: of(document.variable_nesting),
        variable_values: of(document.variable_values),
        variable_bytes: of(document.variable_bytes),
        subscriptions_per_socket: of(socket.max_operations),
        frames_per_second: of(socket.frames_per_second),
        sockets_per_address: config.room.per_address.map(of),
        cost_per_second: config.rate.map(|rate| of(rate.cost.get())),
        cost_at_once: config.rate.map(|rate| of(rate.burst.get())),
    }
}

fn readiness(
    app: &Arc<App>,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Clone + Send + Sync + 'static {
    let app = Arc::clone(app);
    move || {
        let app = Arc::clone(&app);
        Box::pin(async move {
            app.store.ping().await.map_err(|error| format!("{error}"))?;
            if app.live.is_healthy() {
                Ok(())
            } else {
                Err("the tailer cannot read the log".to_owned())
            }
        })
    }
}

/// The access module, as the edge asks it.
#[derive(Clone)]
struct Door(Arc<App>);

/// Who was let in, and from where.
#[derive(Debug)]
struct Sender {
    pass: Pass,
    from: Option<IpAddr>,
}

impl Authenticate for Door {
    type Sender = Sender;

    async fn authenticate(&self, bearer: Option<&str>, from: Option<IpAddr>) -> Result<Sender, Refused> {
        let Door(app) = self;
        let pass = app.access.enter(&app.store, app.clock.now(), bearer).await;
        let pass = pass.map_err(|error| refused(&error))?;
        Ok(Sender { pass, from })
    }

    async fn redeem(&self, ticket: &str, from: Option<IpAddr>) -> Result<Sender, Refused> {
        let Door(app) = self;
        let pass = app.access.redeem(&app.store, app.clock.now(), ticket).await;
        let pass = pass.map_err(|error| refused(&error))?;
        Ok(Sender { pass, from })
    }

    fn account<'a>(&self, sender: &'a Sender) -> Option<&'a [u8]> {
        sender.pass.account()
    }

    fn view(&self, sender: &Sender) -> Option<Vec<u8>> {
        Some(sender.pass.sight().key())
    }

    fn ended(&self, sender: &Sender) -> Option<BoxFuture<'static, ()>> {
        sender.pass.ended().map(FutureExt::boxed)
    }

    async fn admit(
        &self,
        sender: &Sender,
        request_id: &RequestId,
        request: async_graphql::Request,
    ) -> Result<async_graphql::Request, Refused> {
        let Door(app) = self;
        let (pass, request_id) = (&sender.pass, request_id.to_string());
        let caller = app
            .access
            .caller(&app.store, app.clock.now(), pass, request_id, sender.from)
            .await;
        let caller = caller.map_err(|error| refused(&error))?;
        Ok(graphql::admit(request, caller))
    }
}

/// What somebody is told who is not let in. That the database is away, or an issuer, is no fault of their token.
fn refused(error: &Error) -> Refused {
    match error {
        Error::Unauthenticated => Refused::Unauthenticated,
        // It was logged when the issuer was asked; and again for each who comes is for whoever sends most to say.
        Error::IssuerAway => Refused::Unavailable,
        error => {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a token could not be looked up"
            );
            Refused::Unavailable
        }
    }
}
