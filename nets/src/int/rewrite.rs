//! A graph that computes the same integers by other algorithms, and back.

use std::collections::{BTreeMap, BTreeSet};

use crate::int::weights::PrivateWeights;
use crate::{Algorithm, Error, IntGraph, IntOp, Rewriter};

/// A truncation that is the only consumer of a node, or of what is claimed of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Truncation {
    /// The truncation's node.
    pub node: usize,
    /// Bits cut off.
    pub shift: u32,
    /// Whether it goes into a narrower ring.
    pub narrows: bool,
}

/// The truncation that is the only consumer of a node's output, if there is one. A claim between the two is true
/// of 2^g times the value in a ring that is g bits wider, if it is of the value.
#[must_use]
pub fn truncation(graph: &IntGraph, node: usize) -> Option<Truncation> {
    let mut next = graph.sole_consumer(node)?;
    while graph.nodes()[next].op == IntOp::Claim {
        next = graph.sole_consumer(next)?;
    }
    let (shift, narrows) = match graph.nodes()[next].op {
        IntOp::TruncReduce { shift, .. } => (shift, true),
        IntOp::Trunc { shift, .. } => (shift, false),
        // Before anything else, guard bits take a truncation of their own.
        _ => return None,
    };
    Some(Truncation {
        node: next,
        shift,
        narrows,
    })
}

/// A truncation by another number of bits; other operations as they are.
fn shifted(op: &IntOp, by: impl Fn(u32) -> u32) -> IntOp {
    match *op {
        IntOp::TruncReduce { shift, rounded } => {
            let shift = by(shift);
            IntOp::TruncReduce { shift, rounded }
        }
        IntOp::Trunc { shift, rounded } => {
            let shift = by(shift);
            IntOp::Trunc { shift, rounded }
        }
        _ => op.clone(),
    }
}

/// A linear operation by another algorithm; other operations as they are.
fn with(op: &IntOp, algorithm: &Algorithm) -> IntOp {
    let mut op = op.clone();
    if let IntOp::Linear { by, .. } = &mut op {
        by.clone_from(algorithm);
    }
    op
}

/// The number of a node with weights in a rewritten graph.
fn place(places: &[Option<usize>], node: usize) -> usize {
    places[node].expect("nodes with weights stay")
}

/// Writes these algorithms into these layers of a graph that has no guard bits. Also returns the new
/// numbers of nodes with weights.
///
/// # Errors
/// [`Error::Width`] if a ring grows beyond 64 bits.
pub fn with_algorithms(
    graph: &IntGraph,
    weights: &PrivateWeights,
    algorithms: &BTreeMap<usize, Algorithm>,
) -> Result<(IntGraph, PrivateWeights, BTreeMap<usize, usize>), Error> {
    let (graph, places) = graph_with_algorithms(graph, algorithms)?;
    let moved = weights.iter().map(|(old, _)| (old, place(&places, old)));
    let moved = moved.collect();
    let weights = weights.renumbered(&graph, |old| place(&places, old))?;
    Ok((graph, weights, moved))
}

