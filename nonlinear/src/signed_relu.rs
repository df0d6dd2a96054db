//! A rectifier of channels, some of which keep their negative part; only the server knows which.

use channel::Cost;
use ring_arith::{BitVec, Bits, slices};
use sharing::{CotPrice, Mux, Session};
use zeroize::Zeroizing;

use crate::{Chunked, Drelu, Error};

/// The secret parameters of a [`SignedRelu`], which the server has: one of each for every channel.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct ChannelSigns<'a> {
    /// Negative where the channel keeps its negative values.
    pub signs: &'a [i32],
    /// What is added to the channel.
    pub shifts: &'a [i64],
}

impl ChannelSigns<'_> {
    /// For each of `n` values, channel after channel, whether its channel keeps the negative ones.
    ///
    /// # Panics
    /// If the number of channels does not divide `n`, or there are not as many signs as shifts.
    pub(crate) fn negative(&self, n: usize) -> BitVec {
        let Self { signs, shifts } = self;
        let plane = n.checked_div(signs.len()).unwrap_or(0);
        assert!(
            signs.len() == shifts.len() && plane * signs.len() == n,
            "{} signs and {} shifts for {n} values",
            signs.len(),
            shifts.len(),
        );
        BitVec::from_fn(n, |i| signs[i / plane] < 0)
    }
}

impl std::fmt::Debug for ChannelSigns<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelSigns")
            .field("channels", &self.signs.len())
            .finish_non_exhaustive()
    }
}

/// y·(\[y ≥ 0\] ⊕ n) for y = x + shift.
///
/// **Functionality.** From shares of x mod 2^bits, and from the server a shift and a bit n for each
/// channel, fresh shares of y = x + shift mod 2^bits where y ≥ 0 (signed) differs from n, else of 0:
/// the positive part of a channel, or its negative part.
///
/// **Protocol.** The server adds the shifts to its share and XORs the bits n into its share of
/// [`Drelu`]; then [`Mux`].
///
/// **Security.** Semi-honest; shifts and bits enter the server's own shares only.
///
/// **Cost.** That of a [`crate::Relu`]: [`Drelu`] then [`Mux`], chunk by chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedRelu {
    bits: Bits,
    sign: Drelu,
    chunks: Chunked,
}

impl SignedRelu {
    /// Values of `bits` bits, in pieces of `chunks`, where one COT has this price.
    #[must_use]
    pub fn new(bits: Bits, chunks: Chunked, cot_price: CotPrice) -> Self {
        let sign = Drelu::new(bits, cot_price);
        Self { bits, sign, chunks }
    }

    /// Shares of the results of a whole tensor, channel after channel. The server gives its parameters,
    /// the client `None`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// If the number of channels does not divide that of the values, or there are not as many signs as
    /// shifts.
    pub fn run(
        &self,
        s: &mut Session,
        x: &[u64],
        channels: Option<ChannelSigns<'_>>,
    ) -> Result<Vec<u64>, Error> {
        let mut shifted = Zeroizing::new(x.to_vec());
        let mut flips = BitVec::zeros(x.len());
        if let Some(channels) = channels {
            flips = channels.negative(x.len());
            let plane = x.len().checked_div(channels.shifts.len()).unwrap_or(0);
            for (y, &shift) in shifted.chunks_exact_mut(plane.max(1)).zip(channels.shifts) {
                slices::add_constant(self.bits, y, self.bits.from_signed(shift));
            }
        }
        let mut at = 0;
        self.chunks.run(&shifted, |x| {
            let mut keep = self.sign.run(s, x)?;
            keep.xor_assign(&flips.slice(at, x.len()));
            at += x.len();
            Ok(Mux { bits: self.bits }.run(s, &keep, x)?)
        })
    }

    /// The cost for `n` values.
    #[must_use]
    pub fn cost(&self, n: usize) -> Cost {
        let mux = Mux { bits: self.bits };
        let one = |n| self.sign.cost(n).then(mux.cost(n));
        self.chunks.cost(n, one)
    }
}
