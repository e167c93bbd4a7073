//! Who asks, and what they may do: the one place that decides it.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::audience::Audience;
use crate::domain::page::{Page, Visibility};
use crate::error::{Error, Result};
use crate::store::{Author, Store};

/// The fewest characters an admin token has: 32 random letters and digits cannot be guessed.
pub const SHORTEST_TOKEN: usize = 32;

const ADMIN_TOKEN: &str = "admin_token_sha256";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The tokens that open this server; only their hashes are kept.
#[derive(Clone, Debug)]
pub struct Access {
    admin: [u8; 32],
}

/// Who asks: decided once for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub role: Role,
    /// The id of the request, for the audit and the log of the server.
    pub request_id: String,
}

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Without a token: the public audience of public pages.
    Anonymous,
    /// With the admin token: everything.
    Admin,
}

impl Access {
    /// Takes the admin token given, or, where none is given, the one made at the first start.
    ///
    /// Returns the token's text with it when it was made just now: it is shown once, and only its hash is kept.
    ///
    /// # Errors
    /// `BadUserInput` for a token of fewer than [`SHORTEST_TOKEN`] characters; those of the database.
    pub async fn open(store: &Store, given: Option<&str>) -> Result<(Access, Option<String>)> {
        if let Some(token) = given {
            if token.chars().count() < SHORTEST_TOKEN {
                let text = format!("the admin token must have {SHORTEST_TOKEN} characters or more");
                return Err(Error::BadUserInput(text));
            }
            return Ok((Access { admin: hash(token) }, None));
        }
        let fresh = random_token()?;
        let kept = store.keep_setting(ADMIN_TOKEN, &hex(&hash(&fresh))).await?;
        let admin = unhex(&kept).ok_or_else(|| Error::Corrupt("a token's hash that is none".to_owned()))?;
        let is_fresh = admin == hash(&fresh);
        Ok((Access { admin }, is_fresh.then_some(fresh)))
    }

    /// Access that no token opens, for programs that serve nobody.
    pub const fn closed() -> Access {
        // Nothing is known whose SHA-256 is all zeros.
        Access { admin: [0; 32] }
    }

    /// Who a bearer token stands for.
    ///
    /// # Errors
    /// `Unauthenticated` for any token that is not known.
    pub fn caller(&self, bearer: Option<&str>, request_id: String) -> Result<Caller> {
        let role = match bearer {
            None => Role::Anonymous,
            Some(token) if bool::from(hash(token).ct_eq(&self.admin)) => Role::Admin,
            Some(_) => return Err(Error::Unauthenticated),
        };
        Ok(Caller { role, request_id })
    }
}

impl Caller {
    /// The server itself: its automation, its import, its demo.
    pub fn server(request_id: &str) -> Caller {
        Caller {
            role: Role::Admin,
            request_id: request_id.to_owned(),
        }
    }

    /// The audience whose streams they read.
    pub const fn audience(&self) -> Audience {
        match self.role {
            Role::Anonymous => Audience::Public,
            Role::Admin => Audience::Staff,
        }
    }

    /// Their name in the audit, where they may change things.
    ///
    /// # Errors
    /// `Forbidden` for who may only read.
    pub fn author(&self) -> Result<Author> {
        match self.role {
            Role::Anonymous => Err(Error::Forbidden),
            Role::Admin => Ok(Author {
                actor: "admin".to_owned(),
                request_id: self.request_id.clone(),
            }),
        }
    }
}

/// Whether a page exists for an audience: a private one does not exist for the public.
pub fn may_see(audience: Audience, page: &Page) -> bool {
    audience == Audience::Staff || page.visibility == Visibility::Public
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// 43 characters of base 62: 256 bits.
fn random_token() -> Result<String> {
    let mut token = String::with_capacity(43);
    while token.len() < 43 {
        let mut byte = [0u8];
        getrandom::fill(&mut byte).map_err(|error| Error::Corrupt(format!("no random numbers: {error}")))?;
        // 248 is the largest multiple of 62 in a byte: what lies above is passed over, so that every character is as
        // likely as the next.
        if byte[0] < 248 {
            token.push(char::from(ALPHABET[usize::from(byte[0] % 62)]));
        }
    }
    Ok(token)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
