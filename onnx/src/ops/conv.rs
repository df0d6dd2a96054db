//! Convolution, and the windows it shares with pooling.

use nets::{Op, Window};

use super::{Outputs, feature};
use crate::array::show;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::{Feature, Form};

pub(super) fn conv<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let (x, around) = padded(context, node)?;
    let weight = context.constant(node, 1)?.dims.clone();
    let [outputs, inputs, rows, columns] = weight[..] else {
        return unsupported(format!("a weight of shape {}", show(&weight)));
    };
    let groups = groups(node)?;
    if inputs.checked_mul(groups) != Some(x.dims()[1]) || !outputs.is_multiple_of(groups) {
        let (weight, channels) = (show(&weight), x.dims()[1]);
        return invalid(format!(
            "{groups} groups of {weight} do not take {channels} channels"
        ));
    }
    let kernel = node.sizes("kernel_shape", [rows, columns])?;
    if kernel != [rows, columns] {
        return invalid("its kernel_shape is not that of its weight");
    }
    let window = window(node, kernel, &x, around)?;
    let weight = context.parameter(node, 1, &[outputs, inputs, rows, columns])?;
    let bias = match context.optional(node, 2)? {
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
    feature(context.emit(&node.label(), op, &x)?)
}

pub(super) fn groups(node: &Node<'_>) -> Result<usize, Fault> {
    match node.int("group", 1).map(usize::try_from)? {
        Ok(groups) if groups > 0 => Ok(groups),
        _ => invalid("its number of groups is not positive"),
    }
}

/// How many rows or columns lie under a kernel with gaps.
pub(super) fn span(kernel: usize, dilation: usize) -> usize {
    (kernel - 1).saturating_mul(dilation).saturating_add(1)
}

/// An image, and the zeros that are still to be put around it.
pub(super) fn padded<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
) -> Result<(Feature, [usize; 4]), Fault> {
    let x = context.viewed(node, 0)?;
    if let Form::Padded(around, 0.0) = x.form {
        let inner = x.with(Form::Itself, 1.0, 0.0, node.label());
        let image = context.unpadded(&inner, around)?;
        return Ok((context.as_image(&node.label(), &image)?, around));
    }
    Ok((context.image(node, 0)?, [0; 4]))
}

/// The window of a convolution or pool, where so many zeros are still to be put around the image.
pub(super) fn window(
    node: &Node<'_>,
    kernel: [usize; 2],
    x: &Feature,
    around: [usize; 4],
) -> Result<Window, Fault> {
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
            let side = x.dims()[2 + i] + around[i] + around[i + 2];
            let reach = (side.div_ceil(stride[i]) - 1).saturating_mul(stride[i]);
            let span = span(kernel[i], dilation[i]);
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
        "NOTSET" | "" => node.sizes("pads", [0; 4])?,
        "VALID" => [0; 4],
        "SAME_UPPER" => same(true),
        "SAME_LOWER" => same(false),
        other => return invalid(format!("auto_pad {}", crate::node::readable(other))),
    };
    padding
        .iter_mut()
        .zip(around)
        .for_each(|(p, more)| *p = p.saturating_add(more));
    Ok(Window {
        kernel,
        stride,
        padding,
        dilation,
    })
}
