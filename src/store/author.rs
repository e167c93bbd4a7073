//! Who changes something: for the audit, for the scope of idempotency keys, and for where changes are allowed.

use std::net::IpAddr;

use uuid::Uuid;

use crate::domain::role::Scope;

/// Who changes something, for the audit, and where they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Who: the name of the token, or whom a JWT is for.
    pub actor: String,
    /// The token, where it is one of many.
    pub token: Option<Uuid>,
    /// The request it came with.
    pub request_id: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// The pages that may be changed.
    pub scope: Scope,
}

impl Author {
    /// The server itself: its automation, its import, its demo.
    pub fn server(request_id: &str) -> Author {
        Author {
            actor: "server".to_owned(),
            token: None,
            request_id: request_id.to_owned(),
            address: None,
            scope: Scope::All,
        }
    }

    /// Whose idempotency keys theirs are: names of tokens are not unique. What is left is the server, its admin token, and
    /// those who have JWTs, of whom no two are called alike.
    pub fn key_scope(&self) -> String {
        match self.token {
            Some(token) => format!("token:{token}"),
            None => self.actor.clone(),
        }
    }
}
