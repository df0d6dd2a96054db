//! Clipping between zero and a public bound.

use channel::Cost;
use ring_arith::{Bits, slices};
use sharing::{And, B2a, CotPrice, Mux, Session};

use crate::{Drelu, Error};

/// clip(x, 0, top).
///
/// **Functionality.** From shares of a signed x mod 2^bits, fresh shares of min(max(x, 0), top),
/// for every x. The bound is public.
///
/// **Protocol.** With b = \[x ≥ 0\] and t = \[x − top ≥ 0\], both in one batch of [`Drelu`]s, and
/// c = b ∧ t: the result is x·(b ⊕ c) + top·c, a [`Mux`] and a [`B2a`]. Where x − top wraps, x is
/// negative, so that b and with it c are 0. Compared with one `ReLU` after another this takes half of
/// the flights, and one AND and the conversion of one bit in place of a second mux.
///
/// **Security.** Semi-honest.
///
/// **Cost.** [`Drelu`] of 2n values, then [`And`], [`Mux`] and [`B2a`] of n.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clip {
    bits: Bits,
    top: u64,
    sign: Drelu,
}

impl Clip {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// Unless 0 < `top` <= 2^(bits−1) − 1.
    #[must_use]
    pub fn new(bits: Bits, top: i64, cot_price: CotPrice) -> Self {
        assert!(
            0 < top && top <= bits.max_signed(),
            "a bound of {top} mod 2^{bits}"
        );
        let (sign, top) = (Drelu::new(bits, cot_price), bits.from_signed(top));
        Self { bits, top, sign }
    }

    /// Shares of clip(x, 0, top).
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub fn run(&self, s: &mut Session, x: &[u64]) -> Result<Vec<u64>, Error> {
        let (bits, n) = (self.bits, x.len());
        let mut both = [x, x].concat();
        if s.role().is_server() {
            let below = bits.reduce(self.top.wrapping_neg());
            slices::add_constant(bits, &mut both[n..], below);
        }
        let signs = self.sign.run(s, &both)?;
        let mut inside = signs.slice(0, n);
        let above = And.run(s, &inside, &signs.slice(n, n))?;
        inside.xor_assign(&above);
        let mut y = Mux { bits }.run(s, &inside, x)?;
        let above = B2a { bits }.run(s, &above)?;
        for (y, above) in y.iter_mut().zip(above) {
            *y = bits.reduce(y.wrapping_add(above.wrapping_mul(self.top)));
        }
        Ok(y)
    }

    /// The cost for `n` values.
    #[must_use]
    pub fn cost(&self, n: usize) -> Cost {
        let bits = self.bits;
        let select = Mux { bits }.cost(n).then(B2a { bits }.cost(n));
        self.sign.cost(2 * n).then(And.cost(n)).then(select)
    }
}
