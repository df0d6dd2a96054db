//! Comparisons of one value with several public bounds.

use ring_arith::{BitVec, Bits};
use sharing::{Later, Party, Rounds};
use zeroize::Zeroizing;

use crate::choices::Layout;
use crate::form::{Form, Pace};
use crate::{Error, Prices, compare, wrap};

/// Whether x − t, a difference in the ring, is at least 0, for several public t; and before that the carry out of some low bits of the
/// shares of x.
///
/// All bounds are multiples of a power of two, and are subtracted from the server's share. So the client's number is the same in all
/// comparisons and its choices are fixed once, and the bits below that power are compared once: first the lowest, whose carry is handed
/// out, then those between.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Thresholds {
    bits: Bits,
    bounds: Vec<u64>,
    /// The low bits whose carry is handed out, and those that all comparisons have in common.
    split: u32,
    common: u32,
    low: Form,
    middle: Option<Form>,
    high: Form,
    layout: Layout,
}

/// The first places of the comparisons among the choices. The bounds' follow the others'.
const LOW: usize = 0;
const MIDDLE: usize = 1;

impl Thresholds {
    /// Values of `bits` bits, bounds as signed numbers, where one COT has this price.
    ///
    /// # Panics
    /// Unless there are at most four bounds, all multiples of 2^split, and 0 < split < bits.
    pub(crate) fn new(bits: Bits, split: u32, bounds: &[i64], prices: Prices) -> Self {
        assert!(0 < split && split < bits.get(), "a carry of {split} bits");
        assert!(bounds.len() <= 4, "{} bounds", bounds.len());
        let zeros = bounds.iter().map(|bound| bound.trailing_zeros());
        let common = zeros.fold(bits.get() - 1, u32::min);
        assert!(split <= common, "bounds are multiples of 2^{split}");
        let low = Form::new(split, Pace::Prompt, prices);
        let mut before = low.exchanges(0).len();
        let mut carried = |bits: u32| {
            let ready = u32::try_from(before).expect("few exchanges");
            let form = Form::carried(bits, Pace::After(ready), prices);
            before = form.exchanges(before).len();
            form
        };
        let middle = (common > split).then(|| carried(common - split));
        let high = carried(bits.get() - 1 - common);
        let mut layout = Layout::default();
        let own = [(Some(&low), 0), (middle.as_ref(), split)];
        let own = own.into_iter().filter_map(|(form, at)| Some((form?, at)));
        let places = own.chain(bounds.iter().map(|_| (&high, common)));
        for (form, lowest) in places {
            layout.add(form, lowest).expect("there is room for six");
        }
        Self {
            bits,
            bounds: bounds
                .iter()
                .map(|&bound| bits.from_signed(bound))
                .collect(),
            split,
            common,
            low,
            middle,
            high,
            layout,
        }
    }

    /// Shares of \[x − t ≥ 0\] for every bound t. The carry is handed over when it is there.
    pub(crate) async fn run(
        &self,
        party: &Party<'_>,
        x: &[u64],
        carry: &Later<BitVec>,
    ) -> Result<Vec<BitVec>, Error> {
        let operand = wrap::operand(party, x);
        let choices = self.layout.fix(party, &operand).await?;
        let from = |share: &[u64], bit: u32| -> Zeroizing<Vec<u64>> {
            Zeroizing::new(share.iter().map(|x| x >> bit).collect())
        };
        let low = async {
            let low = compare::run(party, &self.low, &choices, LOW, &operand, None).await?;
            carry.set(low);
            Ok(())
        };
        let common = if self.middle.is_some() {
            Later::new()
        } else {
            carry.clone()
        };
        let middle = async {
            if let Some(form) = &self.middle {
                let own = from(&operand, self.split);
                let carry = Some(carry);
                common.set(compare::run(party, form, &choices, MIDDLE, &own, carry).await?);
            }
            Ok(())
        };
        let first = MIDDLE + usize::from(self.middle.is_some());
        let signs = self.bounds.iter().enumerate().map(async |(i, bound)| {
            let share = wrap::add_public(party, x, self.bits, bound.wrapping_neg());
            let share = Zeroizing::new(share);
            let own = from(&share, self.common);
            let carry = Some(&common);
            let form = &self.high;
            let mut sign = compare::run(party, form, &choices, first + i, &own, carry).await?;
            sign.xor_assign(&BitVec::bit_of(&share, self.bits.get() - 1));
            if party.role().is_server() {
                sign.not_assign();
            }
            Ok::<_, Error>(sign)
        });
        let signs = party.both(middle, party.all(signs));
        Ok(party.both::<_, _, Error>(low, signs).await?.1.1)
    }

    /// The rounds before the carry is there.
    pub(crate) fn carry_rounds(&self) -> usize {
        self.layout.rounds(1).len() + compare::rounds(&self.low, 1, 0).len()
    }

    /// The rounds of `n` values.
    pub(crate) fn rounds(&self, n: usize) -> Rounds {
        let mut all = compare::rounds(&self.low, n, 0);
        let mut before = all.len().saturating_sub(1);
        if let Some(form) = &self.middle {
            let middle = compare::rounds(form, n, before);
            before = middle.len().saturating_sub(1);
            all = all.beside(middle);
        }
        let high = compare::rounds(&self.high, n, before);
        let all = self
            .bounds
            .iter()
            .fold(all, |all, _| all.beside(high.clone()));
        self.layout.rounds(n).then(all)
    }
}
