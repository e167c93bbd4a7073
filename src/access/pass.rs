//! What somebody was let in with, for as long as it lets them in.

use std::sync::Arc;

use futures_util::FutureExt;

use super::BOOTSTRAP;
use super::issuer::Visitor;
use super::keyring::Key;
use crate::domain::role::{Scope, Sight};

/// What somebody was let in with.
#[derive(Clone, Debug)]
pub struct Pass {
    pub(super) proof: Proof,
    /// It was a ticket, which only sees.
    pub(super) is_ticket: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// None: they are the public.
    Nothing,
    /// The admin token that a server begins with.
    Bootstrap,
    Key(Arc<Key>),
    Jwt(Arc<Visitor>),
}

impl Pass {
    /// Waits until it opens nothing any more; none where that never happens.
    pub fn ended(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        match &self.proof {
            Proof::Nothing | Proof::Bootstrap => None,
            Proof::Key(key) => {
                let key = Arc::clone(key);
                Some(async move { key.ended().await }.left_future())
            }
            Proof::Jwt(visitor) => {
                let visitor = Arc::clone(visitor);
                Some(async move { visitor.ended().await }.right_future())
            }
        }
    }

    /// What its holder sees.
    pub fn sight(&self) -> Sight {
        let scope = match &self.proof {
            Proof::Nothing => return Sight::Public,
            Proof::Bootstrap => &Scope::All,
            Proof::Key(key) => &key.holder.scope,
            Proof::Jwt(visitor) => &visitor.holder.scope,
        };
        Sight::Staff(scope.clone())
    }

    /// Who pays for what is asked with it, whatever they show: who signs in gets JWTs without end. None where that is whoever
    /// is at an address: the public, and those who have a ticket.
    pub fn account(&self) -> Option<&[u8]> {
        match &self.proof {
            Proof::Nothing => None,
            _ if self.is_ticket => None,
            Proof::Bootstrap => Some(BOOTSTRAP.as_bytes()),
            // No name is that of an id: it has bytes that are no text.
            Proof::Key(key) => Some(key.id.as_bytes()),
            Proof::Jwt(visitor) => Some(visitor.holder.name.as_bytes()),
        }
    }
}
