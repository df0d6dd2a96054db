//! Operators that take some of the values, repeat them, or put others around them.

use nets::Shape;

use super::form::{realize, scaled};
use super::{Outputs, feature};
use crate::array::Array;
use crate::context::{Context, MAX_PLACES, Taken};
use crate::error::{Fault, invalid, unsupported};
use crate::layout::{Layout, broadcast};
use crate::node::{Node, axis};
use crate::value::{Feature, Form, Value};

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

/// Some of the places of each axis, at a step, which may go backwards.
pub(super) fn slice<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let arguments = SliceArguments::new(node, |i| context.ints(node, i))?;
    let x = context.plain(node, 0)?;
    let spec = slice_spec(x.dims(), &arguments)?;
    let places = |&(start, count, step): &(usize, usize, isize)| {
        let place = |i: usize| start.wrapping_add_signed(i.cast_signed().wrapping_mul(step));
        (0..count).map(|i| Some(place(i))).collect()
    };
    let taken = (spec.iter().zip(x.dims()))
        .map(|(spec, &side)| (*spec != (0, side, 1)).then(|| places(spec)))
        .collect();
    feature(context.picked(&node.label(), &x, taken)?)
}

/// Places of one axis by their numbers.
pub(super) fn gather<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let indices = context.constant(node, 1)?;
    let viewed = context.viewed(node, 0)?;
    if viewed.form == Form::Batched {
        let first = first_image(context, &viewed, &indices)?;
        let x = viewed.with(Form::Itself, 1.0, 0.0, node.label());
        return gathered(context, node, &x, 0, &first);
    }
    let x = context.plain(node, 0)?;
    let along = axis(node.int("axis", 0)?, x.dims().len())?;
    gathered(context, node, &x, along, &indices)
}

/// The indices of the first image, where those of every image are the same within its own values.
fn first_image(context: &Context<'_>, x: &Feature, indices: &Array) -> Result<Array, Fault> {
    let each = x.layout.len();
    let (Some(batch), Some(all)) = (context.batch_of(-1, each), indices.as_ints()) else {
        return invalid("its indices are not integers");
    };
    let stride = i64::try_from(each).unwrap_or(i64::MAX);
    let count = all.len() / batch;
    let own = |i: usize| {
        let from = all[i % count]
            .saturating_add(stride.saturating_mul(i64::try_from(i / count).unwrap_or(i64::MAX)));
        (0..stride).contains(&all[i % count]) && all[i] == from
    };
    let rows = indices.dims.first() == Some(&batch) && count > 0;
    if !rows || !(0..all.len()).all(own) {
        return unsupported("that mixes the images of a fixed batch");
    }
    let mut spec: Vec<_> = indices.dims.iter().map(|&d| (0, d, 1)).collect();
    spec[0].1 = 1;
    indices.sliced(&spec).map_err(Fault::Invalid)
}

/// Slices by the numbers of their first places, where these are places of one axis.
pub(super) fn gather_nd<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.plain(node, 0)?;
    let indices = context.constant(node, 1)?;
    let batch = usize::try_from(node.int("batch_dims", 0)?).unwrap_or(usize::MAX);
    let (Some((&1, list)), true) = (indices.dims.split_last(), batch < x.dims().len()) else {
        return unsupported("of single values");
    };
    if batch > list.len() || x.dims()[..batch].iter().any(|&side| side != 1) {
        return unsupported("with batches");
    }
    let places = list[batch..].to_vec();
    let indices = indices.reshaped(places).map_err(Fault::Invalid)?;
    gathered(context, node, &x, batch, &indices)
}

fn gathered<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    x: &Feature,
    along: usize,
    indices: &Array,
) -> Outputs {
    let Some(wanted) = indices.as_ints() else {
        return invalid("its indices are not integers");
    };
    let places = wanted.iter().map(|&at| axis(at, x.dims()[along]).map(Some));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let dims = [&x.dims()[..along], &indices.dims, &x.dims()[along + 1..]].concat();
    let mut taken: Vec<Taken> = vec![None; x.dims().len()];
    taken[along] = Some(places);
    let label = node.label();
    let y = context.picked(&label, x, taken)?;
    feature(context.reshaped(&label, &y, &dims)?)
}

