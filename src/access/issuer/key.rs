//! The keys that an issuer signs with, as it publishes them (a JWKS), and which of them a JWT was signed with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What a JWT may be signed with: nothing whose key both sides share, and nothing that is no signature. A JWT says which
/// of them it is, and that is held against this list and against what its key is for.
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const P256: [Algorithm; 1] = [Algorithm::ES256];
const P384: [Algorithm; 1] = [Algorithm::ES384];
const ED25519: [Algorithm; 1] = [Algorithm::EdDSA];

/// The most keys that an issuer may publish: those in use, and some that were or will be.
const MAX_KEYS: usize = 100;

/// The fewest bytes of an RSA key's modulus: 2,048 bits.
const SHORTEST_MODULUS: usize = 256;

/// What a key is known by, whatever it is called: the beginning of a hash over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub(in crate::access) [u8; 16]);

/// A key that an issuer signs with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: KeyId,
    name: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// What a JWT says of the key it was signed with.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) algorithm: Algorithm,
}

/// Whether JWTs may be signed so at all.
pub(super) fn is_allowed(algorithm: Algorithm) -> bool {
    [RSA.as_slice(), &P256, &P384, &ED25519].concat().contains(&algorithm)
}

/// The key that is wanted: none where there is none, or where it cannot be told which.
pub(super) fn pick<'a>(keys: &'a [Key], wanted: &Wanted) -> Option<&'a Key> {
    let is_it =
        |key: &&Key| key.algorithms.contains(&wanted.algorithm) && (wanted.name.is_none() || key.name == wanted.name);
    let mut found = keys.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(key), None) => Some(key),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

/// Reads what an issuer publishes. What is there for other ends, or is not understood, is passed over.
///
/// # Errors
/// What is wrong with the whole.
pub(super) fn read(text: &[u8]) -> Result<Vec<Key>, String> {
    let published: Published =
        serde_json::from_slice(text).map_err(|error| format!("it is no set of keys: {error}"))?;
    if published.keys.len() > MAX_KEYS {
        return Err(format!("it has more than {MAX_KEYS} keys"));
    }
    Ok(published.keys.into_iter().filter_map(key).collect())
}

fn key(published: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(published).ok()?;
    let (algorithms, key) = match &jwk.algorithm {
        AlgorithmParameters::RSA(parameters) => {
            let n = unsigned(&parameters.n)?;
            let key = DecodingKey::from_rsa_raw_components(&n, &unsigned(&parameters.e)?);
            (n.len() >= SHORTEST_MODULUS).then_some((RSA.as_slice(), key))?
        }
        AlgorithmParameters::EllipticCurve(parameters) => {
            let algorithms = match parameters.curve {
                EllipticCurve::P256 => P256.as_slice(),
                EllipticCurve::P384 => &P384,
                _ => return None,
            };
            (algorithms, DecodingKey::from_jwk(&jwk).ok()?)
        }
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            (ED25519.as_slice(), DecodingKey::from_jwk(&jwk).ok()?)
        }
        _ => return None,
    };
    let common = jwk.common;
    let is_to_sign = common.public_key_use.is_none_or(|to| to == PublicKeyUse::Signature)
        && common
            .key_operations
            .is_none_or(|may| may.contains(&KeyOperations::Verify));
    let algorithms: Vec<Algorithm> = match common.key_algorithm {
        None => algorithms.to_vec(),
        Some(only) => {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.iter().copied().filter(|known| *known == only).collect()
        }
    };
    (is_to_sign && !algorithms.is_empty()).then(|| Key {
        id: id(&key),
        name: common.key_id,
        algorithms,
        key,
    })
}

/// A number without the zeros before it, which some issuers write and no verifier takes.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}

