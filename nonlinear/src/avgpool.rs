//! The mean of every window.

use channel::Cost;
use ring_arith::Bits;
use sharing::Session;

use crate::{Error, Pool2d, TruncFaithful, TruncReduce, wrap};

/// Average pool by a public reciprocal.
///
/// **Functionality.** From shares of planes of signed values mod 2^bits, fresh shares of
/// floor((sum·m + 2^(fraction−1)) / 2^fraction) for every window, where m is 2^fraction / count
/// rounded half up, and sum·m + 2^(fraction−1) is reduced mod 2^bits to the signed range (nothing is
/// added where `fraction` is 0). `count` is the number of values in the window, with `count_padding`
/// that of its positions. For a power of two with `fraction` = log2 count the mean is exact, rounded
/// half up. The result has the scale of the input; the caller makes the ring wide enough for sum·m.
/// With [`Rescale::ReduceFast`] the quotient has the error law of [`TruncReduce`].
///
/// **Protocol.** Sums and products with m are local; then [`TruncFaithful`] or [`TruncReduce`].
///
/// **Security.** That of the truncation.
///
/// **Cost.** That of the truncation of one value per window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AvgPool {
    window: Pool2d,
    bits: Bits,
    fraction: u32,
    count_padding: bool,
    rescale: Rescale,
    cot_price: u32,
}

/// How the scaled sum of an average pool comes back to the scale of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "callers choose one")]
pub enum Rescale {
    /// [`TruncFaithful`]: exact, in the same ring.
    Faithful,
    /// [`TruncReduce`], exact: the ring shrinks by `fraction` bits.
    ReduceExact,
    /// [`TruncReduce`], local: the ring shrinks by `fraction` bits.
    ReduceFast,
}

impl AvgPool {
    /// Windows over values of `bits` bits, reciprocals with `fraction` fractional bits, where one COT
    /// costs `cot_price` bits of traffic.
    ///
    /// # Panics
    /// If `fraction` is not below `bits`.
    #[must_use]
    pub fn new(
        window: Pool2d,
        bits: Bits,
        fraction: u32,
        count_padding: bool,
        rescale: Rescale,
        cot_price: u32,
    ) -> Self {
        assert!(
            fraction < bits.get(),
            "a fraction of {fraction} in {bits} bits"
        );
        Self {
            window,
            bits,
            fraction,
            count_padding,
            rescale,
            cot_price,
        }
    }

    /// The geometry.
    #[must_use]
    pub const fn window(&self) -> &Pool2d {
        &self.window
    }

    /// The ring of the result.
    #[must_use]
    pub fn output_bits(&self) -> Bits {
        match self.rescale {
            Rescale::Faithful => self.bits,
            Rescale::ReduceExact | Rescale::ReduceFast => Bits::of(self.bits.get() - self.fraction),
        }
    }

    /// Shares of the means, planes of [`Pool2d::output_shape`].
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// If `x` is not a whole number of planes.
    pub fn run(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        let sums = wrap::add_public(s, &self.scaled_sums(x), self.bits, self.half());
        match self.rescale {
            Rescale::Faithful => self.faithful().run(s, &sums),
            Rescale::ReduceExact => self.reduce(true).run(s, &sums),
            Rescale::ReduceFast => self.reduce(false).run(s, &sums),
        }
    }

    /// The cost for `planes` planes.
    #[must_use]
    pub fn cost(&self, planes: usize) -> Cost {
        let [height, width] = self.window.output_shape();
        let n = planes * height * width;
        match self.rescale {
            Rescale::Faithful => self.faithful().cost(n),
            Rescale::ReduceExact => self.reduce(true).cost(n),
            Rescale::ReduceFast => self.reduce(false).cost(n),
        }
    }

    /// The means without secrecy, without the error of the local form.
    pub(crate) fn clear(&self, x: &[i64]) -> Vec<i64> {
        let x: Vec<u64> = x.iter().map(|&x| self.bits.from_signed(x)).collect();
        let sums = self.scaled_sums(&x).into_iter();
        let mean = |sum: u64| {
            let rounded = self.bits.reduce(sum.wrapping_add(self.half()));
            self.bits.to_signed(rounded) >> self.fraction
        };
        sums.map(mean).collect()
    }

    /// sum·m mod 2^bits of every window; linear, so on shares as on values.
    fn scaled_sums(&self, x: &[u64]) -> Vec<u64> {
        self.window.planes(x.len());
        let [_, width] = self.window.input_shape();
        let [out_height, out_width] = self.window.output_shape();
        let mut sums = Vec::new();
        for plane in x.chunks(self.window.input_len()) {
            for i in 0..out_height {
                let rows = self.window.row_span(i);
                for j in 0..out_width {
                    let columns = self.window.column_span(j);
                    let row = |row: usize| &plane[row * width..][columns.clone()];
                    let values = rows.clone().flat_map(row);
                    let sum = values.fold(0_u64, |sum, &x| sum.wrapping_add(x));
                    let count = self.count(rows.len() * columns.len());
                    sums.push(self.bits.reduce(sum.wrapping_mul(self.reciprocal(count))));
                }
            }
        }
        sums
    }

    const fn count(&self, values: usize) -> usize {
        if self.count_padding {
            self.window.kernel_positions()
        } else {
            values
        }
    }

    /// 2^fraction / count, rounded half up.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 2^fraction, which is below 2^64"
    )]
    const fn reciprocal(&self, count: usize) -> u64 {
        let (one, count) = (1_u128 << self.fraction, count as u128);
        ((2 * one + count) / (2 * count)) as u64
    }

    const fn half(&self) -> u64 {
        match self.fraction {
            0 => 0,
            fraction => 1 << (fraction - 1),
        }
    }

    fn faithful(&self) -> TruncFaithful {
        TruncFaithful::new(self.bits, self.fraction, self.cot_price)
    }

    fn reduce(&self, exact: bool) -> TruncReduce {
        TruncReduce::new(self.bits, self.fraction, exact, self.cot_price)
    }
}
