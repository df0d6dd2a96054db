//! What the server claims of values, because its weights prove it.

use std::collections::BTreeMap;

use nets::{IntGraph, IntOp, Interval, PrivateWeights, Rewriter, proved};

use crate::Error;

/// The graph with a claim wherever one makes an extension or a truncation cheaper, and the weights by the numbers of
/// its nodes. What both parties can prove is not claimed, so that a claim tells of the weights no more than it must:
/// that they keep the values within half of the ring.
pub(crate) fn claimed(
    graph: &IntGraph,
    weights: &PrivateWeights,
) -> Result<(IntGraph, PrivateWeights), Error> {
    let proofs = proved(graph, weights, Interval::ring(graph.input().bits()));
    let mut new = Rewriter::new(graph);
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        let kept = new.keep(index);
        layers.extend(weights.layer(index).map(|layer| (kept, layer.clone())));
        let half = Interval::half(graph.types()[index].bits());
        if proofs[index].values.is_within(half) && is_compared(graph, index) {
            let claim = new.push(format!("{}.claim", node.name), IntOp::Claim, &[kept]);
            new.stand_in(index, claim);
        }
    }
    let graph = new.finish()?.0;
    let weights = PrivateWeights::new(&graph, layers)?;
    Ok((graph, weights))
}

/// Whether a consumer of a node takes a comparison that a claim would save.
fn is_compared(graph: &IntGraph, node: usize) -> bool {
    let x = &graph.types()[node];
    let compares = |&consumer: &usize| match graph.nodes()[consumer].op {
        IntOp::Extend { .. } => x.values.half_from(x.bits(), 0).is_none(),
        IntOp::Trunc { shift, .. } => {
            shift + 2 <= x.bits().get() && x.values.half_from(x.bits(), shift).is_none()
        }
        _ => false,
    };
    graph.consumers(node).iter().any(compares)
}
