//! Operators that change the shape or the order of axes. They move no values: the tensor's layout changes.

use super::{Outputs, constant, feature};
use crate::array::{elements, show, stored_elements};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::{Node, axis};
use crate::value::{Form, Value};

pub(super) fn identity<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    feature(context.viewed(node, 0)?)
}

/// Floats of any precision are computed with in single.
pub(super) fn cast<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    // The number of an output, in whatever type.
    if context.viewed(node, 0)?.form == Form::ArgMax {
        return identity(context, node);
    }
    match node.int("to", 0)? {
        // Single and double precision.
        1 | 11 => {}
        // Half precision, of both kinds.
        10 | 16 => {
            context.note("the file computes in half precision; here it is computed in single");
        }
        to => return unsupported(format!("of a computed tensor to type {to}, not to floats")),
    }
    identity(context, node)
}

pub(super) fn cast_like<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let floats = match context.value(node, 1) {
        Some(Value::Const(like)) => like.as_ints().is_none(),
        Some(Value::Feature(_)) => true,
        _ => false,
    };
    if !floats {
        return unsupported("of a computed tensor to something other than floats");
    }
    if let Some(Value::Const(number)) = context.value(node, 0) {
        return constant(number.mapped(|value| value));
    }
    identity(context, node)
}

pub(super) fn reshape<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let given = match node.ints("shape") {
        Some(shape) => Some(shape.to_vec()),
        None => context.ints(node, 1)?,
    };
    let Some(mut wanted) = given else {
        return invalid("it has no shape");
    };
    let x = context.viewed(node, 0)?;
    if let (&[all], &[1, ..]) = (&wanted[..], x.dims())
        && context.batch_of(all, x.layout.len()).is_some()
    {
        // The values of all images as one list, from which exporters take each image's again.
        let (x, label) = (context.plain(node, 0)?, node.label());
        let list = context.reshaped(&label, &x, &[x.layout.len()])?;
        return feature(list.with(Form::Batched, 1.0, 0.0, label));
    }
    if x.form == Form::Batched && context.one_image(&mut wanted) {
        let dims = target(node, x.dims(), &wanted)?;
        let label = node.label();
        let image = context.reshaped(&label, &x, &dims)?;
        return feature(image.with(Form::Itself, 1.0, 0.0, label));
    }
    let x = context.movable(node, 0)?;
    if !context.one_image(&mut wanted) && !matches!(wanted.first(), Some(0 | -1)) {
        context.check_batch()?;
    }
    let dims = target(node, x.dims(), &wanted)?;
    reshaped(context, node, &dims)
}

pub(super) fn flatten<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    if node.int("axis", 1)? == 0 {
        context.check_batch()?;
    }
    let dims = flat(node, context.movable(node, 0)?.dims())?;
    reshaped(context, node, &dims)
}

pub(super) fn squeeze<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let axes = context.ints(node, 1)?;
    let dims = squeezed(node, context.movable(node, 0)?.dims(), axes.as_deref())?;
    reshaped(context, node, &dims)
}

pub(super) fn unsqueeze<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let axes = context.ints(node, 1)?;
    let given = axes.as_deref().or_else(|| node.ints("axes"));
    let x = context.movable(node, 0)?;
    let rank = i64::try_from(x.dims().len()).unwrap_or(i64::MAX);
    let count = i64::try_from(given.unwrap_or_default().len()).unwrap_or(i64::MAX);
    let first = |&axis: &i64| axis == 0 || axis.saturating_add(rank).saturating_add(count) == 0;
    if given.unwrap_or_default().iter().any(first) {
        context.check_batch()?;
    }
    let dims = unsqueezed(node, x.dims(), axes.as_deref())?;
    reshaped(context, node, &dims)
}

pub(super) fn transpose<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.movable(node, 0)?;
    let order = permutation(node, x.dims().len())?;
    if order.first() != Some(&0) {
        context.check_batch()?;
    }
    let mut y = x.permuted(&order);
    y.label = node.label();
    feature(y)
}

fn reshaped<'a>(context: &mut Context<'a>, node: &Node<'a>, dims: &[usize]) -> Outputs {
    let x = context.movable(node, 0)?;
    if elements(dims).map_err(Fault::Invalid)? != x.layout.len() {
        return invalid(format!("{} does not fill {}", show(x.dims()), show(dims)));
    }
    let label = node.label();
    let y = context.reshaped(&label, &x, dims)?;
    feature(crate::value::Feature { label, ..y })
}

