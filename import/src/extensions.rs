//! Cheaper extensions of the same integers.

use std::collections::BTreeMap;

use nets::{IntGraph, IntOp, Interval, PrivateWeights, Rewriter, TensorType, proved};

use crate::Error;

/// The graph with one extension of each value, into the widest ring in which it is taken, and with a claim wherever one
/// saves the comparison of an extension or a truncation; and the weights by the numbers of its nodes.
///
/// What both parties can prove is not claimed, so that a claim tells of the weights no more than it must: that they
/// keep the values within half of the ring.
pub(crate) fn cheapened(
    graph: &IntGraph,
    weights: &PrivateWeights,
) -> Result<(IntGraph, PrivateWeights), Error> {
    let proofs = proved(graph, weights, Interval::ring(graph.input().bits()));
    let mut new = Rewriter::new(graph);
    let (mut places, mut extended) = (BTreeMap::new(), BTreeMap::new());
    for (index, node) in graph.nodes().iter().enumerate() {
        if let IntOp::Extend { to } = node.op {
            let x = node.inputs[0];
            let widest = widest(graph, x).max(to);
            let wide = *extended
                .entry(x)
                .or_insert_with(|| new.put(index, IntOp::Extend { to: widest }));
            let value = match to < widest {
                true => new.push(
                    format!("{}.narrow", node.name),
                    IntOp::Narrow { to },
                    &[wide],
                ),
                false => wide,
            };
            new.stand_in(index, value);
            continue;
        }
        let kept = new.keep(index);
        places.insert(index, kept);
        let half = Interval::half(graph.types()[index].bits());
        // Claims that came before may have said enough.
        let known = new.new_graph().type_of(kept).copied();
        let known = known.unwrap_or(graph.types()[index]);
        if proofs[index].values.is_within(half) && is_compared(graph, index, &known) {
            let claim = new.push(format!("{}.claim", node.name), IntOp::Claim, &[kept]);
            new.stand_in(index, claim);
        }
    }
    let graph = new.finish()?.0;
    let weights = weights.renumbered(&graph, |node| places[&node])?;
    Ok((graph, weights))
}

/// The widest ring that a node is extended to.
fn widest(graph: &IntGraph, node: usize) -> u32 {
    let extended = |&consumer: &usize| match graph.nodes()[consumer].op {
        IntOp::Extend { to } => to,
        _ => 0,
    };
    let rings = graph.consumers(node).iter().map(extended);
    rings.fold(0, u32::max)
}

/// Whether a consumer of a node, of which so much is known, takes a comparison that a claim would save.
fn is_compared(graph: &IntGraph, node: usize, x: &TensorType) -> bool {
    let compares = |&consumer: &usize| match graph.nodes()[consumer].op {
        IntOp::Extend { .. } => x.values.half_from(x.bits(), 0).is_none(),
        IntOp::Trunc { shift, .. } => {
            shift + 2 <= x.bits().get() && x.values.half_from(x.bits(), shift).is_none()
        }
        _ => false,
    };
    graph.consumers(node).iter().any(compares)
}
