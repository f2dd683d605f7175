//! Tickets: long random texts that are shown once and open something. Rows hold their hash, which
//! needs no salt and no slowness, because nobody can guess 192 random bits.

use sha2::{Digest, Sha256};

/// What every project token begins with, so that scanners for leaked secrets can know one.
pub(crate) const PROJECT_TOKEN: &str = "apprun_pt_";
/// What every invitation's token begins with.
pub(crate) const INVITATION: &str = "apprun_inv_";

/// A ticket that was just made.
pub(crate) struct Ticket {
    /// For whoever asked for it, once.
    pub(crate) text: String,
    /// For the row.
    pub(crate) sha256: [u8; 32],
}

impl Ticket {
    /// A fresh one that begins with `prefix`.
    pub(crate) fn new(prefix: &str) -> Self {
        let text = format!("{prefix}{}", hex::encode(rand::random::<[u8; 24]>()));
        Self { sha256: sha256(&text), text }
    }
}

/// The hash by which a ticket is found.
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
