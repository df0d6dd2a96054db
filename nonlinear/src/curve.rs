//! Functions of one number that are given by public tables.

mod piece;
mod table;

use ring_arith::{BitVec, Bits};
use sharing::{B2a, Later, Mux, Party, Rounds};
use zeroize::Zeroizing;

use crate::one_hot::LookUp;
use crate::thresholds::Thresholds;
use crate::{Error, Millionaire, Prices, wrap};
use table::Column;

pub use table::{Pieces, Symmetry};

/// [`Pieces`] of shared numbers.
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares mod 2^output of the y of [`Pieces`], for every x.
///
/// **Protocol.** All comparisons of x are one: of its `width` low bits, whose carry makes the piece q and the place c in it of the shares of
/// x; then of the bits up to the bounds; then, with the few bits above, of x with 0 and with either bound. These choose between q
/// and −1 − q, and between that and the last piece; both by [`Mux`] in a ring of k bits. The piece is where a shared vector has its one, which
/// was made ahead for a random place: the difference of places is opened. From it the bits of v and b are local, since the table is public. With the
/// bits as choices, b·c is a sum of [`Mux`] and v of [`B2a`], in rings that are just wide enough. The end is a truncation in which
/// the wraps of all parts, of known signs \[RRG+21\], are found beside the carry. (SiRNN looks up coefficients by 1-of-2^k OT of whole
/// entries, and so do later works; the vector takes 2^(k+2) bits, however wide the entries are.)
///
/// **Security.** Semi-honest, by that of its parts. What is opened is masked by a random number that serves once.
///
/// **Cost.** Exactly [`Curve::rounds`]: eight rounds more than two comparisons. Nothing for no values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Curve {
    bits: Bits,
    pieces: Pieces,
    output: Bits,
    /// Bits of a piece's number.
    places: Bits,
    /// Of zero, and of those ends of the pieces that are in the ring.
    thresholds: Thresholds,
    lower: Option<usize>,
    upper: Option<usize>,
    values: Column,
    slopes: Column,
    /// The rings of the product, the value and the ramp.
    product: Bits,
    value: Bits,
    ramp: Option<Bits>,
    cut: Millionaire,
}

/// What the comparisons say: shares of \[x ≥ 0\], of \[x ≥ t\] for the ends t of the pieces, and the carry of the low bits as a number.
struct Compared {
    signs: Vec<BitVec>,
    carry: Zeroizing<Vec<u64>>,
}

impl Curve {
    /// The function on values of `bits` bits, results in a ring of `output` bits, where one COT has this price; `None` unless
    ///
    /// - there are 2 to 128 pieces, a power of two, with as many slopes, all below 2^59;
    /// - width ≥ 1, and every number of the pieces is one of the ring; if the function is not symmetric, its pieces begin at a multiple of
    ///   2^width and not above 0, and do not end below 0; if it is, `low` is 0;
    /// - fraction < shift and output + shift ≤ 64, and the ramp is shifted by less than output + shift, and by at least
    ///   shift − bits.
    #[must_use]
    pub fn new(
        bits: Bits,
        pieces: Pieces,
        output: Bits,
        prices: impl Into<Prices>,
    ) -> Option<Self> {
        let prices = prices.into();
        let Pieces {
            low, width, shift, ..
        } = pieces;
        let count = pieces.values.len();
        let places = Bits::new(count.checked_ilog2()?)?;
        let is_table = count.is_power_of_two()
            && places.get() <= LookUp::MAX_BITS
            && pieces.slopes.len() == count;
        let reach = 1_i128.checked_shl(width.checked_add(places.get()).filter(|&n| n <= 64)?)?;
        let symmetric = pieces.symmetry != Symmetry::None;
        let ends = if symmetric {
            (-reach, reach)
        } else {
            (i128::from(low), i128::from(low) + reach)
        };
        let (least, most) = (
            i128::from(bits.min_signed()),
            i128::from(bits.max_signed()) + 1,
        );
        let begins = !symmetric || low == 0;
        let within = ends.0 >= least && ends.1 <= most && ends.0 <= 0 && ends.1 >= 0;
        let total = output.get().checked_add(shift)?;
        let cuts = pieces.fraction < shift && total <= 64;
        if !(is_table && begins && within && cuts && width >= 1 && width < bits.get())
            || low.trailing_zeros() < width
        {
            return None;
        }
        let values = Column::new(&pieces.values, pieces.symmetry == Symmetry::Odd)?;
        let slopes = Column::new(&pieces.slopes, pieces.symmetry == Symmetry::Even)?;
        // |2b + 1| < 2^steep, and |c| ≤ 2^(width−1); two bits more, so that the sign is known.
        let steepest = pieces.slopes.iter().map(|b| b.max(&!b).unsigned_abs());
        let steep = steepest.map(|b| 65 - b.leading_zeros()).max()?;
        let product = (steep + width + 1).max(shift).min(total);
        let most_value = output.get() + pieces.fraction;
        let value = (values.width() + 1)
            .max(pieces.fraction)
            .max(1)
            .min(most_value);
        let ramp = match pieces.ramp {
            Some(ramp) if ramp >= total || ramp + bits.get() < shift => return None,
            Some(ramp) => Some(Bits::of((total - ramp).min(bits.get()))),
            None => None,
        };
        let mut bounds = vec![0];
        let mut bound = |end: i128| {
            let end = i64::try_from(end).ok()?;
            let known = bounds.iter().position(|&bound| bound == end);
            known.or_else(|| {
                bounds.push(end);
                Some(bounds.len() - 1)
            })
        };
        let lower = (ends.0 > least).then_some(ends.0).and_then(&mut bound);
        let upper = (ends.1 < most).then_some(ends.1).and_then(&mut bound);
        Some(Self {
            bits,
            output,
            places,
            thresholds: Thresholds::new(bits, width, &bounds, prices),
            lower,
            upper,
            values,
            slopes,
            product: Bits::of(product),
            value: Bits::of(value),
            ramp,
            cut: Millionaire::new(Bits::of(shift), prices),
            pieces,
        })
    }

