//! Convolution, and the windows it shares with pooling.

use nets::{Op, Shape, Window};

use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::{Feature, View};

pub(super) fn conv<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = padded(context, node)?;
    let weight = context.constant(node, 1)?;
    let [outputs, inputs, rows, columns] = weight.dims[..] else {
        return unsupported(format!("a weight of shape {}", show(&weight.dims)));
    };
    let [groups] = match node.int("group", 1).map(usize::try_from)? {
        Ok(groups) if groups > 0 => [groups],
        _ => return invalid("its number of groups is not positive"),
    };
    if inputs.checked_mul(groups) != Some(x.dims[1]) || !outputs.is_multiple_of(groups) {
        let (weight, channels) = (show(&weight.dims), x.dims[1]);
        return invalid(format!(
            "{groups} groups of {weight} do not take {channels} channels"
        ));
    }
    let kernel = node.sizes("kernel_shape", [rows, columns])?;
    if kernel != [rows, columns] {
        return invalid("its kernel_shape is not that of its weight");
    }
    let window = window(node, kernel, &x)?;
    let weight = context.parameter(node, 1, &[outputs, inputs, rows, columns])?;
    let bias = match node.input(2) {
        Some(_) => Some(context.parameter(node, 2, &[outputs])?),
        None => None,
    };
    let op = Op::Conv2d {
        out_channels: outputs,
        groups,
        window,
        weight,
        bias,
    };
    feature(context.emit(&node.label(), op, &x, None)?)
}

/// An image, around which zeros may still have to be added.
pub(super) fn padded<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Result<Feature, Fault> {
    let x = context.viewed(node, 0)?;
    if matches!(x.view, View::Padded(_)) && x.dims.len() == 4 {
        return Ok(x);
    }
    context.image(node, 0)
}

/// The window of a convolution or pool, including zeros that are still to be added around the image.
pub(super) fn window(node: &Node<'_>, kernel: [usize; 2], x: &Feature) -> Result<Window, Fault> {
    let stride = node.sizes("strides", [1, 1])?;
    let mut dilation = node.sizes("dilations", [1, 1])?;
    if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
        return invalid("its kernel, stride or dilation is zero");
    }
    for i in 0..2 {
        // With a single row or column, dilation means nothing.
        dilation[i] = if kernel[i] == 1 { 1 } else { dilation[i] };
    }
    let same = |late: bool| {
        let mut pads = [0; 4];
        for i in 0..2 {
            let side = x.dims[2 + i];
            let reach = (side.div_ceil(stride[i]) - 1).saturating_mul(stride[i]);
            let span = (kernel[i] - 1)
                .saturating_mul(dilation[i])
                .saturating_add(1);
            let total = reach.saturating_add(span).saturating_sub(side);
            let less = total / 2;
            (pads[i], pads[i + 2]) = if late {
                (less, total - less)
            } else {
                (total - less, less)
            };
        }
        pads
    };
    let mut padding = match node.text("auto_pad", "NOTSET")? {
        "NOTSET" => node.sizes("pads", [0; 4])?,
        "VALID" => [0; 4],
        "SAME_UPPER" => same(true),
        "SAME_LOWER" => same(false),
        other => return invalid(format!("auto_pad {}", crate::node::readable(other))),
    };
    if let View::Padded(more) = x.view {
        padding
            .iter_mut()
            .zip(more)
            .for_each(|(p, m)| *p = p.saturating_add(m));
    }
    Ok(Window {
        kernel,
        stride,
        padding,
        dilation,
    })
}

/// The shape of the image itself, without the zeros around it.
pub(super) fn inner(x: &Feature) -> Shape {
    let [top, left, bottom, right] = if let View::Padded(p) = x.view {
        p
    } else {
        [0; 4]
    };
    Shape::new(
        x.dims[1],
        x.dims[2] - top - bottom,
        x.dims[3] - left - right,
    )
}