pub(super) fn split<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let dims = match context.value(node, 0) {
        Some(Value::Const(array)) => array.dims.clone(),
        _ => context.viewed(node, 0)?.dims().to_vec(),
    };
    let along = axis(node.int("axis", 0)?, dims.len())?;
    let (side, parts) = (dims[along], node.proto.output.len());
    let given = node.ints("split").map(<[i64]>::to_vec);
    let sizes: Vec<usize> = match given.map_or_else(|| context.ints(node, 1), |s| Ok(Some(s)))? {
        Some(sizes) => (sizes.iter())
            .map(|&s| usize::try_from(s).unwrap_or(usize::MAX))
            .collect(),
        None if parts == 0 => return invalid("it has no outputs"),
        None => {
            let each = side.div_ceil(parts);
            (0..parts)
                .map(|i| side.saturating_sub(i * each).min(each))
                .collect()
        }
    };
    let total = sizes.iter().try_fold(0_usize, |sum, &s| sum.checked_add(s));
    if sizes.len() != parts || total != Some(side) || sizes.contains(&0) {
        return invalid(format!("{side} places do not split so"));
    }
    let mut outputs = Vec::new();
    let mut start = 0;
    for size in sizes {
        let value = if let Some(Value::Const(array)) = context.value(node, 0) {
            let mut spec: Vec<_> = dims.iter().map(|&d| (0, d, 1)).collect();
            spec[along] = (start, size, 1);
            Value::Const(array.sliced(&spec).map_err(Fault::Invalid)?.into())
        } else {
            let x = context.plain(node, 0)?;
            let mut taken: Vec<Taken> = vec![None; dims.len()];
            taken[along] = Some((start..start + size).map(Some).collect());
            Value::Feature(context.picked(&node.label(), &x, taken)?)
        };
        outputs.push(value);
        start += size;
    }
    Ok(outputs)
}

/// Tensors one after the other along an axis, which becomes the channels of their nodes.
pub(super) fn concat<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let mut parts = Vec::new();
    for index in 0..node.proto.input.len() {
        if node.input(index).is_some() {
            parts.push(context.plain(node, index)?);
        }
    }
    let Some(first) = parts.first() else {
        return invalid("it has no inputs");
    };
    let mut dims = first.dims().to_vec();
    let along = axis(node.int("axis", 1)?, dims.len())?;
    let others: Vec<usize> = (0..dims.len()).filter(|&a| a != along).collect();
    let mut total = 0_usize;
    for part in &parts {
        let fits =
            part.dims().len() == dims.len() && others.iter().all(|&a| part.dims()[a] == dims[a]);
        if !fits {
            let shape = crate::array::show(part.dims());
            return invalid(format!("{shape} does not fit the others"));
        }
        total = total.saturating_add(part.dims()[along]);
    }
    if let [one] = parts.as_slice() {
        return feature(one.clone());
    }
    let (label, order) = (node.label(), [vec![along], others].concat());
    let mut inputs = Vec::new();
    let mut plane = None;
    for part in &parts {
        let led = context.led(&label, part, &[along])?;
        let now = context.shapes[led.node];
        let [height, width] = *plane.get_or_insert([now.height, now.width]);
        let shape = Shape::new(now.channels, height, width);
        inputs.push(context.arranged(&label, &led, &order, shape)?.node);
    }
    let joined = context.emit_joined(&label, nets::Op::Concat, &inputs)?;
    dims[along] = total;
    let sides = order.iter().map(|&a| dims[a]).collect();
    feature(Feature {
        layout: Layout::row_major(sides).restored(&order),
        ..joined
    })
}

