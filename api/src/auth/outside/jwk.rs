//! Keys as an issuer publishes them (RFC 7517). Only what can check RS256, ES256 or EdDSA is a key
//! here; anything else is passed over, shared secrets above all.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Keys that are kept of one issuer; they publish two or three.
const MAX_KEYS: usize = 64;

/// A shorter modulus can be factored by whoever cares (RFC 7518, section 3.3): 2048 bits, in base64.
const MIN_RSA_MODULUS_CHARS: usize = 2048 / 8 * 4 / 3;

/// One public key.
pub(super) struct Key {
    /// What tokens call it.
    pub(super) id: Option<String>,
    /// The one algorithm it is for.
    pub(super) algorithm: Algorithm,
    pub(super) check: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The usable keys of a published set; None when it is none.
pub(super) fn read_set(json: &[u8]) -> Option<Vec<Key>> {
    let set: Set = serde_json::from_slice(json).ok()?;
    Some(set.keys.into_iter().filter_map(read).take(MAX_KEYS).collect())
}

fn read(json: Value) -> Option<Key> {
    let said = json.get("alg").cloned();
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    let algorithm = algorithm_of(&jwk.algorithm)?;
    let agrees = said.is_none_or(|said| said == format!("{algorithm:?}"));
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if !agrees || !signs {
        return None;
    }
    let check = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, check })
}

fn algorithm_of(parameters: &AlgorithmParameters) -> Option<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(rsa) if rsa.n.len() >= MIN_RSA_MODULUS_CHARS => {
            Some(Algorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Some(Algorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// From RFC 8037, appendix A.2, and RFC 7517, appendix A.1.
    const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const P256: (&str, &str) = (
        "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    );

    fn read_all(keys: Value) -> Vec<Key> {
        read_set(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn algorithms(keys: Value) -> Vec<Algorithm> {
        read_all(keys).iter().map(|key| key.algorithm).collect()
    }

    #[test]
    fn the_kind_of_key_gives_the_algorithm() {
        let ((x, y), modulus) = (P256, "w".repeat(342));
        let keys = json!([
            { "kty": "OKP", "crv": "Ed25519", "x": ED25519, "kid": "ed" },
            { "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256" },
            { "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "x5t": "AA" },
        ]);
        assert_eq!(algorithms(keys), [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256]);
    }

    #[test]
    fn whatever_cannot_check_a_signature_is_passed_over() {
        let (x, y) = P256;
        let keys = json!([
            { "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" },
            { "kty": "oct", "k": "c2VjcmV0" },
            { "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc" },
            { "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "HS256" },
            { "kty": "RSA", "n": "w".repeat(171), "e": "AQAB" },
            { "kty": "RSA", "n": "w".repeat(342), "e": "AQAB", "alg": "RS512" },
            { "kty": "of tomorrow" },
            "no key at all",
            { "kty": "OKP", "crv": "Ed25519", "x": ED25519 },
        ]);
        assert_eq!(algorithms(keys), [Algorithm::EdDSA]);
        assert!(read_set(b"{\"error\":\"come again\"}").is_none());
    }
}
