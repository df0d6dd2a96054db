//! x · clip(x + 3, 0, 6) / 6.

use channel::Role;
use ring_arith::{BitVec, Bits};
use sharing::{And, B2a, BitProducts, Factors, Mux, Party, Rounds};
use zeroize::Zeroizing;

use crate::bounds::Bounds;
use crate::{Error, Prices, ZeroExtend, wrap};

/// Hard-swish of fixed-point numbers, without the truncation at its end.
///
/// **Functionality.** With T = 3·2^scale and from shares of a signed h mod 2^bits, where h is
/// x + T: let c = clip(h, 0, 2T) and r = max(h − 2T, 0). The result is fresh shares of
/// m·c·(c − T) + 2^(scale + fraction)·r mod 2^output, where m is 2^fraction / 6 rounded to
/// nearest, for every h. Where x + T does not overflow, this is 2^(2·scale + fraction) times
/// hard-swish, since x·clip(x + T, 0, 2T) = c·(c − T) + 2T·r, up to the rounding of m. The error of
/// that is in proportion to c·(c − T), which is 0 where x ≤ −3 and at most 18; so it is at most
/// 6·2^−fraction in units of the numbers.
///
/// **Protocol.** With b = \[h ≥ 0\] and t = \[h − 2T ≥ 0\], two comparisons that share what they can, as in [`Clip`](crate::Clip), and b ∧ t:
/// c = h·(b ⊕ (b ∧ t)) + 2T·(b ∧ t) and r = (h − 2T)·(b ∧ t), two [`Mux`] and a [`B2a`] side by side.
/// Only a square is left to be multiplied, and of a number of n = scale + 4 bits whose
/// highest bit is 0: with the signed readings u, v of its shares and a, b their highest bits,
/// c = u + v + 2^n·a·b [RRG+21, "MSB-to-wrap"], so that
///
/// c·(c − T) = u·(u − T) + v·(v − T) + 2·u·v + a·b·2^n·(2u + 2v + 2^n − T).
///
/// Of that, 2·u·v + a·b·2^n·(2u + 2^n − T) is made of COTs with numbers of the server and the bits of v
/// as choices, and 2^(n+1)·a·(b·v) of one with the choice a. A product of x and c would instead take an
/// extension of x to the ring of the product, and twice as many COTs. The extension of r runs beside these products.
///
/// **Security.** Semi-honest, by that of its parts and of COT.
///
/// **Cost** for n values: the comparisons; then [`And`]; then two [`Mux`] and a [`B2a`] in a ring of 3 bits; then, side by side in
/// one round, [`BitProducts`] from the server of scale + 4 bits of each value, in rings of `output` − 1 − j bits for j = 0 …,
/// and from the client of one bit in a ring of `output` − scale − 5 bits, and [`ZeroExtend`] of r with known sign, where
/// `output` − scale − fraction exceeds `bits`. So three rounds more than a comparison. Nothing for no values.
/// [`HardSwish::rounds`] is exact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HardSwish {
    bits: Bits,
    scale: u32,
    fraction: u32,
    output: Bits,
    bounds: Bounds,
    /// From the ring in which r is selected to that in which it is needed.
    extend: Option<ZeroExtend>,
}

