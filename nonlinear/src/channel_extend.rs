//! From a narrow ring to a wide one, where the server knows which channels are negative.

use ring_arith::{BitVec, Bits, slices};
use sharing::{Factors, Party, Rounds};
use zeroize::Zeroizing;

use crate::wrap::product;
use crate::{ChannelSigns, Chunked, Error};

/// Sign-extension of what [`crate::SignedRelu`] gives.
///
/// **Functionality.** From shares of a signed x mod 2^from, and from the server a bit n for each channel, fresh
/// shares of x mod 2^to. Every x of a channel with n = 0 must be at least 0, every x of one with n = 1 at most 0: for
/// another value the results are shares of an unrelated number.
///
/// **Protocol.** Of this project, after \[RRG+21, "MSB-to-wrap"\], which has n = 0 only. Read the shares as signed
/// numbers S and C: their sum is x or differs from it by 2^from, and it differs exactly where both have the sign that
/// x does not have. With m, 1 where a share is negative, x is S + C + 2^from·`m_S`·`m_C` for n = 0, and
/// S + C − 2^from·(1 − `m_S`)·(1 − `m_C`) for n = 1. Either is a product b·`m_C` of a bit that the server knows,
/// b = `m_S` ⊕ n, with one that the client knows, beside what the server adds by itself: one COT.
///
/// Where n = 1, the server first takes 1 from its share, and adds it again in the wide ring, because 0 is no negative
/// number. That may leave −2^(from−1) − 1, one below what the narrow ring can hold. The rule holds there too: shares of
/// unlike signs add up to a number from −2^(from−1) to 2^(from−1) − 2, so both shares have one sign.
///
/// **Security.** Semi-honest, by that of COT. The bits n enter the server's own computation only; what the client
/// receives and computes does not depend on them in form or length.
///
/// **Cost** for n values: one COT each with the server as sender, and a round in which both speak: ceil(n/8) bytes to the
/// server, ceil(n·(to−from)/8) to the client, chunk by chunk. Nothing where `from` = `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelExtend {
    from: Bits,
    to: Bits,
    chunks: Chunked,
}

impl ChannelExtend {
    /// From `from` to `to` bits, in pieces of `chunks`.
    ///
    /// # Panics
    /// If `to` is below `from`.
    #[must_use]
    pub fn new(from: Bits, to: Bits, chunks: Chunked) -> Self {
        assert!(from <= to, "an extension from {from} to {to} bits");
        Self { from, to, chunks }
    }

    /// Shares of x mod 2^to of a whole tensor, channel after channel. The server gives the signs of its channels, the
    /// client `None`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// If the client gives signs or the server none; at the server as [`crate::SignedRelu::run`].
    pub async fn run(
        &self,
        party: &Party<'_>,
        x: &[u64],
        channels: Option<ChannelSigns<'_>>,
    ) -> Result<Vec<u64>, Error> {
        assert_eq!(
            channels.is_some(),
            party.role().is_server(),
            "the server has the signs"
        );
        let Some(wrap) = self.wrap() else {
            return Ok(x.to_vec());
        };
        let negative = channels.map(|channels| channels.negative(x.len()));
        let piece = async |party: &Party<'_>, at: usize, x: &[u64]| match &negative {
            Some(negative) => {
                let negative = negative.slice(at, x.len());
                self.run_server(party, x, &negative, wrap).await
            }
            None => self.run_client(party, x, wrap).await,
        };
        self.chunks.run_at(party, x, 1, piece).await
    }

    /// S − n·2^from·b + n, where S is the signed share of x − n, and the share of the product.
    async fn run_server(
        &self,
        party: &Party<'_>,
        x: &[u64],
        negative: &BitVec,
        wrap: Bits,
    ) -> Result<Vec<u64>, Error> {
        let ones = Zeroizing::new(negative.to_values());
        let mut x = Zeroizing::new(x.to_vec());
        slices::sub_assign(self.from, &mut x, &ones);
        let mut factor = self.sign(&x);
        factor.xor_assign(negative);
        let factor = Zeroizing::new(factor.to_values());
        let mut wraps = product(wrap).run(party, Factors::Numbers(&factor)).await?;
        for (wrap, (b, n)) in wraps.iter_mut().zip(factor.iter().zip(ones.iter())) {
            *wrap = wrap.wrapping_sub(b & n);
        }
        let mut wide = self.widened(&x, &wraps);
        slices::add_assign(self.to, &mut wide, &ones);
        Ok(wide)
    }

    /// C, the signed share, and the share of the product.
    async fn run_client(
        &self,
        party: &Party<'_>,
        x: &[u64],
        wrap: Bits,
    ) -> Result<Vec<u64>, Error> {
        let sign = self.sign(x);
        let wraps = product(wrap).run(party, Factors::Bits(&sign)).await?;
        Ok(self.widened(x, &wraps))
    }

    /// Which shares are negative.
    fn sign(&self, x: &[u64]) -> BitVec {
        BitVec::bit_of(x, self.from.get() - 1)
    }

    /// Signed shares plus 2^from times those of the wrap.
    fn widened(&self, x: &[u64], wraps: &[u64]) -> Vec<u64> {
        let wide = |(&x, &wrap): (&u64, &u64)| {
            let x = self.from.to_signed(x).cast_unsigned();
            self.to.reduce(x.wrapping_add(wrap << self.from.get()))
        };
        x.iter().zip(wraps).map(wide).collect()
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        self.wrap().map_or_else(Rounds::none, |wrap| {
            self.chunks.rounds(n, |n| product(wrap).rounds(n))
        })
    }

    /// The ring of the wrap: it counts 2^from. `None` where nothing is to be done.
    const fn wrap(&self) -> Option<Bits> {
        Bits::new(self.to.get() - self.from.get())
    }
}
