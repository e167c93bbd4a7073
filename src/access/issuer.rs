//! JWTs of an issuer: who signs in elsewhere, to a dashboard for one, is let in here with what they were given there.
//!
//! Nothing of them is stored: what they may follows from what they claim (`claim`), once one of the issuer's keys (`keyset`,
//! `key`, `fetch`) is found to have signed it (`signature`).

mod claim;
mod fetch;
mod key;
mod keyset;
mod signature;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Validation, decode, decode_header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Holder;
use super::ticket::Stated;
use crate::domain::role::{Role, Scope};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::Store;
use claim::{Claims, Policy};
use fetch::Fetcher;
use key::Wanted;
use keyset::Keyset;

pub use key::KeyId;

/// The longest JWT that is looked at, in bytes: ten times an ordinary one.
pub const LONGEST_JWT: usize = 8 * 1024;

/// How long it serves that the pages of a JWT were looked up, as of tokens.
const FRESH: Duration = Duration::from_secs(1);

/// What JWTs say in `typ` that are for letting somebody in; others are for logging out, or prove something else.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// Whose JWTs are believed, and what they stand for.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// What they say in `iss`, to the letter.
    pub issuer: String,
    /// Where its keys are; unless given it is asked for that.
    pub jwks_url: Option<String>,
    /// What they say in `aud`, one of them at the least.
    pub audiences: Vec<String>,
    /// Which claim tells the role: its name, or a path with dots.
    pub role_claim: String,
    /// What it says, and which role that is.
    pub roles: Vec<(String, Role)>,
    /// The role of those for whom it says nothing of that; nothing is let in with such a JWT unless given.
    pub default_role: Option<Role>,
    /// Which claim names the pages they hold on, by slug; all unless given.
    pub pages_claim: Option<String>,
    /// Who may vouch for the issuer's address beside the usual authorities: certificates as PEM.
    pub authorities: Option<Vec<u8>>,
}

/// An issuer whose JWTs let in.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    audiences: Vec<String>,
    policy: Policy,
    keys: Keyset,
    visitors: Mutex<Visitors>,
}

/// Those who are in.
#[derive(Debug, Default)]
struct Visitors {
    /// By a hash of the JWT or ticket. Only such are kept as were found to be good, and those that nothing holds are let go.
    known: HashMap<[u8; 32], Arc<Visitor>>,
    /// Those whose pages are others since, or who have ended, for what they opened.
    replaced: Vec<Arc<Visitor>>,
}

