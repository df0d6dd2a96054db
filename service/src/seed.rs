//! A party's own randomness, and what is made of it.

use zeroize::Zeroizing;

use crate::Token;

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

    /// What the pools of a session draw from that was made without.
    pub(crate) fn pools(&self) -> [u8; 32] {
        blake3::derive_key("Blindray 2026 service pools made late", &*self.0)
    }

    /// What goes over the wire to make the session's name new; it tells nothing of the rest.
    pub(crate) fn entropy(&self) -> [u8; 16] {
        let key = blake3::derive_key("Blindray 2026 service handshake entropy", &*self.0);
        *key.first_chunk().expect("16 of 32 bytes")
    }

    /// What preparations are named and sealed with.
    pub(crate) fn salts(&self) -> Salts {
        let key = blake3::derive_key("Blindray 2026 service preparations", &*self.0);
        let key = Zeroizing::new(key);
        Salts { key, next: 0 }
    }
}

/// Fresh strings, none of which comes twice. They may be known to anybody.
pub(crate) struct Salts {
    key: Zeroizing<[u8; 32]>,
    next: u64,
}

impl Salts {
    /// The next one.
    pub(crate) fn next(&mut self) -> [u8; 32] {
        let number = self.next.to_le_bytes();
        self.next += 1;
        blake3::keyed_hash(&self.key, &number).into()
    }

    /// A name.
    pub(crate) fn token(&mut self) -> Token {
        Token(*self.next().first_chunk().expect("16 of 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_salt_comes_twice() {
        let mut seen = BTreeSet::new();
        for seed in 0..3 {
            let mut salts = Seed::new([seed; 32]).salts();
            for _ in 0..50 {
                assert!(seen.insert(salts.next()) && seen.insert(salts.next()));
                let token = salts.token().0;
                assert!(seen.insert([token, token].concat().try_into().expect("32 bytes")));
            }
        }
    }
}
