//! From a graph to one that computes the same integers by other algorithms, and back.

use std::collections::{BTreeMap, BTreeSet};

use nets::{Algorithm, IntGraph, IntOp, LayerWeights, PrivateWeights, Rewriter};

use crate::Error;

/// The truncation that alone takes a node's output, and by how much.
pub(crate) fn truncation(graph: &IntGraph, node: usize) -> Option<(usize, u32)> {
    let next = graph.sole_consumer(node)?;
    match graph.nodes()[next].op {
        IntOp::TruncReduce { shift, .. } | IntOp::Trunc { shift, .. } => Some((next, shift)),
        _ => None,
    }
}

/// A truncation by another number of bits.
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

/// A linear operation by another algorithm.
fn with(op: &IntOp, algorithm: &Algorithm) -> IntOp {
    let mut op = op.clone();
    if let IntOp::Linear { by, .. } = &mut op {
        by.clone_from(algorithm);
    }
    op
}

/// The weights of the nodes that were taken over.
fn moved(
    weights: &PrivateWeights,
    place: &[Option<usize>],
) -> (BTreeMap<usize, LayerWeights>, BTreeMap<usize, usize>) {
    let places = weights.iter().map(|(old, _)| {
        let new = place[old].expect("nodes with weights are taken over");
        (old, new)
    });
    let places: BTreeMap<usize, usize> = places.collect();
    let layers = weights
        .iter()
        .map(|(old, layer)| (places[&old], layer.clone()));
    (layers.collect(), places)
}

/// Computes these layers by these algorithms, in a graph whose layers are computed without guard bits.
/// Returns where the layers are, too.
///
/// The truncation after a layer removes the guard bits as well. floor(2^g·a / 2^(d+g)) is
/// floor(a / 2^d), in the ring of l − d bits as before where it narrows; where it stays in the
/// ring it gives the same signed number in l + g bits, which are then narrowed. Where no
/// truncation alone takes the layer, one by g bits is added.
pub(crate) fn by(
    graph: &IntGraph,
    weights: &PrivateWeights,
    algorithms: &BTreeMap<usize, Algorithm>,
) -> Result<(IntGraph, PrivateWeights, BTreeMap<usize, usize>), Error> {
    let mut raised = BTreeMap::new();
    let mut new = Rewriter::new(graph);
    // Where a layer with guard bits is, apart from where its value is.
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        if let Some(algorithm) = algorithms.get(&index) {
            let guard = algorithm.guard_bits();
            let made = new.put(index, with(&node.op, algorithm));
            layers.insert(index, made);
            if guard == 0 {
                continue;
            }
            if let Some((next, _)) = truncation(graph, index) {
                raised.insert(next, guard);
            } else {
                let (shift, rounded) = (guard, false);
                let op = IntOp::TruncReduce { shift, rounded };
                let made = new.push(format!("{}.unguard", node.name), op, &[made]);
                new.stand_in(index, made);
            }
            continue;
        }
        let Some(guard) = raised.get(&index) else {
            new.keep(index);
            continue;
        };
        let made = new.put(index, shifted(&node.op, |shift| shift + guard));
        if let IntOp::Trunc { .. } = node.op {
            let to = graph.types()[index].bits().get();
            let made = new.push(
                format!("{}.narrow", node.name),
                IntOp::Narrow { to },
                &[made],
            );
            new.stand_in(index, made);
        }
    }
    let (graph, mut place) = new.finish()?;
    for (&old, &made) in &layers {
        place[old] = Some(made);
    }
    let (weights, places) = moved(weights, &place);
    let weights = PrivateWeights::new(&graph, weights)?;
    Ok((graph, weights, places))
}

/// Undoes [`by`]. A layer whose guard bits are not removed as that function does it stays.
pub(crate) fn direct(
    graph: &IntGraph,
    weights: &PrivateWeights,
) -> Result<(IntGraph, PrivateWeights), Error> {
    let (mut lowered, mut dropped) = (BTreeMap::new(), BTreeSet::new());
    let mut new = Rewriter::new(graph);
    for (index, node) in graph.nodes().iter().enumerate() {
        if let IntOp::Linear { by, .. } = &node.op {
            let guard = by.guard_bits();
            if guard == 0 {
                new.put(index, with(&node.op, &Algorithm::DIRECT));
                continue;
            }
            if let Some(gone) = undone(graph, index, guard) {
                dropped.extend(gone);
                lowered.extend(graph.consumers(index).iter().map(|&next| (next, guard)));
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
    let (graph, place) = new.finish()?;
    let (layers, _) = moved(weights, &place);
    let weights = PrivateWeights::new(&graph, layers)?;
    Ok((graph, weights))
}

/// The nodes that the direct layer does without, if it can take the place of this one.
fn undone(graph: &IntGraph, node: usize, guard: u32) -> Option<Vec<usize>> {
    let nodes = graph.nodes();
    let bits = graph.input_type(node, 0).bits().get();
    let (next, shift) = truncation(graph, node)?;
    match nodes[next].op {
        IntOp::TruncReduce { rounded, .. } if shift == guard && !rounded => Some(vec![next]),
        IntOp::TruncReduce { .. } if shift > guard => Some(vec![]),
        IntOp::Trunc { .. } if shift > guard => {
            let narrow = graph.sole_consumer(next)?;
            (nodes[narrow].op == IntOp::Narrow { to: bits }).then(|| vec![narrow])
        }
        _ => None,
    }
}
