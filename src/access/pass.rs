//! What somebody was let in with, for as long as it lets them in.

use std::sync::Arc;

use futures_util::FutureExt;

use super::issuer::Visitor;
use super::keyring::Key;

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

    /// Who pays for what is asked with it, where that is not the token as it was shown: who signs in gets JWTs without end.
    pub fn account(&self) -> Option<&str> {
        match &self.proof {
            Proof::Jwt(visitor) if !self.is_ticket => Some(&visitor.holder.name),
            _ => None,
        }
    }
}
