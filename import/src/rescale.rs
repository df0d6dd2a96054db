//! The operations without weights that change the scale: products, and means that are divided.
//!
//! Each is an exact integer operation followed by a rounded truncation, as a linear layer is. A
//! reciprocal in it is a public integer, rounded to so many fractional bits that it makes a
//! hard-sigmoid or a mean wrong by at most half a unit of the result, a hard-swish by one and a half;
//! the truncation adds half a unit. A power of two divides exactly.

use nets::{FloatGraph, Kind, Node, Op, PathStep, Rescaling, Shape};

use crate::Error;

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

/// Which nodes have a scale of their own without having weights.
pub(crate) fn rescales(graph: &FloatGraph) -> Vec<bool> {
    let feeds_sums = feeds_sums(graph);
    let rescales = |(index, node): (usize, &Node<Op>)| match node.op.kind() {
        Kind::Rescales(_) => true,
        Kind::Averages => {
            // A mean that cannot wait as a sum for the division in later weights: something else than
            // a linear layer takes it, or what is divided by differs from place to place.
            let (window, uniform) =
                (node.op.mean_window(*graph.input_type(index, 0))).expect("a pool has a window");
            !uniform || (window.area() > 1 && !feeds_sums[index])
        }
        Kind::Input
        | Kind::Linear
        | Kind::Constant
        | Kind::Norm
        | Kind::Moves
        | Kind::Joins
        | Kind::Acts => false,
    };
    graph.nodes().iter().enumerate().map(rescales).collect()
}

/// For each node, whether its values reach nothing but linear layers and means, through operations
/// that sums pass unchanged. A mean of means is looked at by itself.
fn feeds_sums(graph: &FloatGraph) -> Vec<bool> {
    graph.all_paths_end(|_, op| match op.kind() {
        Kind::Linear | Kind::Averages => PathStep::Ends,
        Kind::Moves => PathStep::Passes,
        Kind::Input
        | Kind::Constant
        | Kind::Norm
        | Kind::Joins
        | Kind::Rescales(_)
        | Kind::Acts => PathStep::Blocks,
    })
}

/// What a node that rescales must know of its surroundings.
pub(crate) struct Place<'a> {
    pub(crate) node: &'a Node<Op>,
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
        let (fraction, scale) = match self.node.op.kind() {
            Kind::Rescales(Rescaling::Gate) => (0, self.inputs[0] + self.inputs[1]),
            Kind::Rescales(Rescaling::HardSigmoid) => (sixth, self.inputs[0] + sixth),
            Kind::Rescales(Rescaling::HardSwish) => (sixth, 2 * self.inputs[0] + sixth),
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
        let (window, counts_padding) = (self.node.op)
            .mean_window(self.shape)
            .expect("it is a mean");
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
