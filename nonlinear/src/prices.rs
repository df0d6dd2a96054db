//! By what the forms of comparisons are chosen.

use sharing::CotPrice;

/// What a COT and a round are worth, in bits on the wire. Both parties must give the same.
///
/// A [`CotPrice`] alone stands for prices at which a comparison takes no more rounds than digits of two bits need.
///
/// ```
/// use nonlinear::{Millionaire, Prices};
/// use ring_arith::Bits;
/// use sharing::CotPrice;
///
/// let rounds = |values| {
///     let prices = Prices::with_flights(CotPrice::FREE, 1 << 16, values);
///     Millionaire::new(Bits::of(31), prices).rounds(values).len()
/// };
/// // The more values share its flights, the more of them a comparison takes.
/// assert!(rounds(100) < rounds(10_000) && rounds(10_000) < rounds(1_000_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prices {
    cot: CotPrice,
    /// The price of a round is 2^this/16 bits for each value.
    round: Option<u32>,
}

impl Prices {
    /// The prices for `values` values at a time, where a COT has this price and a flight that of so many bytes.
    #[must_use]
    pub const fn with_flights(cot: CotPrice, flight_bytes: u64, values: usize) -> Self {
        let values = if values == 0 { 1 } else { values as u64 };
        // To a power of two, so that there are few different prices.
        let sixteenths = flight_bytes.saturating_mul(8 * 16) / values;
        let round = Some(if sixteenths == 0 {
            0
        } else {
            sixteenths.ilog2()
        });
        Self { cot, round }
    }

    /// The price of a COT.
    pub(crate) const fn cot(self) -> CotPrice {
        self.cot
    }

    /// The price of so many rounds, in the unit of [`CotPrice::total`]; `None` if rounds have none.
    pub(crate) fn rounds(self, rounds: u32) -> Option<u128> {
        let one = self.round.map(|log| self.cot.total(1 << log, 0) / 16);
        one.map(|one| one * u128::from(rounds))
    }
}

impl From<CotPrice> for Prices {
    fn from(cot: CotPrice) -> Self {
        Self { cot, round: None }
    }
}
