//! Products of two shared values.

use ring_arith::{BitVec, Bits};

use crate::cross::{Part, Terms, cross, cross_rounds};
use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// Products of two shared vectors, element by element: x·y mod 2^bits.
///
/// **Functionality.** From shares of x and y mod 2^bits, fresh shares of x·y mod 2^bits. Products of
/// signed and of unsigned numbers are the same in the ring.
///
/// **Protocol.** x·y = x_S·y_S + x_C·y_C + x_S·y_C + x_C·y_S. Either mixed term is a sum over the
/// bits j of the factor y: a COT with choice y_j and correlation x mod 2^(bits−j), shifted by j
/// \[Gilboa99\]. Both terms are computed side by side.
///
/// **Security.** Semi-honest, by the security of COT.
///
/// **Cost** for n products: two rounds in which both speak, of ceil(n·bits/8) and of
/// Σ_{j<bits} ceil(n·(bits−j)/8) bytes each way, and n·bits COTs in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Mul {
    /// The ring of factors and product.
    pub bits: Bits,
}

impl Mul {
    /// Shares of `x·y`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the lengths differ.
    pub async fn run(self, party: &Party<'_>, x: &[u64], y: &[u64]) -> Result<Vec<u64>, Error> {
        assert_eq!(x.len(), y.len(), "one factor for the other");
        let l = self.bits.get();
        let planes: Vec<BitVec> = (0..l).map(|j| BitVec::bit_of(y, j)).collect();
        let parts = planes.iter().zip(self.widths());
        let parts: Vec<_> = parts
            .map(|(choices, bits)| Part {
                choices,
                correlations: x,
                bits,
            })
            .collect();
        let terms = cross(party, &parts).await?;
        let mut out: Vec<u64> = x.iter().zip(y).map(|(x, y)| x.wrapping_mul(*y)).collect();
        for (j, Terms { received, sent }) in terms.iter().enumerate() {
            for (out, (received, sent)) in out.iter_mut().zip(received.iter().zip(sent)) {
                *out = out.wrapping_add(received.wrapping_sub(*sent) << j);
            }
        }
        ring_arith::slices::reduce_slice(self.bits, &mut out);
        Ok(out)
    }

    /// The rounds of n products.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        cross_rounds(self.widths().map(|bits| (n, bits)))
    }

    /// The widths of the COTs for the bits of a factor, lowest bit first.
    fn widths(self) -> impl Iterator<Item = Bits> {
        (1..=self.bits.get()).rev().map(Bits::of)
    }
}
