//! How a comparison is carried out, chosen by exact cost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring_arith::BitVec;
use sharing::{AndLevel, CotPrice, Rounds};

use crate::Prices;

use crate::kernel::leaf::LeafKind;

/// Widest digit: a leaf then holds 2^4 messages.
const MAX_RADIX: u32 = 4;
/// Widest digit that a carry takes in one direct step.
const MAX_STEP: u32 = 3;

/// How two numbers are compared, from the lowest bit to the highest: a chain in which a carry takes in one part of the numbers after
/// the other.
///
/// The carry is \[x > y\] on the bits below. It begins as the comparison of the lowest digit, or comes in from another comparison.
/// A *node* is \[x > y\] and \[x = y\] on some digits, found by a tree of its own that does not wait for the carry; the carry takes it in
/// with one AND. A *direct step* takes in a digit without a node: fewer bits, but one round each. Which is best depends on the price of
/// a COT and on how many rounds there is time for.
///
/// The form decides traffic, COTs and rounds, never the result. It follows from public numbers, so both parties have the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    /// The width of the lowest digit; `None` where a carry comes in.
    start: Option<u32>,
    /// What the carry takes in, lowest first.
    parts: Arc<[Part]>,
}

/// What a carry takes in at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// A digit of this width, in a direct step.
    Step(u32),
    /// The node of digits of these widths, lowest first.
    Node(Vec<u32>),
}

/// A digit of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Digit {
    /// Its lowest bit.
    pub(crate) offset: u32,
    pub(crate) kind: LeafKind,
    /// Taken in by a direct step.
    pub(crate) direct: bool,
}

/// How pressing the result of a comparison is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Pace {
    /// In as few rounds as digits of two bits need, or as prices of rounds say.
    Prompt,
    /// The same for a carry that is there after so many exchanges.
    After(u32),
    /// As cheap as can be, however many rounds it takes.
    Leisurely,
}

impl Form {
    /// The cheapest comparison of numbers of `bits` bits where one COT has this price. It is [`Form::none`] for numbers of no bits.
    pub(crate) fn new(bits: u32, pace: Pace, prices: impl Into<Prices>) -> Self {
        Self::search(bits, false, pace, prices.into())
    }

    /// The cheapest way for a carry to take in `bits` more bits.
    pub(crate) fn carried(bits: u32, pace: Pace, prices: impl Into<Prices>) -> Self {
        Self::search(bits, true, pace, prices.into())
    }

    /// A comparison of digits of these widths, lowest first, in a balanced tree.
    pub(crate) fn balanced(widths: &[u32]) -> Self {
        let Some((&lowest, above)) = widths.split_first() else {
            return Self::none();
        };
        // In round k the carry takes in a node of 2^(k−1) digits.
        let (mut above, mut parts, mut size) = (above, Vec::new(), 1);
        while !above.is_empty() {
            let node;
            (node, above) = above.split_at(size.min(above.len()));
            parts.push(Part::Node(node.to_vec()));
            size *= 2;
        }
        Self {
            start: Some(lowest),
            parts: parts.into(),
        }
    }

    /// The comparison of nothing: a carry that comes in comes out, and where none does, the numbers are equal.
    pub(crate) fn none() -> Self {
        Self {
            start: None,
            parts: Arc::new([]),
        }
    }

    fn search(bits: u32, carried: bool, pace: Pace, prices: Prices) -> Self {
        type Known = BTreeMap<(u32, bool, Pace, Prices), Form>;
        static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
        assert!(bits <= 64, "an operand of {bits} bits");
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let search = || Search::new(prices).best(bits, carried, pace);
        known
            .entry((bits, carried, pace, prices))
            .or_insert_with(search)
            .clone()
    }