fn id(key: &DecodingKey) -> KeyId {
    let digest = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let parted = [b"rsa".as_slice(), &n.len().to_be_bytes(), n, e].concat();
            Sha256::digest(parted)
        }
        DecodingKeyKind::SecretOrDer(bytes) => Sha256::digest([b"curve".as_slice(), bytes].concat()),
    };
    KeyId(*digest.first_chunk().expect("a SHA-256 is longer"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rsa(more: Value) -> Value {
        let mut jwk = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xC5; 256]), "e": "AQAB" });
        if let (Value::Object(jwk), Value::Object(more)) = (&mut jwk, more) {
            jwk.extend(more);
        }
        jwk
    }

    fn curve(kty: &str, crv: &str, more: Value) -> Value {
        let mut jwk = json!({ "kty": kty, "crv": crv, "x": URL_SAFE_NO_PAD.encode([1; 32]) });
        if let (Value::Object(jwk), Value::Object(more)) = (&mut jwk, more) {
            jwk.extend(more);
        }
        jwk
    }

    fn read_one(jwk: &Value) -> Option<Key> {
        let text = json!({ "keys": [jwk] }).to_string();
        read(text.as_bytes()).expect("a set").pop()
    }

    #[test]
    fn a_key_is_for_what_its_kind_and_its_own_words_allow() {
        let y = URL_SAFE_NO_PAD.encode([2; 32]);
        for (jwk, algorithms) in [
            (rsa(json!({})), RSA.to_vec()),
            (rsa(json!({ "use": "sig", "alg": "PS256" })), vec![Algorithm::PS256]),
            (rsa(json!({ "key_ops": ["verify"] })), RSA.to_vec()),
            (curve("EC", "P-256", json!({ "y": y })), vec![Algorithm::ES256]),
            (
                curve("EC", "P-384", json!({ "y": y, "alg": "ES384" })),
                vec![Algorithm::ES384],
            ),
            (curve("OKP", "Ed25519", json!({})), vec![Algorithm::EdDSA]),
        ] {
            let key = read_one(&jwk).unwrap_or_else(|| panic!("{jwk}"));
            assert_eq!(key.algorithms, algorithms, "{jwk}");
            assert!(algorithms.into_iter().all(is_allowed));
        }
    }

    #[test]
    fn a_key_that_is_for_something_else_weak_or_shared_is_passed_over() {
        let y = URL_SAFE_NO_PAD.encode([2; 32]);
        for jwk in [
            rsa(json!({ "use": "enc" })),
            rsa(json!({ "key_ops": ["encrypt"] })),
            rsa(json!({ "alg": "RSA-OAEP" })),
            rsa(json!({ "alg": "HS256" })),
            rsa(json!({ "alg": "ES256" })),
            rsa(json!({ "alg": "none" })),
            rsa(json!({ "n": URL_SAFE_NO_PAD.encode([0xC5; 128]) })),
            rsa(json!({ "n": "?" })),
            rsa(json!({ "use": 5 })),
            json!({ "kty": "RSA" }),
            json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
            curve("EC", "P-521", json!({ "y": y })),
            curve("EC", "P-256", json!({ "y": y, "alg": "ES384" })),
            curve("OKP", "X25519", json!({})),
            json!("noise"),
        ] {
            assert!(read_one(&jwk).is_none(), "{jwk}");
        }
        assert!(
            ![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]
                .into_iter()
                .any(is_allowed)
        );
    }

    #[test]
    fn what_is_no_set_or_too_large_a_one_is_refused_as_a_whole() {
        let many = json!({ "keys": vec![json!({}); MAX_KEYS + 1] }).to_string();

        for text in ["", "[]", "{}", "{\"keys\":5}", &many] {
            assert!(read(text.as_bytes()).is_err(), "{text:.40}");
        }
        assert!(read(b"{\"keys\":[]}").is_ok_and(|keys| keys.is_empty()));
    }

    #[test]
    fn a_key_is_picked_by_name_and_algorithm_or_by_being_the_only_one() {
        let set = json!({ "keys": [
            rsa(json!({ "kid": "a" })),
            rsa(json!({ "kid": "b", "alg": "RS256" })),
            curve("OKP", "Ed25519", json!({ "kid": "a" })),
        ] });
        let keys = read(set.to_string().as_bytes()).expect("a set");
        let picked = |name: Option<&str>, algorithm| {
            let name = name.map(str::to_owned);
            pick(&keys, &Wanted { name, algorithm }).map(|key| key.name.clone().expect("a name"))
        };

        assert_eq!(picked(Some("a"), Algorithm::RS256).as_deref(), Some("a"));
        assert_eq!(picked(Some("a"), Algorithm::EdDSA).as_deref(), Some("a"));
        assert_eq!(picked(Some("b"), Algorithm::RS256).as_deref(), Some("b"));
        assert_eq!(picked(Some("b"), Algorithm::PS256), None);
        assert_eq!(picked(Some("c"), Algorithm::RS256), None);
        assert_eq!(picked(None, Algorithm::RS256), None, "it cannot be told which");
        assert_eq!(picked(None, Algorithm::PS384).as_deref(), Some("a"));
    }

    #[test]
    fn zeros_before_a_modulus_make_no_other_key() {
        let plain = read_one(&rsa(json!({}))).expect("a key");
        let zeros = [&[0, 0][..], &[0xC5; 256]].concat();

        let padded = read_one(&rsa(json!({ "n": URL_SAFE_NO_PAD.encode(zeros) }))).expect("a key");

        assert_eq!(padded.id, plain.id);
    }
}
