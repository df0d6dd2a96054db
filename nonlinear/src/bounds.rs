//! Two comparisons of one value with public bounds.

use ring_arith::{BitVec, Bits};
use sharing::{Later, Party, Rounds};
use zeroize::Zeroizing;

use crate::choices::Layout;
use crate::form::{Form, Pace};
use crate::{Error, Prices, compare, wrap};

/// Whether a signed x is at least 0, and at least a bound: boolean shares of \[x ≥ 0\] and \[x − top ≥ 0\], where the difference is taken
/// in the ring.
///
/// The bound is subtracted from the server's share, so the client's number is the same in both comparisons, and its choices are fixed
/// once. Below the lowest bit that is set in the bound the server's numbers are the same too: one comparison of these bits gives the carry
/// for both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    bits: Bits,
    top: u64,
    /// The bits that both comparisons have in common.
    common: u32,
    low: Form,
    high: Form,
    layout: Layout,
}

/// The places of the comparisons among the choices.
const LOW: usize = 0;
const ZERO: usize = 1;
const TOP: usize = 2;

impl Bounds {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If the bound is 0.
    pub(crate) fn new(bits: Bits, top: u64, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(top > 0, "a bound above 0");
        let common = top.trailing_zeros().min(bits.get() - 1);
        let rest = bits.get() - 1 - common;
        let low = Form::new(common, Pace::Prompt, prices);
        let high = if common == 0 {
            Form::new(rest, Pace::Prompt, prices)
        } else {
            Form::carried(rest, low.then_prompt(), prices)
        };
        let mut layout = Layout::default();
        for (form, lowest) in [(&low, 0), (&high, common), (&high, common)] {
            layout.add(form, lowest).expect("there is room for three");
        }
        Self {
            bits,
            top,
            common,
            low,
            high,
            layout,
        }
    }

    /// Shares of \[x ≥ 0\] and of \[x − top ≥ 0\].
    pub(crate) async fn run(
        &self,
        party: &Party<'_>,
        x: &[u64],
    ) -> Result<(BitVec, BitVec), Error> {
        let operand = wrap::operand(party, x);
        let choices = self.layout.fix(party, &operand).await?;
        let carry = Later::new();
        let low = async {
            let low = compare::run(party, &self.low, &choices, LOW, &operand, None).await?;
            carry.set(low);
            Ok(())
        };
        let carried = (self.common > 0).then_some(&carry);
        let high = async |place: usize, share: &[u64]| {
            let own: Vec<u64> = share.iter().map(|x| x >> self.common).collect();
            let own = Zeroizing::new(own);
            let form = &self.high;
            let mut sign = compare::run(party, form, &choices, place, &own, carried).await?;
            sign.xor_assign(&BitVec::bit_of(share, self.bits.get() - 1));
            if party.role().is_server() {
                sign.not_assign();
            }
            Ok::<_, Error>(sign)
        };
        let beyond = wrap::add_public(party, x, self.bits, self.top.wrapping_neg());
        let beyond = Zeroizing::new(beyond);
        let signs = party.both(high(ZERO, x), high(TOP, &beyond));
        Ok(party.both::<_, _, Error>(low, signs).await?.1)
    }

    /// The rounds of `n` values.
    pub(crate) fn rounds(&self, n: usize) -> Rounds {
        let low = compare::rounds(&self.low, n, 0);
        let high = compare::rounds(&self.high, n, low.len().saturating_sub(1));
        let both = low.beside(high.clone()).beside(high);
        self.layout.rounds(n).then(both)
    }
}
