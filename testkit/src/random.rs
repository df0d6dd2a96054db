//! Reproducible inputs, and shares of them.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use ring_arith::{BitVec, Bits, slices};

/// A generator whose output is the same in every run.
pub type TestRng = ChaCha8Rng;

/// The generator with this number.
#[must_use]
pub fn rng(number: u64) -> TestRng {
    TestRng::seed_from_u64(number)
}

/// A seed made of a number.
#[must_use]
pub fn seed(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    rng(number).fill_bytes(&mut seed);
    seed
}

/// Uniform elements of `Z_2^bits`.
#[must_use]
pub fn elements(n: usize, bits: Bits, rng: &mut impl Rng) -> Vec<u64> {
    (0..n).map(|_| bits.reduce(rng.next_u64())).collect()
}

/// Uniform bits.
#[must_use]
pub fn bits(n: usize, rng: &mut impl Rng) -> BitVec {
    BitVec::from_words(n, (0..n.div_ceil(64)).map(|_| rng.next_u64()).collect())
}

/// Elements of `Z_2^bits` at which protocols break if they break: around 0, around the sign change,
/// powers of two and their neighbours. Ascending, each once.
#[must_use]
pub fn edges(bits: Bits) -> Vec<u64> {
    let powers = (0..bits.get()).map(|j| 1_u64 << j);
    let mut all: Vec<u64> = powers
        .chain([0])
        .flat_map(|p| [p.wrapping_sub(1), p, p.wrapping_add(1), p.wrapping_neg()])
        .map(|x| bits.reduce(x))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Uniform shares of `x`: the server's and the client's.
#[must_use]
pub fn share(x: &[u64], bits: Bits, rng: &mut impl Rng) -> (Vec<u64>, Vec<u64>) {
    let client = elements(x.len(), bits, rng);
    (slices::sub(bits, x, &client), client)
}

/// The values that shares stand for.
///
/// # Panics
///
/// If the shares differ in length.
#[must_use]
pub fn reconstruct(server: &[u64], client: &[u64], bits: Bits) -> Vec<u64> {
    assert_eq!(
        server.len(),
        client.len(),
        "the parties hold different numbers of shares"
    );
    slices::add(bits, server, client)
}

/// Uniform shares of bits: the server's and the client's.
#[must_use]
pub fn share_bits(x: &BitVec, rng: &mut impl Rng) -> (BitVec, BitVec) {
    let client = bits(x.len(), rng);
    (x.xor(&client), client)
}

/// The bits that shares stand for.
///
/// # Panics
///
/// If the shares differ in length.
#[must_use]
pub fn reconstruct_bits(server: &BitVec, client: &BitVec) -> BitVec {
    assert_eq!(
        server.len(),
        client.len(),
        "the parties hold different numbers of shares"
    );
    server.xor(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stand_for_what_was_shared() {
        let mut rng = rng(5);
        for width in [1, 2, 31, 32, 33, 63, 64] {
            let ring = Bits::of(width);
            let x = edges(ring);
            assert!(x.iter().all(|&x| x == ring.reduce(x)));
            let (server, client) = share(&x, ring, &mut rng);
            assert_eq!(reconstruct(&server, &client, ring), x);
        }
        let x = bits(129, &mut rng);
        let (server, client) = share_bits(&x, &mut rng);
        assert_eq!(reconstruct_bits(&server, &client), x);
    }

    #[test]
    fn small_rings_are_all_edges() {
        assert_eq!(edges(Bits::of(2)), [0, 1, 2, 3]);
        assert_eq!(edges(Bits::of(1)), [0, 1]);
    }
}
