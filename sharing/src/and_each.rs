//! One shared bit times several.

use ring_arith::BitVec;

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;
use crate::triples;

/// Products of one shared bit with several: x·y_1, …, x·y_w.
///
/// **Functionality.** From shares of x and of y_1, …, y_w, all of one length, fresh shares of the products, bit by bit.
///
/// **Protocol.** As [`AndLevel`](crate::AndLevel), with one mask of the common factor for all its products: w + 1 bits are opened instead of
/// 2·w, and random OTs of w bits give the triples of all.
///
/// **Security.** Semi-honest. The opened bits are one-time padded.
///
/// **Cost** for w products of n bits: one flight in which each party sends ceil((w + 1)·n/8) bytes; n COTs in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AndEach;

impl AndEach {
    /// The most products with one factor: the bits of a random OT.
    pub const MAX_WIDTH: usize = 128;

    /// Shares of `x·y` for every `y`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the lengths differ, or when there are more products than [`AndEach::MAX_WIDTH`].
    pub async fn run(
        self,
        party: &Party<'_>,
        x: &BitVec,
        y: &[BitVec],
    ) -> Result<Vec<BitVec>, Error> {
        let (n, width) = (x.len(), y.len());
        assert!(
            y.iter().all(|y| y.len() == n),
            "the factors of a product differ in length"
        );
        assert!(width <= Self::MAX_WIDTH, "{width} products with one factor");
        if n == 0 || width == 0 {
            return Ok(vec![BitVec::zeros(n); width]);
        }
        let triples = triples::draw(party, n, width)?;
        let mut masked = x.xor(&triples.a);
        for (y, v) in y.iter().zip(&triples.b) {
            masked.append(&y.xor(v));
        }
        let bytes = masked.to_bytes();
        let n_bytes = bytes.len();
        let theirs = party.exchange(bytes, n_bytes).await?;
        masked.xor_assign(&BitVec::from_bytes(masked.len(), &theirs));
        let d = masked.slice(0, n);
        // w ⊕ d·v ⊕ e·u, and ⊕ d·e for the server.
        let mut u = triples.a;
        if party.role().is_server() {
            u.xor_assign(&d);
        }
        let products = triples.c.into_iter().zip(&triples.b).enumerate();
        let products = products.map(|(k, (mut w, v))| {
            let e = masked.slice((k + 1) * n, n);
            w.xor_assign(&d.and(v));
            w.xor_assign(&e.and(&u));
            w
        });
        Ok(products.collect())
    }

    /// The round of `width` products of n bits.
    #[must_use]
    pub fn rounds(self, width: usize, n: usize) -> Rounds {
        if n == 0 || width == 0 {
            return Rounds::none();
        }
        let bytes = BitVec::byte_len((width + 1) * n) as u64;
        Rounds::exchange(bytes, bytes).with_cots(n as u64, n as u64)
    }
}
