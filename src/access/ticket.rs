//! Tickets: what stands in an address for a minute in place of a token, where nothing else can say who asks (a browser's
//! `EventSource` sets no headers). Addresses end up in logs and histories, so a ticket only sees, and not for long.
//!
//! It is not kept: it says for which token it stands and until when, under a seal that every node of a database can check.
//! One for a JWT, which is not kept either, says what that lets its holder see, and not who that is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::issuer::KeyId;
use crate::domain::role::{Role, Scope};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// How every ticket for a token begins; no token begins so.
const PREFIX: &str = "aclt_";

/// How every ticket for a JWT begins.
const VISITOR_PREFIX: &str = "aclv_";

/// The bytes of a seal: an HMAC with SHA-256.
const SEAL: usize = 32;

/// What seals are made over, so that one for the one kind is none for the other.
const FOR_TOKEN: &[u8] = b"allclear ticket 1\0";
const FOR_VISITOR: &[u8] = b"allclear visitor's ticket 1\0";

/// What a ticket for a JWT states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stated {
    /// The key that the JWT was signed with: it must be one of the issuer's still.
    pub(super) key: KeyId,
    /// Until when the JWT holds.
    pub(super) expires_at: Timestamp,
    pub(super) role: Role,
    pub(super) scope: Scope,
}

impl Stated {
    fn write(&self, until: Timestamp) -> Vec<u8> {
        let mut bytes = self.key.0.to_vec();
        for at in [self.expires_at, until] {
            bytes.extend(at.millis().to_be_bytes());
        }
        // The roles in their order: a new one among them would end the tickets of the last five minutes, which is well.
        let role = Role::ALL.iter().position(|role| *role == self.role);
        bytes.extend(role.and_then(|place| u8::try_from(place).ok()));
        match &self.scope {
            Scope::All => bytes.push(0),
            Scope::Pages(pages) => {
                bytes.push(1);
                pages.iter().for_each(|page| bytes.extend(page.as_bytes()));
            }
        }
        bytes
    }

    /// What is stated, and until when the ticket holds.
    fn read(bytes: &[u8]) -> Option<(Stated, Timestamp)> {
        let (key, rest) = bytes.split_first_chunk::<16>()?;
        let (expires_at, rest) = rest.split_first_chunk::<8>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let ([role, scope], rest) = rest.split_first_chunk::<2>()?;
        let at = |bytes: &[u8; 8]| Timestamp::from_millis(i64::from_be_bytes(*bytes));
        let (pages, left) = rest.as_chunks::<16>();
        let scope = match (scope, pages, left) {
            (0, [], []) => Scope::All,
            (1, pages, []) => pages.iter().map(|page| Uuid::from_bytes(*page)).collect(),
            _ => return None,
        };
        let stated = Stated {
            key: KeyId(*key),
            expires_at: at(expires_at),
            role: *Role::ALL.get(usize::from(*role))?,
            scope,
        };
        Some((stated, at(until)))
    }
}

