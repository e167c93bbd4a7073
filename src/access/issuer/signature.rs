//! The cryptography below `jsonwebtoken`: `ring`, which TLS has anyhow. It only verifies.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static RING: CryptoProvider = CryptoProvider {
    // Nobody signs here, and there is no algorithm with a shared secret to verify by.
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    // These make JWKs of keys, which nobody does here either.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Puts `ring` below the library, once for the process.
pub(super) fn install() {
    // Whoever comes second finds it there.
    let _ = RING.install_default();
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    // A key of another kind must never be read as bytes for this one: that is how a public key becomes a secret.
    if algorithm.family() != key.family() || key.family() == AlgorithmFamily::Hmac {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(ByRing {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => rsa(self.algorithm)
                .and_then(|parameters| RsaPublicKeyComponents { n, e }.verify(parameters, message, signed).ok()),
            DecodingKeyKind::SecretOrDer(bytes) => curve(self.algorithm)
                .and_then(|curve| UnparsedPublicKey::new(curve, bytes).verify(message, signed).ok()),
        };
        verified.ok_or_else(signature::Error::new)
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Some(&ED25519),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_verifies_nothing_of_another_kind_and_no_shared_secret_at_all() {
        let rsa = DecodingKey::from_rsa_raw_components(&[0xC5; 256], &[1, 0, 1]);
        let curve = DecodingKey::from_ec_der(&[4; 65]);
        let secret = DecodingKey::from_secret(b"secret");

        for (algorithm, key) in [
            (Algorithm::HS256, &rsa),
            (Algorithm::HS256, &curve),
            (Algorithm::HS256, &secret),
            (Algorithm::RS256, &secret),
            (Algorithm::RS256, &curve),
            (Algorithm::ES256, &rsa),
            (Algorithm::EdDSA, &curve),
        ] {
            assert!(verifier(&algorithm, key).is_err(), "{algorithm:?}");
        }
        let verifier = verifier(&Algorithm::RS256, &rsa).expect("it is for that");
        assert!(verifier.verify(b"message", &vec![1; 256]).is_err());
        assert!(verifier.verify(b"message", &Vec::new()).is_err());
    }
}
