//! Other operators in the place of convolutions.

use nets::{IntGraph, IntOp, Window, truncation};
use xop::{Operation, Spatial, XOp};

use super::kind::Conv;
use super::rewrite::Rewrite;

/// Groups of a 1 × 1 convolution.
const GROUPS: usize = 4;

/// Puts X-operators with r = 1/2 and g = 1 in the place of dense k × k convolutions, but for the first and the last layer.
pub(super) fn x_operator(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let graph = rewrite.graph();
    let conv = rewrite.conv(node).filter(|_| !rewrite.is_end(node));
    let found = conv.and_then(|conv| Some((conv, lowered(graph, node, conv)?)));
    let Some((conv, steps)) = found else {
        return false;
    };
    let Some(cut) = truncation(graph, node) else {
        return false;
    };
    let x = graph.nodes()[node].inputs[0];
    let to = graph.types()[x].bits().get();
    let mut values = vec![rewrite.place(x)];
    for step in steps {
        let inputs: Vec<usize> = step.inputs.iter().map(|&i| values[i]).collect();
        let suffix = format!(".{}", step.operation.name());
        let shift = cut.shift;
        let rounded = true;
        let op = match step.operation {
            Operation::Shuffle { groups } => IntOp::ChannelShuffle { groups },
            Operation::Slice { start, channels } => IntOp::Slice { start, channels },
            Operation::Subsample { stride } => IntOp::Subsample { stride },
            Operation::Concat => IntOp::Concat,
            Operation::Depthwise(spec) => part(conv, &spec, shift.cast_signed()).op(),
            Operation::Pointwise(spec) => part(conv, &spec, conv.weight_scale).op(),
            Operation::Rescale if cut.narrows => IntOp::TruncReduce { shift, rounded },
            Operation::Rescale => IntOp::Trunc { shift, rounded },
        };
        let mut new = rewrite.push(node, &suffix, op, &inputs);
        if step.operation == Operation::Rescale && cut.narrows {
            new = rewrite.push(node, ".extend", IntOp::Extend { to }, &[new]);
        }
        values.push(new);
    }
    rewrite.stand_in(node, values[values.len() - 1]);
    rewrite.count();
    true
}

/// Divides dense 1 × 1 convolutions into groups. The shuffles of channels that belong to them are free.
pub(super) fn grouped(rewrite: &mut Rewrite<'_>, node: usize) -> bool {
    let graph = rewrite.graph();
    let Some(conv) = rewrite.conv(node) else {
        return false;
    };
    let channels = [conv.in_channels, conv.out_channels];
    let divided = channels.iter().all(|c| c.is_multiple_of(GROUPS));
    if !conv.is_pointwise() || !conv.is_dense() || !divided {
        return false;
    }
    let groups = GROUPS;
    let x = rewrite.place(graph.nodes()[node].inputs[0]);
    let new = rewrite.push(node, "", Conv { groups, ..conv }.op(), &[x]);
    rewrite.stand_in(node, new);
    rewrite.count();
    true
}

/// The steps of the X-operator for a convolution, if there is one.
fn lowered(graph: &IntGraph, node: usize, conv: Conv) -> Option<Vec<xop::Step>> {
    let (x, out) = (graph.input_type(node, 0).shape, graph.types()[node].shape);
    let Window { kernel, stride, .. } = conv.window;
    let square = kernel[0] == kernel[1] && stride[0] == stride[1] && !conv.window.is_dilated();
    if !conv.is_dense() || conv.is_pointwise() || !square {
        return None;
    }
    let channels = [conv.in_channels, conv.out_channels];
    let op = XOp::new(channels, kernel[0], stride[0], Spatial::Half, 1).ok()?;
    let input = [x.height, x.width];
    // Only where it is padded to keep the size.
    let same = op.output(input) == [out.height, out.width];
    op.lower(input).ok().filter(|_| same)
}

/// A convolution of an X-operator.
const fn part(whole: Conv, spec: &linear::ConvSpec, weight_scale: i32) -> Conv {
    let [in_channels, ..] = spec.input_shape();
    let [out_channels, ..] = spec.weight_shape();
    Conv {
        in_channels,
        out_channels,
        groups: spec.groups(),
        window: Window {
            kernel: spec.kernel(),
            stride: spec.stride(),
            padding: spec.padding(),
            dilation: [1; 2],
        },
        weight_bits: whole.weight_bits,
        weight_scale,
    }
}
