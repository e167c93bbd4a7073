//! Who asks, and what they may do: the one place that decides it.
//!
//! `secret` is what a token looks like, `keyring` how it is looked up and when it ends, `issuer` how those are let in who
//! signed in elsewhere, `rule` the table of who may do what. What somebody sees of a page follows from their `Sight` (`domain/role.rs`).

pub mod issuer;
mod keyring;
mod pass;
mod rule;
pub mod secret;
mod ticket;

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::page::Visibility;
use crate::domain::role::{Role, Scope, Sight, Token};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::{Author, Store};
use issuer::{Issuer, KeyId};
use keyring::Keyring;
use pass::Proof;
use secret::{Hash, Secret};
use ticket::{Seal, Stated};

pub use keyring::TENDING;
pub use pass::Pass;
pub use rule::{RULES, Right};

/// The fewest characters an admin token has that was given: 32 random letters and digits cannot be guessed.
pub const SHORTEST_TOKEN: usize = 32;

/// For how many seconds a ticket may be made: long enough to open a stream, short enough to be no use in a log.
pub const TICKET_SECONDS: std::ops::RangeInclusive<i64> = 1..=300;

/// What the admin token is called that a server begins with.
const BOOTSTRAP: &str = "admin";

const ADMIN_TOKEN: &str = "admin_token_sha256";
const TICKET_SEAL: &str = "ticket_seal";

/// The tokens that open this server; only their hashes are kept.
#[derive(Debug)]
pub struct Access {
    /// The hash of the admin token that a server begins with. It never ends, as who has the command line has the database.
    admin: Hash,
    bootstrap: Arc<Holder>,
    keyring: Keyring,
    /// Whose JWTs let in too.
    issuer: Option<Issuer>,
    /// None for programs that serve nobody.
    seal: Option<Seal>,
}

/// Whom a token, or a JWT, stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// None for the admin token that a server begins with, and for a JWT.
    pub token: Option<Uuid>,
    /// The key that a JWT was signed with.
    pub key: Option<KeyId>,
    /// What people call the token; of a JWT its subject, with the issuer.
    pub name: String,
    pub role: Role,
    pub scope: Scope,
}

impl Holder {
    fn of(token: &Token) -> Holder {
        Holder {
            token: Some(token.id),
            key: None,
            name: token.name.clone(),
            role: token.role,
            scope: token.scope(),
        }
    }
}

/// Who asks: decided once for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// None for the public.
    pub holder: Option<Arc<Holder>>,
    /// Until when their token opens anything.
    pub expires_at: Option<Timestamp>,
    /// The id of the request, for the audit and the log of the server.
    pub request_id: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// They have a ticket, which only sees.
    pub only_sees: bool,
}

impl Access {
    /// Takes the admin token given, or, where none is given, the one made at the first start.
    ///
    /// Returns the token's text with it when it was made just now: it is shown once, and only its hash is kept.
    ///
    /// # Errors
    /// `BadUserInput` for a token of fewer than [`SHORTEST_TOKEN`] characters; those of the database.
    pub async fn open(store: &Store, given: Option<&str>) -> Result<(Access, Option<String>)> {
        let seal = store.keep_setting(TICKET_SEAL, &Seal::fresh()?).await?;
        let seal = Some(Seal::read(&seal)?);
        if let Some(token) = given {
            if token.chars().count() < SHORTEST_TOKEN {
                let text = format!("the admin token must have {SHORTEST_TOKEN} characters or more");
                return Err(Error::BadUserInput(text));
            }
            return Ok((Access::with(Hash::of(token), seal), None));
        }
        let fresh = Secret::fresh()?;
        let kept = store.keep_setting(ADMIN_TOKEN, &fresh.hash().to_hex()).await?;
        let admin = Hash::from_hex(&kept).ok_or_else(|| Error::Corrupt("a token's hash that is none".to_owned()))?;
        let is_fresh = admin.is(&fresh.hash());
        Ok((Access::with(admin, seal), is_fresh.then(|| fresh.reveal())))
    }

    /// Access that no admin token opens, for programs that serve nobody.
    pub fn closed() -> Access {
        Access::with(Hash::NONE, None)
    }

