//! Truncation into a narrower ring, exactly or by each party alone.

use nonlinear::{Prices, TruncReduce};
use ring_arith::{Bits, slices};
use sharing::{Party, Rounds};
use zeroize::Zeroizing;

use crate::Error;
use crate::compute::each;
use crate::step::ELEMENTS;

/// A truncation into a narrower ring.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Takes noise off, exactly, where the rest is no exact truncation.
    strip: Option<TruncReduce>,
    /// The ring after that.
    bits: Bits,
    rest: TruncReduce,
    /// What the server subtracts from its share in between: a truncation by each party alone is right on average without the rounding
    /// constant, which would be a bias.
    less: u64,
}

impl Cut {
    /// Values of `bits` bits by `shift`. Where it is not exact, the low `noise` bits are cut off exactly all the same, of which `shift` has more:
    /// what each party cuts off by itself changes the result a little, and the noise would with it.
    pub(crate) fn new(
        bits: Bits,
        (shift, rounded): (u32, bool),
        (exact, noise): (bool, u32),
        prices: Prices,
    ) -> Self {
        let off = if exact { 0 } else { noise };
        let (inner, rest) = (Bits::of(bits.get() - off), shift - off);
        Self {
            strip: (off > 0).then(|| TruncReduce::new(bits, off, true, prices)),
            bits: inner,
            rest: TruncReduce::new(inner, rest, exact, prices),
            less: if exact || !rounded {
                0
            } else {
                (1 << rest) >> 1
            },
        }
    }

    /// The share of the quotients.
    pub(crate) async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        let stripped = match &self.strip {
            Some(strip) => Some(each(party, x, async |p, x| strip.run(p, x).await).await?),
            None => None,
        };
        let stripped = stripped.map(Zeroizing::new);
        let x = stripped.as_ref().map_or(x, |y| y.as_slice());
        let lowered = (self.less > 0 && party.role().is_server()).then(|| {
            let mut y = Zeroizing::new(x.to_vec());
            let less = self.bits.reduce(self.less.wrapping_neg());
            slices::add_constant(self.bits, &mut y, less);
            y
        });
        let x = lowered.as_ref().map_or(x, |y| y.as_slice());
        each(party, x, async |p, x| self.rest.run(p, x).await).await
    }

    /// The rounds of `n` values.
    pub(crate) fn rounds(&self, n: usize) -> Rounds {
        let strip = |strip: &TruncReduce| ELEMENTS.rounds(n, |n| strip.rounds(n));
        let strip = self.strip.as_ref().map_or_else(Rounds::none, strip);
        strip.then(ELEMENTS.rounds(n, |n| self.rest.rounds(n)))
    }
}
