//! Constants whose values move, and their shapes.

use super::{Inputs, input, ints};
use crate::array::{Array, Data, elements};
use crate::error::{Fault, invalid};
use crate::layout::broadcast;
use crate::node::{Node, axis};
use crate::ops::constant;
use crate::ops::layout::{flat, permutation, squeezed, target, unsqueezed};
use crate::ops::movement::{SliceArguments, slice_spec};

pub(in crate::ops) fn concat(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let first = input(inputs, 0)?;
    let along = axis(node.int("axis", 0)?, first.dims.len())?;
    let mut dims = first.dims.clone();
    dims[along] = 0;
    let mut arrays = Vec::new();
    for index in 0..inputs.len() {
        let x = input(inputs, index)?;
        let fits = x.dims.len() == dims.len()
            && x.dims
                .iter()
                .zip(&dims)
                .enumerate()
                .all(|(i, (a, b))| i == along || a == b);
        if !fits {
            return invalid(format!("its input {index} does not fit the others"));
        }
        dims[along] = dims[along].saturating_add(x.dims[along]);
        arrays.push(x);
    }
    let total = elements(&dims).map_err(Fault::Invalid)?;
    // Empty parts are left out: there may be very many.
    let ints: Option<Vec<&[i64]>> = arrays.iter().map(|x| x.as_ints()).collect();
    arrays.retain(|x| x.len() > 0);
    let outer: usize = dims[..along].iter().product();
    let data = match ints {
        Some(mut parts) => {
            parts.retain(|x| !x.is_empty());
            Data::Int(join(&parts, outer, total))
        }
        None => {
            let floats: Vec<_> = arrays.iter().map(|x| x.as_floats()).collect();
            let parts: Vec<&[f32]> = floats.iter().map(AsRef::as_ref).collect();
            Data::Float(join(&parts, outer, total))
        }
    };
    Ok(Array { dims, data })
}

/// Joins parts, none of which is empty: the first of `outer` pieces of each part, then the second, and so on.
fn join<T: Copy>(parts: &[&[T]], outer: usize, total: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(total);
    let outer = if parts.is_empty() { 0 } else { outer };
    for o in 0..outer {
        for part in parts {
            let n = part.len() / outer;
            out.extend_from_slice(&part[o * n..(o + 1) * n]);
        }
    }
    out
}

pub(in crate::ops) fn gather(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let along = axis(node.int("axis", 0)?, x.dims.len())?;
    let Some(indices) = ints(inputs, 1)? else {
        return invalid("it has no indices");
    };
    let positions = indices
        .iter()
        .map(|&i| axis(i, x.dims[along]))
        .collect::<Result<Vec<_>, _>>()?;
    x.gathered(along, &input(inputs, 1)?.dims, &positions)
        .map_err(Fault::Invalid)
}

pub(in crate::ops) fn slice(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let argument = |i| ints(inputs, i).map(|v| v.map(<[i64]>::to_vec));
    let arguments = SliceArguments::new(node, argument)?;
    let spec = slice_spec(&x.dims, &arguments)?;
    x.sliced(&spec).map_err(Fault::Invalid)
}

pub(in crate::ops) fn reshape(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    let Some(wanted) = ints(inputs, 1)? else {
        return invalid("it has no shape");
    };
    x.reshaped(target(node, &x.dims, wanted)?)
        .map_err(Fault::Invalid)
}

pub(in crate::ops) fn flatten(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.reshaped(flat(node, &x.dims)?).map_err(Fault::Invalid)
}

pub(in crate::ops) fn squeeze(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.reshaped(squeezed(node, &x.dims, ints(inputs, 1)?)?)
        .map_err(Fault::Invalid)
}

pub(in crate::ops) fn unsqueeze(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.reshaped(unsqueezed(node, &x.dims, ints(inputs, 1)?)?)
        .map_err(Fault::Invalid)
}

pub(in crate::ops) fn transpose(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let x = input(inputs, 0)?;
    x.transposed(&permutation(node, x.dims.len())?)
        .map_err(Fault::Invalid)
}

pub(in crate::ops) fn shape(node: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    constant::dims(node, &input(inputs, 0)?.dims)
}

/// The number of values.
pub(in crate::ops) fn size(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let count = i64::try_from(input(inputs, 0)?.len()).unwrap_or(i64::MAX);
    Ok(Array {
        dims: Vec::new(),
        data: Data::Int(vec![count]),
    })
}

pub(in crate::ops) fn expand(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let (x, wanted) = (input(inputs, 0)?, ints(inputs, 1)?.unwrap_or_default());
    let dims: Option<Vec<usize>> = wanted.iter().map(|&d| usize::try_from(d).ok()).collect();
    let Some(dims) = dims else {
        return invalid("its shape is negative");
    };
    let dims = broadcast(&x.dims, &dims).map_err(Fault::Invalid)?;
    x.broadcast(&dims).map_err(Fault::Invalid)
}

pub(in crate::ops) fn tile(_: &Node<'_>, inputs: Inputs<'_>) -> Result<Array, Fault> {
    let (x, repeats) = (input(inputs, 0)?, ints(inputs, 1)?.unwrap_or_default());
    if repeats.len() != x.dims.len() {
        return invalid("its repeats do not fit its input");
    }
    let mut x = x.clone();
    for (along, &times) in repeats.iter().enumerate() {
        let times = usize::try_from(times).unwrap_or(0);
        let side = x.dims[along];
        let dims = [
            &x.dims[..along],
            &[side.saturating_mul(times)],
            &x.dims[along + 1..],
        ]
        .concat();
        elements(&dims).map_err(Fault::Invalid)?;
        let positions: Vec<usize> = (0..side * times).map(|i| i % side).collect();
        x = x
            .gathered(along, &[side * times], &positions)
            .map_err(Fault::Invalid)?;
    }
    Ok(x)
}
