//! Comparison of two private numbers.

use ring_arith::{BitVec, Bits};
use sharing::{Later, Party, Rounds};

use crate::choices::Layout;
use crate::form::{Form, Pace};
use crate::{Error, Prices, compare};

/// The millionaires' problem: is the server's number greater than the client's?
///
/// **Functionality.** The server holds x, the client y, numbers of `bits` bits. Boolean shares of
/// \[x > y\]. Bits of the inputs above `bits` are ignored.
///
/// **Protocol.** [RRK+20, Algorithm 1], with these departures. Widths of digits are chosen by exact cost. A leaf compares
/// "greater" rather than "less", as 1-of-2^k OT on random OTs in which one message is zero by choice of the server's
/// share; "equal" of a digit sends one message less than "greater", because exactly one value of a digit is equal (so a
/// digit of one bit sends none). The lowest digit has no "equal". A carry goes from the lowest digit up and takes in nodes
/// of 1, 2, 4, … digits, each the root of a tree; the two ANDs of a meeting of nodes open their common operand once. Where
/// time permits, or where it is cheaper in the same number of rounds, the carry takes in a digit without a node, by a
/// direct step: carry' = \[x > y\] ⊕ \[x = y\]·carry, where \[x > v\] ⊕ \[x = v\]·c_S for the server's share c_S of the carry is a
/// leaf, and the server's share of \[x = y\] times the client's c_C takes one random OT whose message goes ahead.
///
/// **Security.** Semi-honest, from random OTs; the shares of the result are fresh. Of those between, each party's share
/// of "equal" of a digit of one bit is a function of its own bit, which does no harm: it is only opened masked.
///
/// **Cost** for n numbers, exactly [`Millionaire::rounds`]: a round to the server of ceil(n·bits/8) bytes; one to the client of
/// 2^k − 1 bits for the lowest digit, 2^(k+1) − 3 for each other of k bits, and 2^k − 1 for one that is taken in directly; then the
/// exchanges, in which both speak: 2 bits each way where the carry takes in a node, 3 for nodes that meet, and 1 bit to the server
/// and 2^k − 1 to the client for a direct step. `bits` COTs in which the server sends and one for a direct step, and one each way for
/// every AND. Each round is rounded up to bytes over all n.
///
/// Memory: until the choices are there the server keeps 5 to 15 bits for each bit of a number, by the widths of the digits, the client
/// half of that; then either keeps two bits for each digit, and where a direct step waits for its carry, the pads of its leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Millionaire {
    form: Form,
    layout: Layout,
}

impl Millionaire {
    /// Numbers of `bits` bits, in as few rounds as digits of two bits need, and as cheaply as that permits where one COT has
    /// this price.
    #[must_use]
    pub fn new(bits: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        Self::of(Form::new(bits.get(), Pace::Prompt, prices))
    }

    /// As cheaply as can be, however many rounds it takes.
    #[must_use]
    pub fn leisurely(bits: Bits, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        Self::of(Form::new(bits.get(), Pace::Leisurely, prices))
    }

    /// Digits of these widths, lowest first, in a balanced tree.
    ///
    /// # Panics
    /// Unless each has 1 to 4 bits, and all together 1 to 64.
    #[must_use]
    pub fn with_digits(widths: &[u32]) -> Self {
        let bits: u32 = widths.iter().sum();
        assert!((1..=64).contains(&bits), "an operand of {bits} bits");
        let sound = widths.iter().all(|width| (1..=4).contains(width));
        assert!(sound, "digits have 1 to 4 bits");
        Self::of(Form::balanced(widths))
    }

    fn of(form: Form) -> Self {
        let mut layout = Layout::default();
        layout.add(&form, 0).expect("there is room for one");
        Self { form, layout }
    }

    /// The widths of the digits, lowest first.
    #[must_use]
    pub fn digits(&self) -> Vec<u32> {
        let digits = self.form.digits();
        digits.iter().map(|digit| digit.kind.width).collect()
    }

    /// Shares of \[x > y\]; `input` is this party's number.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, input: &[u64]) -> Result<BitVec, Error> {
        if input.is_empty() {
            return Ok(BitVec::default());
        }
        let choices = self.layout.fix(party, input).await?;
        compare::run(party, &self.form, &choices, 0, input, None).await
    }

    /// The rounds of `n` comparisons.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let choices = self.layout.rounds(n);
        choices.then(compare::rounds(&self.form, n, 0))
    }
}

/// A comparison that also gives the comparison of the low bits, from the same leaves.
///
/// **Functionality.** As [`Millionaire`], and shares of \[x mod 2^low > y mod 2^low\].
///
/// **Protocol.** Two of [`Millionaire`], of the low bits and of the others, side by side; the carry of the first is taken in by the
/// node of the second.
///
/// **Security.** As for [`Millionaire`].
///
/// **Cost.** Exactly [`SplitMillionaire::rounds`]: as for [`Millionaire`], with one round more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SplitMillionaire {
    low_bits: u32,
    low: Form,
    high: Form,
    layout: Layout,
}

/// Shares of two comparisons.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an outcome of two parts")]
pub struct Comparison {
    /// \[x mod 2^low > y mod 2^low\].
    pub low: BitVec,
    /// \[x > y\].
    pub whole: BitVec,
}

impl SplitMillionaire {
    /// Numbers of `bits` bits that are also compared on their `low` lowest bits, as [`Millionaire::new`].
    ///
    /// # Panics
    /// If `low` is above `bits`.
    #[must_use]
    pub fn new(bits: Bits, low_bits: u32, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        let bits = bits.get();
        assert!(low_bits <= bits, "{low_bits} low bits of {bits}");
        let low = Form::new(low_bits, Pace::Prompt, prices);
        let high = if low_bits == 0 {
            Form::new(bits, Pace::Prompt, prices)
        } else {
            Form::carried(bits - low_bits, low.then_prompt(), prices)
        };
        let mut layout = Layout::default();
        for (form, lowest) in [(&low, 0), (&high, low_bits)] {
            layout.add(form, lowest).expect("there is room for one");
        }
        Self {
            low_bits,
            low,
            high,
            layout,
        }
    }

    /// Shares of both comparisons; `input` is this party's number.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, input: &[u64]) -> Result<Comparison, Error> {
        if input.is_empty() {
            let [low, whole] = [BitVec::default(), BitVec::default()];
            return Ok(Comparison { low, whole });
        }
        let choices = self.layout.fix(party, input).await?;
        let carry = Later::new();
        let low = async {
            let low = compare::run(party, &self.low, &choices, 0, input, None).await?;
            carry.set(low.clone());
            Ok(low)
        };
        let above: Vec<u64> = input
            .iter()
            .map(|x| x.unbounded_shr(self.low_bits))
            .collect();
        let high = compare::run(party, &self.high, &choices, 1, &above, Some(&carry));
        let (low, whole) = party.both::<_, _, Error>(low, high).await?;
        Ok(Comparison { low, whole })
    }

    /// The rounds of `n` comparisons.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let low = compare::rounds(&self.low, n, 0);
        let carry = low.len().saturating_sub(1);
        let both = low.beside(compare::rounds(&self.high, n, carry));
        self.layout.rounds(n).then(both)
    }
}
