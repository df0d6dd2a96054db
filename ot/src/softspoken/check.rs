//! The consistency check of a batch. Why it is there, and what it guarantees:
//! [`consistency`](crate::consistency).

use zerocopy::IntoBytes;
use zeroize::{Zeroize, Zeroizing};

use super::{BLOCK, COLUMNS, LAMBDA, ROW};
use crate::backend::sum_of_products;
use crate::base::Transcript;
use crate::{Block, Error};

/// Bytes of what the receiver says of a batch: the hash of its choices, and the digest of its rows.
pub(super) const PROOF: usize = 16 + 32;

/// What the challenges of a pool are bound to.
pub(super) struct Binding {
    /// Of everything that was said in the set-up, the session and the direction among it.
    set_up: [u8; 32],
    refills: u64,
}

/// The hash R of a batch, which maps a row to a block: R(x) = Σ χ_i·x_i in GF(2^128). The x_i are the
/// row's columns, 128 at a time; the last χ is 1, the others are random.
pub(super) struct Challenge([Block; COLUMNS / BLOCK]);

impl Binding {
    /// Of a pool with parameter k, after base OTs and the message that followed them.
    pub(super) fn new(k: u32, base: &Transcript, masked: &[[Block; 2]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026-11-29 SoftSpokenOT, set-up");
        hasher.update(base).update(&k.to_le_bytes());
        hasher.update(masked.as_bytes());
        Self {
            set_up: hasher.finalize().into(),
            refills: 0,
        }
    }

    /// The challenge of the next refill, whose corrections these are: a row for each group. The first group has no
    /// correction; its row takes what else the challenge is bound to. (So there are, for most k, a power of two
    /// of rows, on which BLAKE3 is fastest.)
    pub(super) fn challenge(&mut self, corrections: &mut [u64]) -> Challenge {
        let head = corrections[..ROW].as_mut_bytes();
        head[..32].copy_from_slice(&self.set_up);
        head[32..40].copy_from_slice(&self.refills.to_le_bytes());
        self.refills += 1;
        let context = "Blindray 2026-11-29 SoftSpokenOT, challenge";
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(corrections.as_bytes());
        let mut chi = [1; COLUMNS / BLOCK];
        let (_, random) = chi.split_last_mut().expect("there are blocks");
        hasher.finalize_xof().fill(random.as_mut_bytes());
        for chi in random {
            *chi = Block::from_le(*chi);
        }
        Challenge(chi)
    }
}

impl Challenge {
    /// R(x).
    pub(super) fn hash(&self, row: &[u64]) -> Block {
        sum_of_products(&self.0, row.as_bytes())
    }

    /// The receiver's message.
    pub(super) fn prove(&self, choices: &[u64], rows: &[u64]) -> [u8; PROOF] {
        let hashes = rows.chunks_exact(ROW).map(|row| self.hash(row));
        let mut proof = [0; PROOF];
        proof[..16].copy_from_slice(&self.hash(choices).to_le_bytes());
        proof[16..].copy_from_slice(digest(hashes).as_bytes());
        proof
    }

    /// Whether the sender's rows are the receiver's, each with `delta`'s bit times the choices added.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] if they are not.
    pub(super) fn verify(
        &self,
        proof: &[u8; PROOF],
        rows: &[u64],
        delta: Block,
    ) -> Result<(), Error> {
        let (choices, expected) = proof.split_first_chunk().expect("a block comes first");
        let choices = Block::from_le_bytes(*choices);
        let hashes = rows
            .chunks_exact(ROW)
            .enumerate()
            .map(|(b, row)| self.hash(row) ^ choices & (delta >> b & 1).wrapping_neg());
        // Digests of this type are compared in constant time.
        if digest(hashes) == *expected {
            Ok(())
        } else {
            Err(Error::Inconsistent)
        }
    }
}

fn digest(hashes: impl Iterator<Item = Block>) -> blake3::Hash {
    let mut bytes = Zeroizing::new([0; LAMBDA]);
    for (bytes, hash) in bytes.iter_mut().zip(hashes) {
        *bytes = hash.to_le();
    }
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026-11-29 SoftSpokenOT, rows");
    hasher.update(bytes.as_bytes());
    let digest = hasher.finalize();
    hasher.zeroize();
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(k: u32, base: u8, masked: Block) -> Binding {
        Binding::new(k, &[base; 32], &[[5, masked]])
    }

    #[test]
    fn every_challenge_is_another() {
        let corrections = |value| {
            let mut corrections = vec![0; 32 * ROW];
            corrections[32 * ROW - 1] = value;
            corrections
        };
        let (same, other) = (&mut corrections(3), &mut corrections(4));
        let mut first = binding(4, 1, 2);
        let challenges = [
            first.challenge(same),
            // The next refill.
            first.challenge(same),
            binding(4, 1, 2).challenge(other),
            // Other set-ups.
            binding(5, 1, 2).challenge(same),
            binding(4, 0, 2).challenge(same),
            binding(4, 1, 3).challenge(same),
        ];
        let coefficients: Vec<Block> = challenges
            .iter()
            .flat_map(|challenge| challenge.0.split_last().expect("some").1.to_vec())
            .collect();
        let distinct: std::collections::HashSet<_> = coefficients.iter().collect();
        assert_eq!(distinct.len(), 6 * 127);
        assert!(challenges.iter().all(|challenge| challenge.0[127] == 1));
        // Both ends get the same one.
        assert_eq!(binding(4, 1, 2).challenge(same).0, challenges[0].0);
    }

    /// Every column counts, the sacrificed ones too; and sums are mapped to sums.
    #[test]
    fn the_hash_is_linear_and_depends_on_every_column() {
        let challenge = binding(4, 1, 2).challenge(&mut [0; 32 * ROW]);
        let mut seen = std::collections::HashSet::from([0]);
        for column in 0..COLUMNS {
            let mut row = [0; ROW];
            row[column / 64] = (1_u64 << (column % 64)).to_le();
            assert!(seen.insert(challenge.hash(&row)), "column {column}");
        }
        let mut rows = [0; 2 * ROW];
        crate::prg::Prg::new(7).fill(rows.as_mut_bytes());
        let (a, b) = rows.split_at(ROW);
        let sum: Vec<u64> = a.iter().zip(b).map(|(a, b)| a ^ b).collect();
        let hash = |row| challenge.hash(row);
        assert_eq!(hash(&sum), hash(a) ^ hash(b));
    }
}
