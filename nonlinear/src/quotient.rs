//! A quotient and what is made of it, by comparisons that share their choices.

use std::rc::Rc;

use ring_arith::{BitVec, Bits, slices};
use sharing::{B2a, Later, Mux, Party, Rounds};
use zeroize::Zeroizing;

use crate::choices::{Choices, Layout};
use crate::form::{Form, Pace};
use crate::signed_relu::shift_and_flips;
use crate::{ChannelSigns, Error, Prices, compare, wrap};

/// The quotient q = floor(x / 2^shift) in the ring without the bits shifted out, and any number of [`SignedRelu`](crate::SignedRelu)s (or
/// `ReLU`s) and sign-extensions of it, at the price of one truncation and the missing parts of the comparisons.
///
/// **Functionality.** From shares of x mod 2^bits, fresh shares mod 2^(bits−shift) of q, as
/// [`TruncReduce`](crate::TruncReduce) gives them; and for rectifier number j, with the server's secret shifts and bits n for the channels, fresh
/// shares of y·(\[y ≥ 0\] ⊕ n) for y = q + shift, as [`SignedRelu`](crate::SignedRelu) gives them; and shares of q, read as a signed
/// number, in wider rings, as [`SignExtend`](crate::SignExtend) gives them.
///
/// **Protocol.** The carry c of the low bits of the shares S and C of x gives q = (S >> d) + (C >> d) + c. The sign of q + shift
/// is that of (S >> d) + shift + (C >> d) + c: a comparison of the high bits into which the same c comes as a carry. The shift is
/// in the server's part alone. So the client's number is the same for all rectifiers: its choices are fixed once
/// ([`Millionaire`](crate::Millionaire)), and each comparison takes message bits of its own from the same random OTs. When the sign and q are there, a
/// [`Mux`]. Rectifiers that are not needed soon take the carry in by direct steps. For an extension the same comparison, of one bit
/// more, gives the wrap of the shares of q + 2^(l−1) with l = bits − shift; it becomes a number and is subtracted 2^l times, and
/// the carry is a number of the wider ring.
///
/// **Security.** Semi-honest. Every message bit of a random OT masks one message; the choices are corrected once, whatever the number of
/// comparisons.
///
/// **Cost.** Exactly [`Quotient::rounds`] and, beside it, [`Quotient::use_rounds`] for each rectifier and extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quotient {
    bits: Bits,
    shift: u32,
    output: Bits,
    low: Form,
    layout: Layout,
    /// The ring in which the carry is a number.
    numbers: Bits,
    uses: Vec<Use>,
}

/// What is made of a quotient.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Use {
    form: Form,
    /// Its place among the choices.
    place: usize,
    /// The ring of an extension; `None` for a rectifier.
    to: Option<Bits>,
}

/// What the quotient hands to its rectifiers, in one run.
#[derive(Clone, Default)]
pub struct Quotients {
    choices: Later<Rc<Choices>>,
    /// This party's share of x without the low bits.
    high: Later<Zeroizing<Vec<u64>>>,
    carry: Later<BitVec>,
    /// The carry as a number.
    number: Later<Zeroizing<Vec<u64>>>,
    quotient: Later<Zeroizing<Vec<u64>>>,
}

impl std::fmt::Debug for Quotients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quotients").finish_non_exhaustive()
    }
}

impl Quotient {
    /// Values of `bits` bits, where one COT has this price.
    ///
    /// # Panics
    /// If `shift` is not below `bits`.
    #[must_use]
    pub fn new(bits: Bits, shift: u32, prices: impl Into<Prices>) -> Self {
        let prices = prices.into();
        assert!(shift < bits.get(), "a shift by {shift} of {bits} bits");
        let low = Form::new(shift, Pace::Prompt, prices);
        let mut layout = Layout::default();
        layout.add(&low, 0).expect("there is room for one");
        Self {
            bits,
            shift,
            output: Bits::of(bits.get() - shift),
            numbers: Bits::of(bits.get() - shift),
            low,
            layout,
            uses: Vec::new(),
        }
    }

    /// Adds a rectifier, a prompt one or one that is not needed soon. Its number; `None` if no more of them can share the choices.
    pub fn add(&mut self, prompt: bool, prices: impl Into<Prices>) -> Option<usize> {
        let prices = prices.into();
        let pace = if prompt {
            Pace::Prompt
        } else {
            Pace::Leisurely
        };
        self.compare(self.output.get() - 1, pace, None, prices)
    }

    /// Adds an extension to the ring of `to` bits. Its number; `None` if no more of them can share the choices.
    ///
    /// # Panics
    /// If the ring is not wider than that of the quotient.
    pub fn add_extension(&mut self, to: Bits, prices: impl Into<Prices>) -> Option<usize> {
        let prices = prices.into();
        assert!(
            to > self.output,
            "an extension from {} to {to} bits",
            self.output
        );
        let number = self.compare(self.output.get(), Pace::Prompt, Some(to), prices)?;
        self.numbers = self.numbers.max(to);
        Some(number)
    }

    /// Adds a comparison of the `high` bits above those that are shifted out.
    fn compare(
        &mut self,
        high: u32,
        pace: Pace,
        to: Option<Bits>,
        prices: impl Into<Prices>,
    ) -> Option<usize> {
        let prices = prices.into();
        let form = if self.shift == 0 {
            Form::new(high, pace, prices)
        } else if pace == Pace::Prompt {
            Form::carried(high, self.low.then_prompt(), prices)
        } else {
            Form::carried(high, pace, prices)
        };
        let place = self.layout.add(&form, self.shift)?;
        self.uses.push(Use { form, place, to });
        Some(self.uses.len() - 1)
    }

