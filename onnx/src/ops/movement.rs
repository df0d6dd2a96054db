//! Slices and padding.

use super::channels::part;
use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Feature, View};
use nets::Op;

/// The arguments of a Slice, from attributes (opset 9) or inputs.
pub(super) struct SliceArguments {
    starts: Vec<i64>,
    ends: Vec<i64>,
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
}

impl SliceArguments {
    pub(super) fn new(
        node: &Node<'_>,
        input: impl Fn(usize) -> Result<Option<Vec<i64>>, Fault>,
    ) -> Result<Self, Fault> {
        let get = |name, index| -> Result<Option<Vec<i64>>, Fault> {
            Ok(node.ints(name).map(<[i64]>::to_vec).or(input(index)?))
        };
        let (Some(starts), Some(ends)) = (get("starts", 1)?, get("ends", 2)?) else {
            return invalid("it has no starts or no ends");
        };
        Ok(Self {
            starts,
            ends,
            axes: get("axes", 3)?,
            steps: get("steps", 4)?,
        })
    }
}

/// For each axis the first position, the number of positions, and the step.
pub(super) fn slice_spec(
    dims: &[usize],
    arguments: &SliceArguments,
) -> Result<Vec<(usize, usize, isize)>, Fault> {
    let SliceArguments {
        starts,
        ends,
        axes,
        steps,
    } = arguments;
    let n = starts.len();
    let fits = |other: &Option<Vec<i64>>| other.as_ref().is_none_or(|o| o.len() == n);
    if ends.len() != n || n > dims.len() || !fits(axes) || !fits(steps) {
        return invalid("its starts, ends, axes and steps do not fit together");
    }
    let mut spec: Vec<_> = dims.iter().map(|&d| (0, d, 1)).collect();
    let default: Vec<i64> = (0..).take(n).collect();
    for (i, &along) in axes.as_ref().unwrap_or(&default).iter().enumerate() {
        let along = axis(along, dims.len())?;
        let step = steps.as_ref().map_or(1, |s| s[i]);
        spec[along] = range(dims[along], starts[i], ends[i], step)?;
    }
    Ok(spec)
}

fn range(side: usize, start: i64, end: i64, step: i64) -> Result<(usize, usize, isize), Fault> {
    let d = i64::try_from(side).unwrap_or(i64::MAX);
    if step == 0 {
        return invalid("a step of zero");
    }
    if d == 0 {
        return Ok((0, 0, 1));
    }
    let wrap = |at: i64| if at < 0 { at.saturating_add(d) } else { at };
    let (start, end) = if step > 0 {
        (wrap(start).clamp(0, d), wrap(end).clamp(0, d))
    } else {
        (wrap(start).clamp(0, d - 1), wrap(end).clamp(-1, d - 1))
    };
    let distance = if step > 0 { end - start } else { start - end };
    let count = u64::try_from(distance)
        .unwrap_or(0)
        .div_ceil(step.unsigned_abs());
    let count = usize::try_from(count).unwrap_or(0);
    let start = if count == 0 {
        0
    } else {
        usize::try_from(start).unwrap_or(0)
    };
    Ok((start, count, isize::try_from(step).unwrap_or(isize::MAX)))
}

/// A slice of rows and columns at a step, or of channels.
pub(super) fn slice<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let arguments = SliceArguments::new(node, |i| context.ints(node, i))?;
    let mut x = context.viewed(node, 0)?;
    if !matches!(x.view, View::Plain | View::Strided(_)) {
        x = context.plain(node, 0)?;
    }
    let spec = slice_spec(&x.dims, &arguments)?;
    if spec.iter().zip(&x.dims).all(|(s, &d)| *s == (0, d, 1)) {
        return feature(x);
    }
    let full = |axis: usize| spec[axis] == (0, x.dims[axis], 1);
    let stepped = |axis: usize| match spec[axis] {
        (0, n, step) => usize::try_from(step)
            .ok()
            .filter(|&s| n == x.dims[axis].div_ceil(s)),
        _ => None,
    };
    let dims: Vec<usize> = spec.iter().map(|s| s.1).collect();
    if dims.contains(&0) {
        return invalid("nothing is left of it");
    }
    let old = if let View::Strided(s) = x.view {
        s
    } else {
        [1, 1]
    };
    if x.dims.len() == 4
        && full(0)
        && full(1)
        && let (Some(rows), Some(columns)) = (stepped(2), stepped(3))
    {
        let view = View::Strided([old[0].saturating_mul(rows), old[1].saturating_mul(columns)]);
        return feature(Feature {
            dims,
            view,
            label: node.label(),
            ..x
        });
    }
    let others_full = (0..dims.len()).all(|a| a == 1 || full(a));
    if others_full && dims.len() >= 2 && spec[1].2 == 1 {
        let x = context.plain(node, 0)?;
        let (start, channels, _) = spec[1];
        return feature(part(context, node, &x, start, channels)?);
    }
    unsupported(format!("from {} to {}", show(&x.dims), show(&dims)))
}

/// Channels of zeros, or zeros around the image for the convolution or average pool that follows.
pub(super) fn pad<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    let mode = node.text("mode", "constant")?;
    if mode != "constant" {
        return unsupported(format!("mode {}", crate::node::readable(mode)));
    }
    let value = match context.optional(node, 2)? {
        Some(value) => value.scalar(),
        None => Some(node.float("value", 0.0)?),
    };
    if value != Some(0.0) {
        return unsupported("with something other than zero");
    }
    let pads = node.ints("pads").map(<[i64]>::to_vec);
    let Some(pads) = pads.map_or_else(|| context.ints(node, 1), |p| Ok(Some(p)))? else {
        return invalid("it has no pads");
    };
    let axes = match context.ints(node, 3)? {
        Some(axes) => axes,
        None => (0..).take(x.dims.len()).collect(),
    };
    if pads.len() != 2 * axes.len() || axes.len() > x.dims.len() {
        return invalid("its pads and axes do not fit together");
    }
    let mut around = vec![[0_usize; 2]; x.dims.len()];
    for (i, &along) in axes.iter().enumerate() {
        let along = axis(along, x.dims.len())?;
        for (side, at) in [i, i + axes.len()].into_iter().enumerate() {
            match usize::try_from(pads[at]) {
                Ok(n) if n <= nets::MAX_ELEMENTS => around[along][side] = n,
                Ok(_) => return invalid("its pads are too large"),
                Err(_) => return unsupported("with fewer than no zeros"),
            }
        }
    }
    padded(context, node, x, &around)
}

fn padded<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    mut x: Feature,
    around: &[[usize; 2]],
) -> Outputs {
    let label = node.label();
    if around[0] != [0, 0] {
        return unsupported("of the batch");
    }
    let [front, back] = around[1];
    if [front, back] != [0, 0] {
        let rank = x.dims.len();
        let op = Op::PadChannels { front, back };
        let dims = (rank == 2).then(|| vec![1, x.dims[1] + front + back]);
        x = context.emit(&label, op, &x, dims)?;
    }
    let (&[.., [top, bottom], [left, right]], 4) = (around, x.dims.len()) else {
        return feature(x);
    };
    if [top, bottom, left, right] != [0; 4] {
        x.dims[2] += top + bottom;
        x.dims[3] += left + right;
        x.view = View::Padded([top, left, bottom, right]);
        x.label = label;
    }
    feature(x)
}
