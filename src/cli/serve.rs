//! `allclear serve`: puts the server together, runs it, and stops it in good order.

mod connections;
mod documents;
mod issuer;
mod limits;
mod memory;
mod senders;
mod shutdown;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::{Database, say};
use crate::access::Access;
use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::commands::{self, demo};
use crate::domain::role::Sight;
use crate::markdown::ImageHosts;
use crate::queries::{self, View};
use crate::server;
use crate::store::Author;
use crate::transport;
use documents::Documents;
use issuer::Issuers;
use limits::RequestLimits;
use memory::ReadMemory;
use senders::SenderLimits;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    database: Database,
    /// Where PostgreSQL is listened to for what other nodes change, if not at the database URL: a direct URL, where that
    /// one leads to a pooler that gives each transaction another connection.
    #[arg(long, env = "ALLCLEAR_DATABASE_LISTEN_URL", hide_env_values = true)]
    database_listen_url: Option<String>,
    /// The address to listen on. Put a proxy that speaks TLS in front before you open it to the Internet.
    #[arg(long, env = "ALLCLEAR_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The token that mutations need, 32 characters or more. Without it, one is made at the first start and printed
    /// once.
    #[arg(long, env = "ALLCLEAR_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Fill an empty database with a service to look at.
    #[arg(long, env = "ALLCLEAR_DEMO")]
    demo: bool,
    /// Do not serve GraphiQL, the explorer at /graphiql (the browser loads its scripts from the Internet).
    #[arg(long, env = "ALLCLEAR_NO_GRAPHIQL")]
    no_graphiql: bool,
    /// An origin whose pages may use the API from a browser (CORS, mutations, sockets), such as
    /// `https://status.example.com`; `*` means all. Repeatable.
    #[arg(long = "allow-origin", env = "ALLCLEAR_ALLOW_ORIGIN", value_delimiter = ',', value_parser = origin)]
    allow_origin: Vec<String>,
    /// A host whose images the HTML of bodies may show (over https), such as `images.example.com`. Repeatable. Images of
    /// others are shown by their description.
    #[arg(long = "allow-image-host", env = "ALLCLEAR_ALLOW_IMAGE_HOST", value_delimiter = ',', value_parser = host)]
    allow_image_host: Vec<String>,
    /// How often a quiet subscription hears where the log stands.
    #[arg(long, env = "ALLCLEAR_HEARTBEAT_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    heartbeat_seconds: u64,
    /// How many days events are kept for clients that resume.
    #[arg(long, env = "ALLCLEAR_RETENTION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=36500))]
    retention_days: i64,
    /// How much of a partial outage counts as down, from 0 to 1.
    #[arg(long, env = "ALLCLEAR_PARTIAL_OUTAGE_WEIGHT", default_value_t = crate::domain::uptime::PARTIAL_OUTAGE_WEIGHT, value_parser = weight)]
    partial_outage_weight: f64,
    #[command(flatten)]
    senders: SenderLimits,
    /// How long a shutdown may take. Requests, sockets and commands that are still running by then are cut off.
    #[arg(long, env = "ALLCLEAR_GRACE_SECONDS", default_value_t = 20)]
    grace_seconds: u64,
    #[command(flatten)]
    limits: RequestLimits,
    #[command(flatten)]
    memory: ReadMemory,
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    issuers: Issuers,
}