    /// The ring of the quotient: `bits` − `shift`.
    #[must_use]
    pub const fn output_bits(&self) -> Bits {
        self.output
    }

    /// Shares of the quotient. Between the same two rounds it must begin before its rectifiers.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(
        &self,
        party: &Party<'_>,
        x: &[u64],
        to: &Quotients,
    ) -> Result<Vec<u64>, Error> {
        let high: Vec<u64> = x.iter().map(|x| x >> self.shift).collect();
        to.high.set(Zeroizing::new(high.clone()));
        if self.shift == 0 {
            to.quotient.set(Zeroizing::new(high));
            let choices = self.layout.fix(party, &wrap::operand(party, x)).await?;
            to.choices.set(Rc::new(choices));
            return Ok(x.to_vec());
        }
        let operand = wrap::operand(party, x);
        let choices = Rc::new(self.layout.fix(party, &operand).await?);
        to.choices.set(Rc::clone(&choices));
        let carry = compare::run(party, &self.low, &choices, 0, &operand, None).await?;
        to.carry.set(carry.clone());
        let carry = Zeroizing::new(self.carry_to_number().run(party, &carry).await?);
        let mut quotient = high;
        slices::add_assign(self.output, &mut quotient, &carry);
        to.number.set(carry);
        to.quotient.set(Zeroizing::new(quotient.clone()));
        Ok(quotient)
    }

    /// The rounds of [`Quotient::run`] on `n` values.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        let choices = self.layout.rounds(n);
        if self.shift == 0 {
            return choices;
        }
        choices
            .then(compare::rounds(&self.low, n, 0))
            .then(self.carry_to_number().rounds(n))
    }

    /// Shares of what rectifier `number` makes of the quotient, channel after channel. The server gives its parameters or, for a `ReLU`, none;
    /// the client `None`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// As [`SignedRelu::run`](crate::SignedRelu::run).
    pub async fn rectify(
        &self,
        party: &Party<'_>,
        number: usize,
        from: &Quotients,
        channels: Option<ChannelSigns<'_>>,
    ) -> Result<Vec<u64>, Error> {
        let Use { form, place, .. } = &self.uses[number];
        let choices = Rc::clone(from.choices.wait().await);
        let high = from.high.wait().await;
        let (own, flips) = shift_and_flips(self.output, high, channels);
        let carry = (self.shift > 0).then_some(&from.carry);
        let mut keep = compare::run(party, form, &choices, *place, &own, carry).await?;
        keep.xor_assign(&BitVec::bit_of(&own, self.output.get() - 1));
        keep.xor_assign(&flips);
        if party.role().is_server() {
            keep.not_assign();
        }
        let quotient = from.quotient.wait().await;
        let (shifted, _) = shift_and_flips(self.output, quotient, channels);
        Ok(self.mux().run(party, &keep, &shifted).await?)
    }

    /// Shares of the quotient in the ring of extension `number`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// If it is a rectifier.
    pub async fn extend(
        &self,
        party: &Party<'_>,
        number: usize,
        from: &Quotients,
    ) -> Result<Vec<u64>, Error> {
        let Use { form, place, to } = &self.uses[number];
        let to = to.expect("an extension");
        let choices = Rc::clone(from.choices.wait().await);
        // q + 2^(l−1) is unsigned.
        let half = 1 << (self.output.get() - 1);
        let high = from.high.wait().await;
        let high = Zeroizing::new(wrap::add_public(party, high, self.output, half));
        let carry = (self.shift > 0).then_some(&from.carry);
        let wrap = compare::run(party, form, &choices, *place, &high, carry).await?;
        let wraps = self.wrap_to_number(to).run(party, &wrap).await?;
        let mut wide = high.to_vec();
        if self.shift > 0 {
            slices::add_assign(to, &mut wide, from.number.wait().await);
        }
        for (wide, wrap) in wide.iter_mut().zip(wraps) {
            *wide = wide.wrapping_sub(wrap << self.output.get());
        }
        Ok(wrap::add_public(party, &wide, to, half.wrapping_neg()))
    }

    /// The rounds of [`Quotient::rectify`] or [`Quotient::extend`] on `n` values, counted from the first one of [`Quotient::run`].
    #[must_use]
    pub fn use_rounds(&self, number: usize, n: usize) -> Rounds {
        let Use { form, to, .. } = &self.uses[number];
        let low = compare::rounds(&self.low, n, 0);
        let compare = compare::rounds(form, n, low.len().saturating_sub(1));
        let mut rounds = compare.delayed(1);
        if let Some(to) = *to {
            return rounds.then(self.wrap_to_number(to).rounds(n));
        }
        if self.shift > 0 {
            // The quotient.
            let there = self.rounds(n).len();
            let missing = there.saturating_sub(rounds.len());
            rounds = rounds.then(Rounds::none().delayed(missing));
        }
        rounds.then(self.mux().rounds(n))
    }

    const fn carry_to_number(&self) -> B2a {
        B2a { bits: self.numbers }
    }

    const fn wrap_to_number(&self, to: Bits) -> B2a {
        let bits = Bits::of(to.get() - self.output.get());
        B2a { bits }
    }

    const fn mux(&self) -> Mux {
        Mux { bits: self.output }
    }
}
