//! How the operands of a comparison are cut into digits, chosen by exact cost.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::kernel::leaf::LeafKind;
use crate::kernel::tree;
use sharing::CotPrice;

/// Widest digit: a leaf then holds 2^4 messages.
pub(crate) const MAX_RADIX: u32 = 4;

/// Digit widths of a comparison, lowest digit first, each from 1 to 4 bits.
///
/// The widths decide the traffic and the COTs of a comparison, never its result. Both parties must
/// use the same ones: they follow from the public bitwidth and the agreed price of a COT.
///
/// ```
/// use nonlinear::Digits;
/// use sharing::CotPrice;
///
/// // An expensive COT makes wide digits and few nodes; a free one makes digits of two bits.
/// assert_eq!(Digits::cheapest(31, CotPrice::bits(32)).widths(), [4, 4, 4, 4, 4, 4, 4, 3]);
/// assert_eq!(Digits::cheapest(9, CotPrice::FREE).widths(), [3, 2, 2, 2]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digits {
    len: u8,
    widths: [u8; 64],
}

impl Digits {
    /// The digits that cost least for operands of `bits` bits where one COT has this price. Among equally
    /// cheap ones, those with the fewest COTs.
    ///
    /// # Panics
    /// If `bits` is above 64.
    #[must_use]
    pub fn cheapest(bits: u32, cot_price: CotPrice) -> Self {
        cheapest_split(0, bits, cot_price).1
    }

    /// Digits of `radix` bits, the top one narrower where `radix` does not divide `bits`.
    ///
    /// # Panics
    /// If `bits` is above 64 or `radix` is not from 1 to 4.
    #[must_use]
    pub fn uniform(bits: u32, radix: u32) -> Self {
        assert!(bits <= 64, "an operand of {bits} bits");
        assert!((1..=MAX_RADIX).contains(&radix), "a digit of {radix} bits");
        let mut digits = Self::empty();
        let mut left = bits;
        while left > 0 {
            let width = left.min(radix);
            digits.push(width);
            left -= width;
        }
        digits
    }

    /// The widths, lowest digit first.
    #[must_use]
    pub fn widths(&self) -> &[u8] {
        &self.widths[..self.len()]
    }

    /// Number of digits.
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Bits of the operand.
    pub(crate) fn bits(&self) -> u32 {
        self.widths().iter().map(|&width| u32::from(width)).sum()
    }

    pub(crate) const fn empty() -> Self {
        Self {
            len: 0,
            widths: [0; 64],
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a digit has at most 4 bits"
    )]
    fn push(&mut self, width: u32) {
        self.widths[self.len()] = width as u8;
        self.len += 1;
    }

    /// `count` digits whose widths differ by at most one, the wider ones first.
    fn push_balanced(&mut self, bits: u32, count: u32) {
        for i in 0..count {
            self.push((bits + count - 1 - i) / count);
        }
    }
}

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.widths()).finish()
    }
}

/// Traffic of the leaves of digits; with `lowest`, the first one is the lowest leaf of a comparison.
fn leaves(digits: &Digits, lowest: bool) -> u64 {
    let widths = digits.widths().iter().enumerate();
    let bits = widths.map(|(i, &width)| {
        let kind = LeafKind {
            width: width.into(),
            equality: i > 0 || !lowest,
        };
        kind.bits()
    });
    bits.sum()
}

/// Price of one comparison per element: traffic of the leaves and of the tree, COTs at their price.
/// The second component breaks ties.
fn price(low: &Digits, high: &Digits, cot_price: CotPrice) -> (u128, u64) {
    let leaves = leaves(low, true) + leaves(high, low.len() == 0);
    let levels = tree::levels(low.len(), high.len());
    let cots = u64::from(low.bits() + high.bits()) + tree::cots(&levels);
    let traffic = leaves + tree::bits(&levels);
    (cot_price.total(traffic, cots), cots)
}

