//! Tickets: what stands in an address for a minute in place of a token, where nothing else can say who asks (a browser's
//! `EventSource` sets no headers). Addresses end up in logs and histories, so a ticket only sees, and not for long.
//!
//! It is not kept: it says for which token it stands and until when, under a seal that every node of a database can check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// How every ticket begins; no token begins so.
const PREFIX: &str = "aclt_";

/// The token's id, and until when.
const STATED: usize = 16 + 8;

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
        let sealed = self.over(&bytes).finalize().into_bytes();
        bytes.extend(sealed);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// For which token a ticket stands, if it is one of ours and its time is not over.
    pub(super) fn open(&self, ticket: &str, now: Timestamp) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(ticket.strip_prefix(PREFIX)?).ok()?;
        let (stated, sealed) = bytes.split_at_checked(STATED)?;
        // In a time that does not tell how far it is right.
        self.over(stated).verify_slice(sealed).ok()?;
        let (token, until) = stated.split_first_chunk::<16>()?;
        let until = i64::from_be_bytes(until.try_into().ok()?);
        (now.millis() < until).then(|| Uuid::from_bytes(*token))
    }

    fn over(&self, stated: &[u8]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("a key may have any length");
        mac.chain_update(b"allclear ticket 1\0").chain_update(stated)
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
}
