//! Sealing of secrets: XChaCha20-Poly1305 under keys of the configuration. The newest key seals, all
//! of them open, so that a key can be changed while everything goes on.
//!
//! What is sealed is bound to its owner (a function, a project) and name: a row that is copied elsewhere
//! does not open.

use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};

use uuid::Uuid;

use crate::{config::Secret, domain::FunctionId};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key sealed it.
    pub key_id: String,
    /// The nonce, then the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

/// Keys by age, the newest first; never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKeys {
    newest: Key,
    older: Vec<Key>,
}

#[derive(Clone, PartialEq, Eq)]
struct Key {
    /// From the key itself, so that nobody has to number keys: the start of a hash over it.
    id: String,
    bytes: [u8; KEY_BYTES],
}

/// Why a text names no keys. Says nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be keys of 32 bytes in base64, the newest first, separated by commas")]
pub struct NoKeys;

impl std::str::FromStr for SecretKeys {
    type Err = NoKeys;

    fn from_str(text: &str) -> Result<Self, NoKeys> {
        let mut keys = text.split(',').map(|key| Key::read(key.trim()));
        let newest = keys.next().ok_or(NoKeys)??;
        Ok(Self { newest, older: keys.collect::<Result<_, _>>()? })
    }
}

impl std::fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[keys, newest {}]", self.newest.id)
    }
}

impl SecretKeys {
    /// One key made from another secret. What is made for one purpose never opens what was sealed for
    /// another.
    pub fn derived_from(secret: &Secret, purpose: &str) -> Self {
        let label = Sha256::digest(format!("apprun {purpose}, version 1"));
        let digest = Sha256::new().chain_update(label).chain_update(secret.expose()).finalize();
        Self { newest: Key::new(digest.into()), older: Vec::new() }
    }

    /// The text of a new key, from 32 random bytes.
    pub fn text_of(bytes: [u8; KEY_BYTES]) -> Secret {
        Secret::new(BASE64_STANDARD.encode(bytes))
    }

    /// Of the key that seals.
    pub fn newest_id(&self) -> &str {
        &self.newest.id
    }

    /// Seals a value for one function under one name.
    pub fn seal(&self, function: FunctionId, name: &str, value: &Secret) -> Sealed {
        self.seal_bytes(function.0, name, value.expose().as_bytes())
    }

    /// Seals bytes for one owner under one name.
    pub fn seal_bytes(&self, owner: Uuid, name: &str, value: &[u8]) -> Sealed {
        self.newest.seal(owner, name, value)
    }

    /// Opens what was sealed for this function under this name. None when no key fits, or when it
    /// is not what was sealed.
    pub fn open(&self, function: FunctionId, name: &str, sealed: &Sealed) -> Option<Secret> {
        let plain = self.open_bytes(function.0, name, sealed)?;
        String::from_utf8(plain).ok().map(Secret::new)
    }

    /// Seals with the newest key what an older one sealed. None when no key fits.
    pub(crate) fn renew(&self, owner: Uuid, name: &str, sealed: &Sealed) -> Option<Sealed> {
        let plain = self.open_bytes(owner, name, sealed)?;
        Some(self.newest.seal(owner, name, &plain))
    }

    /// Opens what was sealed for this owner under this name. None when no key fits, or when it is
    /// not what was sealed.
    pub fn open_bytes(&self, owner: Uuid, name: &str, sealed: &Sealed) -> Option<Vec<u8>> {
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        let key = keys.find(|key| key.id == sealed.key_id)?;
        let (nonce, msg) = sealed.bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = bound_to(owner, name);
        key.cipher().decrypt(&XNonce::from(*nonce), Payload { msg, aad: &aad }).ok()
    }
}

