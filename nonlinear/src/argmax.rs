//! The largest of several values, and where it is.

use ring_arith::{Bits, slices};
use sharing::{Mux, Party, Rounds};

use crate::kernel::bracket::{self, Bracket};
use crate::{Drelu, Error, Prices};

/// Arg-max over rows of `classes` values.
///
/// **Functionality.** From shares of signed values mod 2^bits, fresh shares of the index, mod
/// 2^[`ArgMax::index_bits`], and of the value of the largest of every row; the lowest index wins
/// ties. As for [`crate::MaxPool`] values of a row must be less than 2^(bits−1) apart for that, and
/// for all other inputs [`crate::clear::arg_max`] defines the result.
///
/// **Protocol.** A tournament in which neighbours meet: with d = [a − b ≥ 0], the value is b +
/// d·(a − b) and the index i_b + d·(i_a − i_b). (The protocol of [RRK+20] compares one value after the
/// other instead.)
///
/// **Security.** That of [`Drelu`] and [`Mux`].
///
/// **Cost.** A stage of the tournament is [`Drelu`] on all its matches, then the round of two
/// [`Mux`] side by side; there are ceil(log2 classes) stages and `classes` − 1 matches a row. Nothing for no
/// rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArgMax {
    classes: usize,
    bits: Bits,
    sign: Drelu,
}

/// Shares of the largest value of every row.
#[derive(Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "an outcome of two parts")]
pub struct Winner {
    /// Its index, mod 2^[`ArgMax::index_bits`].
    pub index: Vec<u64>,
    /// The value.
    pub value: Vec<u64>,
}

impl std::fmt::Debug for Winner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Winner")
            .field("rows", &self.index.len())
            .finish_non_exhaustive()
    }
}

impl ArgMax {
    /// Rows of `classes` values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `classes` is 0.
    #[must_use]
    pub fn new(classes: usize, bits: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(classes > 0, "the largest of no values");
        let sign = Drelu::new(bits, prices);
        Self {
            classes,
            bits,
            sign,
        }
    }

    /// The ring of the index: ceil(log2 classes) bits, at least one, and one for the sign, so that the index is
    /// the same number read as a signed one.
    #[must_use]
    pub fn index_bits(&self) -> Bits {
        let last = self.classes - 1;
        Bits::of((usize::BITS - last.leading_zeros()).max(1) + 1)
    }

    /// Index and value of the largest of every row.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// If `x` is not a whole number of rows.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Winner, Error> {
        assert_eq!(
            x.len() % self.classes,
            0,
            "{} values in rows of {}",
            x.len(),
            self.classes
        );
        if x.is_empty() {
            return Ok(Winner::default());
        }
        let mut bracket = Bracket::new(vec![self.classes]);
        let mut value = x.to_vec();
        let mut index = vec![0; x.len()];
        if party.role().is_server() {
            let indices = (0..self.classes as u64).cycle();
            index = indices.take(x.len()).collect();
        }
        let [mux, index_mux] = self.muxes();
        while !bracket.is_over() {
            let firsts: Vec<usize> = bracket.firsts(value.len()).collect();
            let (a, b) = matches(&firsts, &value);
            let (i, j) = matches(&firsts, &index);
            let differences = slices::sub(mux.bits, &a, &b);
            let steps = slices::sub(index_mux.bits, &i, &j);
            let first_wins = self.sign.run(party, &differences).await?;
            let selected = party.both(
                mux.run(party, &first_wins, &differences),
                index_mux.run(party, &first_wins, &steps),
            );
            let (mut values, mut indices) = selected.await?;
            slices::add_assign(mux.bits, &mut values, &b);
            slices::add_assign(index_mux.bits, &mut indices, &j);
            value = bracket.advance(&value, &values);
            index = bracket.advance(&index, &indices);
            bracket = bracket.next();
        }
        Ok(Winner { index, value })
    }

    /// The rounds of `rows` rows.
    #[must_use]
    pub fn rounds(&self, rows: usize) -> Rounds {
        if rows == 0 {
            return Rounds::none();
        }
        let [mux, index_mux] = self.muxes();
        let stage = |matches: usize| {
            let n = matches * rows;
            let selected = mux.rounds(n).beside(index_mux.rounds(n));
            self.sign.rounds(n).then(selected)
        };
        let stages = bracket::rounds(vec![(self.classes, 1)]);
        stages.map(stage).fold(Rounds::none(), Rounds::then)
    }

    /// The selections of the value and of the index.
    fn muxes(&self) -> [Mux; 2] {
        [self.bits, self.index_bits()].map(|bits| Mux { bits })
    }
}

/// The two sides of every match.
fn matches(firsts: &[usize], x: &[u64]) -> (Vec<u64>, Vec<u64>) {
    firsts.iter().map(|&i| (x[i], x[i + 1])).unzip()
}
