//! A rectifier of channels, some of which keep their negative part; only the server knows which.

use ring_arith::{BitVec, Bits, slices};
use sharing::{Mux, Party, Rounds};
use zeroize::Zeroizing;

use crate::{Chunked, Drelu, Error, Prices};

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
/// **Cost.** That of a [`crate::Relu`], piece by piece as [`Chunked::rounds`] says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRelu {
    bits: Bits,
    sign: Drelu,
    chunks: Chunked,
}

impl SignedRelu {
    /// Values of `bits` bits, in pieces of `chunks`, where one COT has this price.
    #[must_use]
    pub fn new(bits: Bits, chunks: Chunked, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        let sign = Drelu::new(bits, prices);
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
    pub async fn run(
        &self,
        party: &Party<'_>,
        x: &[u64],
        channels: Option<ChannelSigns<'_>>,
    ) -> Result<Vec<u64>, Error> {
        let (shifted, flips) = shift_and_flips(self.bits, x, channels);
        let piece = async |party: &Party<'_>, at: usize, x: &[u64]| {
            let mut keep = self.sign.run(party, x).await?;
            keep.xor_assign(&flips.slice(at, x.len()));
            Ok(self.mux().run(party, &keep, x).await?)
        };
        self.chunks.run_at(party, &shifted, 1, piece).await
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        let piece = |n| self.sign.rounds(n).then(self.mux().rounds(n));
        self.chunks.rounds(n, piece)
    }

    const fn mux(&self) -> Mux {
        Mux { bits: self.bits }
    }
}

/// A party's share of x with the shifts added, and its share of the bits n: the server's parameters enter its own, and the client has
/// none.
pub(crate) fn shift_and_flips(
    bits: Bits,
    x: &[u64],
    channels: Option<ChannelSigns<'_>>,
) -> (Zeroizing<Vec<u64>>, BitVec) {
    let mut shifted = Zeroizing::new(x.to_vec());
    let Some(channels) = channels else {
        return (shifted, BitVec::zeros(x.len()));
    };
    let flips = channels.negative(x.len());
    let plane = x.len().checked_div(channels.shifts.len()).unwrap_or(0);
    for (y, &shift) in shifted.chunks_exact_mut(plane.max(1)).zip(channels.shifts) {
        slices::add_constant(bits, y, bits.from_signed(shift));
    }
    (shifted, flips)
}
