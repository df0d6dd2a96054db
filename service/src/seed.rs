//! A party's own randomness, and what is made of it.

use zeroize::Zeroizing;

/// Fresh randomness of one party for one session; erased when dropped.
pub(crate) struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// What the protocols draw from.
    pub(crate) fn session(&self) -> [u8; 32] {
        blake3::derive_key("Blindray 2026 service session seed", &*self.0)
    }

    /// What goes over the wire to make the session's name new; it tells nothing of the rest.
    pub(crate) fn entropy(&self) -> [u8; 16] {
        let key = blake3::derive_key("Blindray 2026 service handshake entropy", &*self.0);
        *key.first_chunk().expect("16 of 32 bytes")
    }
}