/// Somebody who is in with a JWT.
#[derive(Debug)]
pub struct Visitor {
    pub(super) holder: Arc<Holder>,
    /// Until when it says that it holds.
    pub(super) expires_at: Timestamp,
    /// When nothing is let in with it any more.
    end: Timestamp,
    key: KeyId,
    looked: Mutex<Instant>,
    has_ended: watch::Sender<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a bearer token looks like a JWT: three parts. Tokens of our own have no dots.
pub(super) fn is_jwt(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Visitor {
    /// Waits until it opens nothing any more.
    pub(super) async fn ended(&self) {
        // The sender is ours: it is there for as long as this waits.
        let _ = self.has_ended.subscribe().wait_for(|has_ended| *has_ended).await;
    }

    fn is_fresh(&self) -> bool {
        lock(&self.looked).elapsed() < FRESH
    }

    /// Whether it has ended what it opened. That stays so, also where its key comes back.
    fn is_over(&self) -> bool {
        *self.has_ended.borrow()
    }
}

impl Issuer {
    /// Trusts an issuer. It is asked for its keys later.
    ///
    /// # Errors
    /// In words, what cannot work.
    pub fn new(trust: Trust) -> Result<Issuer, String> {
        let url = fetch::address(&trust.issuer).map_err(|why| format!("the issuer: {why}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the issuer: it must have no query and no fragment".to_owned());
        }
        if !trust.issuer.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the issuer: it must be written as JWTs have it, in ASCII without spaces".to_owned());
        }
        let jwks = trust.jwks_url.as_deref().map(fetch::address).transpose();
        let jwks = jwks.map_err(|why| format!("the URL of the keys: {why}"))?;
        if trust.audiences.is_empty() || trust.audiences.iter().any(|audience| audience.trim().is_empty()) {
            return Err("an audience is needed: a JWT for another application must open nothing here".to_owned());
        }
        if trust.roles.is_empty() && trust.default_role.is_none() {
            return Err("no JWT would open anything: say what stands for which role, or a default role".to_owned());
        }
        let authorities = trust.authorities.as_deref().map(certificates).transpose();
        let authorities = authorities.map_err(|why| format!("the authorities: {why}"))?;
        let fetcher = Fetcher::new(trust.issuer.clone(), jwks, authorities.unwrap_or_default())
            .map_err(|why| format!("the authorities: {why}"))?;
        signature::install();
        Ok(Issuer {
            name: trust.issuer,
            audiences: trust.audiences,
            policy: Policy {
                role_claim: trust.role_claim,
                roles: trust.roles,
                default_role: trust.default_role,
                pages_claim: trust.pages_claim,
            },
            keys: Keyset::new(fetcher),
            visitors: Mutex::default(),
        })
    }

    /// Lets in who has a JWT.
    ///
    /// # Errors
    /// `Unauthenticated`, the same whatever is wrong with it; `IssuerAway` where that cannot be found out; those of the
    /// database.
    pub(super) async fn open(&self, store: &Store, now: Timestamp, text: &str) -> Result<Arc<Visitor>> {
        // Before anything is made of it.
        if text.len() > LONGEST_JWT {
            return Err(refused("it is too long"));
        }
        let name = Sha256::digest(text).into();
        if let Some(visitor) = self.known(name) {
            self.admit(now, &visitor)?;
            return Ok(visitor);
        }
        let wanted = wanted(text).map_err(refused)?;
        let key = self.keys.find(now, &wanted).await?;
        let claimed = self.verify(text, &key, &wanted).map_err(refused)?;
        let claims = self.policy.read(&claimed, now).map_err(refused)?;
        let scope = scope(store, claims.pages.as_ref()).await?;
        Ok(self.keep(name, self.visitor(&claims, scope, key.id)))
    }

    /// Lets in who has a ticket for a JWT.
    ///
    /// # Errors
    /// As of [`Issuer::open`].
    pub(super) async fn redeem(&self, now: Timestamp, ticket: &str, stated: &Stated) -> Result<Arc<Visitor>> {
        let name = Sha256::digest(ticket).into();
        if let Some(visitor) = self.known(name) {
            self.admit(now, &visitor)?;
            return Ok(visitor);
        }
        self.keys.find_by_id(now, stated.key).await?;
        let visitor = Visitor {
            holder: Arc::new(Holder {
                token: None,
                key: Some(stated.key),
                // An address, where a ticket stands, is no place for who somebody is.
                name: self.name.clone(),
                role: stated.role,
                scope: stated.scope.clone(),
            }),
            expires_at: stated.expires_at,
            end: stated.expires_at.plus_millis(claim::SKEW_MILLIS),
            key: stated.key,
            looked: Mutex::new(Instant::now()),
            has_ended: watch::Sender::new(false),
        };
        self.admit(now, &visitor)?;
        Ok(self.keep(name, visitor))
    }

    /// Lets somebody go on who was let in before.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub(super) fn admit(&self, now: Timestamp, visitor: &Visitor) -> Result<()> {
        match self.is_in(now, visitor) {
            true => Ok(()),
            false => Err(refused("it is over, or its key was taken back")),
        }
    }

    fn is_in(&self, now: Timestamp, visitor: &Visitor) -> bool {
        now < visitor.end && self.keys.holds(visitor.key)
    }

    /// Asks the issuer for its keys if it is time to.
    pub(super) async fn keep_keys(&self, now: Timestamp) {
        self.keys.tend(now).await;
    }

