//! Sums, means and extremes along axes.

use nets::{Op, Shape, Window};

use super::form::{realize, scaled};
use super::{Outputs, feature};
use crate::array::Array;
use crate::context::Context;
use crate::error::{Fault, invalid};
use crate::layout::Layout;
use crate::node::{Node, axis};
use crate::value::Feature;

/// What becomes of the values along the axes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reduction {
    Mean,
    Sum,
    Max,
    Min,
}

/// The axes that a reduction names, in order; `None` where it reduces nothing.
pub(super) fn axes(
    node: &Node<'_>,
    given: Option<&[i64]>,
    rank: usize,
) -> Result<Option<Vec<usize>>, Fault> {
    let axes = given.or_else(|| node.ints("axes")).unwrap_or_default();
    if axes.is_empty() {
        let noop = node.int("noop_with_empty_axes", 0)? != 0;
        return Ok((!noop).then(|| (0..rank).collect()));
    }
    if axes.len() > rank {
        return invalid("it names an axis twice");
    }
    let axes = axes.iter().map(|&a| axis(a, rank));
    let mut axes = axes.collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if axes.windows(2).any(|pair| pair[0] == pair[1]) {
        return invalid("it names an axis twice");
    }
    Ok(Some(axes))
}

/// The dimensions after a reduction.
pub(super) fn reduced(
    node: &Node<'_>,
    dims: &[usize],
    axes: &[usize],
) -> Result<Vec<usize>, Fault> {
    let keeps = node.int("keepdims", 1)? != 0;
    let side = |(axis, &side): (usize, &usize)| match axes.contains(&axis) {
        true if keeps => Some(1),
        true => None,
        false => Some(side),
    };
    Ok(dims.iter().enumerate().filter_map(side).collect())
}

fn reduction<'a>(context: &mut Context<'a>, node: &Node<'a>, what: Reduction) -> Outputs {
    let given = context.ints(node, 1)?;
    let rank = context.viewed(node, 0)?.dims().len();
    let Some(axes) = axes(node, given.as_deref(), rank)? else {
        return feature(context.viewed(node, 0)?);
    };
    if axes.contains(&0) {
        context.check_batch()?;
    }
    let x = context.plain(node, 0)?;
    let dims = reduced(node, x.dims(), &axes)?;
    let y = along(context, &node.label(), &x, &axes, what)?;
    let shape = y.layout.reshaped(&dims);
    match shape {
        Some(layout) => feature(Feature { layout, ..y }),
        None => invalid("its result has another shape"),
    }
}

/// A reduction of a plain tensor, with the other axes as channels.
fn along(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    axes: &[usize],
    what: Reduction,
) -> Result<Feature, Fault> {
    let kept: Vec<usize> = (0..x.dims().len()).filter(|a| !axes.contains(a)).collect();
    let count: usize = axes.iter().map(|&a| x.dims()[a]).product();
    let mut x = x.clone();
    if what == Reduction::Min {
        x.alone = false;
        let minus = scaled(context, x, -1.0, 0.0, label.to_owned())?;
        x = realize(context, minus)?;
    }
    let led = context.led(label, &x, &kept)?;
    let channels: usize = kept.iter().map(|&a| x.dims()[a]).product();
    let op = match what {
        Reduction::Mean | Reduction::Sum => Op::GlobalAvgPool,
        Reduction::Max | Reduction::Min => Op::MaxPool {
            window: Window::whole(context.shapes[led.node]),
        },
    };
    let y = context.emit(label, op, &led)?;
    debug_assert_eq!(
        context.shapes[y.node],
        Shape::vector(channels),
        "a value each"
    );
    let y = Feature {
        layout: Layout::row_major(vec![channels]),
        ..y
    };
    #[expect(clippy::cast_precision_loss, reason = "at most 2^26")]
    let factor = match what {
        Reduction::Mean | Reduction::Max => return Ok(y),
        Reduction::Sum => count as f64,
        Reduction::Min => -1.0,
    };
    scaled(context, y, factor, 0.0, label.to_owned())
}

pub(super) fn mean<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    reduction(context, node, Reduction::Mean)
}

pub(super) fn sum<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    reduction(context, node, Reduction::Sum)
}

pub(super) fn max<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    reduction(context, node, Reduction::Max)
}

pub(super) fn min<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    reduction(context, node, Reduction::Min)
}

/// The reduction of a constant, by a function that adds a value to what is there.
pub(super) fn folded(
    node: &Node<'_>,
    x: &Array,
    given: Option<&[i64]>,
    join: impl Fn(f64, f64) -> f64,
    finish: impl Fn(f64, usize) -> f64,
) -> Result<(Vec<usize>, Vec<f64>), Fault> {
    let rank = x.dims.len();
    let axes = axes(node, given, rank)?.unwrap_or_default();
    let dims = reduced(node, &x.dims, &axes)?;
    let kept: Vec<usize> = (0..rank).filter(|a| !axes.contains(a)).collect();
    let order: Vec<usize> = kept.iter().chain(&axes).copied().collect();
    let count: usize = axes.iter().map(|&a| x.dims[a]).product();
    let turned = x.transposed(&order).map_err(Fault::Invalid)?;
    let values = turned.doubles();
    if count == 0 {
        return invalid("it reduces nothing to a value");
    }
    let reduce = |part: &[f64]| {
        let (first, rest) = part.split_first().expect("a part is not empty");
        let total = rest.iter().fold(*first, |sum, &v| join(sum, v));
        finish(total, count)
    };
    Ok((dims, values.chunks_exact(count).map(reduce).collect()))
}