/// An origin as browsers write it: whatever else is given would never be met.
fn origin(text: &str) -> Result<String, String> {
    let is_origin = |text: &str| {
        let host = text.split_once("://").map(|(scheme, host)| (!scheme.is_empty(), host));
        matches!(host, Some((true, host)) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
    };
    match text == "*" || is_origin(text) {
        true => Ok(text.to_owned()),
        false => Err("must be like https://status.example.com, with no path and no slash at its end, or *".to_owned()),
    }
}

/// A host by its name alone: a scheme, a port or a wildcard would never be met.
fn host(text: &str) -> Result<String, String> {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match text.split('.').all(is_part) {
        true => Ok(text.to_owned()),
        false => Err("must be the name of a host, like images.example.com".to_owned()),
    }
}

fn weight(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => Ok(weight),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut config = self.edge()?;
        let issuer = self.issuers.read()?;
        let store = self.database.open_and_listen(self.database_listen_url.clone()).await?;
        let store = Arc::new(store);
        let (access, fresh_token) = Access::open(&store, self.admin_token.as_deref())
            .await
            .context("`--admin-token`")?;
        let access = match issuer {
            Some(issuer) => access.trusting(issuer),
            None => access,
        };
        let mut settings = Settings {
            partial_outage_weight: self.partial_outage_weight,
            heartbeat_millis: self.heartbeat_seconds * 1000,
            retention_millis: self.retention_days * DAY_MILLIS,
            image_hosts: ImageHosts::new(self.allow_image_host.clone()),
            execution: self.limits.execution(),
            ..Settings::default()
        };
        self.memory.apply(&mut settings, &mut config);
        let app = App::new(Arc::clone(&store), access, Clock::System, settings);
        let listener = connections::listen(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        let address = listener.local_addr().context("cannot listen")?;

        let is_filled = if self.demo { fill_demo(&app).await? } else { false };
        let grace = Duration::from_secs(self.grace_seconds);
        let stop = shutdown::stop_on_signal(grace)?;
        greet(address, &self, fresh_token.as_deref(), is_filled)?;

        server::run(app, listener, config, stop, grace).await;
        Ok(())
    }

    fn edge(&self) -> anyhow::Result<transport::Config> {
        let limits = self.limits.limits();
        let mut config = transport::Config {
            graphiql: !self.no_graphiql,
            documents: self.documents.read(&limits)?,
            limits,
            allowed_origins: self.allow_origin.clone(),
            ..transport::Config::default()
        };
        self.senders.apply(&mut config);
        // One client must not be able to take every connection to the database.
        let most = (self.database.database_connections as usize).saturating_sub(1).max(1);
        if let Some(limit) = &mut config.executions {
            limit.running = limit.running.min(most);
        }
        let wished = config.room;
        config.room = wished.among(connections::most(self.database.database_connections)?);
        if wished.in_all > config.room.in_all {
            tracing::info!(
                sockets = config.room.in_all,
                "no more sockets and streams than these fit in the files that may be open; \
                 raise their limit (`ulimit -Hn`, `LimitNOFILE`)"
            );
        }
        Ok(config)
    }
}

/// Fills the database unless it holds pages already; tells whether it did.
async fn fill_demo(app: &Arc<App>) -> anyhow::Result<bool> {
    let pages = queries::page::count(&View::now(app, Sight::ALL))
        .await
        .context("cannot read the database")?;
    if pages > 0 {
        return Ok(false);
    }
    let context = commands::Context {
        app: Arc::clone(app),
        author: Author::server("demo"),
    };
    demo::fill(&context).await.context("cannot fill the demo")?;
    Ok(true)
}

/// Tells the person at the terminal where to look and what to try.
fn greet(address: SocketAddr, serve: &Serve, fresh_token: Option<&str>, is_filled: bool) -> anyhow::Result<()> {
    say(format!("Allclear serves http://{address}/graphql"))?;
    if !serve.no_graphiql {
        say(format!("Explorer: http://{address}/graphiql"))?;
    }
    if let Some(token) = fresh_token {
        say(format!("Admin token, shown this once: {token}"))?;
    }
    if is_filled {
        let slug = demo::SLUG;
        say(format!(
            "\nThe demo's page is \"{slug}\". Look at it:\n\n  \
             curl -s http://{address}/graphql -H 'content-type: application/json' \\\n    \
             -d '{{\"query\":\"{{ page(slug: \\\"{slug}\\\") {{ incidents(first: 10) {{ nodes {{ title impact summary duration }} }} }} }}\"}}'\n\n\
             Watch it, in the explorer or over ws://{address}/graphql/ws:\n\n  \
             subscription {{ pageEvents(page: \"{slug}\") {{ __typename cursor at ... on IncidentUpdatePosted {{ incident {{ title }} update {{ status body }} }} }} }}\n\n\
             Post to it meanwhile, with the id of an incident and the admin token as \"Authorization: Bearer …\":\n\n  \
             mutation {{ incidentUpdatePost(input: {{ incident: \"…\", status: MONITORING, body: \"We are watching it.\" }}) {{ userErrors {{ code message }} }} }}\n"
        ))?;
    } else if serve.demo {
        say("The database holds pages already: the demo leaves it as it is.")?;
    }
    say("Ready.")
}
