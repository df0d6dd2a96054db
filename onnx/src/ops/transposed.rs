//! Transposed convolution: rows and columns of zeros are put between those of the image, and a convolution with the
//! kernel turned by half a turn follows.

use nets::{Op, Window};

use super::conv::{groups, span};
use super::movement::{Zeros, with_zeros};
use super::{Outputs, feature};
use crate::array::{Array, Data, show};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;

pub(super) fn conv_transpose<'a>(context: &mut Context<'a>, node: &Node<'a>) -> Outputs {
    let x = context.image(node, 0)?;
    let weight = context.constant(node, 1)?;
    let [inputs, each, rows, columns] = weight.dims[..] else {
        return unsupported(format!("a weight of shape {}", show(&weight.dims)));
    };
    let groups = groups(node)?;
    if inputs != x.dims()[1] || !inputs.is_multiple_of(groups) || inputs == 0 {
        let (weight, channels) = (show(&weight.dims), x.dims()[1]);
        return invalid(format!("{weight} does not take {channels} channels"));
    }
    let outputs = each.saturating_mul(groups);
    let kernel = node.sizes("kernel_shape", [rows, columns])?;
    if kernel != [rows, columns] || kernel.contains(&0) {
        return invalid("its kernel_shape is not that of its weight");
    }
    let sides = [x.dims()[2], x.dims()[3]];
    let (stride, dilation, pads) = arguments(node, kernel, sides)?;
    // Zeros around the stretched image, as many as the kernel needs to reach every output.
    let mut zeros = Zeros {
        between: stride.map(|step| step - 1),
        around: [0; 4],
        cut: [0; 4],
    };
    let mut padding = [0; 4];
    for side in 0..4 {
        let reach = span(kernel[side % 2], dilation[side % 2]) - 1;
        match usize::try_from(pads[side]) {
            Ok(cut) if cut > reach => zeros.cut[side] = cut - reach,
            Ok(cut) => padding[side] = reach - cut,
            Err(_) => {
                padding[side] = reach;
                zeros.around[side] = usize::try_from(-pads[side]).unwrap_or(usize::MAX);
            }
        }
    }
    let label = node.label();
    let x = with_zeros(context, &format!("{label}.pad"), &x, zeros)?;
    let turned = turned(&weight, groups)?;
    let shape = vec![outputs, inputs / groups, rows, columns];
    let op = Op::Conv2d {
        out_channels: outputs,
        groups,
        window: Window {
            kernel,
            stride: [1, 1],
            padding,
            dilation,
        },
        weight: context.own(&label, "weight", shape, turned)?,
        bias: match context.optional(node, 2)? {
            Some(_) => Some(context.parameter(node, 2, &[outputs])?),
            None => None,
        },
    };
    feature(context.emit(&label, op, &x)?)
}

/// Stride, dilation, and what is cut off above, left, below and right of the full result; less than nothing where zeros
/// are added.
type Arguments = ([usize; 2], [usize; 2], [i64; 4]);

fn arguments(node: &Node<'_>, kernel: [usize; 2], sides: [usize; 2]) -> Result<Arguments, Fault> {
    let stride = node.sizes("strides", [1, 1])?;
    let dilation = node.sizes("dilations", [1, 1])?;
    if stride.contains(&0) || dilation.contains(&0) {
        return invalid("its stride or dilation is zero");
    }
    let more = node.sizes("output_padding", [0, 0])?;
    if (0..2).any(|i| more[i] > 0 && more[i] >= stride[i] && more[i] >= dilation[i]) {
        return unsupported("with an output_padding not smaller than its stride or dilation");
    }
    let auto = node.text("auto_pad", "NOTSET")?;
    let wanted = if node.has("output_shape") {
        let given = node.ints("output_shape").unwrap_or_default();
        let last = given.len().checked_sub(2).map(|at| &given[at..]);
        let sizes = last.map(|last| last.iter().map(|&v| usize::try_from(v).ok()).collect());
        let sizes: Option<Vec<usize>> = sizes.flatten();
        match sizes.map(<[usize; 2]>::try_from) {
            Some(Ok(sizes)) => Some(sizes),
            _ => return invalid("its output_shape are not two sizes"),
        }
    } else if matches!(auto, "SAME_UPPER" | "SAME_LOWER") {
        Some([0, 1].map(|i| sides[i].saturating_mul(stride[i])))
    } else {
        None
    };
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut pads = match auto {
        "NOTSET" | "" => node.sizes("pads", [0; 4])?,
        "VALID" | "SAME_UPPER" | "SAME_LOWER" => [0; 4],
        other => return invalid(format!("auto_pad {}", crate::node::readable(other))),
    }
    .map(signed);
    for i in 0..2 {
        match wanted {
            Some(wanted) => {
                let full = (sides[i] - 1)
                    .saturating_mul(stride[i])
                    .saturating_add(span(kernel[i], dilation[i]))
                    .saturating_add(more[i]);
                let total = signed(full) - signed(wanted[i]);
                if total < 0 {
                    // ONNX Runtime has a smaller result, or puts all that is missing at its end.
                    return unsupported(
                        "with an output beyond its windows, which readers of ONNX take differently",
                    );
                }
                let half = total.div_euclid(2);
                (pads[i], pads[i + 2]) = if auto == "SAME_UPPER" {
                    (half, total - half)
                } else {
                    (total - half, half)
                };
                pads[i + 2] -= signed(more[i]);
            }
            None => pads[i + 2] -= signed(more[i]),
        }
    }
    Ok((stride, dilation, pads))
}

/// The weights of the convolution: inputs and outputs change places within each group, and kernels are turned.
fn turned(weight: &Array, groups: usize) -> Result<Vec<f32>, Fault> {
    let [inputs, each, rows, columns] = weight.dims[..] else {
        return invalid("its weight has not four dimensions");
    };
    let [wanted, area] = [inputs / groups, rows * columns];
    let values = match &weight.data {
        Data::Float(values) => values,
        Data::Int(_) => return invalid("its weight is not of floats"),
    };
    let mut turned = Vec::with_capacity(values.len());
    for group in 0..groups {
        for output in 0..each {
            for input in 0..wanted {
                let from = ((group * wanted + input) * each + output) * area;
                turned.extend(values[from..from + area].iter().rev());
            }
        }
    }
    Ok(turned)
}