/// The graph of [`with_algorithms`], and for every node of the old graph its number in the new one; that of a layer
/// with guard bits is the layer's own.
///
/// The truncation after a layer removes the guard bits as well: floor(2^g·a / 2^(d+g)) is
/// floor(a / 2^d). A truncation into a narrower ring ends in l − d bits as before; one within the ring
/// gives the same signed number in l + g bits, which are then narrowed. Where the only consumer of the
/// layer is no truncation, one by g bits is added.
///
/// # Errors
/// [`Error::Width`] if a ring grows beyond 64 bits.
pub fn graph_with_algorithms(
    graph: &IntGraph,
    algorithms: &BTreeMap<usize, Algorithm>,
) -> Result<(IntGraph, Vec<Option<usize>>), Error> {
    let mut raised = BTreeMap::new();
    let mut new = Rewriter::new(graph);
    // The new numbers of layers; for one with guard bits, its value is at another node.
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        if let Some(algorithm) = algorithms.get(&index) {
            let guard = algorithm.guard_bits();
            let layer = new.put(index, with(&node.op, algorithm));
            layers.insert(index, layer);
            if guard == 0 {
                continue;
            }
            if let Some(cut) = truncation(graph, index) {
                raised.insert(cut.node, guard);
            } else {
                let (shift, rounded) = (guard, false);
                let op = IntOp::TruncReduce { shift, rounded };
                let value = new.push(format!("{}.unguard", node.name), op, &[layer]);
                new.stand_in(index, value);
            }
            continue;
        }
        let Some(guard) = raised.get(&index) else {
            new.keep(index);
            continue;
        };
        let wide = new.put(index, shifted(&node.op, |shift| shift + guard));
        if let IntOp::Trunc { .. } = node.op {
            let to = graph.types()[index].bits().get();
            let value = new.push(
                format!("{}.narrow", node.name),
                IntOp::Narrow { to },
                &[wide],
            );
            new.stand_in(index, value);
        }
    }
    let (graph, mut place) = new.finish()?;
    for (&old, &layer) in &layers {
        place[old] = Some(layer);
    }
    Ok((graph, place))
}

/// Undoes [`with_algorithms`]: every layer by [`Algorithm::DIRECT`]. A layer stays as it is if its guard bits are not removed in the way of
/// that function.
///
/// # Errors
/// Those of graphs that contradict themselves.
pub fn without_algorithms(
    graph: &IntGraph,
    weights: &PrivateWeights,
) -> Result<(IntGraph, PrivateWeights), Error> {
    let (graph, places) = graph_without_algorithms(graph)?;
    let weights = weights.renumbered(&graph, |old| place(&places, old))?;
    Ok((graph, weights))
}

/// The graph of [`without_algorithms`], and for every node of the old graph its number in the new one.
///
/// # Errors
/// Those of graphs that contradict themselves.
pub fn graph_without_algorithms(graph: &IntGraph) -> Result<(IntGraph, Vec<Option<usize>>), Error> {
    let (mut lowered, mut dropped) = (BTreeMap::new(), BTreeSet::new());
    let mut new = Rewriter::new(graph);
    for (index, node) in graph.nodes().iter().enumerate() {
        if let IntOp::Linear { by, .. } = &node.op {
            let guard = by.guard_bits();
            if guard == 0 {
                new.put(index, with(&node.op, &Algorithm::DIRECT));
                continue;
            }
            if let Some((cut, gone)) = undone(graph, index, guard) {
                dropped.extend(gone);
                lowered.insert(cut, guard);
                new.put(index, with(&node.op, &Algorithm::DIRECT));
                continue;
            }
        }
        if dropped.contains(&index) {
            new.bypass(index);
            continue;
        }
        let guard = lowered.get(&index).copied().unwrap_or(0);
        new.put(index, shifted(&node.op, |shift| shift - guard));
    }
    new.finish()
}

/// The truncation that follows, and the nodes that go, when the direct layer takes the place of this one; `None`
/// if it cannot.
fn undone(graph: &IntGraph, node: usize, guard: u32) -> Option<(usize, Vec<usize>)> {
    let nodes = graph.nodes();
    let bits = graph.input_type(node, 0).bits().get();
    let cut = truncation(graph, node)?;
    if cut.shift > guard && cut.narrows {
        return Some((cut.node, vec![]));
    }
    if cut.shift > guard {
        let narrow = graph.sole_consumer(cut.node)?;
        return (nodes[narrow].op == IntOp::Narrow { to: bits }).then(|| (cut.node, vec![narrow]));
    }
    let (shift, rounded) = (guard, false);
    let unguard = IntOp::TruncReduce { shift, rounded };
    (nodes[cut.node].op == unguard).then(|| (cut.node, vec![cut.node]))
}