    /// The ring of the result.
    #[must_use]
    pub const fn output_bits(&self) -> Bits {
        self.output
    }

    /// Shares of the results.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, x: &[u64]) -> Result<Vec<u64>, Error> {
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let look_up = LookUp::new(self.places);
        let first = party.both(self.compare(party, x), look_up.prepare(party, x.len()));
        let (compared, ready) = first.await?;
        let second = party.both(
            self.piece(party, x, &compared),
            self.ramp(party, x, &compared),
        );
        let (piece, ramp) = second.await?;
        let tables = [&self.slopes.planes[..], &self.values.planes].concat();
        let mut slopes = look_up.run(party, ready, &piece, &tables).await?;
        let mut values = slopes.split_off(self.slopes.planes.len());
        let negative = not(party, compared.positive());
        for (column, planes) in [(&self.slopes, &mut slopes), (&self.values, &mut values)] {
            for plane in planes.iter_mut().filter(|_| column.mirrored) {
                plane.xor_assign(&negative);
            }
        }
        let place = self.place(party, x, &compared);
        let last = party.both(
            self.product(party, &slopes, &place),
            self.value(party, &values, x.len()),
        );
        let (product, value) = last.await?;
        self.sum(party, &product, &value, &ramp).await
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let look_up = LookUp::new(self.places);
        let beside = |all: Vec<Rounds>| all.into_iter().fold(Rounds::none(), Rounds::beside);
        let carry = B2a { bits: self.carry() }.rounds(n);
        let carry = carry.delayed(self.thresholds.carry_rounds());
        let compared = self.thresholds.rounds(n).beside(carry);
        let ramp = self.ramp.map(|bits| Mux { bits }.rounds(n));
        let products = self.product_rings().map(|bits| Mux { bits }.rounds(n));
        let values = self.value_rings().map(|bits| B2a { bits }.rounds(n));
        let cut = wrap::compared_rounds(n, &self.cut, self.output);
        let wraps = self.parts().into_iter().filter_map(|part| {
            let missing = self.missing(part)?;
            Some(wrap::either_rounds(n, missing))
        });
        beside(vec![compared, look_up.prepare_rounds(n)])
            .then(self.piece_rounds(n).beside(ramp.unwrap_or_default()))
            .then(look_up.rounds(n))
            .then(beside(products.chain(values).collect()))
            .then(beside(wraps.chain([cut]).collect()))
    }

    /// Without secrecy.
    pub(crate) fn clear(&self, x: i64) -> i64 {
        let Pieces { width, shift, .. } = self.pieces;
        let mirrored = x < 0 && self.is_symmetric();
        let from = if mirrored { !x } else { x };
        let last = i128::from(self.last());
        let piece = (i128::from(from) - i128::from(self.pieces.low)) >> width;
        let piece = usize::try_from(piece.clamp(0, last)).expect("it is clamped");
        let of = |column: &[i64], flips: bool| {
            let number = column[piece];
            i128::from(if mirrored && flips { !number } else { number })
        };
        let value = of(&self.pieces.values, self.values.mirrored);
        let slope = of(&self.pieces.slopes, self.slopes.mirrored);
        let place = i128::from(x & ((1 << width) - 1)) - (1 << (width - 1));
        let ramp = self
            .pieces
            .ramp
            .map_or(0, |ramp| i128::from(x.max(0)) << ramp);
        let sum = (2 * slope + 1) * place
            + ((2 * value + 1) << (shift - 1 - self.pieces.fraction))
            + ramp
            + (1 << (shift - 1));
        #[expect(clippy::cast_possible_truncation, reason = "a number of the ring")]
        let low = (sum >> shift) as i64;
        self.output.to_signed(low.cast_unsigned())
    }

    async fn compare(&self, party: &Party<'_>, x: &[u64]) -> Result<Compared, Error> {
        let carry = Later::new();
        let number = async {
            let bits = self.carry();
            Ok(B2a { bits }.run(party, carry.wait().await).await?)
        };
        let signs = self.thresholds.run(party, x, &carry);
        let (signs, carry) = party.both::<_, _, Error>(signs, number).await?;
        Ok(Compared {
            signs,
            carry: Zeroizing::new(carry),
        })
    }

    /// Shares of max(x, 0).
    async fn ramp(
        &self,
        party: &Party<'_>,
        x: &[u64],
        compared: &Compared,
    ) -> Result<Zeroizing<Vec<u64>>, Error> {
        let Some(bits) = self.ramp else {
            return Ok(Zeroizing::default());
        };
        let x: Vec<u64> = x.iter().map(|&x| bits.reduce(x)).collect();
        let x = Zeroizing::new(x);
        let ramp = Mux { bits }.run(party, compared.positive(), &x).await?;
        Ok(Zeroizing::new(ramp))
    }

    /// Shares of c, in the ring of the product.
    fn place(&self, party: &Party<'_>, x: &[u64], compared: &Compared) -> Zeroizing<Vec<u64>> {
        let width = self.pieces.width;
        let low = (1 << width) - 1;
        let places = x.iter().zip(compared.carry.iter());
        let places = places.map(|(x, carry)| (x & low).wrapping_sub(carry << width));
        let places: Zeroizing<Vec<u64>> = Zeroizing::new(places.collect());
        let half = (1_u64 << (width - 1)).wrapping_neg();
        Zeroizing::new(wrap::add_public(party, &places, self.product, half))
    }

    /// Shares of (2b + 1)·c.
    async fn product(
        &self,
        party: &Party<'_>,
        slopes: &[BitVec],
        place: &[u64],
    ) -> Result<Zeroizing<Vec<u64>>, Error> {
        let base = (2 * self.slopes.base + 1).cast_unsigned();
        let mut sum: Zeroizing<Vec<u64>> =
            Zeroizing::new(place.iter().map(|c| c.wrapping_mul(base)).collect());
        let terms = self.product_rings().zip(slopes);
        let terms = terms.map(|(bits, slope)| async move {
            let place: Vec<u64> = place.iter().map(|&c| bits.reduce(c)).collect();
            let place = Zeroizing::new(place);
            Mux { bits }.run(party, slope, &place).await
        });
        let terms = party.all(terms).await?;
        add_shifted(&mut sum, terms, 1);
        Ok(Zeroizing::new(
            sum.iter().map(|&sum| self.product.reduce(sum)).collect(),
        ))
    }

    /// The rings of the products with the bits of b.
    fn product_rings(&self) -> impl Iterator<Item = Bits> {
        let left = (0..self.product.get()).rev();
        let of_bits = left.zip(&self.slopes.planes);
        of_bits.map_while(|(left, _)| Bits::new(left))
    }

    /// Shares of v.
    async fn value(
        &self,
        party: &Party<'_>,
        values: &[BitVec],
        n: usize,
    ) -> Result<Zeroizing<Vec<u64>>, Error> {
        let terms = self.value_rings().zip(values);
        let terms = terms.map(|(bits, value)| B2a { bits }.run(party, value));
        let terms = party.all(terms).await?;
        let mut sum = Zeroizing::new(vec![0; n]);
        add_shifted(&mut sum, terms, 0);
        Ok(Zeroizing::new(
            sum.iter().map(|&sum| self.value.reduce(sum)).collect(),
        ))
    }

    /// The rings of the bits of v.
    fn value_rings(&self) -> impl Iterator<Item = Bits> {
        let left = (0..=self.value.get()).rev();
        let of_bits = left.zip(&self.values.planes);
        of_bits.map_while(|(left, _)| Bits::new(left))
    }

    /// The end: the sum of the parts, cut.
    async fn sum(
        &self,
        party: &Party<'_>,
        product: &[u64],
        value: &[u64],
        ramp: &[u64],
    ) -> Result<Vec<u64>, Error> {
        let Pieces {
            shift, fraction, ..
        } = self.pieces;
        // The product is moved into the lower half of its ring, and back.
        let offset = 1_u64
            .checked_shl(self.product.get().wrapping_sub(2))
            .unwrap_or(0);
        let product = wrap::add_public(party, product, self.product, offset);
        let shares = [&product[..], value, ramp];
        let constant = (self.values.base.cast_unsigned() << (shift - fraction))
            .wrapping_add(1 << (shift - 1 - fraction))
            .wrapping_add(1 << (shift - 1))
            .wrapping_sub(offset);
        let total = Bits::of(self.output.get() + shift);
        let mut sum = Zeroizing::new(vec![0_u64; product.len()]);
        for (part, share) in self.parts().into_iter().zip(shares) {
            for (sum, share) in sum.iter_mut().zip(share) {
                *sum = sum.wrapping_add(share << part.shift);
            }
        }
        let sum = Zeroizing::new(wrap::add_public(party, &sum, total, constant));
        let parts = self.parts().into_iter().zip(shares);
        let wraps = parts.filter_map(|(part, share)| Some((part, share, self.missing(part)?)));
        let wraps = wraps.map(|(part, share, missing)| async move {
            let top = BitVec::bit_of(share, part.bits.get() - 1);
            let wraps = wrap::either(party, &top, missing).await?;
            Ok((part, wraps))
        });
        let carry = wrap::compared(party, &self.cut, &sum, self.output);
        let (carry, wraps) = party.both::<_, _, Error>(carry, party.all(wraps)).await?;
        let mut y: Vec<u64> = (sum.iter().zip(&carry))
            .map(|(sum, carry)| (sum >> shift).wrapping_add(*carry))
            .collect();
        for (part, wraps) in wraps {
            let weight = part.bits.get() + part.shift - shift;
            for (y, wrap) in y.iter_mut().zip(wraps) {
                *y = y.wrapping_sub(wrap << weight);
            }
        }
        ring_arith::slices::reduce_slice(self.output, &mut y);
        Ok(y)
    }

    /// The parts of the sum: product, value and, if there is one, ramp.
    fn parts(&self) -> Vec<Part> {
        let value = self.pieces.shift - self.pieces.fraction;
        let ramp = self.ramp.zip(self.pieces.ramp);
        let parts = [(self.product, 0), (self.value, value)];
        let parts = parts.into_iter().chain(ramp);
        parts.map(|(bits, shift)| Part { bits, shift }).collect()
    }

    /// The ring in which the wrap of a part is wanted, if that is not a multiple of the whole ring.
    fn missing(&self, part: Part) -> Option<Bits> {
        let total = self.output.get() + self.pieces.shift;
        Bits::new(total - part.bits.get() - part.shift)
    }

    /// The ring of the carry: for the number of the piece, and for the place in it.
    fn carry(&self) -> Bits {
        let rest = self.product.get().saturating_sub(self.pieces.width);
        Bits::of(rest.max(self.places.get()))
    }

    fn is_symmetric(&self) -> bool {
        self.pieces.symmetry != Symmetry::None
    }

    const fn is_bounded(&self) -> bool {
        self.lower.is_some() || self.upper.is_some()
    }

    /// The number of the last piece.
    fn last(&self) -> u64 {
        self.places.mask()
    }
}

/// A part of the sum, shifted to the left.
#[derive(Clone, Copy)]
struct Part {
    bits: Bits,
    shift: u32,
}

impl Compared {
    /// Shares of \[x ≥ 0\].
    fn positive(&self) -> &BitVec {
        &self.signs[0]
    }
}

/// Shares of the opposite.
fn not(party: &Party<'_>, bits: &BitVec) -> BitVec {
    let mut not = bits.clone();
    if party.role().is_server() {
        not.not_assign();
    }
    not
}

/// Adds the terms, number j of them shifted by `first` + j.
fn add_shifted(sum: &mut [u64], terms: Vec<Vec<u64>>, first: u32) {
    for (term, shift) in terms.into_iter().zip(first..) {
        let term = Zeroizing::new(term);
        for (sum, term) in sum.iter_mut().zip(term.iter()) {
            *sum = sum.wrapping_add(term << shift);
        }
    }
}