/// What tickets are sealed with: the same on all nodes of a database.
pub(super) struct Seal([u8; 32]);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A new one, as it is kept.
    ///
    /// # Errors
    /// `Corrupt` where the machine has no random numbers.
    pub(super) fn fresh() -> Result<String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Corrupt(format!("no random numbers: {error}")))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The one that is kept.
    ///
    /// # Errors
    /// `Corrupt` for what is none.
    pub(super) fn read(kept: &str) -> Result<Seal> {
        let bytes = URL_SAFE_NO_PAD
            .decode(kept)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Seal)
            .ok_or_else(|| Error::Corrupt("a seal that is none".to_owned()))
    }

    /// A ticket for the holder of a token, the nil id for that of the admin token that a server begins with.
    pub(super) fn ticket(&self, token: Uuid, until: Timestamp) -> String {
        let mut bytes = token.as_bytes().to_vec();
        bytes.extend(until.millis().to_be_bytes());
        self.sealed(PREFIX, FOR_TOKEN, bytes)
    }

    /// A ticket for somebody who is in with a JWT.
    pub(super) fn visitor_ticket(&self, stated: &Stated, until: Timestamp) -> String {
        self.sealed(VISITOR_PREFIX, FOR_VISITOR, stated.write(until))
    }

    fn sealed(&self, prefix: &str, kind: &[u8], mut bytes: Vec<u8>) -> String {
        let sealed = self.over(kind, &bytes).finalize().into_bytes();
        bytes.extend(sealed);
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// For which token a ticket stands, if it is one of ours and its time is not over.
    pub(super) fn open(&self, ticket: &str, now: Timestamp) -> Option<Uuid> {
        let bytes = self.unsealed(PREFIX, FOR_TOKEN, ticket)?;
        let (token, until) = bytes.split_first_chunk::<16>()?;
        let until = i64::from_be_bytes(until.try_into().ok()?);
        (now.millis() < until).then(|| Uuid::from_bytes(*token))
    }

    /// What a ticket for a JWT states, if it is one of ours and its time is not over.
    pub(super) fn open_visitor(&self, ticket: &str, now: Timestamp) -> Option<Stated> {
        let bytes = self.unsealed(VISITOR_PREFIX, FOR_VISITOR, ticket)?;
        let (stated, until) = Stated::read(&bytes)?;
        (now < until).then_some(stated)
    }

    fn unsealed(&self, prefix: &str, kind: &[u8], ticket: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(ticket.strip_prefix(prefix)?).ok()?;
        let sealed = bytes.split_off(bytes.len().checked_sub(SEAL)?);
        // In a time that does not tell how far it is right.
        self.over(kind, &bytes).verify_slice(&sealed).ok()?;
        Some(bytes)
    }

    fn over(&self, kind: &[u8], stated: &[u8]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("a key may have any length");
        mac.chain_update(kind).chain_update(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_stands_for_its_token_until_its_time_is_over() {
        let seal = Seal::read(&Seal::fresh().expect("random numbers")).expect("a seal");
        let other = Seal::read(&Seal::fresh().expect("random numbers")).expect("a seal");
        let (token, until) = (Uuid::from_u128(7), Timestamp::from_millis(1000));
        let ticket = seal.ticket(token, until);

        assert_eq!(seal.open(&ticket, Timestamp::from_millis(999)), Some(token));
        assert_eq!(seal.open(&ticket, until), None);
        assert_eq!(other.open(&ticket, Timestamp::from_millis(0)), None);
    }

    #[test]
    fn a_ticket_that_was_tampered_with_stands_for_nobody() {
        let seal = Seal::read(&Seal::fresh().expect("random numbers")).expect("a seal");
        let ticket = seal.ticket(Uuid::from_u128(7), Timestamp::from_millis(1000));
        let bytes = URL_SAFE_NO_PAD.decode(&ticket[PREFIX.len()..]).expect("base64");

        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let other = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(other));
            assert_eq!(seal.open(&other, Timestamp::from_millis(0)), None, "{at}");
        }
        for noise in ["", PREFIX, "acl_x", &ticket[1..], &ticket[..40]] {
            assert_eq!(seal.open(noise, Timestamp::from_millis(0)), None, "{noise}");
        }
    }

    #[test]
    fn a_ticket_for_a_jwt_states_what_it_lets_see_until_its_time_is_over_and_is_none_for_a_token() {
        let seal = Seal::read(&Seal::fresh().expect("random numbers")).expect("a seal");
        let (until, late) = (Timestamp::from_millis(1000), Timestamp::from_millis(9000));
        let some: Scope = [Uuid::from_u128(1), Uuid::from_u128(2)].into_iter().collect();
        for role in Role::ALL {
            for scope in [Scope::All, some.clone(), Scope::from_iter([])] {
                let stated = Stated {
                    key: KeyId([7; 16]),
                    expires_at: late,
                    role: *role,
                    scope,
                };

                let ticket = seal.visitor_ticket(&stated, until);

                assert_eq!(seal.open_visitor(&ticket, Timestamp::from_millis(999)), Some(stated));
                assert_eq!(seal.open_visitor(&ticket, until), None);
                let renamed = ticket.replacen(VISITOR_PREFIX, PREFIX, 1);
                assert_eq!(seal.open(&renamed, Timestamp::from_millis(0)), None);
            }
        }
        let renamed = seal
            .ticket(Uuid::from_u128(7), until)
            .replacen(PREFIX, VISITOR_PREFIX, 1);
        assert_eq!(seal.open_visitor(&renamed, Timestamp::from_millis(0)), None);
    }

    #[test]
    fn a_ticket_for_a_jwt_that_was_tampered_with_states_nothing() {
        let seal = Seal::read(&Seal::fresh().expect("random numbers")).expect("a seal");
        let stated = Stated {
            key: KeyId([7; 16]),
            expires_at: Timestamp::from_millis(1000),
            role: Role::Viewer,
            scope: [Uuid::from_u128(1)].into_iter().collect(),
        };
        let ticket = seal.visitor_ticket(&stated, Timestamp::from_millis(1000));
        let bytes = URL_SAFE_NO_PAD.decode(&ticket[VISITOR_PREFIX.len()..]).expect("base64");

        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let other = format!("{VISITOR_PREFIX}{}", URL_SAFE_NO_PAD.encode(other));
            assert_eq!(seal.open_visitor(&other, Timestamp::from_millis(0)), None, "{at}");
        }
        for noise in ["", VISITOR_PREFIX, "acl_x", &ticket[1..], &ticket[..40]] {
            assert_eq!(seal.open_visitor(noise, Timestamp::from_millis(0)), None, "{noise}");
        }
    }
}