    /// The digits, lowest first.
    pub(crate) fn digits(&self) -> Vec<Digit> {
        let mut digits = Vec::new();
        let mut offset = 0;
        let mut push = |width: u32, equality, direct| {
            digits.push(Digit {
                offset,
                kind: LeafKind { width, equality },
                direct,
            });
            offset += width;
        };
        if let Some(width) = self.start {
            push(width, false, false);
        }
        for part in &*self.parts {
            match part {
                Part::Step(width) => push(*width, true, true),
                Part::Node(widths) => widths.iter().for_each(|&width| push(width, true, false)),
            }
        }
        digits
    }

    /// What the carry takes in, lowest first.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the lowest digit begins the carry.
    pub(crate) const fn has_start(&self) -> bool {
        self.start.is_some()
    }

    /// Bits of the numbers.
    pub(crate) fn bits(&self) -> u32 {
        let digits = self.digits();
        digits.iter().map(|digit| digit.kind.width).sum()
    }

    /// Bits that the server says before the first exchange, for one comparison.
    pub(crate) fn message_bits(&self) -> usize {
        let digits = self.digits();
        let bits = digits.iter().map(|digit| {
            let late = if digit.direct {
                // Its "greater" waits for the carry; one bit goes ahead.
                1
            } else {
                digit.kind.greater_bits()
            };
            digit.kind.equal_bits() + late
        });
        bits.sum()
    }

    /// The pace of a comparison that takes in the carry of this one.
    pub(crate) fn then_prompt(&self) -> Pace {
        let exchanges = self.exchanges(0).len();
        Pace::After(u32::try_from(exchanges).expect("few exchanges"))
    }

    /// What is done in each exchange, where a carry that comes in is there before exchange number `carry`.
    pub(crate) fn exchanges(&self, carry: usize) -> Vec<Exchange> {
        let mut progress = Progress::new(self);
        let mut exchanges = Vec::new();
        while !progress.is_over(self) {
            let there = self.has_start() || exchanges.len() >= carry;
            exchanges.push(progress.next(self, there));
        }
        exchanges
    }

    /// The exchanges of `n` comparisons.
    pub(crate) fn exchange_rounds(&self, n: usize, carry: usize) -> Rounds {
        let exchange = |exchange: Exchange| {
            let ands = (exchange.pairs > 0 || exchange.single)
                .then(|| AndLevel.rounds(usize::from(exchange.single) * n, exchange.pairs * n));
            let step = exchange.step.map(|width| {
                let up = BitVec::byte_len(n) as u64;
                let down = BitVec::byte_len(n * ((1 << width) - 1)) as u64;
                Rounds::exchange(up, down)
            });
            match (ands, step) {
                (Some(ands), Some(step)) => ands.beside(step),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => Rounds::none().then(Rounds::exchange(0, 0)),
            }
        };
        let exchanges = self.exchanges(carry).into_iter().map(exchange);
        exchanges.fold(Rounds::none(), Rounds::then)
    }

    /// Random OTs for direct steps, with the server as sender.
    pub(crate) fn step_cots(&self) -> u64 {
        let steps = self
            .parts
            .iter()
            .filter(|part| matches!(part, Part::Step(_)));
        steps.count() as u64
    }
}

/// What one exchange of a comparison does.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Exchange {
    /// Pairs of nodes that meet.
    pub(crate) pairs: usize,
    /// Whether the carry takes in a node.
    pub(crate) single: bool,
    /// The width of the digit that the carry takes in by a direct step.
    pub(crate) step: Option<u32>,
}

/// How far the exchanges of a comparison have come.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// Nodes that are left of every part.
    pub(crate) nodes: Vec<usize>,
    /// The part that the carry takes in next.
    pub(crate) next: usize,
}

impl Progress {
    pub(crate) fn new(form: &Form) -> Self {
        let nodes = form.parts().iter().map(|part| match part {
            Part::Step(_) => 1,
            Part::Node(widths) => widths.len(),
        });
        Self {
            nodes: nodes.collect(),
            next: 0,
        }
    }

    pub(crate) fn is_over(&self, form: &Form) -> bool {
        self.next == form.parts().len()
    }