/// The cheapest digits for a comparison of `low + high` bits that also gives the comparison of its
/// `low` lowest bits. With `low = 0` it is an ordinary comparison.
///
/// For a fixed number of digits only the leaves' traffic depends on the widths. It is convex in the
/// width, so balanced widths are best, the lowest leaf apart, which is cheaper than its peers.
///
/// What was found is remembered: a graph has tens of thousands of comparisons, but few different ones.
///
/// # Panics
/// If `low + high` is above 64.
pub(crate) fn cheapest_split(low: u32, high: u32, cot_price: CotPrice) -> (Digits, Digits) {
    type Found = BTreeMap<(u32, u32, CotPrice), (Digits, Digits)>;
    static FOUND: Mutex<Found> = Mutex::new(BTreeMap::new());
    assert!(low + high <= 64, "an operand of {} bits", low + high);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let search = || search(low, high, cot_price);
    *found.entry((low, high, cot_price)).or_insert_with(search)
}

fn search(low: u32, high: u32, cot_price: CotPrice) -> (Digits, Digits) {
    let mut best: Option<((u128, u64), (Digits, Digits))> = None;
    let lows = candidates(low, true);
    let highs = candidates(high, low == 0);
    for low in &lows {
        for high in &highs {
            let price = price(low, high, cot_price);
            if best.is_none_or(|(known, _)| price < known) {
                best = Some((price, (*low, *high)));
            }
        }
    }
    best.expect("there is always a candidate").1
}

/// For every number of digits, the best widths; with `lowest`, the first digit is the lowest leaf.
fn candidates(bits: u32, lowest: bool) -> Vec<Digits> {
    if bits == 0 {
        return vec![Digits::empty()];
    }
    let of = |count: u32| {
        if !lowest {
            let mut digits = Digits::empty();
            digits.push_balanced(bits, count);
            return Some(digits);
        }
        let with_first = |first: u32| {
            let (rest, others) = (bits - first, count - 1);
            let possible = others <= rest && rest <= others * MAX_RADIX;
            possible.then(|| {
                let mut digits = Digits::empty();
                digits.push(first);
                digits.push_balanced(rest, others);
                digits
            })
        };
        let all = (1..=MAX_RADIX.min(bits)).filter_map(with_first);
        all.min_by_key(|digits| leaves(digits, true))
    };
    (bits.div_ceil(MAX_RADIX)..=bits).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to write `bits` as digits.
    fn all(bits: u32) -> Vec<Digits> {
        let mut found = Vec::new();
        let mut open = vec![Digits::empty()];
        while let Some(digits) = open.pop() {
            if digits.bits() == bits {
                found.push(digits);
                continue;
            }
            for width in 1..=MAX_RADIX.min(bits - digits.bits()) {
                let mut longer = digits;
                longer.push(width);
                open.push(longer);
            }
        }
        found
    }

    #[test]
    fn nothing_is_cheaper_than_the_cheapest() {
        for bits in 1..=11 {
            for cot_price in [0, 1, 2, 5, 16, 32, 128].map(CotPrice::bits) {
                for low in 0..=bits {
                    let (best_low, best_high) = cheapest_split(low, bits - low, cot_price);
                    assert_eq!((best_low.bits(), best_high.bits()), (low, bits - low));
                    let best = price(&best_low, &best_high, cot_price);
                    for low in all(low) {
                        for high in all(bits - low.bits()) {
                            assert!(best <= price(&low, &high, cot_price));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn comparisons_stay_within_the_reference_counts() {
        let bits = |low: &Digits, high: &Digits| price(low, high, CotPrice::FREE).0 / 1000;
        let traffic = |n, radix| bits(&Digits::empty(), &Digits::uniform(n, radix));
        // Counted for the sign of 32 and 16 bits in DESIGN 4.4: 222, 202 and 100, 92.
        assert_eq!([traffic(31, 3), traffic(31, 2)], [208, 187]);
        assert_eq!([traffic(15, 3), traffic(15, 2)], [92, 85]);
        // Whole words; the reference to beat is 348.4 and 690.5.
        let cheapest = |n| Digits::cheapest(n, CotPrice::FREE);
        assert_eq!(cheapest_split(0, 32, CotPrice::FREE).0.len(), 0);
        assert_eq!(bits(&Digits::empty(), &cheapest(32)), 192);
        assert!(bits(&Digits::empty(), &cheapest(64)) < 690);
    }

    #[test]
    fn uniform_digits_cover_the_operand() {
        for bits in 0..=64 {
            for radix in 1..=MAX_RADIX {
                let digits = Digits::uniform(bits, radix);
                assert_eq!(digits.bits(), bits);
                assert!(
                    digits
                        .widths()
                        .iter()
                        .rev()
                        .skip(1)
                        .all(|&w| u32::from(w) == radix)
                );
            }
        }
    }
}