    fn with(admin: Hash, seal: Option<Seal>) -> Access {
        Access {
            admin,
            bootstrap: Arc::new(Holder {
                token: None,
                key: None,
                name: BOOTSTRAP.to_owned(),
                role: Role::Admin,
                scope: Scope::All,
            }),
            keyring: Keyring::default(),
            issuer: None,
            seal,
        }
    }

    /// Lets in who has a JWT of an issuer too.
    pub fn trusting(self, issuer: Issuer) -> Access {
        Access {
            issuer: Some(issuer),
            ..self
        }
    }

    /// Lets in who has a bearer token, a JWT, or nothing.
    ///
    /// # Errors
    /// `Unauthenticated` for anything that opens nothing; `Unavailable` and `IssuerAway` where that cannot be found out.
    pub async fn enter(&self, store: &Store, now: Timestamp, bearer: Option<&str>) -> Result<Pass> {
        let proof = match bearer {
            None => Proof::Nothing,
            Some(text) => self.open_with(store, now, text).await?,
        };
        Ok(Pass {
            proof,
            is_ticket: false,
        })
    }

    async fn open_with(&self, store: &Store, now: Timestamp, text: &str) -> Result<Proof> {
        let hash = Hash::of(text);
        Ok(match &self.issuer {
            _ if self.admin.is(&hash) => Proof::Bootstrap,
            Some(issuer) if issuer::is_jwt(text) => Proof::Jwt(issuer.open(store, now, text).await?),
            _ => Proof::Key(self.keyring.open(store, now, text, &hash).await?),
        })
    }

    /// Lets in who has a ticket.
    ///
    /// # Errors
    /// As of [`Access::enter`].
    pub async fn redeem(&self, store: &Store, now: Timestamp, ticket: &str) -> Result<Pass> {
        let seal = self.seal.as_ref().ok_or(Error::Unauthenticated)?;
        let proof = if let Some(stated) = seal.open_visitor(ticket, now) {
            let issuer = self.issuer.as_ref().ok_or(Error::Unauthenticated)?;
            Proof::Jwt(issuer.redeem(now, ticket, &stated).await?)
        } else {
            let token = seal.open(ticket, now).ok_or(Error::Unauthenticated)?;
            match token.is_nil() {
                true => Proof::Bootstrap,
                false => Proof::Key(self.keyring.open_by_id(store, now, token).await?),
            }
        };
        Ok(Pass { proof, is_ticket: true })
    }

    /// A ticket that stands for a caller for so many seconds, and until when.
    ///
    /// # Errors
    /// `BadUserInput` outside [`TICKET_SECONDS`]; `Forbidden` for the public.
    pub fn ticket(&self, caller: &Caller, now: Timestamp, seconds: i64) -> Result<(String, Timestamp)> {
        if !TICKET_SECONDS.contains(&seconds) {
            let (least, most) = (TICKET_SECONDS.start(), TICKET_SECONDS.end());
            let text = format!("`lifetimeSeconds` must be from {least} to {most}");
            return Err(Error::BadUserInput(text));
        }
        let (Some(holder), Some(seal)) = (&caller.holder, &self.seal) else {
            return Err(Error::Forbidden);
        };
        let until = now.plus_millis(seconds * 1000);
        let ticket = match (holder.token, holder.key, caller.expires_at) {
            (Some(token), None, _) => seal.ticket(token, until),
            (None, Some(key), Some(expires_at)) => {
                let (role, scope) = (holder.role, holder.scope.clone());
                let stated = Stated {
                    key,
                    expires_at,
                    role,
                    scope,
                };
                seal.visitor_ticket(&stated, until)
            }
            _ if Arc::ptr_eq(holder, &self.bootstrap) => seal.ticket(Uuid::nil(), until),
            _ => return Err(Error::Forbidden),
        };
        Ok((ticket, until))
    }

