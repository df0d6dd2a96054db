//! The operations without weights that change the scale: products, and means that are divided.
//!
//! Each is an exact integer operation followed by a rounded truncation, as a linear layer is. A
//! reciprocal in it is a public integer, rounded to so many fractional bits that it makes a
//! hard-sigmoid or a mean wrong by at most half a unit of the result, a hard-swish by one and a half;
//! the truncation adds half a unit. A power of two divides exactly.

use crate::graph::{Graph, Op};
use crate::shape::{Shape, Window};
use crate::{Error, Node};

/// Fractional bits of a sixth beyond those of the result.
const SIXTH_BITS: i32 = 2;

/// How such a node is quantised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rescale {
    /// Fractional bits of the reciprocal.
    pub(crate) fraction: u32,
    /// Bits cut off afterwards.
    pub(crate) shift: u32,
}

/// A mean: its window, and whether padding counts.
pub(crate) fn mean(op: &Op, x: Shape) -> Option<(Window, bool)> {
    match *op {
        Op::AvgPool {
            window,
            counts_padding,
        } => Some((window, counts_padding || !window.is_padded())),
        Op::GlobalAvgPool => Some((Window::whole(x), true)),
        _ => None,
    }
}

/// Which nodes have a scale of their own without having weights.
pub(crate) fn rescales(graph: &Graph, shapes: &[Shape]) -> Vec<bool> {
    let rescales = |(index, node): (usize, &Node)| match node.op {
        Op::HardSigmoid | Op::HardSwish | Op::Gate => true,
        _ => is_divided(graph, shapes, index),
    };
    graph.nodes.iter().enumerate().map(rescales).collect()
}

/// Whether a node is a mean that cannot wait as a sum for the division in later weights: something
/// else than a linear layer takes it, or what is divided by differs from place to place.
fn is_divided(graph: &Graph, shapes: &[Shape], node: usize) -> bool {
    let float = &graph.nodes[node];
    let Some(&input) = float.inputs.first() else {
        return false;
    };
    let Some((window, uniform)) = mean(&float.op, shapes[input]) else {
        return false;
    };
    !uniform || (window.area() > 1 && !feeds_sums(graph, node))
}

/// Whether a node's values reach nothing but linear layers and means, through operations that sums
/// pass unchanged.
fn feeds_sums(graph: &Graph, node: usize) -> bool {
    let mut takers = (graph.nodes.iter().enumerate()).filter(|(_, n)| n.inputs.contains(&node));
    let good = |(index, taker): (usize, &Node)| match taker.op {
        Op::Conv2d { .. } | Op::Linear { .. } => true,
        // A mean of means is looked at by itself.
        Op::AvgPool { .. } | Op::GlobalAvgPool => true,
        Op::ChannelShuffle { .. }
        | Op::Slice { .. }
        | Op::Flatten
        | Op::Subsample { .. }
        | Op::PadChannels { .. } => feeds_sums(graph, index),
        _ => false,
    };
    node + 1 < graph.nodes.len() && takers.all(good)
}

/// What a node that rescales must know of its surroundings.
pub(crate) struct Place<'a> {
    pub(crate) node: &'a Node,
    /// Scales of its inputs.
    pub(crate) inputs: &'a [i32],
    /// Scale of its output.
    pub(crate) output: i32,
    /// Bits that hold its output.
    pub(crate) bits: u32,
    /// The integers of its first input are this many times too large.
    pub(crate) gain: f64,
    /// Shape of its first input.
    pub(crate) shape: Shape,
    /// Shape of its output.
    pub(crate) out: Shape,
}

impl Place<'_> {
    /// Fraction and shift.
    pub(crate) fn rescale(&self) -> Result<Rescale, Error> {
        let sixth = self.output.max(0) + SIXTH_BITS;
        let (fraction, scale) = match self.node.op {
            Op::Gate => (0, self.inputs[0] + self.inputs[1]),
            Op::HardSigmoid => (sixth, self.inputs[0] + sixth),
            Op::HardSwish => (sixth, 2 * self.inputs[0] + sixth),
            _ => {
                let fraction = self.mean_fraction();
                (fraction, self.inputs[0] + fraction)
            }
        };
        if matches!(self.node.op, Op::HardSigmoid | Op::HardSwish) && self.inputs[0] < 0 {
            // 3 would be no multiple of its unit.
            let problem = format!(
                "it needs fractional bits, its input has scale {}",
                self.inputs[0]
            );
            return Err(Error::width(&self.node.name, problem));
        }
        let shift = u32::try_from(scale - self.output);
        let shift = shift.expect("choose() kept the scale of the output below");
        let fraction = fraction.cast_unsigned();
        Ok(Rescale { fraction, shift })
    }

    /// Where all windows have 2^k inputs, k: the reciprocal is exact. Else so many bits that the
    /// reciprocal is wrong by at most half a unit of the largest output.
    fn mean_fraction(&self) -> i32 {
        let (window, counts_padding) = mean(&self.node.op, self.shape).expect("it is a mean");
        let counts = match counts_padding {
            true => vec![window.area()],
            false => window.covered(self.shape, self.out),
        };
        #[expect(clippy::cast_precision_loss, reason = "windows are small")]
        let divisors = || counts.iter().map(|&count| count as f64 * self.gain);
        let most = divisors().fold(1.0, f64::max);
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm")]
        let log = most.log2().ceil() as i32;
        if divisors().all(|divisor| divisor == 2f64.powi(log)) {
            return log;
        }
        log + self.bits.cast_signed() - 1
    }
}
