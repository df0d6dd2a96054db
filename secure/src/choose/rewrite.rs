//! From a graph to one that computes the same integers by other algorithms, and back.

use std::collections::{BTreeMap, BTreeSet};

use winograd::Tile;

use crate::igraph::{IntGraph, IntNode, IntOp};
use crate::{Error, LayerWeights, PrivateWeights};

/// For each node, the nodes that take its output.
pub(crate) fn takers(nodes: &[IntNode]) -> Vec<Vec<usize>> {
    let mut takers = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        node.inputs
            .iter()
            .for_each(|&input| takers[input].push(index));
    }
    takers
}

/// The truncation that alone takes a node's output, and by how much.
pub(crate) fn truncation(
    nodes: &[IntNode],
    takers: &[Vec<usize>],
    node: usize,
) -> Option<(usize, u32)> {
    let &[taker] = takers[node].as_slice() else {
        return None;
    };
    match nodes[taker].op {
        IntOp::TruncReduce { shift, .. } | IntOp::Trunc { shift, .. } => Some((taker, shift)),
        _ => None,
    }
}

/// A graph in the making.
struct Rewriting {
    nodes: Vec<IntNode>,
    /// Where the outputs of the old nodes are.
    place: Vec<usize>,
    /// Where the old nodes with weights are.
    moved: BTreeMap<usize, usize>,
}

impl Rewriting {
    const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            place: Vec::new(),
            moved: BTreeMap::new(),
        }
    }

    /// Takes over a node with this operation.
    fn take(&mut self, node: &IntNode, op: IntOp) {
        let inputs = node.inputs.iter().map(|&input| self.place[input]).collect();
        if op.has_weights() {
            self.moved.insert(self.place.len(), self.nodes.len());
        }
        self.place.push(self.nodes.len());
        let name = node.name.clone();
        self.nodes.push(IntNode { name, op, inputs });
    }

    /// Leaves a node out, so that those who take it take its input.
    fn drop(&mut self, node: &IntNode) {
        self.place.push(self.place[node.inputs[0]]);
    }

    /// Adds an operation on the output of the node just taken over, in its place.
    fn append(&mut self, suffix: &str, op: IntOp) {
        let last = self.nodes.len() - 1;
        let name = format!("{}.{suffix}", self.nodes[last].name);
        let inputs = vec![last];
        self.nodes.push(IntNode { name, op, inputs });
        *self.place.last_mut().expect("a node was taken over") = last + 1;
    }

    fn finish(self, weights: &PrivateWeights) -> Result<(IntGraph, PrivateWeights), Error> {
        let graph = IntGraph::new(self.nodes)?;
        let layers = weights.iter().map(|(old, layer)| {
            let new = self.moved[&old];
            (new, layer.clone())
        });
        let layers: BTreeMap<usize, LayerWeights> = layers.collect();
        let weights = PrivateWeights::new(&graph, layers)?;
        Ok((graph, weights))
    }
}

/// Computes these convolutions by these tiles.
///
/// The truncation after a convolution removes the guard bits as well. floor(2^g·a / 2^(d+g)) is
/// floor(a / 2^d), in the ring of l − d bits as before where it narrows; where it stays in the
/// ring it gives the same signed number in l + g bits, which are then narrowed. Where no
/// truncation alone takes the convolution, one by g bits is added.
pub(crate) fn tiled(
    graph: &IntGraph,
    weights: &PrivateWeights,
    tiles: &BTreeMap<usize, Tile>,
) -> Result<(IntGraph, PrivateWeights), Error> {
    let nodes = graph.nodes();
    let takers = takers(nodes);
    let mut raised = BTreeMap::new();
    let mut new = Rewriting::new();
    for (index, node) in nodes.iter().enumerate() {
        let chosen = tiles.get(&index).and_then(|&tile| {
            let op = node.op.tiled(tile)?;
            Some((op, tile.guard_bits()))
        });
        if let Some((op, guard)) = chosen {
            new.take(node, op);
            if let Some((taker, _)) = truncation(nodes, &takers, index) {
                raised.insert(taker, guard);
            } else {
                let (shift, rounded) = (guard, false);
                new.append("unguard", IntOp::TruncReduce { shift, rounded });
            }
            continue;
        }
        match (&node.op, raised.get(&index)) {
            (&IntOp::TruncReduce { shift, rounded }, Some(guard)) => {
                let shift = shift + guard;
                new.take(node, IntOp::TruncReduce { shift, rounded });
            }
            (&IntOp::Trunc { shift, rounded }, Some(guard)) => {
                let shift = shift + guard;
                new.take(node, IntOp::Trunc { shift, rounded });
                let to = graph.types()[index].bits().get();
                new.append("narrow", IntOp::Narrow { to });
            }
            (op, _) => new.take(node, op.clone()),
        }
    }
    new.finish(weights)
}

/// Undoes [`tiled`]. A Winograd convolution whose guard bits are not removed as that function does
/// it stays.
pub(crate) fn direct(
    graph: &IntGraph,
    weights: &PrivateWeights,
) -> Result<(IntGraph, PrivateWeights), Error> {
    let nodes = graph.nodes();
    let takers = takers(nodes);
    let (mut lowered, mut dropped) = (BTreeMap::new(), BTreeSet::new());
    let mut new = Rewriting::new();
    for (index, node) in nodes.iter().enumerate() {
        if let Some((conv, tile)) = node.op.untiled() {
            let guard = tile.guard_bits();
            if let Some(gone) = undone(graph, &takers, index, guard) {
                gone.iter().for_each(|&node| {
                    dropped.insert(node);
                });
                lowered.extend(takers[index].iter().map(|&taker| (taker, guard)));
                new.take(node, conv);
                continue;
            }
        }
        if dropped.contains(&index) {
            new.drop(node);
            continue;
        }
        match (&node.op, lowered.get(&index)) {
            (&IntOp::TruncReduce { shift, rounded }, Some(guard)) => {
                let shift = shift - guard;
                new.take(node, IntOp::TruncReduce { shift, rounded });
            }
            (&IntOp::Trunc { shift, rounded }, Some(guard)) => {
                let shift = shift - guard;
                new.take(node, IntOp::Trunc { shift, rounded });
            }
            (op, _) => new.take(node, op.clone()),
        }
    }
    new.finish(weights)
}

/// The nodes that the direct convolution does without, if it can take the place of this one.
fn undone(graph: &IntGraph, takers: &[Vec<usize>], node: usize, guard: u32) -> Option<Vec<usize>> {
    let nodes = graph.nodes();
    let bits = graph.input_type(node, 0).bits().get();
    let (taker, shift) = truncation(nodes, takers, node)?;
    match nodes[taker].op {
        IntOp::TruncReduce { rounded, .. } if shift == guard && !rounded => Some(vec![taker]),
        IntOp::TruncReduce { .. } if shift > guard => Some(vec![]),
        IntOp::Trunc { .. } if shift > guard => match takers[taker].as_slice() {
            &[narrow] if nodes[narrow].op == (IntOp::Narrow { to: bits }) => Some(vec![narrow]),
            _ => None,
        },
        _ => None,
    }
}
