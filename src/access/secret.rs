//! The text of a token: `acl_`, what it is looked up by, what nobody can guess, and a checksum.
//!
//! The beginning and the checksum let scanners of code find a token that was published by mistake, and a typo is refused
//! without a read.

use crc::{CRC_32_ISO_HDLC, Crc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};

/// How every token begins.
pub const PREFIX: &str = "acl_";

/// Characters a token is looked up by: 71 bits, so that no two are alike.
const PUBLIC: usize = 12;

/// Characters nobody can guess: 28 of base 62 are 166 bits.
const SECRET: usize = 28;

/// Characters of the checksum: 32 bits in base 62.
const CHECKSUM: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The hash of a token, which is all that is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of the whole text.
    pub fn of(text: &str) -> Hash {
        Hash(Sha256::digest(text.as_bytes()).into())
    }

    /// One that no text is known to have.
    pub(super) const NONE: Hash = Hash([0; 32]);

    /// Whether two are the same, in a time that does not tell how far they are alike.
    pub fn is(&self, other: &Hash) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// As it is stored: in hexadecimal.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// The hash that was stored.
    pub fn from_hex(text: &str) -> Option<Hash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Hash(bytes))
    }
}

/// A new token's text. It has no `Debug`: it is shown once, and not by accident.
pub struct Secret(String);

impl Secret {
    /// Makes one.
    ///
    /// # Errors
    /// `Corrupt` where the machine has no random numbers.
    pub fn fresh() -> Result<Secret> {
        let mut text = PREFIX.to_owned();
        while text.len() < PREFIX.len() + PUBLIC + SECRET {
            let mut byte = [0u8];
            getrandom::fill(&mut byte).map_err(|error| Error::Corrupt(format!("no random numbers: {error}")))?;
            // 248 is the largest multiple of 62 in a byte: what lies above is passed over, so that every character is
            // as likely as the next.
            if byte[0] < 248 {
                text.push(char::from(ALPHABET[usize::from(byte[0] % 62)]));
            }
        }
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Ok(Secret(text))
    }

    /// What it is looked up by.
    pub fn public_part(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + PUBLIC]
    }

    /// What is kept of it.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }

    /// The text, to be shown once.
    pub fn reveal(self) -> String {
        self.0
    }
}

/// What a token is looked up by; none where the text is no token's, or has a typo.
pub fn public_part(text: &str) -> Option<&str> {
    let is_base62 = |text: &str| text.bytes().all(|byte| ALPHABET.contains(&byte));
    let rest = text.strip_prefix(PREFIX).filter(|rest| is_base62(rest))?;
    if rest.len() != PUBLIC + SECRET + CHECKSUM {
        return None;
    }
    let (stated, said) = text.split_at(text.len() - CHECKSUM);
    (checksum(stated) == said).then(|| &rest[..PUBLIC])
}

/// How a token with a public part is shown: enough to tell it from others.
pub fn display(public_part: &str) -> String {
    format!("{PREFIX}{public_part}…")
}

fn checksum(text: &str) -> String {
    let mut number = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_token_is_found_by_its_public_part_and_no_two_are_alike() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let secret = Secret::fresh().expect("random numbers");
            let public = secret.public_part().to_owned();
            let text = secret.reveal();

            assert_eq!(text.len(), 50);
            assert_eq!(public_part(&text), Some(public.as_str()));
            assert!(seen.insert(public));
        }
    }

    #[test]
    fn every_typo_of_one_character_and_every_swap_of_neighbours_is_noticed() {
        let text = Secret::fresh().expect("random numbers").reveal();

        for at in 0..text.len() {
            for other in ALPHABET
                .iter()
                .map(|byte| char::from(*byte))
                .filter(|other| !text[at..].starts_with(*other))
            {
                let typo = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert_eq!(public_part(&typo), None, "{typo}");
            }
            if at > 0 && text.as_bytes()[at] != text.as_bytes()[at - 1] {
                let mut swapped = text.clone().into_bytes();
                swapped.swap(at, at - 1);
                assert_eq!(public_part(&String::from_utf8(swapped).expect("ASCII")), None);
            }
        }
    }

    #[test]
    fn the_checksum_is_the_one_that_scanners_know() {
        // CRC-32 of "123456789" is 0xCBF43926.
        let mut number = 0;
        for digit in checksum("123456789").bytes() {
            let place = ALPHABET.iter().position(|known| *known == digit).expect("base 62");
            number = number * 62 + place as u64;
        }

        assert_eq!(number, 0xCBF4_3926);
    }

    #[test]
    fn noise_is_no_token() {
        let text = Secret::fresh().expect("random numbers").reveal();

        for noise in [
            "",
            "acl_",
            "acl_é",
            &text[1..],
            &text[..49],
            &format!("{text}0"),
            &text.to_uppercase(),
        ] {
            assert_eq!(public_part(noise), None, "{noise}");
        }
    }

    #[test]
    fn a_hash_is_read_back_as_it_was_stored() {
        let hash = Hash::of("x");

        assert!(Hash::from_hex(&hash.to_hex()).is_some_and(|same| same.is(&hash)));
        assert!(!hash.is(&Hash::of("y")) && !hash.is(&Hash::NONE));
        for noise in ["", "zz", &"é".repeat(32), &"g".repeat(64)] {
            assert!(Hash::from_hex(noise).is_none(), "{noise}");
        }
    }
}
