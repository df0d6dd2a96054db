//! Changes of what follows the products.

use nets::IntOp;

use super::kind::{Kind, rounded};
use super::rewrite::Rewrite;

/// Leaves rectifiers out.
pub(super) fn no_relu(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let source = &rewrite.graph().nodes()[node];
    if Kind::of(&source.op) != Kind::Relu {
        return false;
    }
    let x = rewrite.place(source.inputs[0]);
    rewrite.stand_in(node, x);
    rewrite.count();
    true
}

/// Puts rectifiers in the place of clips, but for those of hard-sigmoids.
pub(super) fn relu_for_clip(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let graph = rewrite.graph();
    let source = &graph.nodes()[node];
    let shifted = |node: usize| matches!(graph.nodes()[node].op, IntOp::Affine { .. });
    if Kind::of(&source.op) != Kind::Clip || shifted(source.inputs[0]) {
        return false;
    }
    rectify(rewrite, node, source.inputs[0], node);
    true
}

/// Puts rectifiers in the place of hard-swishes.
pub(super) fn relu_for_hard_swish(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let graph = rewrite.graph();
    let source = &graph.nodes()[node];
    if Kind::of(&source.op) != Kind::HardSwish {
        return false;
    }
    let mut x = source.inputs[0];
    // It takes x + 3.
    if let IntOp::Affine { factor: 1, .. } = graph.nodes()[x].op {
        x = graph.nodes()[x].inputs[0];
    }
    rectify(rewrite, node, x, rounded(graph, node));
    true
}

/// Puts rectifiers in the place of smooth functions that are nearly one: those with a ramp.
pub(super) fn relu_for_curve(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let source = &rewrite.graph().nodes()[node];
    let IntOp::Curve { pieces, .. } = &source.op else {
        return false;
    };
    if pieces.ramp.is_none() {
        return false;
    }
    rectify(rewrite, node, source.inputs[0], node);
    true
}

/// Leaves the gates of squeeze-and-excite out, and with them the branches that make them.
pub(super) fn no_gate(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let source = &rewrite.graph().nodes()[node];
    if Kind::of(&source.op) != Kind::Gate {
        return false;
    }
    let x = rewrite.narrow(source.inputs[0]);
    replace(rewrite, node, rounded(rewrite.graph(), node), x);
    rewrite.count();
    true
}

/// Puts the rectifier of `x` in the place of what begins with `node` and ends with `last`.
fn rectify(rewrite: &mut Rewrite<'_>, node: usize, x: usize, last: usize) {
    let x = rewrite.place(x);
    let new = rewrite.push(node, "", IntOp::Relu, &[x]);
    replace(rewrite, node, last, new);
    rewrite.count();
}

/// Puts a new node in the place of what begins with `node` and ends with `last`.
fn replace(rewrite: &mut Rewrite<'_>, node: usize, last: usize, new: usize) {
    if last != node {
        rewrite.await_node(last, new);
    }
    // What lies between the two is kept until it turns out that nobody takes it.
    rewrite.stand_in(node, new);
}
