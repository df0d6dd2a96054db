//! Products of shared rows with shared scalars.

use channel::{Cost, Role};
use ot::{ReceiveRows, RowRun, RowTally, SendRows};
use ring_arith::{Bits, Word, slices};

use crate::error::Error;
use crate::session::Session;

/// Products of shared rows with one shared scalar each, as in squeeze and excitation.
///
/// **Functionality.** From shares mod 2^n (n = `scalar_bits`) of g_0 … g_(m−1) and shares mod 2^bits
/// of an m × `width` matrix x, fresh shares mod 2^bits of g_i·x_i, row by row. If n is below
/// `bits`, the scalars must be known to lie in 0 ≤ g < 2^(n−1); if it is not, they may be anything.
///
/// **Protocol.** As [`Mul`](crate::Mul), with the bits of the scalars as choices: a COT carries a
/// whole row, so a row costs no more COTs than an element, and only as many as a scalar has bits.
/// The terms x_S·g_C come first, with the server as sender, and then x_C·g_S. A narrow scalar needs no
/// extension, which is a departure from \[RRG+21\]: as an integer it is g_S + g_C − 2^n·w, where w is
/// the OR of the shares' highest bits a_S, a_C. Of 2^n·w·x the server has the part 2^n·a_S·x_S, the
/// client 2^n·a_C·x_C, and what is left, 2^n·(a_C·(1−a_S)·x_S + a_S·(1−a_C)·x_C), has the choices and
/// the senders of the COTs for the highest bit: there the correlation is (2·a − 1)·x, a the sender's
/// own bit, in place of x.
///
/// **Security.** Semi-honest, by the security of COT.
///
/// **Cost** for m rows: m·n COTs in each direction with rows of width·(bits−j) bits for the bit
/// j, exactly as [`ot::cot_rows_cost`] says for one direction and then the other: for m·n ≤ 2^20
/// three flights, client, server, client; ceil(m·n/8) + m·Σ_{j<n} ceil(width·(bits−j)/8)
/// bytes each way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct ScaleRows {
    /// The ring of the rows and the products.
    pub bits: Bits,
    /// The ring of the scalars, at most `bits`.
    pub scalar_bits: Bits,
    /// Elements of a row.
    pub width: usize,
}

impl ScaleRows {
    /// Shares of the rows of `x`, each times its scalar.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When `x` does not have `scalars.len()` rows, or the scalars' ring is the wider one.
    pub fn run(self, s: &mut Session, scalars: &[u64], x: &[u64]) -> Result<Vec<u64>, Error> {
        assert!(self.scalar_bits <= self.bits, "a scalar of a wider ring");
        assert_eq!(x.len(), scalars.len() * self.width, "one scalar per row");
        if x.is_empty() {
            return s.attempt(|_| Ok(Vec::new()));
        }
        if self.bits.get() <= 32 {
            self.run_words::<u32>(s, scalars, x)
        } else {
            self.run_words::<u64>(s, scalars, x)
        }
    }

    fn run_words<W: Word>(
        self,
        s: &mut Session,
        scalars: &[u64],
        x: &[u64],
    ) -> Result<Vec<u64>, Error> {
        let words: Vec<W> = x.iter().map(|&x| W::from_u64(x)).collect();
        let mut rows = Rows {
            gate: self,
            scalars,
            x: &words,
            top: Vec::new(),
            sum: words.clone(),
        };
        for (sum, &scalar) in rows.sum.chunks_exact_mut(self.width).zip(scalars) {
            let signed = self.scalar_bits.to_signed(scalar);
            slices::scale(self.bits, sum, W::from_i64(signed));
        }
        s.attempt::<_, Error>(|s| {
            let (role, (channel, sender, receiver)) = (s.role(), s.ot());
            if role.is_server() {
                sender.cot_rows(channel, &mut rows)?;
                receiver.cot_rows(channel, &mut rows)?;
            } else {
                receiver.cot_rows(channel, &mut rows)?;
                sender.cot_rows(channel, &mut rows)?;
            }
            Ok(())
        })?;
        slices::reduce_slice(self.bits, &mut rows.sum);
        Ok(rows.sum.iter().map(|&x| x.to_u64()).collect())
    }

    /// The cost of m rows.
    #[must_use]
    pub fn cost(self, m: usize) -> Cost {
        if self.width == 0 {
            return Cost::none();
        }
        let rows = RowRun {
            len: self.width,
            bits: self.bits,
            planes: self.scalar_bits.get(),
            times: 1,
        };
        let from = |sender| {
            let mut tally = RowTally::new(sender);
            tally.add(&[rows], m);
            tally.finish()
        };
        from(Role::Server).then(from(Role::Client))
    }

    const fn planes(self) -> usize {
        self.scalar_bits.get() as usize
    }

    /// The COT with number `i`: bit `i mod n` of scalar `i / n`.
    fn shape(self, i: usize) -> (usize, Bits) {
        (self.width, Bits::of(self.bits.get() - self.bit(i)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a bit number is below 64")]
    const fn bit(self, i: usize) -> u32 {
        (i % self.planes()) as u32
    }
}

/// The rows as either end of vector COTs sees them.
struct Rows<'a, W> {
    gate: ScaleRows,
    scalars: &'a [u64],
    x: &'a [W],
    /// The correlation for a highest bit.
    top: Vec<W>,
    sum: Vec<W>,
}

impl<W: Word> Rows<'_, W> {
    fn accumulate(&mut self, i: usize, row: &[W], negate: bool) {
        let at = i / self.gate.planes() * self.gate.width;
        let sum = &mut self.sum[at..at + self.gate.width];
        slices::accumulate_shifted(sum, row, self.gate.bit(i), negate);
    }
}

impl<W: Word> SendRows<W> for Rows<'_, W> {
    fn count(&self) -> usize {
        self.scalars.len() * self.gate.planes()
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        self.gate.shape(i)
    }

    fn correlation(&mut self, i: usize) -> &[W] {
        let (row, width) = (i / self.gate.planes(), self.gate.width);
        let x = &self.x[row * width..][..width];
        if self.gate.bit(i) + 1 < self.gate.scalar_bits.get() {
            return x;
        }
        let sign = W::from_u64(2 * (self.scalars[row] >> self.gate.bit(i) & 1))
            .wrapping_sub(W::from_u64(1));
        self.top.clear();
        self.top.extend(x.iter().map(|x| x.wrapping_mul(sign)));
        &self.top
    }

    fn absorb(&mut self, i: usize, r: &[W]) {
        self.accumulate(i, r, true);
    }
}

impl<W: Word> ReceiveRows<W> for Rows<'_, W> {
    fn count(&self) -> usize {
        self.scalars.len() * self.gate.planes()
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        self.gate.shape(i)
    }

    fn choice(&self, i: usize) -> bool {
        (self.scalars[i / self.gate.planes()] >> self.gate.bit(i)) & 1 == 1
    }

    fn absorb(&mut self, i: usize, y: &[W]) {
        self.accumulate(i, y, false);
    }
}