/// Values repeated along axes of length one.
pub(super) fn expand<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let Some(mut wanted) = context.ints(node, 1)? else {
        return invalid("it has no shape");
    };
    context.one_image(&mut wanted);
    let wanted: Option<Vec<usize>> = wanted.iter().map(|&d| usize::try_from(d).ok()).collect();
    let Some(wanted) = wanted else {
        return invalid("its shape is negative");
    };
    let x = context.plain(node, 0)?;
    let dims = broadcast(x.dims(), &wanted).map_err(Fault::Invalid)?;
    feature(context.expanded(&node.label(), &x, &dims)?)
}

/// The whole tensor several times along each axis.
pub(super) fn tile<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let Some(repeats) = context.ints(node, 1)? else {
        return invalid("it has no repeats");
    };
    let x = context.plain(node, 0)?;
    if repeats.len() != x.dims().len() {
        return invalid("its repeats do not fit its input");
    }
    let mut taken = Vec::new();
    for (&side, &times) in x.dims().iter().zip(&repeats) {
        let times = usize::try_from(times).unwrap_or(0);
        let count = side.checked_mul(times);
        taken.push(match count {
            Some(count) if (1..=MAX_PLACES).contains(&count) => {
                (times > 1).then(|| (0..count).map(|i| Some(i % side)).collect())
            }
            _ => return invalid("its repeats are too large, or none"),
        });
    }
    feature(context.picked(&node.label(), &x, taken)?)
}

/// Values around a tensor: zeros or another constant, or its own, mirrored or repeated.
pub(super) fn pad<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let rank = context.viewed(node, 0)?.dims().len();
    let value = match context.optional(node, 2)? {
        Some(value) => value.scalar(),
        None => Some(node.float("value", 0.0)?),
    };
    let Some(value) = value else {
        return invalid("its value is not one number");
    };
    let pads = node.ints("pads").map(<[i64]>::to_vec);
    let Some(pads) = pads.map_or_else(|| context.ints(node, 1), |p| Ok(Some(p)))? else {
        return invalid("it has no pads");
    };
    let axes = match context.ints(node, 3)? {
        Some(axes) => axes,
        None => (0..).take(rank).collect(),
    };
    if pads.len() != 2 * axes.len() || axes.len() > rank {
        return invalid("its pads and axes do not fit together");
    }
    let mut around = vec![[0_i64; 2]; rank];
    for (i, &along) in axes.iter().enumerate() {
        let along = axis(along, rank)?;
        for (side, at) in [i, i + axes.len()].into_iter().enumerate() {
            if pads[at].unsigned_abs() > MAX_PLACES as u64 {
                return invalid("its pads are too large");
            }
            around[along][side] = pads[at];
        }
    }
    let mode = node.text("mode", "constant")?;
    if around.iter().all(|side| *side == [0, 0]) {
        return feature(context.viewed(node, 0)?);
    }
    let x = context.plain(node, 0)?;
    let label = node.label();
    if let (&[[0, 0], [0, 0], [top, bottom], [left, right]], "constant") = (&around[..], mode)
        && let [Ok(top), Ok(left), Ok(bottom), Ok(right)] =
            [top, left, bottom, right].map(usize::try_from)
    {
        let x = context.as_image(&label, &x)?;
        let [_, c, h, w] = x.dims()[..] else {
            return invalid("it has not four dimensions");
        };
        let padded = vec![1, c, h + top + bottom, w + left + right];
        crate::array::elements(&padded).map_err(Fault::Unsupported)?;
        let layout = Layout::row_major(padded);
        let form = Form::Padded([top, left, bottom, right], value);
        return feature(Feature { layout, ..x }.with(form, 1.0, 0.0, label));
    }
    let mut taken = Vec::new();
    for (&side, &[before, after]) in x.dims().iter().zip(&around) {
        let changed = [before, after] != [0, 0];
        taken.push(if changed {
            Some(places_around(side, before, after, mode)?)
        } else {
            None
        });
    }
    feature(filled(context, &label, x, taken, value, mode)?)
}

