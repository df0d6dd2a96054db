//! Comparison of two private numbers.

use ring_arith::{BitVec, Bits};
use sharing::{AndLevel, CotPrice, Party, Rounds};

use crate::Error;
use crate::digits::{Digits, cheapest_split};
use crate::kernel::layout::groups;
use crate::kernel::tree::{self, Level};
use crate::leaves::{self, Node};

/// The millionaires' problem: is the server's number greater than the client's?
///
/// **Functionality.** The server holds x, the client y, numbers of `bits` bits. Boolean shares of
/// \[x > y\]. Bits of the inputs above `bits` are ignored.
///
/// **Protocol.** [RRK+20, Algorithm 1], with these departures. Digits have the widths of [`Digits`],
/// chosen by exact cost. A leaf compares "greater" rather than "less", as 1-of-2^k OT on random
/// OTs in which one message is zero by choice of the server's share; "equal" of a digit sends one
/// message less than "greater", because exactly one value of a digit is equal (so a digit of one
/// bit sends none). The lowest digit has no "equal". Neighbours meet in a tree of logarithmic
/// depth; the two ANDs of a node open their common operand once.
///
/// **Security.** Semi-honest, from random OTs; the shares of the result are fresh. Of those between, each party's share
/// of "equal" of a digit of one bit is a function of its own bit, which does no harm: it is only opened masked.
///
/// **Cost** for n numbers in q digits of k_i bits: one round to the server of ceil(n·bits/8)
/// bytes, one to the client of 2^(k_0) − 1 bits for the lowest digit and 2^(k_i+1) − 3 for each
/// other, then ceil(log2 q) in which both speak: in all of them 2 bits each way for the lowest
/// node and 3 for the others that meet. `bits` COTs in which the server sends and q − 1 more in each
/// direction. Each round is rounded up to bytes over all n. Nothing for no numbers.
///
/// Memory: in the first round the client keeps `bits` bits for each number and 2 for each digit, and the server
/// 2^(k_0+1) − 2 bits for the lowest digit and 2^(k_i+2) − 6 for each other; in the second the server keeps its messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Millionaire {
    digits: Digits,
}

impl Millionaire {
    /// Numbers of `bits` bits, cut into the digits that cost least where one COT has this price.
    #[must_use]
    pub fn new(bits: Bits, cot_price: CotPrice) -> Self {
        Self::with_digits(Digits::cheapest(bits.get(), cot_price))
    }

    /// Numbers cut into these digits.
    #[must_use]
    pub const fn with_digits(digits: Digits) -> Self {
        Self { digits }
    }

    /// The digits.
    #[must_use]
    pub const fn digits(&self) -> &Digits {
        &self.digits
    }

    /// Shares of \[x > y\]; `input` is this party's number.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, input: &[u64]) -> Result<BitVec, Error> {
        Ok(self.split().run(party, input).await?.whole)
    }

    /// The rounds of `n` comparisons.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        self.split().rounds(n)
    }

    fn split(&self) -> SplitMillionaire {
        SplitMillionaire {
            low: Digits::empty(),
            high: self.digits,
        }
    }
}

/// A comparison that also gives the comparison of the low bits, from the same leaves.
///
/// **Functionality.** As [`Millionaire`], and shares of \[x mod 2^low > y mod 2^low\].
///
/// **Protocol.** That of [`Millionaire`] with a digit boundary at bit `low`; the low digits meet in
/// a node of their own before they meet the others.
///
/// **Security.** As for [`Millionaire`].
///
/// **Cost.** As for [`Millionaire`], at most one round more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SplitMillionaire {
    low: Digits,
    high: Digits,
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
    /// Numbers of `bits` bits that are also compared on their `low` lowest bits, cut into the digits that
    /// cost least where one COT has this price.
    ///
    /// # Panics
    /// If `low` is above `bits`.
    #[must_use]
    pub fn new(bits: Bits, low: u32, cot_price: CotPrice) -> Self {
        assert!(low <= bits.get(), "{low} low bits of {bits}");
        let (low, high) = cheapest_split(low, bits.get() - low, cot_price);
        Self { low, high }
    }

    /// Shares of both comparisons; `input` is this party's number.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    pub async fn run(&self, party: &Party<'_>, input: &[u64]) -> Result<Comparison, Error> {
        if input.is_empty() {
            return Ok(Comparison {
                low: BitVec::default(),
                whole: BitVec::default(),
            });
        }
        let mut nodes = leaves::run(party, &groups(&self.low, &self.high), input).await?;
        // No low digits: the low parts, being empty, are equal.
        let mut low = (self.low.len() == 0).then(|| BitVec::zeros(input.len()));
        for level in tree::levels(self.low.len(), self.high.len()) {
            if level.low == 1 {
                low = Some(nodes[0].greater.clone());
            }
            nodes = meet(party, level, nodes).await?;
        }
        let whole = nodes.swap_remove(0).greater;
        let low = low.unwrap_or_else(|| whole.clone());
        Ok(Comparison { low, whole })
    }

    /// The rounds of `n` comparisons.
    #[must_use]
    pub fn rounds(&self, n: usize) -> Rounds {
        if n == 0 {
            return Rounds::none();
        }
        let leaves = leaves::rounds(&groups(&self.low, &self.high), n);
        let levels = tree::levels(self.low.len(), self.high.len());
        let level = |level: &Level| AndLevel.rounds(n, level.pairs() * n);
        levels.iter().map(level).fold(leaves, Rounds::then)
    }
}

/// One level of the tree: greater = greater_hi ^ equal_hi·greater_lo, equal = equal_hi·equal_lo
/// [RRK+20, section 3.1].
async fn meet(party: &Party<'_>, level: Level, mut nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
    let meetings: Vec<(usize, usize)> = level.meetings().collect();
    let (lowest, others) = meetings.split_first().expect("a level has a meeting");
    let single = [(&nodes[lowest.1].equal, &nodes[lowest.0].greater)];
    let pairs = others.iter().map(|&(lower, higher)| {
        let (lower, higher) = (&nodes[lower], &nodes[higher]);
        (&higher.equal, &lower.greater, &lower.equal)
    });
    let pairs: Vec<_> = pairs.collect();
    let (singles, pairs) = AndLevel.run(party, &single, &pairs).await?;

    let first = singles
        .into_iter()
        .map(|greater| (greater, BitVec::default()));
    let products = first.chain(pairs);
    for (&(lower, higher), (mut greater, equal)) in meetings.iter().zip(products) {
        greater.xor_assign(&nodes[higher].greater);
        nodes[lower] = Node { greater, equal };
        nodes[higher] = Node::default();
    }
    // The higher one of two that met is used up.
    let met: Vec<usize> = meetings.iter().map(|meeting| meeting.1).collect();
    let left = nodes.into_iter().enumerate();
    Ok(left
        .filter(|(i, _)| !met.contains(i))
        .map(|(_, node)| node)
        .collect())
}