    /// The next exchange, in which the carry takes part if it is there.
    pub(crate) fn next(&mut self, form: &Form, carry: bool) -> Exchange {
        let mut exchange = Exchange::default();
        let taken = (carry && self.nodes[self.next] == 1).then_some(self.next);
        for nodes in &mut self.nodes {
            exchange.pairs += *nodes / 2;
            *nodes = nodes.div_ceil(2);
        }
        if let Some(part) = taken {
            match form.parts()[part] {
                Part::Step(width) => exchange.step = Some(width),
                Part::Node(_) => exchange.single = true,
            }
            self.next += 1;
        }
        exchange
    }
}

/// Bits on the wire and COTs beyond one for each bit.
type Cost = (u64, u64);

/// A chain and what it costs: the width of the lowest digit, and what the carry takes in.
type Chain = (Cost, Option<u32>, Vec<Part>);

/// The search for the cheapest chain, from the highest part down.
struct Search {
    prices: Prices,
    price: CotPrice,
    known: BTreeMap<(u32, u32, bool), Option<Chain>>,
}

impl Search {
    const fn new(prices: Prices) -> Self {
        Self {
            prices,
            price: prices.cot(),
            known: BTreeMap::new(),
        }
    }

    fn best(mut self, bits: u32, carried: bool, pace: Pace) -> Form {
        if pace == Pace::Leisurely {
            return self.form(bits, 64, carried).expect("there is one").1;
        }
        let ready = match pace {
            Pace::After(ready) => ready,
            _ => 0,
        };
        let usual = ceil_log2(bits.div_ceil(2));
        let of = |search: &mut Self, depth: u32| {
            if carried {
                // The node of all bits is there when the carry comes, or waited for.
                search.one_node(bits, depth)
            } else {
                search.form(bits, depth, false)
            }
        };
        if self.prices.rounds(1).is_none() {
            return of(&mut self, usual).expect("there is one").1;
        }
        let depths = 0..=usual + 3;
        let mut best: Option<(u128, Form)> = None;
        for depth in depths {
            let Some((total, form)) = of(&mut self, depth) else {
                continue;
            };
            let waited = self.prices.rounds(depth.saturating_sub(ready)).unwrap_or(0);
            if best
                .as_ref()
                .is_none_or(|(known, _)| total + waited < *known)
            {
                best = Some((total + waited, form));
            }
        }
        best.expect("there is one").1
    }

    /// The cheapest chain of at most `depth` exchanges, and its price.
    fn form(&mut self, bits: u32, depth: u32, carried: bool) -> Option<(u128, Form)> {
        let (cost, start, parts) = self.chain(bits, depth, carried)?;
        let parts = parts.into();
        Some((self.price.total(cost.0, cost.1), Form { start, parts }))
    }

    /// A carry that takes in one node of at most `depth` levels, and its price.
    fn one_node(&self, bits: u32, depth: u32) -> Option<(u128, Form)> {
        let (cost, widths) = node(bits, depth, self.price);
        if bits > 0 && widths.is_empty() {
            return None;
        }
        let part = (bits > 0).then_some(Part::Node(widths));
        let form = Form {
            start: None,
            parts: part.into_iter().collect(),
        };
        Some((self.price.total(cost.0, cost.1), form))
    }

