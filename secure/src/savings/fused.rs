//! One dense convolution in the place of two.

use nets::IntGraph;

use super::kind::{Conv, Kind, conv};
use super::rewrite::Rewrite;

/// Fuses depthwise convolutions with the 1 × 1 convolutions after them.
pub(super) fn separable(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    fuse(rewrite, node, |first, second| {
        first.is_depthwise() && second.is_pointwise() && second.is_dense()
    })
}

/// Fuses 1 × 1 convolutions with the depthwise convolutions after them.
pub(super) fn expansion(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    fuse(rewrite, node, |first, second| {
        first.is_pointwise() && first.is_dense() && second.is_depthwise()
    })
}

/// Fuses 1 × 1 convolutions with the dense k × k convolutions after them.
pub(super) fn bottleneck(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    fuse(rewrite, node, |first, second| {
        let pointwise = first.is_pointwise() && first.is_dense();
        pointwise && !second.is_pointwise() && second.is_dense()
    })
}

/// Puts one dense convolution in the place of the one that a node is and of the one before it, if they are such a pair. It takes what the first
/// took, under the window of the larger one, and gives what the second gave; what lies between them is gone.
fn fuse(rewrite: &mut Rewrite<'_>, node: usize, pair: fn(&Conv, &Conv) -> bool) -> bool {
    let graph = rewrite.graph();
    let Some(second) = conv(graph, node) else {
        return false;
    };
    let found = before(graph, node).and_then(|first| Some((first, conv(graph, first)?)));
    let Some((first, one)) = found.filter(|(_, one)| pair(one, &second)) else {
        return false;
    };
    let (large, small) = match second.is_pointwise() {
        true => (one.window, second.window),
        false => (second.window, one.window),
    };
    if small.stride != [1; 2] || small.is_padded() {
        return false;
    }
    let x = graph.nodes()[first].inputs[0];
    let input = rewrite.in_ring(x, graph.input_type(node, 0).bits().get());
    let fused = Conv {
        in_channels: one.in_channels,
        groups: 1,
        window: large,
        weight_scale: graph.types()[node].fixed.scale - graph.types()[x].fixed.scale,
        ..second
    };
    let new = rewrite.push(node, "", fused.op(), &[input]);
    rewrite.stand_in(node, new);
    rewrite.count();
    true
}

/// The product before a node, where nothing but truncations, activations and other rings come between, and nothing else takes them.
fn before(graph: &IntGraph, node: usize) -> Option<usize> {
    let mut last = graph.nodes()[node].inputs[0];
    loop {
        graph.sole_consumer(last)?;
        match Kind::of(&graph.nodes()[last].op) {
            Kind::Linear => return Some(last),
            Kind::Cut
            | Kind::Relu
            | Kind::Clip
            | Kind::HardSwish
            | Kind::Curve
            | Kind::Width
            | Kind::Local => {
                last = graph.nodes()[last].inputs[0];
            }
            Kind::MaxPool | Kind::Gate | Kind::Other => return None,
        }
    }
}