    /// Who asks with a pass that may have been given a while ago.
    ///
    /// # Errors
    /// As of [`Access::enter`].
    pub async fn caller(
        &self,
        store: &Store,
        now: Timestamp,
        pass: &Pass,
        request_id: String,
        address: Option<IpAddr>,
    ) -> Result<Caller> {
        let (holder, expires_at) = match &pass.proof {
            Proof::Nothing => (None, None),
            Proof::Bootstrap => (Some(Arc::clone(&self.bootstrap)), None),
            Proof::Key(key) => {
                self.keyring.reopen(store, now, key).await?;
                (Some(Arc::clone(&key.holder)), key.expires_at())
            }
            Proof::Jwt(visitor) => {
                let issuer = self.issuer.as_ref().ok_or(Error::Unauthenticated)?;
                issuer.admit(now, visitor)?;
                (Some(Arc::clone(&visitor.holder)), Some(visitor.expires_at))
            }
        };
        Ok(Caller {
            holder,
            expires_at,
            request_id,
            address,
            only_sees: pass.is_ticket,
        })
    }

    /// Looks at the tokens that subscriptions were opened with, and keeps which were seen.
    ///
    /// # Errors
    /// Those of the database; the next look makes up for it.
    pub async fn tend(&self, store: &Store, now: Timestamp) -> Result<()> {
        self.keyring.tend(store, now).await
    }

    /// Looks at the JWTs that subscriptions were opened with. It waits for nothing.
    pub fn tend_visitors(&self, now: Timestamp) {
        if let Some(issuer) = &self.issuer {
            issuer.tend(now);
        }
    }

    /// Asks the issuer of JWTs for its keys, if there is one, and it is time to.
    pub async fn keep_keys(&self, now: Timestamp) {
        if let Some(issuer) = &self.issuer {
            issuer.keep_keys(now).await;
        }
    }

    /// Takes in at once what became of a token on this node.
    pub fn revise(&self, now: Timestamp, token: &Token) {
        self.keyring.revise(now, token);
    }
}

impl Caller {
    /// Somebody who only reads, and of whom nothing else is known: for what is executed once for many.
    pub fn reader(sight: Sight, request_id: String) -> Caller {
        let holder = match sight {
            Sight::Public => None,
            Sight::Staff(scope) => Some(Arc::new(Holder {
                token: None,
                key: None,
                name: String::new(),
                role: Role::Viewer,
                scope,
            })),
        };
        Caller {
            holder,
            expires_at: None,
            request_id,
            address: None,
            only_sees: true,
        }
    }

    /// What they see.
    pub fn sight(&self) -> Sight {
        match &self.holder {
            None => Sight::Public,
            Some(holder) => Sight::Staff(holder.scope.clone()),
        }
    }

    /// Lets them use a root field, as far as that does not depend on a page.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn check(&self, field: &str) -> Result<()> {
        // What has no rule nobody may.
        let right = Right::of(field).ok_or(Error::Forbidden)?;
        let Some(least) = right.role() else {
            return Ok(());
        };
        let holder = self
            .holder
            .as_ref()
            .filter(|_| !self.only_sees)
            .ok_or(Error::Forbidden)?;
        match holder.role >= least && (!right.is_of_server() || holder.scope == Scope::All) {
            true => Ok(()),
            false => Err(Error::Forbidden),
        }
    }

    /// Whether they may use a root field that needs a right on no page in particular.
    pub fn may(&self, field: &str) -> bool {
        self.check(field).is_ok()
    }

    /// Who they are to a command that a root field runs, and on which pages that may change anything.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn author(&self, field: &str) -> Result<Author> {
        self.check(field)?;
        let holder = self.holder.as_ref().ok_or(Error::Forbidden)?;
        Ok(Author {
            actor: holder.name.clone(),
            token: holder.token,
            request_id: self.request_id.clone(),
            address: self.address,
            scope: holder.scope.clone(),
        })
    }
}

/// What a page is to an author who wants to change something on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Theirs to change.
    Open,
    /// To be seen, and not to be changed.
    Closed,
    /// Not there.
    Hidden,
}

/// What a page is to an author.
pub fn reach(author: &Author, page: Uuid, visibility: Visibility) -> Reach {
    match (author.scope.covers(page), visibility) {
        (true, _) => Reach::Open,
        (false, Visibility::Public) => Reach::Closed,
        (false, Visibility::Private) => Reach::Hidden,
    }
}
