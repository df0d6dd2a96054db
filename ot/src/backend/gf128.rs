//! Sums of products in GF(2^128): choice of back-end, and the portable one.
//!
//! The field is GF(2)[z] modulo z^128 + z^7 + z^2 + z + 1; bit j of a block is the coefficient of z^j.

#[cfg(target_arch = "x86_64")]
use super::clmul::{Clmul, Clmul256, Clmul512};
use crate::Block;

/// Σ `a[i]`·b_i, where b_i is block i of `b`, little-endian. The `a` are public, the `b` may be secret.
///
/// # Panics
/// Unless there are as many blocks of either, and a multiple of four.
pub(crate) fn sum_of_products(a: &[Block], b: &[u8]) -> Block {
    assert_eq!(16 * a.len(), b.len(), "one factor per block");
    assert!(a.len().is_multiple_of(4), "whole vectors of every width");
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(token) = Clmul512::new() {
            return token.sum_of_products(a, b).reduce();
        }
        if let Some(token) = Clmul256::new() {
            return token.sum_of_products(a, b).reduce();
        }
        if let Some(token) = Clmul::new() {
            return token.sum_of_products(a, b).reduce();
        }
    }
    portable(a, b)
}

/// A sum of products of polynomials below z^128, not reduced yet.
pub(super) struct Product {
    low: Block,
    high: Block,
}

impl Product {
    /// From the sums of the products of the lower halves, of either half with the other, and of the
    /// upper halves.
    pub(super) const fn of_halves(low: Block, middle: Block, high: Block) -> Self {
        Self {
            low: low ^ middle << 64,
            high: high ^ middle >> 64,
        }
    }

    /// z^128 is z^7 + z^2 + z + 1; what that lifts over z^128 again is below z^7.
    const fn reduce(self) -> Block {
        let Self { low, high } = self;
        let over = high >> 127 ^ high >> 126 ^ high >> 121;
        low ^ tail(high) ^ tail(over)
    }
}

/// x·(z^7 + z^2 + z + 1), without what rises over z^127.
const fn tail(x: Block) -> Block {
    x ^ x << 1 ^ x << 2 ^ x << 7
}

/// Digits of four bits: the public factors index a table of multiples of the secret ones.
fn portable(a: &[Block], b: &[u8]) -> Block {
    let mut digits = [0; 32];
    for (a, b) in a.iter().zip(b.as_chunks().0) {
        let multiples = multiples(Block::from_le_bytes(*b));
        for (j, digit) in digits.iter_mut().enumerate() {
            *digit ^= multiples[(a >> (4 * j) & 15) as usize];
        }
    }
    let times_16 = |x| double(double(double(double(x))));
    digits
        .iter()
        .rev()
        .fold(0, |sum, digit| times_16(sum) ^ digit)
}

/// x times every polynomial below z^4.
fn multiples(x: Block) -> [Block; 16] {
    let mut multiples = [0, x, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for i in 1..8 {
        multiples[2 * i] = double(multiples[i]);
        multiples[2 * i + 1] = multiples[2 * i] ^ x;
    }
    multiples
}

/// x·z.
const fn double(x: Block) -> Block {
    x << 1 ^ (x >> 127).wrapping_neg() & 0x87
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    /// By the definition, bit by bit: the whole product first, then its bits from z^254 down to z^128.
    fn by_definition(a: Block, b: Block) -> Block {
        let bit = |x: Block, i: usize| x >> i & 1 == 1;
        let mut product = [false; 255];
        for (i, j) in (0..128).flat_map(|i| (0..128).map(move |j| (i, j))) {
            product[i + j] ^= bit(a, i) && bit(b, j);
        }
        for i in (128..255).rev() {
            if product[i] {
                for j in [7, 2, 1, 0] {
                    product[i - 128 + j] ^= true;
                }
            }
        }
        (0..128).fold(0, |x, i| x | Block::from(product[i]) << i)
    }

    /// What every back-end of this processor says, the portable one first.
    fn of_all(a: &[Block], b: &[Block]) -> Vec<Block> {
        let le: Vec<Block> = b.iter().map(|b| b.to_le()).collect();
        let bytes = le.as_bytes();
        let mut results = vec![portable(a, bytes), sum_of_products(a, bytes)];
        #[cfg(target_arch = "x86_64")]
        {
            let vectors = [
                Clmul::new().map(|token| token.sum_of_products(a, bytes)),
                Clmul256::new().map(|token| token.sum_of_products(a, bytes)),
                Clmul512::new().map(|token| token.sum_of_products(a, bytes)),
            ];
            results.extend(vectors.into_iter().flatten().map(Product::reduce));
        }
        results
    }

    fn times(a: Block, b: Block) -> Block {
        let results = of_all(&[a, 0, 0, 0], &[b, 0, 0, 0]);
        assert!(results.iter().all(|x| *x == results[0]), "{results:x?}");
        results[0]
    }

    #[test]
    fn edges_are_as_defined() {
        let edges = [
            0,
            1,
            2,
            0x87,
            1 << 63,
            1 << 64,
            1 << 121,
            1 << 126,
            1 << 127,
            Block::MAX,
        ];
        for a in edges {
            for b in edges {
                assert_eq!(times(a, b), by_definition(a, b), "{a:x} {b:x}");
            }
        }
        assert_eq!(times(1 << 127, 2), 0x87);
    }

    /// z^(2^128) = z, so the degrees of the polynomial's factors divide 128; and no lower power z^(2^i) is
    /// z, so one of them is 128: the polynomial is irreducible.
    #[test]
    fn the_polynomial_is_irreducible() {
        let squares: Vec<Block> = std::iter::successors(Some(2), |&x| Some(times(x, x)))
            .take(129)
            .collect();
        assert_eq!(squares[128], 2);
        assert!(squares[1..128].iter().all(|&x| x != 2));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn vectors_are_used_where_they_are_there() {
        let has = |there: bool| there && !cfg!(blindray_portable);
        assert_eq!(
            Clmul::new().is_some(),
            has(is_x86_feature_detected!("pclmulqdq"))
        );
        let vpclmul = is_x86_feature_detected!("vpclmulqdq");
        let [avx2, avx512] = [
            is_x86_feature_detected!("avx2"),
            is_x86_feature_detected!("avx512f"),
        ];
        assert_eq!(Clmul256::new().is_some(), has(vpclmul && avx2));
        assert_eq!(Clmul512::new().is_some(), has(vpclmul && avx512));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn products_are_as_defined(a: Block, b: Block) {
            prop_assert_eq!(times(a, b), by_definition(a, b));
        }

        #[test]
        fn it_is_a_field(a: Block, b: Block, c: Block) {
            prop_assert_eq!(times(a, b), times(b, a));
            prop_assert_eq!(times(a, times(b, c)), times(times(a, b), c));
            prop_assert_eq!(times(a, b ^ c), times(a, b) ^ times(a, c));
            prop_assert_eq!(times(a, 1), a);
        }

        #[test]
        fn sums_agree(pairs in proptest::collection::vec(any::<(Block, Block)>(), 0..40)) {
            let whole = pairs.len() / 4 * 4;
            let (a, b): (Vec<Block>, Vec<Block>) = pairs[..whole].iter().copied().unzip();
            let expected = a.iter().zip(&b).fold(0, |sum, (a, b)| sum ^ times(*a, *b));
            for sum in of_all(&a, &b) {
                prop_assert_eq!(sum, expected);
            }
        }
    }
}