impl HardSwish {
    /// Values of `bits` bits at this scale, results in a ring of `output` bits, where one COT has
    /// this price; `None` unless scale + 4 ≤ `bits`, fraction ≥ 2 and
    /// scale + fraction < `output`.
    #[must_use]
    pub fn new(
        bits: Bits,
        scale: u32,
        fraction: u32,
        output: Bits,
        prices: impl Into<Prices>,
    ) -> Option<Self> {
        let prices = prices.into();
        let room = scale.checked_add(4).is_some_and(|n| n <= bits.get());
        let shift = scale.checked_add(fraction)?;
        let ramp = Bits::new(output.get().checked_sub(shift)?)?;
        let extend = (ramp > bits).then(|| ZeroExtend::new(bits, ramp, prices));
        (room && fraction >= 2).then(|| Self {
            bits,
            scale,
            fraction,
            output,
            bounds: Bounds::new(bits, 6 << scale, prices),
            extend: extend.map(ZeroExtend::known_nonnegative),
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
    pub async fn run(&self, party: &Party<'_>, h: &[u64]) -> Result<Vec<u64>, Error> {
        if h.is_empty() {
            return Ok(Vec::new());
        }
        let (c, r) = self.split(party, h).await?;
        let squares = self.squares(party, &c);
        let (squares, r) = if let Some(extend) = &self.extend {
            party.both(squares, extend.run(party, &r)).await?
        } else {
            (squares.await?, r)
        };
        let shift = self.scale + self.fraction;
        let sum = |(square, r): (&u64, &u64)| {
            let scaled = square.wrapping_mul(self.sixth());
            self.output.reduce(scaled.wrapping_add(r << shift))
        };
        Ok(squares.iter().zip(&r).map(sum).collect())
    }

    /// The rounds of `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let (mux, step) = (self.select(), B2a { bits: STEP });
        let twice = |rounds: Rounds| rounds.clone().beside(rounds);
        let split = twice(mux.rounds(n)).beside(step.rounds(n));
        let products = self.products().into_iter();
        let squares = products.map(|products| products.rounds(n));
        let squares = squares.fold(Rounds::none(), Rounds::beside);
        let extend = self.extend.as_ref();
        let extend = extend.map_or_else(Rounds::none, |e| e.rounds(n));
        (self.bounds.rounds(n))
            .then(And.rounds(n))
            .then(split)
            .then(squares.beside(extend))
    }

    /// Without secrecy.
    pub(crate) fn clear(&self, h: &[i64]) -> Vec<i64> {
        let (t, shift) = (self.threshold(), self.scale + self.fraction);
        let value = |&h: &i64| {
            let (c, r) = (h.clamp(0, 2 * t), (h.saturating_sub(2 * t)).max(0));
            let square = c.wrapping_mul(c - t).cast_unsigned();
            let ramp = r.cast_unsigned() << shift;
            let sum = square.wrapping_mul(self.sixth()).wrapping_add(ramp);
            self.output.to_signed(sum)
        };
        h.iter().map(value).collect()
    }

    /// Shares of c mod 2^(scale + 4), and of r in the ring of the sum or narrower.
    async fn split(&self, party: &Party<'_>, h: &[u64]) -> Result<(Vec<u64>, Vec<u64>), Error> {
        let top = (2 * self.threshold()).cast_unsigned();
        let beyond = wrap::add_public(party, h, self.bits, top.wrapping_neg());
        let beyond = Zeroizing::new(beyond);
        let (mut inside, above) = self.bounds.run(party, h).await?;
        let above = And.run(party, &inside, &above).await?;
        inside.xor_assign(&above);
        let (select, step) = (self.select(), B2a { bits: STEP });
        let selected = party.both(
            select.run(party, &inside, h),
            select.run(party, &above, &beyond),
        );
        let ((mut c, r), above) = party.both(selected, step.run(party, &above)).await?;
        let narrow = self.narrow();
        for (c, above) in c.iter_mut().zip(above) {
            *c = narrow.reduce(c.wrapping_add(above.wrapping_mul(top)));
        }
        Ok((c, r))
    }

    /// Shares of c·(c − T) mod 2^output.
    async fn squares(&self, party: &Party<'_>, c: &[u64]) -> Result<Vec<u64>, Error> {
        let (n, t) = (self.narrow(), self.threshold().cast_unsigned());
        let own: Vec<u64> = c.iter().map(|&c| n.to_signed(c).cast_unsigned()).collect();
        let top = BitVec::bit_of(c, n.get() - 1);
        let factors = if party.role().is_server() {
            self.server_factors(&own, &top)
        } else {
            self.client_factors(c, &own, &top)
        };
        let products = self.products().into_iter().zip(&factors);
        let products = products.map(|(product, factor)| product.run(party, factor.borrow()));
        let products = party.all(products).await?;
        let mut squares: Vec<u64> = (own.iter())
            .map(|u| u.wrapping_mul(u.wrapping_sub(t)))
            .collect();
        // The last is the one of the server's highest bit.
        let shifts = (1..=self.planes().len()).chain([n.get() as usize + 1]);
        for (product, shift) in products.iter().zip(shifts) {
            for (square, product) in squares.iter_mut().zip(product) {
                *square = square.wrapping_add(product << shift);
            }
        }
        Ok(squares)
    }

    /// The products of the server's numbers with the bits of v, and that of its highest bits with b·v.
    fn products(&self) -> Vec<BitProducts> {
        let of = |sender| move |bits| BitProducts { sender, bits };
        let planes = self.planes().into_iter().map(of(Role::Server));
        planes.chain(self.rest().map(of(Role::Client))).collect()
    }

    /// What the server brings to the products.
    fn server_factors(&self, u: &[u64], top: &BitVec) -> Vec<Factor> {
        // (2a − 1)·u + a·(2^n − T), which goes with the highest bit of v.
        let n = self.narrow().get();
        let step = 1_u64
            .unbounded_shl(n)
            .wrapping_sub(self.threshold().cast_unsigned());
        let signed = u.iter().enumerate().map(|(i, u)| {
            let set = mask(top, i);
            let signed = (u ^ !set).wrapping_sub(!set);
            signed.wrapping_add(step & set)
        });
        let signed: Vec<u64> = signed.collect();
        let numbers = (1..=n).zip(self.planes()).map(|(j, _)| {
            let numbers = if j < n { u } else { &signed };
            Factor::Numbers(numbers.to_vec())
        });
        let rest = self.rest().map(|_| Factor::Bits(top.clone()));
        numbers.chain(rest).collect()
    }

    /// What the client brings to the products.
    fn client_factors(&self, c: &[u64], v: &[u64], top: &BitVec) -> Vec<Factor> {
        let choices = (0..self.narrow().get()).zip(self.planes());
        let choices = choices.map(|(j, _)| Factor::Bits(BitVec::bit_of(c, j)));
        let kept = v.iter().enumerate().map(|(i, v)| v & mask(top, i));
        let rest = self.rest().map(|_| Factor::Numbers(kept.collect()));
        choices.chain(rest).collect()
    }

    /// The ring of c.
    const fn narrow(&self) -> Bits {
        Bits::of(self.scale + 4)
    }

    /// The selection of c and r together.
    fn select(&self) -> Mux {
        let ramp = Bits::of(self.output.get() - self.scale - self.fraction);
        Mux {
            bits: self.narrow().max(ramp).min(self.bits),
        }
    }

    /// The rings of the COTs for the bits of the client's share.
    fn planes(&self) -> Vec<Bits> {
        let width = |j| Bits::new(self.output.get().checked_sub(1 + j)?);
        (0..self.narrow().get()).map_while(width).collect()
    }

    /// The ring of the COT for the highest bit of the server's share.
    fn rest(&self) -> Option<Bits> {
        Bits::new(self.output.get().checked_sub(self.narrow().get() + 1)?)
    }

    const fn threshold(&self) -> i64 {
        3 << self.scale
    }

    /// 2^fraction / 6, rounded to nearest.
    const fn sixth(&self) -> u64 {
        ((1 << self.fraction) + 3) / 6
    }
}

/// The ring in which \[h ≥ 2T\] times 2T = 6·2^scale is needed, before the factor 2^(scale + 1).
const STEP: Bits = Bits::of(3);

/// What a party brings to a product.
enum Factor {
    Numbers(Vec<u64>),
    Bits(BitVec),
}

impl Factor {
    fn borrow(&self) -> Factors<'_> {
        match self {
            Self::Numbers(numbers) => Factors::Numbers(numbers),
            Self::Bits(bits) => Factors::Bits(bits),
        }
    }
}

/// All ones where bit `i` is set.
fn mask(bits: &BitVec, i: usize) -> u64 {
    (bits.words()[i / 64] >> (i % 64) & 1).wrapping_neg()
}
