//! Pooling.

use nets::{Op, Window};

use super::conv::{inner, padded, window};
use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Feature, View};

fn kernel(node: &Node<'_>) -> Result<[usize; 2], Fault> {
    match node.ints("kernel_shape") {
        Some(_) => node.sizes("kernel_shape", [0; 2]),
        None => invalid("it has no kernel_shape"),
    }
}

/// The padding below and on the right that is needed where the size of the output is rounded up.
fn rounded_up(node: &Node<'_>, window: &Window, x: &Feature) -> Result<[usize; 2], Fault> {
    if node.int("ceil_mode", 0)? == 0 {
        return Ok([0, 0]);
    }
    let shape = inner(x);
    let mut more = [0, 0];
    for (i, side) in [shape.height, shape.width].into_iter().enumerate() {
        let (before, after) = (window.padding[i], window.padding[i + 2]);
        let room =
            (side.saturating_add(before).saturating_add(after)).saturating_sub(window.kernel[i]);
        let steps = room.div_ceil(window.stride[i]);
        // The last window must begin inside the image or its padding before.
        if steps.saturating_mul(window.stride[i]) < side.saturating_add(before) {
            more[i] = steps * window.stride[i] - room;
        }
    }
    Ok(more)
}

/// A pool whose window has no gaps.
fn dense(window: Window) -> Result<Window, Fault> {
    if window.is_dilated() {
        return unsupported(format!("dilation {:?}", window.dilation));
    }
    Ok(window)
}

pub(super) fn max<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    // Zeros that another node added are values here, unlike the pool's own padding: only this is possible.
    let x = context.image(node, 0)?;
    let mut window = dense(window(node, kernel(node)?, &x)?)?;
    let [below, right] = rounded_up(node, &window, &x)?;
    window.padding[2] = window.padding[2].saturating_add(below);
    window.padding[3] = window.padding[3].saturating_add(right);
    feature(context.emit(&node.label(), Op::MaxPool { window }, &x, None)?)
}

pub(super) fn average<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = padded(context, node)?;
    let mut window = dense(window(node, kernel(node)?, &x)?)?;
    let zeros = if let View::Padded(p) = x.view {
        p
    } else {
        [0; 4]
    };
    let [below, right] = rounded_up(node, &window, &x)?;
    let counted = node.int("count_include_pad", 0)? != 0;
    // Zeros that another node added always count; what a window lacks at the end never does.
    let own = window.padding != zeros;
    let some_counts = zeros != [0; 4] || own && counted;
    let counts_padding = (!own || counted) && [below, right] == [0, 0];
    if some_counts && !counts_padding {
        return unsupported("padding of which a part is counted");
    }
    window.padding[2] = window.padding[2].saturating_add(below);
    window.padding[3] = window.padding[3].saturating_add(right);
    let op = Op::AvgPool {
        window,
        counts_padding,
    };
    feature(context.emit(&node.label(), op, &x, None)?)
}

pub(super) fn global<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.image(node, 0)?;
    feature(context.emit(&node.label(), Op::GlobalAvgPool, &x, None)?)
}

/// A mean over rows and columns, which is a global average pool.
pub(super) fn reduce_mean<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.image(node, 0)?;
    let given = match node.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => context.ints(node, 1)?,
    };
    let axes = given.unwrap_or_default();
    if axes.len() > 4 {
        return invalid("it names an axis twice");
    }
    let mut axes = axes
        .iter()
        .map(|&a| axis(a, 4))
        .collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if axes != [2, 3] {
        return unsupported(format!("over axes {axes:?} of {}", show(&x.dims)));
    }
    let dims = (node.int("keepdims", 1)? == 0).then(|| vec![1, x.dims[1]]);
    feature(context.emit(&node.label(), Op::GlobalAvgPool, &x, dims)?)
}
