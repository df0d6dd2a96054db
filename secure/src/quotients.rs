//! Truncations and rectifiers that are computed together.

use nets::{IntGraph, IntOp, TensorType};
use nonlinear::{Prices, Quotient, Range};
use ot::CotPrice;
use ring_arith::Bits;

use crate::price::bytes;
use crate::step::{CHUNK, FLIGHT, range};

/// A value that is compared more than once, or truncated and compared: one [`Quotient`].
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) prices: Prices,
    pub(crate) protocol: Quotient,
    /// The node of which the parties have shares at the beginning.
    pub(crate) input: usize,
    /// The node that gives the quotient; `None` if `input` is it.
    pub(crate) quotient: Option<usize>,
    /// The nodes that rectify or extend it, ascending.
    pub(crate) uses: Vec<usize>,
}

/// A node's part in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) group: usize,
    pub(crate) part: Part,
}

impl Group {
    /// How many nodes are computed together.
    pub(crate) fn members(&self) -> usize {
        self.uses.len() + usize::from(self.quotient.is_some())
    }

    /// How many rounds more a rectifier takes that can wait, and how many bytes it saves, those of the refill included; `None` if
    /// there is no room to say.
    pub(crate) fn leisure(&self, graph: &IntGraph, price: CotPrice) -> Option<(usize, f64)> {
        let n = graph.types()[self.input].shape.len();
        let mut both = self.protocol.clone();
        let [prompt, late] = [true, false].map(|prompt| {
            let number = both.add(prompt, self.prices)?;
            Some(both.use_rounds(number, n))
        });
        let (prompt, late) = (prompt?, late?);
        let more = late.len().saturating_sub(prompt.len());
        let [prompt, late] = [prompt, late].map(|rounds| bytes(&rounds.cost(), price));
        Some((more, prompt - late))
    }
}

impl Member {
    /// Whether it begins the protocol beside its own part, where no node gives the quotient.
    pub(crate) fn leads(self, node: usize, groups: &[Group]) -> bool {
        let group = &groups[self.group];
        group.quotient.is_none() && group.uses.first() == Some(&node)
    }
}

/// What a member does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// It gives the quotient.
    Quotient,
    /// It is the rectifier of this number.
    Rectifier(usize),
    /// It is the extension of this number.
    Extension(usize),
}

/// All groups of a graph, and for each node its part in one. `exact` says which truncations are; `patient`, which rectifiers can wait.
pub(crate) fn groups(
    graph: &IntGraph,
    exact: impl Fn(usize) -> bool,
    patient: impl Fn(usize) -> bool,
    price: CotPrice,
) -> (Vec<Group>, Vec<Option<Member>>) {
    let mut groups = Vec::new();
    let mut members = vec![None; graph.len()];
    for (value, node) in graph.nodes().iter().enumerate() {
        let out = &graph.types()[value];
        let shares = |&&consumer: &&usize| compares(&graph.nodes()[consumer].op, out);
        let uses = graph.consumers(value).iter().filter(shares);
        let uses: Vec<usize> = uses.copied().collect();
        let (input, shift, quotient) = match node.op {
            IntOp::TruncReduce { shift, .. } if exact(value) => {
                (node.inputs[0], shift, Some(value))
            }
            _ => (value, 0, None),
        };
        let worth = if shift > 0 { 1 } else { 2 };
        if uses.len() < worth || out.shape.len() > CHUNK || out.bits().get() < 2 {
            continue;
        }
        let bits = graph.types()[input].bits();
        let prices = Prices::with_flights(price, FLIGHT, out.shape.len());
        let mut group = Group {
            prices,
            protocol: Quotient::new(bits, shift, prices),
            input,
            quotient,
            uses: Vec::new(),
        };
        for node in uses {
            let part = match graph.nodes()[node].op {
                IntOp::Extend { to } => (group.protocol)
                    .add_extension(Bits::of(to), prices)
                    .map(Part::Extension),
                _ => (group.protocol)
                    .add(!patient(node), prices)
                    .map(Part::Rectifier),
            };
            // Those for which there is no room are computed by themselves.
            if let Some(part) = part {
                let group = groups.len();
                members[node] = Some(Member { group, part });
            }
            group.uses.extend(part.map(|_| node));
        }
        if let Some(value) = quotient {
            members[value] = Some(Member {
                group: groups.len(),
                part: Part::Quotient,
            });
        }
        groups.push(group);
    }
    (groups, members)
}

/// Whether an operation compares the values that it takes, and nothing else, so that a [`Quotient`] can do it.
fn compares(op: &IntOp, x: &TensorType) -> bool {
    match op {
        IntOp::Relu | IntOp::SignedRelu => true,
        IntOp::Extend { to } => Bits::of(*to) > x.bits() && range(x, 0) == Range::Any,
        IntOp::Input { .. }
        | IntOp::Claim
        | IntOp::Narrow { .. }
        | IntOp::Linear { .. }
        | IntOp::TruncReduce { .. }
        | IntOp::Trunc { .. }
        | IntOp::Clip { .. }
        | IntOp::Affine { .. }
        | IntOp::HardSwish { .. }
        | IntOp::Curve { .. }
        | IntOp::Gate
        | IntOp::MaxPool { .. }
        | IntOp::SumPool { .. }
        | IntOp::MeanPool { .. }
        | IntOp::ArgMax
        | IntOp::Add
        | IntOp::Concat
        | IntOp::ChannelShuffle { .. }
        | IntOp::Slice { .. }
        | IntOp::Subsample { .. }
        | IntOp::PadChannels { .. }
        | IntOp::Pick { .. }
        | IntOp::Reorder { .. }
        | IntOp::Flatten
        | IntOp::Output => false,
    }
}
