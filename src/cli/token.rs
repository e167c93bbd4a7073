//! `allclear token`: hands out tokens, lists them and takes them back, by the database.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{Database, say};
use crate::access::{Access, secret};
use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::commands::{self, Call};
use crate::domain::role::{Role, Sight, Token};
use crate::queries::{self, View, Window};
use crate::store::Author;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// How many tokens are read at once.
const BATCH: usize = 100;

#[derive(Args, Debug)]
pub(super) struct Tokens {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token, and print it: it cannot be shown again.
    Create {
        /// What people are to call it.
        #[arg(long)]
        name: String,
        /// What it is for: `viewer`, `responder`, `manager` or `admin`.
        #[arg(long, value_parser = role)]
        role: Role,
        /// The slug of a page it holds on; on all pages unless given. Repeatable.
        #[arg(long = "page")]
        pages: Vec<String>,
        /// After how many days it expires; never unless given.
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=36500))]
        expires_in_days: Option<i64>,
        #[command(flatten)]
        database: Database,
    },
    /// List all tokens, newest first.
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Take a token back; what it opened ends within seconds.
    Revoke {
        /// How its text begins, as `list` shows it, or its whole text.
        token: String,
        #[command(flatten)]
        database: Database,
    },
}

pub(super) fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| "must be viewer, responder, manager or admin".to_owned())
}

impl Tokens {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (What::Create { database, .. } | What::List { database } | What::Revoke { database, .. }) = &self.what;
        let store = Arc::new(database.open().await?);
        let app = App::new(Arc::clone(&store), Access::closed(), Clock::System, Settings::default());
        let done = match self.what {
            What::Create {
                name,
                role,
                pages,
                expires_in_days,
                ..
            } => create(&app, name, role, &pages, expires_in_days).await,
            What::List { .. } => list(&app).await,
            What::Revoke { token, .. } => revoke(&app, &token).await,
        };
        store.close().await;
        done
    }
}

fn context(app: &Arc<App>) -> commands::Context {
    commands::Context {
        app: Arc::clone(app),
        author: Author {
            actor: "command line".to_owned(),
            ..Author::server("token")
        },
    }
}

async fn create(
    app: &Arc<App>,
    name: String,
    role: Role,
    slugs: &[String],
    expires_in_days: Option<i64>,
) -> anyhow::Result<()> {
    let mut pages = Vec::new();
    for slug in slugs {
        let view = View::now(app, Sight::ALL);
        match queries::page::by_slug(&view, slug).await? {
            Some(page) => pages.push(page.id),
            None => bail!("there is no page {slug:?}"),
        }
    }
    let create = commands::token::Create {
        name,
        role,
        pages: (!pages.is_empty()).then_some(pages),
        expires_at: expires_in_days.map(|days| app.clock.now().plus_millis(days * DAY_MILLIS)),
    };
    let made = commands::token::create(&context(app), Call::PLAIN, create).await?;
    say(made.text.context("a token without a text")?)
}

async fn all(app: &Arc<App>) -> anyhow::Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut after = None;
    loop {
        let window = Window {
            limit: BATCH,
            from_end: false,
            after,
            before: None,
        };
        let slice = queries::token::list(&View::now(app, Sight::ALL), window).await?;
        after = slice.items.last().map(queries::token::key);
        tokens.extend(slice.items);
        if !slice.has_next {
            return Ok(tokens);
        }
    }
}

async fn list(app: &Arc<App>) -> anyhow::Result<()> {
    let now = app.clock.now();
    for token in all(app).await? {
        let status = match token.revoked_at {
            Some(_) => "revoked",
            None if token.is_valid(now) => "valid",
            None => "expired",
        };
        let pages = match &token.pages {
            None => "all pages".to_owned(),
            Some(pages) => slugs(app, pages).await?.join(","),
        };
        let or_never =
            |at: Option<crate::domain::time::Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        say(format!(
            "{}\t{status}\t{}\t{pages}\texpires {}\tlast used {}\t{}",
            secret::display(&token.public_part),
            token.role.as_str(),
            or_never(token.expires_at),
            or_never(token.last_used_at),
            token.name,
        ))?;
    }
    Ok(())
}

async fn slugs(app: &Arc<App>, pages: &[Uuid]) -> anyhow::Result<Vec<String>> {
    let view = View::now(app, Sight::ALL);
    let mut slugs = Vec::new();
    for page in pages {
        let found = queries::page::by_id(&view, *page).await?;
        slugs.push(found.map_or_else(|| "(a page that is gone)".to_owned(), |page| page.slug.clone()));
    }
    Ok(slugs)
}

async fn revoke(app: &Arc<App>, named: &str) -> anyhow::Result<()> {
    let begins = named.trim_end_matches('…').trim_start_matches(secret::PREFIX);
    let tokens = all(app).await?;
    // Of a whole text the public part is the beginning.
    let found: Vec<&Token> = tokens
        .iter()
        .filter(|token| {
            !begins.is_empty() && (token.public_part.starts_with(begins) || begins.starts_with(&token.public_part))
        })
        .collect();
    let [token] = found.as_slice() else {
        bail!("{} tokens begin so", found.len());
    };
    let revoke = commands::token::Revoke { token: token.id };
    let revoked = commands::token::revoke(&context(app), Call::PLAIN, revoke).await?;
    say(format!("{} is revoked.", secret::display(&revoked.public_part)))
}