/// The places of an axis with others before and after, which are taken away where there are fewer than none.
fn places_around(
    side: usize,
    before: i64,
    after: i64,
    mode: &str,
) -> Result<Vec<Option<usize>>, Fault> {
    let length = i64::try_from(side).unwrap_or(i64::MAX);
    let inside = |at: i64| usize::try_from(at).ok().filter(|&at| at < side);
    // Whether what is taken away counts for what comes round is not the same everywhere.
    if mode == "wrap" && (before < 0 || after < 0) {
        return unsupported("mode wrap that takes values away");
    }
    let mut places = Vec::new();
    for at in -before..length.saturating_add(after) {
        places.push(match mode {
            "constant" => inside(at),
            "edge" => inside(at.clamp(0, length - 1)),
            "wrap" => inside(at.rem_euclid(length)),
            "reflect" => {
                let mirrored = if at < 0 {
                    -at
                } else if at >= length {
                    2 * (length - 1) - at
                } else {
                    at
                };
                match inside(mirrored) {
                    Some(place) => Some(place),
                    None => return unsupported("by more than there is to reflect"),
                }
            }
            other => return unsupported(format!("mode {}", crate::node::readable(other))),
        });
    }
    Ok(places)
}

/// Some of the places of each axis, and a value where there is none.
fn filled(
    context: &mut Context<'_>,
    label: &str,
    x: Feature,
    taken: Vec<Taken>,
    value: f32,
    mode: &str,
) -> Result<Feature, Fault> {
    if mode != "constant" || value == 0.0 {
        return context.picked(label, &x, taken);
    }
    if !value.is_finite() || value.abs() > 1e30 {
        return unsupported(format!("with {value}"));
    }
    // Zeros are put around x − value.
    let shift = |context: &mut Context<'_>, x, by: f32| {
        let x = scaled(context, x, 1.0, by.into(), label.to_owned())?;
        realize(context, x)
    };
    let x = shift(context, x, -value)?;
    let y = context.picked(label, &x, taken)?;
    shift(context, y, value)
}

/// A constant around an image, as a node of the network.
pub(super) fn pad_with(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    around: [usize; 4],
    value: f32,
) -> Result<Feature, Fault> {
    let x = context.unpadded(x, around)?;
    let taken = Zeros::around(around).places(x.dims())?;
    filled(context, label, x, taken, value, "constant")
}

/// Zeros between and around the rows and columns of an image, and what is cut off of them then.
pub(super) struct Zeros {
    /// Zeros between neighbours, down and right.
    pub(super) between: [usize; 2],
    /// Zeros above, left, below, right.
    pub(super) around: [usize; 4],
    /// What is cut off above, left, below, right.
    pub(super) cut: [usize; 4],
}

impl Zeros {
    pub(super) const fn around(around: [usize; 4]) -> Self {
        Self {
            between: [0; 2],
            around,
            cut: [0; 4],
        }
    }

    fn places(&self, dims: &[usize]) -> Result<Vec<Taken>, Fault> {
        let mut taken = vec![None; 4];
        for (i, &size) in dims.iter().skip(2).enumerate() {
            let step = self.between[i].saturating_add(1);
            let (before, after) = (self.around[i], self.around[i + 2]);
            let length = (size - 1)
                .saturating_mul(step)
                .saturating_add(1)
                .saturating_add(before)
                .saturating_add(after);
            if length > MAX_PLACES {
                return unsupported("with very many zeros");
            }
            let place = |at: usize| {
                let at = at.checked_sub(before)?;
                (at.is_multiple_of(step) && at / step < size).then_some(at / step)
            };
            let end = length.saturating_sub(self.cut[i + 2]);
            taken[i + 2] = Some((self.cut[i]..end).map(place).collect());
        }
        Ok(taken)
    }
}

/// An image with such zeros, as an image.
pub(super) fn with_zeros(
    context: &mut Context<'_>,
    label: &str,
    x: &Feature,
    zeros: Zeros,
) -> Result<Feature, Fault> {
    let taken = zeros.places(x.dims())?;
    let x = context.picked(label, x, taken)?;
    context.as_image(label, &x)
}
