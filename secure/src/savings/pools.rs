//! Means in the place of maxima.

use nets::{IntGraph, IntOp, Window, truncation};

use super::kind::{Conv, Kind, conv};
use super::rewrite::{Rewrite, Way, way};

/// A convolution that a pool follows, with nothing but its truncation between them.
struct Before {
    node: usize,
    conv: Conv,
    shift: u32,
    rounded: bool,
}

/// Means in the place of max-pools. Behind a convolution its accumulators are summed, in a ring that has room for the sum, and its weights
/// divide.
pub(super) const PRODUCTS: Way = Way {
    visit: |rewrite, node| mean_for_max(rewrite, node, true),
    more_bits,
};

/// Means in the place of max-pools, all divided and truncated as `import` does.
pub(super) const VALUES: Way = way(|rewrite, node| mean_for_max(rewrite, node, false));

fn more_bits(graph: &IntGraph) -> u32 {
    let bits = |(node, _): (usize, &nets::Node<IntOp>)| {
        let window = max_pool(graph, node)?;
        let before = before(graph, node)?;
        (graph.nodes()[before.node].inputs[0] == 0).then(|| bits_of(window))
    };
    let all = graph.nodes().iter().enumerate().filter_map(bits);
    all.max().unwrap_or(0)
}

fn mean_for_max(rewrite: &mut Rewrite<'_>, node: usize, products: bool) -> bool {
    let graph = rewrite.graph();
    let Some(window) = max_pool(graph, node) else {
        return false;
    };
    let mean = match before(graph, node).filter(|_| products) {
        Some(before) => of_products(rewrite, node, window, &before),
        None => of_values(rewrite, node, window),
    };
    rewrite.stand_in(node, mean);
    rewrite.count();
    true
}

fn of_products(rewrite: &mut Rewrite<'_>, node: usize, window: Window, before: &Before) -> usize {
    let graph = rewrite.graph();
    let more = bits_of(window);
    let (layer, x) = (before.node, graph.nodes()[before.node].inputs[0]);
    let x = rewrite.in_ring(x, graph.types()[x].bits().get() + more);
    let op = Conv {
        weight_scale: before.conv.weight_scale + more.cast_signed(),
        ..before.conv
    };
    let product = rewrite.push(layer, "", op.op(), &[x]);
    let sum = rewrite.push(node, "", IntOp::SumPool { window }, &[product]);
    let (shift, rounded) = (before.shift + more, before.rounded);
    rewrite.push(
        node,
        ".truncate",
        IntOp::TruncReduce { shift, rounded },
        &[sum],
    )
}

fn of_values(rewrite: &mut Rewrite<'_>, node: usize, window: Window) -> usize {
    let graph = rewrite.graph();
    let bits = graph.types()[node].bits().get();
    let (log, area) = (bits_of(window), window.area());
    // A reciprocal that is not exact makes the largest mean wrong by at most half a unit.
    let exact = area.is_power_of_two() && !window.is_padded();
    let fraction = log + if exact { 0 } else { bits - 1 };
    if fraction == 0 {
        return rewrite.place(graph.nodes()[node].inputs[0]);
    }
    let x = rewrite.in_ring(graph.nodes()[node].inputs[0], bits + fraction);
    let mean = IntOp::MeanPool {
        window,
        counts_padding: false,
        divisor: 1,
        fraction,
    };
    let mean = rewrite.push(node, "", mean, &[x]);
    let half = IntOp::Affine {
        factor: 1,
        add: (1 << fraction) >> 1,
        scale: 0,
    };
    let half = rewrite.push(node, ".round", half, &[mean]);
    let (shift, rounded) = (fraction, true);
    rewrite.push(
        node,
        ".truncate",
        IntOp::TruncReduce { shift, rounded },
        &[half],
    )
}

/// The window of a max-pool.
fn max_pool(graph: &IntGraph, node: usize) -> Option<Window> {
    match graph.nodes()[node].op {
        IntOp::MaxPool { window } => Some(window),
        _ => None,
    }
}

fn before(graph: &IntGraph, pool: usize) -> Option<Before> {
    let cut = graph.nodes()[pool].inputs[0];
    let IntOp::TruncReduce { shift, rounded } = graph.nodes()[cut].op else {
        return None;
    };
    let node = graph.nodes()[cut].inputs[0];
    let only = graph.sole_consumer(cut) == Some(pool)
        && Kind::of(&graph.nodes()[node].op) == Kind::Linear
        && truncation(graph, node).is_some_and(|found| found.node == cut);
    let conv = conv(graph, node).filter(|_| only)?;
    Some(Before {
        node,
        conv,
        shift,
        rounded,
    })
}

/// Bits of a sum under a window beyond those of its values.
const fn bits_of(window: Window) -> u32 {
    (window.area() as u64).next_power_of_two().ilog2()
}