    /// Ends what was opened with JWTs that are over, or whose key was taken back, and forgets those that nothing holds.
    pub(super) fn tend(&self, now: Timestamp) {
        let mut visitors = lock(&self.visitors);
        let Visitors { known, replaced } = &mut *visitors;
        for visitor in known.values().chain(replaced.iter()) {
            if !self.is_in(now, visitor) {
                visitor.has_ended.send_replace(true);
            }
        }
        let is_held = |visitor: &Arc<Visitor>| Arc::strong_count(visitor) > 1;
        known.retain(|_, visitor| is_held(visitor) || visitor.is_fresh());
        replaced.retain(is_held);
    }

    /// Somebody whose pages were looked up just now, or who names none.
    fn known(&self, name: [u8; 32]) -> Option<Arc<Visitor>> {
        let visitors = lock(&self.visitors);
        visitors
            .known
            .get(&name)
            .filter(|known| known.is_fresh() && !known.is_over())
            .cloned()
    }

    /// One visitor for all who show the same.
    fn keep(&self, name: [u8; 32], visitor: Visitor) -> Arc<Visitor> {
        let mut visitors = lock(&self.visitors);
        if let Some(known) = visitors.known.get(&name)
            && known.holder == visitor.holder
            && !known.is_over()
        {
            *lock(&known.looked) = Instant::now();
            return Arc::clone(known);
        }
        let visitor = Arc::new(visitor);
        let before = visitors.known.insert(name, Arc::clone(&visitor));
        visitors.replaced.extend(before);
        visitor
    }

    fn visitor(&self, claims: &Claims, scope: Scope, key: KeyId) -> Visitor {
        Visitor {
            holder: Arc::new(Holder {
                token: None,
                key: Some(key),
                // No other holder is called so: there is one issuer, and no space in its name.
                name: format!("{} ({})", claims.subject, self.name),
                role: claims.role,
                scope,
            }),
            expires_at: claims.expires_at,
            end: claims.end(),
            key,
            looked: Mutex::new(Instant::now()),
            has_ended: watch::Sender::new(false),
        }
    }

    /// What a JWT claims, if its signature is the key's, and it is of this issuer and for us.
    fn verify(&self, text: &str, key: &key::Key, wanted: &Wanted) -> Result<Map<String, Value>, &'static str> {
        let mut validation = Validation::new(wanted.algorithm);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&self.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Times are read by our own clock (`claim`).
        validation.validate_exp = false;
        let claimed = decode::<Map<String, Value>>(text, &key.key, &validation)
            .map_err(|_| "its signature, its issuer or its audience is wrong")?
            .claims;
        // The library also takes a list of issuers, which no JWT has.
        match claimed.get("iss").and_then(Value::as_str) == Some(&self.name) {
            true => Ok(claimed),
            false => Err("its issuer is a list"),
        }
    }
}

/// What a JWT says of itself before anything of it is believed.
fn wanted(text: &str) -> Result<Wanted, &'static str> {
    let header = decode_header(text).map_err(|_| "it cannot be read, or says that it is not signed")?;
    let is_for_this = |said: String| TYPES.iter().any(|known| known.eq_ignore_ascii_case(&said));
    if !header.typ.is_none_or(is_for_this) {
        return Err("it is for something else");
    }
    // It says that it must not be taken by whoever does not understand something.
    if header.crit.is_some() {
        return Err("it has something critical about it");
    }
    match key::is_allowed(header.alg) {
        true => Ok(Wanted {
            name: header.kid,
            algorithm: header.alg,
        }),
        false => Err("it is signed with a shared secret"),
    }
}

/// Tells the operator who asks for it why a JWT opens nothing; whoever sent it is told nothing of it.
fn refused(why: &'static str) -> Error {
    tracing::debug!(why, "a JWT opens nothing");
    Error::Unauthenticated
}

/// The pages of these slugs that there are.
async fn scope(store: &Store, slugs: Option<&BTreeSet<String>>) -> Result<Scope> {
    match slugs {
        None => Ok(Scope::All),
        Some(slugs) => Ok(store.pages_of_slugs(slugs).await?.into_iter().collect()),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("there is no certificate".to_owned()),
        Err(error) => Err(format!("they cannot be read: {error}")),
    }
}
