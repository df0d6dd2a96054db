//! Operators that join and split channels.

use nets::Op;

use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Feature, Value};

pub(super) fn concat<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let mut parts = Vec::new();
    for index in 0..node.proto.input.len() {
        parts.push(context.plain(node, index)?);
    }
    let Some(first) = parts.first() else {
        return invalid("it has no inputs");
    };
    let mut dims = first.dims.clone();
    if axis(node.int("axis", 1)?, dims.len())? != 1 {
        return unsupported("along something other than channels");
    }
    dims[1] = 0;
    for part in &parts {
        let fits = part.dims.len() == dims.len() && part.dims[2..] == dims[2..];
        if !fits || part.dims[0] != 1 {
            return invalid(format!("{} does not fit the others", show(&part.dims)));
        }
        dims[1] += part.dims[1];
    }
    if let [one] = parts.as_slice() {
        return feature(one.clone());
    }
    let inputs: Vec<usize> = parts.iter().map(|part| part.node).collect();
    feature(context.emit_joined(&node.label(), Op::Concat, &inputs, dims)?)
}

pub(super) fn split<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    if axis(node.int("axis", 0)?, x.dims.len())? != 1 {
        return unsupported("along something other than channels");
    }
    let (channels, parts) = (x.dims[1], node.proto.output.len());
    let given = node.ints("split").map(<[i64]>::to_vec);
    let sizes: Vec<usize> = match given.map_or_else(|| context.ints(node, 1), |s| Ok(Some(s)))? {
        Some(sizes) => sizes
            .iter()
            .map(|&s| usize::try_from(s).unwrap_or(0))
            .collect(),
        None if parts == 0 => return invalid("it has no outputs"),
        None => {
            let each = channels.div_ceil(parts);
            (0..parts)
                .map(|i| channels.saturating_sub(i * each).min(each))
                .collect()
        }
    };
    let total = sizes.iter().try_fold(0_usize, |sum, &s| sum.checked_add(s));
    if sizes.len() != parts || total != Some(channels) || sizes.contains(&0) {
        return invalid(format!("{channels} channels do not split so"));
    }
    if let [_] = sizes.as_slice() {
        return feature(x);
    }
    let mut outputs = Vec::new();
    let mut start = 0;
    for size in sizes {
        outputs.push(Value::Feature(part(context, node, &x, start, size)?));
        start += size;
    }
    Ok(outputs)
}

/// The most runs of consecutive channels that a Gather may take.
const MAX_RUNS: usize = 256;

/// Channels in a constant order, as slices of consecutive channels put together.
pub(super) fn gather<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    let indices = context.constant(node, 1)?;
    let (Some(taken), [_]) = (indices.as_ints(), &indices.dims[..]) else {
        return unsupported("by something other than a list of channels");
    };
    if axis(node.int("axis", 0)?, x.dims.len())? != 1 {
        return unsupported("along something other than channels");
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &index in taken {
        let channel = axis(index, x.dims[1])?;
        match runs.last_mut() {
            Some((start, count)) if *start + *count == channel => *count += 1,
            _ => runs.push((channel, 1)),
        }
    }
    if runs.len() > MAX_RUNS {
        return unsupported("of very many channels");
    }
    let parts = runs
        .iter()
        .map(|&(start, count)| part(context, node, &x, start, count));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    match parts.as_slice() {
        [] => invalid("it takes nothing"),
        [one] => feature(one.clone()),
        _ => {
            let mut dims = x.dims.clone();
            dims[1] = taken.len();
            let inputs: Vec<usize> = parts.iter().map(|part| part.node).collect();
            feature(context.emit_joined(&node.label(), Op::Concat, &inputs, dims)?)
        }
    }
}

/// Some of the channels.
pub(super) fn part(
    context: &mut Context<'_>,
    node: &Node<'_>,
    x: &Feature,
    start: usize,
    channels: usize,
) -> Result<Feature, Fault> {
    let mut dims = x.dims.clone();
    dims[1] = channels;
    let op = Op::Slice { start, channels };
    context.emit(&node.label(), op, x, Some(dims))
}