    /// The cheapest chain of at most `depth` exchanges.
    fn chain(&mut self, bits: u32, depth: u32, carried: bool) -> Option<Chain> {
        if let Some(known) = self.known.get(&(bits, depth, carried)) {
            return known.clone();
        }
        let mut best: Option<Chain> = None;
        if bits == 0 {
            best = Some(((0, 0), None, Vec::new()));
        } else if !carried && bits <= MAX_RADIX {
            best = Some((((1 << bits) - 1, 0), Some(bits), Vec::new()));
        }
        for taken in 1..=bits {
            if depth == 0 || (taken == bits && !carried) {
                break;
            }
            let Some((below, start, parts)) = self.chain(bits - taken, depth - 1, carried) else {
                continue;
            };
            let step = (taken <= MAX_STEP).then(|| (((2 << taken) - 1, 1), Part::Step(taken)));
            let ((bits, cots), widths) = node(taken, depth - 1, self.price);
            let merged = (!widths.is_empty()).then(|| ((bits + 4, cots + 2), Part::Node(widths)));
            for (cost, part) in step.into_iter().chain(merged) {
                let cost = (below.0 + cost.0, below.1 + cost.1);
                let total = |cost: Cost| (self.price.total(cost.0, cost.1), cost.1);
                if best
                    .as_ref()
                    .is_none_or(|(known, ..)| total(cost) < total(*known))
                {
                    let mut parts = parts.clone();
                    parts.push(part);
                    best = Some((cost, start, parts));
                }
            }
        }
        self.known.insert((bits, depth, carried), best.clone());
        best
    }
}

/// The cheapest digits of a node of `bits` bits whose tree has at most `depth` levels; none if there are none. For a given number of digits
/// the traffic of the leaves is convex in their widths, so balanced widths are best.
fn node(bits: u32, depth: u32, price: CotPrice) -> (Cost, Vec<u32>) {
    let possible = bits.div_ceil(MAX_RADIX)..=bits;
    let of = |count: u32| {
        let widths: Vec<u32> = (0..count).map(|i| (bits + count - 1 - i) / count).collect();
        let leaves: u64 = widths.iter().map(|&width| (2 << width) - 3).sum();
        let meetings = u64::from(count - 1);
        ((leaves + 6 * meetings, 2 * meetings), widths)
    };
    let fitting = possible.filter(|&count| count > 0 && ceil_log2(count) <= depth);
    let best = fitting
        .map(of)
        .min_by_key(|((bits, cots), _)| (price.total(*bits, *cots), *cots));
    best.unwrap_or_default()
}

/// Levels of a tree over `count` leaves.
const fn ceil_log2(count: u32) -> u32 {
    if count <= 1 {
        0
    } else {
        (count - 1).ilog2() + 1
    }
}

#[cfg(test)]
impl Form {
    /// Every form there is for this many bits.
    pub(crate) fn every(bits: u32, carried: bool) -> Vec<Self> {
        let starts = if carried {
            0..=0
        } else {
            1..=bits.min(MAX_RADIX)
        };
        let forms = starts.flat_map(|start| {
            let start = (start > 0).then_some(start);
            let chains = every_chain(bits - start.unwrap_or(0));
            chains.into_iter().map(move |parts| Self {
                start,
                parts: parts.into(),
            })
        });
        forms.collect()
    }
}

/// Every way to take `bits` bits in.
#[cfg(test)]
fn every_chain(bits: u32) -> Vec<Vec<Part>> {
    if bits == 0 {
        return vec![Vec::new()];
    }
    let mut chains = Vec::new();
    for taken in 1..=bits {
        let step = (taken <= MAX_STEP).then_some(Part::Step(taken));
        let nodes = every_node(taken).into_iter().map(Part::Node);
        for part in nodes.chain(step) {
            for mut chain in every_chain(bits - taken) {
                chain.push(part.clone());
                chains.push(chain);
            }
        }
    }
    chains
}

