//! Streams of pseudorandom bytes, and what they are drawn for.

use blake3::{Hasher, OutputReader};
use zerocopy::IntoBytes;
use zeroize::Zeroize;

use crate::set::Set;

/// Words that are drawn at a time: enough for the vector unit, few enough for the first-level cache.
pub(crate) const CHUNK: usize = 512;

/// What something is drawn for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Purpose {
    /// The polynomial a of the public key.
    PublicKey,
    /// The polynomials a of a packing key.
    PackingKey,
    /// The polynomial a of a request.
    Request,
    /// The client's secret.
    Secret,
    /// The error of the public key.
    PublicKeyError,
    /// The errors of a packing key.
    PackingKeyError,
    /// The errors and the dither of a request.
    RequestError,
    /// The ternary polynomial u of a response.
    Mask,
    /// The error e2 of a response.
    MaskError,
}

/// Derives every stream from one key.
pub(crate) struct Source(Hasher);

impl Source {
    /// Secret streams: blake3 keyed by the seed.
    pub(crate) fn secret(seed: &[u8; 32], set: Set) -> Self {
        let mut hasher = Hasher::new_keyed(seed);
        hasher.update(&[set as u8]);
        Self(hasher)
    }

    /// Public streams, the same for both parties: blake3 of the session and the client's nonce.
    pub(crate) fn public(session: &[u8], nonce: &[u8; 32], set: Set) -> Self {
        let mut hasher = Hasher::new_derive_key("blindray rlwe 2026 public polynomials");
        hasher.update(&(session.len() as u64).to_le_bytes());
        hasher.update(session);
        hasher.update(nonce);
        hasher.update(&[set as u8]);
        Self(hasher)
    }

    /// The stream for a purpose, a number and an attempt. No two are ever the same.
    pub(crate) fn stream(&self, purpose: Purpose, number: u64, attempt: u32) -> Stream {
        let mut hasher = self.0.clone();
        hasher.update(&[purpose as u8]);
        hasher.update(&number.to_le_bytes());
        hasher.update(&attempt.to_le_bytes());
        let stream = Stream(hasher.finalize_xof());
        hasher.zeroize();
        stream
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A stream of pseudorandom bytes: blake3 in its mode of extendable output.
pub(crate) struct Stream(OutputReader);

impl Stream {
    pub(crate) fn bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    /// The next words, little-endian.
    pub(crate) fn words(&mut self, out: &mut [u64]) {
        self.0.fill(out.as_mut_bytes());
        out.iter_mut().for_each(|word| *word = u64::from_le(*word));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