impl Key {
    fn read(text: &str) -> Result<Self, NoKeys> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| NoKeys)?;
        Ok(Self::new(bytes.try_into().map_err(|_| NoKeys)?))
    }

    fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"apprun key id").chain_update(bytes).finalize();
        Self { id: hex::encode(&digest[..4]), bytes }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }

    fn seal(&self, owner: Uuid, name: &str, msg: &[u8]) -> Sealed {
        // 24 random bytes: however many are drawn, no two will ever be the same.
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = bound_to(owner, name);
        let mut bytes = nonce.to_vec();
        // Fails for values of hundreds of gigabytes only.
        if let Ok(sealed) = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg, aad: &aad })
        {
            bytes.extend(sealed);
        }
        Sealed { key_id: self.id.clone(), bytes }
    }
}

/// The id has a fixed length, so no two pairs give the same bytes.
fn bound_to(owner: Uuid, name: &str) -> Vec<u8> {
    [owner.as_bytes(), name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> SecretKeys {
        let texts: Vec<_> = bytes
            .iter()
            .map(|byte| SecretKeys::text_of([*byte; KEY_BYTES]).expose().to_owned())
            .collect();
        texts.join(",").parse().unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_function_and_name_only() {
        let (keys, function) = (keys(&[1]), FunctionId::new());
        let value = Secret::new("hunter2");
        let sealed = keys.seal(function, "PASSWORD", &value);
        assert_eq!(keys.open(function, "PASSWORD", &sealed), Some(value.clone()));
        assert_eq!(keys.open(function, "OTHER", &sealed), None);
        assert_eq!(keys.open(FunctionId::new(), "PASSWORD", &sealed), None);
        assert!(!sealed.bytes.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(keys.seal(function, "PASSWORD", &value).bytes, sealed.bytes, "a nonce each");
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let (keys, function) = (keys(&[1]), FunctionId::new());
        let sealed = keys.seal(function, "A", &Secret::new("value"));
        for place in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[place] ^= 1;
            assert_eq!(keys.open(function, "A", &changed), None, "byte {place}");
        }
        let short = Sealed { bytes: sealed.bytes[..20].to_vec(), ..sealed };
        assert_eq!(keys.open(function, "A", &short), None);
    }

    #[test]
    fn an_older_key_opens_until_it_is_taken_out() {
        let (function, value) = (FunctionId::new(), Secret::new("value"));
        let old = keys(&[1]).seal(function, "A", &value);
        let both = keys(&[2, 1]);
        assert_eq!(both.open(function, "A", &old), Some(value.clone()));
        let renewed = both.renew(function.0, "A", &old).unwrap();
        assert_eq!(renewed.key_id, keys(&[2]).newest_id());
        assert_eq!(keys(&[2]).open(function, "A", &renewed), Some(value));
        assert_eq!(keys(&[2]).open(function, "A", &old), None);
        assert_eq!(keys(&[2]).renew(function.0, "A", &old), None);
    }

    #[test]
    fn a_derived_key_opens_for_its_secret_and_purpose_only() {
        let (secret, owner) = (Secret::new("a secret"), Uuid::nil());
        let keys = SecretKeys::derived_from(&secret, "answers");
        let sealed = keys.seal_bytes(owner, "A", b"value");
        let same = SecretKeys::derived_from(&secret, "answers");
        assert_eq!(same.open_bytes(owner, "A", &sealed).as_deref(), Some(&b"value"[..]));
        for (secret, purpose) in [("a secret", "tokens"), ("another", "answers")] {
            let other = SecretKeys::derived_from(&Secret::new(secret), purpose);
            let sealed = Sealed { key_id: other.newest_id().to_owned(), ..sealed.clone() };
            assert_eq!(other.open_bytes(owner, "A", &sealed), None, "{secret}, {purpose}");
        }
    }

    #[test]
    fn keys_are_32_bytes_of_base64_and_stay_out_of_texts() {
        for bad in ["", ",", "x", "AAAA", "not base64 at all!", &"A".repeat(64)] {
            assert_eq!(bad.parse::<SecretKeys>(), Err(NoKeys), "{bad}");
        }
        let text = SecretKeys::text_of([7; KEY_BYTES]);
        let debug = format!("{:?}", text.expose().parse::<SecretKeys>().unwrap());
        assert!(!debug.contains(text.expose()), "{debug}");
    }
}