/// Every choice of digits.
#[cfg(test)]
fn every_node(bits: u32) -> Vec<Vec<u32>> {
    if bits == 0 {
        return vec![Vec::new()];
    }
    let mut nodes = Vec::new();
    for width in 1..=bits.min(MAX_RADIX) {
        for mut node in every_node(bits - width) {
            node.push(width);
            nodes.push(node);
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is least at a price is least of all forms that keep to the rounds.
    #[test]
    fn no_form_is_cheaper() {
        for price in [0, 1, 4, 32].map(CotPrice::bits) {
            for bits in 1..=6 {
                for pace in [Pace::Prompt, Pace::Leisurely] {
                    let total = |form: &Form| {
                        let (bits, cots) = cost(form);
                        price.total(bits, cots)
                    };
                    let chosen = Form::new(bits, pace, price);
                    let depth = match pace {
                        Pace::Prompt | Pace::After(_) => ceil_log2(bits.div_ceil(2)) as usize,
                        Pace::Leisurely => usize::MAX,
                    };
                    let all = Form::every(bits, false);
                    let fitting = all.iter().filter(|form| form.exchanges(0).len() <= depth);
                    let least = fitting.map(total).min();
                    assert_eq!(Some(total(&chosen)), least, "{bits} {pace:?} {chosen:?}");
                }
            }
        }
    }

    /// Bits and COTs of one comparison apart from the choices.
    fn cost(form: &Form) -> (u64, u64) {
        let rounds = form.exchange_rounds(8, 0);
        let bytes: u64 = rounds.segments().iter().map(|s| s.bytes()).sum();
        let cots = rounds.cots.total() / 8 + form.step_cots();
        (form.message_bits() as u64 + bytes, cots)
    }

    #[test]
    fn costs_are_those_of_the_design() {
        let new = |bits, pace| Form::new(bits, pace, CotPrice::FREE);
        // Counted by hand: a comparison of n bits in d exchanges, and in any number.
        let prompt = [10, 11, 13, 14, 24, 31].map(|bits| cost(&new(bits, Pace::Prompt)).0);
        assert_eq!(prompt, [36, 41, 52, 59, 110, 149]);
        let leisurely = [14, 31].map(|bits| cost(&new(bits, Pace::Leisurely)).0);
        assert_eq!(leisurely, [39, 90]);
        let carried = |pace| cost(&Form::carried(14, pace, CotPrice::FREE)).0;
        assert_eq!(carried(Pace::Prompt), 71 + 4);
        assert_eq!(carried(Pace::Leisurely), 42);
    }

    #[test]
    fn depth_is_kept_and_every_bit_is_taken_in() {
        for bits in 0..=64 {
            for price in [0, 1, 8, 32, 128].map(CotPrice::bits) {
                for carried in [false, true] {
                    for pace in [Pace::Prompt, Pace::Leisurely] {
                        let form = Form::search(bits, carried, pace, price.into());
                        assert_eq!(form.bits(), bits);
                        assert_eq!(form.has_start(), !carried && bits > 0);
                        let least = ceil_log2(bits.div_ceil(2)) as usize;
                        let depth = form.exchanges(least).len();
                        if pace == Pace::Prompt {
                            assert!(depth <= least + usize::from(carried), "{form:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn balanced_forms_have_logarithmic_depth() {
        for count in 1..=64_u32 {
            let form = Form::balanced(&vec![1; count as usize]);
            assert_eq!(form.exchanges(0).len(), ceil_log2(count) as usize);
        }
    }

    /// Bits and COTs at their prices, and the rounds at theirs.
    #[test]
    fn rounds_are_taken_while_they_are_worth_their_price() {
        for bits in [10, 14, 31] {
            for flight in [1 << 10, 1 << 16, 1 << 22] {
                for carried in [false, true] {
                    let prices = Prices::with_flights(CotPrice::bits(1), flight, 20_000);
                    let ready = 3;
                    let pace = if carried {
                        Pace::After(ready)
                    } else {
                        Pace::Prompt
                    };
                    let form = Form::search(bits, carried, pace, prices);
                    let total = |form: &Form| {
                        let (bits, cots) = cost(form);
                        let exchanges = form.exchanges(ready as usize).len();
                        let exchanges = u32::try_from(exchanges).expect("few");
                        CotPrice::bits(1).total(bits, cots)
                            + prices.rounds(exchanges).expect("priced")
                    };
                    for other in [
                        Prices::from(CotPrice::bits(1)),
                        Prices::from(CotPrice::FREE),
                    ] {
                        let other = Form::search(bits, carried, Pace::Prompt, other);
                        assert!(total(&form) <= total(&other), "{bits}, {flight}: {form:?}");
                    }
                }
            }
        }
    }
}
