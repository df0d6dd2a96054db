//! x · clip(x + 3, 0, 6) / 6.

use channel::{Cost, Role};
use ring_arith::{BitVec, Bits};
use sharing::{And, B2a, BitProducts, CotPrice, Mux, Session};

use crate::{Drelu, Error, ZeroExtend};

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
/// **Protocol.** With b = \[h ≥ 0\] and t = \[h − 2T ≥ 0\], both in one batch of [`Drelu`]s, and b ∧ t:
/// c = h·(b ⊕ (b ∧ t)) + 2T·(b ∧ t) and r = (h − 2T)·(b ∧ t), one [`Mux`] of two values and a
/// [`B2a`]. Only a square is left to be multiplied, and of a number of n = scale + 4 bits whose
/// highest bit is 0: with the signed readings u, v of its shares and a, b their highest bits,
/// c = u + v + 2^n·a·b [RRG+21, "MSB-to-wrap"], so that
///
/// c·(c − T) = u·(u − T) + v·(v − T) + 2·u·v + a·b·2^n·(2u + 2v + 2^n − T).
///
/// Of that, 2·u·v + a·b·2^n·(2u + 2^n − T) is made of COTs with numbers of the server and the bits of v
/// as choices, and 2^(n+1)·a·(b·v) of one with the choice a. A product of x and c would instead take an
/// extension of x to the ring of the product, and twice as many COTs.
///
/// **Security.** Semi-honest, by that of its parts and of COT.
///
/// **Cost** for n values: [`Drelu`] of 2n, [`And`] of n, [`Mux`] of 2n, [`B2a`] of n in a ring of 3
/// bits; [`ZeroExtend`] of r with known sign, where `output` − scale − fraction exceeds `bits`; then
/// for each value scale + 4 COTs with the server as sender, of `output` − 1 − j bits each for
/// j = 0 …, and one with the client as sender, of `output` − scale − 5 bits. [`HardSwish::cost`] is
/// exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HardSwish {
    bits: Bits,
    scale: u32,
    fraction: u32,
    output: Bits,
    sign: Drelu,
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
        cot_price: CotPrice,
    ) -> Option<Self> {
        let room = scale.checked_add(4).is_some_and(|n| n <= bits.get());
        let shift = scale.checked_add(fraction)?;
        let ramp = Bits::new(output.get().checked_sub(shift)?)?;
        let extend = (ramp > bits).then(|| ZeroExtend::new(bits, ramp, cot_price));
        (room && fraction >= 2).then_some(Self {
            bits,
            scale,
            fraction,
            output,
            sign: Drelu::new(bits, cot_price),
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
    pub fn run(&self, s: &mut Session, h: &[u64]) -> Result<Vec<u64>, Error> {
        let (c, mut r) = self.split(s, h)?;
        if let Some(extend) = self.extend {
            r = extend.run(s, &r)?;
        }
        let squares = self.squares(s, &c)?;
        let shift = self.scale + self.fraction;
        let sum = |(square, r): (&u64, &u64)| {
            let scaled = square.wrapping_mul(self.sixth());
            self.output.reduce(scaled.wrapping_add(r << shift))
        };
        Ok(squares.iter().zip(&r).map(sum).collect())
    }

    /// The cost for `n` values.
    #[must_use]
    pub fn cost(&self, n: usize) -> Cost {
        let parts = |parts: Vec<Bits>| parts.into_iter().map(|b| (n, b)).collect::<Vec<_>>();
        (self.sign.cost(2 * n))
            .then(And.cost(n))
            .then(self.select().cost(2 * n))
            .then(B2a { bits: STEP }.cost(n))
            .then(self.extend.map_or_else(Cost::none, |extend| extend.cost(n)))
            .then(SERVER_SENDS.cost(&parts(self.planes())))
            .then(CLIENT_SENDS.cost(&parts(self.rest().into_iter().collect())))
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
    fn split(&self, s: &mut Session, h: &[u64]) -> Result<(Vec<u64>, Vec<u64>), Error> {
        let (bits, n) = (self.bits, h.len());
        let top = (2 * self.threshold()).cast_unsigned();
        let mut both = [h, h].concat();
        if s.role().is_server() {
            let below = bits.reduce(top.wrapping_neg());
            ring_arith::slices::add_constant(bits, &mut both[n..], below);
        }
        let signs = self.sign.run(s, &both)?;
        let mut kept = signs.slice(0, n);
        let above = And.run(s, &kept, &signs.slice(n, n))?;
        kept.xor_assign(&above);
        kept.append(&above);
        let select = self.select();
        ring_arith::slices::reduce_slice(select.bits, &mut both);
        let mut c = select.run(s, &kept, &both)?;
        let r = c.split_off(n);
        let above = B2a { bits: STEP }.run(s, &above)?;
        let narrow = self.narrow();
        for (c, above) in c.iter_mut().zip(above) {
            *c = narrow.reduce(c.wrapping_add(above.wrapping_mul(top)));
        }
        Ok((c, r))
    }

    /// Shares of c·(c − T) mod 2^output.
    fn squares(&self, s: &mut Session, c: &[u64]) -> Result<Vec<u64>, Error> {
        let (n, t) = (self.narrow(), self.threshold().cast_unsigned());
        let own: Vec<u64> = c.iter().map(|&c| n.to_signed(c).cast_unsigned()).collect();
        let top = BitVec::bit_of(c, n.get() - 1);
        let (products, rest) = if s.role().is_server() {
            self.server_products(s, &own, &top)?
        } else {
            self.client_products(s, c, &own, &top)?
        };
        let mut squares: Vec<u64> = (own.iter())
            .map(|u| u.wrapping_mul(u.wrapping_sub(t)))
            .collect();
        let shifted = products.iter().zip(1_u32..);
        for (product, shift) in shifted.chain(rest.iter().zip([n.get() + 1])) {
            for (square, product) in squares.iter_mut().zip(product) {
                *square = square.wrapping_add(product << shift);
            }
        }
        Ok(squares)
    }

    /// The server's shares of the products of its numbers with the bits of v, and of its highest bits with b·v.
    fn server_products(&self, s: &mut Session, u: &[u64], top: &BitVec) -> Result<Products, Error> {
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
        let numbers = (1..=n).zip(self.planes()).map(|(j, bits)| {
            let numbers = if j < n { u } else { &signed };
            (numbers, bits)
        });
        let products = SERVER_SENDS.run_sender(s, &numbers.collect::<Vec<_>>())?;
        let rest: Vec<_> = self.rest().map(|bits| (top, bits)).into_iter().collect();
        Ok((products, CLIENT_SENDS.run_receiver(s, &rest)?))
    }

    /// The client's shares of the same products.
    fn client_products(
        &self,
        s: &mut Session,
        c: &[u64],
        v: &[u64],
        top: &BitVec,
    ) -> Result<Products, Error> {
        let choices = (0..self.narrow().get()).map(|j| BitVec::bit_of(c, j));
        let choices: Vec<BitVec> = choices.collect();
        let planes: Vec<_> = choices.iter().zip(self.planes()).collect();
        let products = SERVER_SENDS.run_receiver(s, &planes)?;
        let kept = v.iter().enumerate().map(|(i, v)| v & mask(top, i));
        let kept: Vec<u64> = kept.collect();
        let rest = self.rest().map(|bits| (kept.as_slice(), bits));
        let rest: Vec<_> = rest.into_iter().collect();
        Ok((products, CLIENT_SENDS.run_sender(s, &rest)?))
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

const SERVER_SENDS: BitProducts = BitProducts {
    sender: Role::Server,
};
const CLIENT_SENDS: BitProducts = BitProducts {
    sender: Role::Client,
};

/// Shares of the products with the bits of v, and of the one with the highest bits of u where it is needed.
type Products = (Vec<Vec<u64>>, Vec<Vec<u64>>);

/// All ones where bit `i` is set.
fn mask(bits: &BitVec, i: usize) -> u64 {
    (bits.words()[i / 64] >> (i % 64) & 1).wrapping_neg()
}