/// The shape that a Reshape asks for.
pub(super) fn target(node: &Node<'_>, dims: &[usize], wanted: &[i64]) -> Result<Vec<usize>, Fault> {
    let total = stored_elements(dims).map_err(Fault::Invalid)?;
    let copy_zero = node.int("allowzero", 0)? == 0;
    let mut out = Vec::with_capacity(wanted.len().min(64));
    let mut open = None;
    for (index, &side) in wanted.iter().enumerate() {
        match (side, dims.get(index)) {
            (-1, _) if open.is_none() => {
                open = Some(index);
                out.push(1);
            }
            (0, Some(&kept)) if copy_zero => out.push(kept),
            (0, None) if copy_zero => return invalid("it keeps a dimension that is not there"),
            _ => match usize::try_from(side) {
                Ok(side) => out.push(side),
                Err(_) => return invalid(format!("a side of {side}")),
            },
        }
    }
    let known = stored_elements(&out).map_err(Fault::Invalid)?;
    if let Some(index) = open {
        if known == 0 || !total.is_multiple_of(known) {
            return invalid(format!("{} does not divide into it", show(dims)));
        }
        out[index] = total / known;
    }
    Ok(out)
}

/// The two sides that a Flatten makes.
pub(super) fn flat(node: &Node<'_>, dims: &[usize]) -> Result<Vec<usize>, Fault> {
    stored_elements(dims).map_err(Fault::Invalid)?;
    let (at, rank) = (node.int("axis", 1)?, dims.len());
    let split = if usize::try_from(at) == Ok(rank) {
        rank
    } else {
        axis(at, rank)?
    };
    Ok(vec![
        dims[..split].iter().product(),
        dims[split..].iter().product(),
    ])
}

/// Axes from an attribute (up to opset 12) or an input.
fn axes(node: &Node<'_>, given: Option<&[i64]>, rank: usize) -> Result<Option<Vec<usize>>, Fault> {
    let Some(axes) = given.or_else(|| node.ints("axes")) else {
        return Ok(None);
    };
    if axes.len() > rank {
        return invalid("it names an axis twice");
    }
    let mut axes = axes
        .iter()
        .map(|&a| axis(a, rank))
        .collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(Some(axes))
}

pub(super) fn squeezed(
    node: &Node<'_>,
    dims: &[usize],
    given: Option<&[i64]>,
) -> Result<Vec<usize>, Fault> {
    let ones = || (0..dims.len()).filter(|&i| dims[i] == 1).collect();
    let axes = axes(node, given, dims.len())?.unwrap_or_else(ones);
    if axes.iter().any(|&a| dims[a] != 1) {
        return invalid(format!(
            "it takes away a side of {} that is not 1",
            show(dims)
        ));
    }
    Ok((0..dims.len())
        .filter(|i| !axes.contains(i))
        .map(|i| dims[i])
        .collect())
}

pub(super) fn unsqueezed(
    node: &Node<'_>,
    dims: &[usize],
    given: Option<&[i64]>,
) -> Result<Vec<usize>, Fault> {
    let count = given
        .or_else(|| node.ints("axes"))
        .unwrap_or_default()
        .len();
    if count > 16 {
        return invalid("it adds too many dimensions");
    }
    let axes = axes(node, given, dims.len() + count)?.unwrap_or_default();
    if axes.len() != count {
        return invalid("it names an axis twice");
    }
    let mut old = dims.iter();
    let side = |i| {
        if axes.contains(&i) {
            Some(1)
        } else {
            old.next().copied()
        }
    };
    Ok((0..dims.len() + count).filter_map(side).collect())
}

/// The order of axes that a Transpose asks for.
pub(super) fn permutation(node: &Node<'_>, rank: usize) -> Result<Vec<usize>, Fault> {
    let Some(perm) = node.ints("perm") else {
        return Ok((0..rank).rev().collect());
    };
    if perm.len() != rank {
        return invalid(format!("its order is not of {rank} axes"));
    }
    let perm = perm
        .iter()
        .map(|&a| axis(a, rank))
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen = vec![false; rank];
    perm.iter().for_each(|&a| seen[a] = true);
    if seen.contains(&false) {
        invalid("its order names an axis twice")
    } else {
        Ok(perm)
    }
}
