//! Truncations and rectifiers that are computed together.

use nets::{IntGraph, IntOp};
use nonlinear::Quotient;
use ot::CotPrice;

use crate::step::CHUNK;

/// A value that is compared more than once, or truncated and compared: one [`Quotient`].
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) protocol: Quotient,
    /// The node of which the parties have shares at the beginning.
    pub(crate) input: usize,
    /// The node that gives the quotient; `None` if `input` is it.
    pub(crate) quotient: Option<usize>,
    /// The nodes that rectify it, ascending.
    pub(crate) rectifiers: Vec<usize>,
}

/// A node's part in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) group: usize,
    pub(crate) part: Part,
}

/// What a member does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// It gives the quotient.
    Quotient,
    /// It is the rectifier of this number. Number 0 begins the protocol, where no node gives the quotient.
    Rectifier(usize),
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
        let rectifies = |&&consumer: &&usize| {
            matches!(graph.nodes()[consumer].op, IntOp::Relu | IntOp::SignedRelu)
        };
        let rectifiers: Vec<usize> = graph
            .consumers(value)
            .iter()
            .filter(rectifies)
            .copied()
            .collect();
        let (input, shift, quotient) = match node.op {
            IntOp::TruncReduce { shift, .. } if exact(value) => {
                (node.inputs[0], shift, Some(value))
            }
            _ => (value, 0, None),
        };
        let worth = if shift > 0 { 1 } else { 2 };
        if rectifiers.len() < worth || out.shape.len() > CHUNK || out.bits().get() < 2 {
            continue;
        }
        let bits = graph.types()[input].bits();
        let mut group = Group {
            protocol: Quotient::new(bits, shift, price),
            input,
            quotient,
            rectifiers: Vec::new(),
        };
        for node in rectifiers {
            // Those for which there is no room are computed by themselves.
            if let Some(number) = group.protocol.add(!patient(node), price) {
                members[node] = Some(Member {
                    group: groups.len(),
                    part: Part::Rectifier(number),
                });
                group.rectifiers.push(node);
            }
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
