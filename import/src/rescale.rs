//! The operations without weights that change the scale: products of values, and means that are divided.
//!
//! Each becomes an exact integer operation and a rounded truncation, as a linear layer does. A reciprocal
//! is a public integer. It has enough fractional bits that it makes a hard-sigmoid or a mean wrong by at
//! most half a unit of the result, and a hard-swish by at most one and a half; the truncation adds half
//! a unit. Division by a power of two is exact. A smooth function is a table, which rounds by itself; only the factor of a SELU is left.

use nets::{Curve, FloatGraph, Kind, Node, Op, PathStep, Rescaling, Shape};

use crate::Error;

/// Fractional bits of a sixth beyond those of the result.
const SIXTH_BITS: i32 = 2;

/// What such a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rescaled {
    /// An operation whose result always has a scale of its own.
    Operation(Rescaling),
    /// A mean that is divided at once.
    Mean,
}

/// How such a node is quantised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rescale {
    /// What it does.
    pub(crate) what: Rescaled,
    /// Fractional bits of the reciprocal.
    pub(crate) fraction: u32,
    /// Bits cut off afterwards.
    pub(crate) shift: u32,
}

/// For each node, what it does if it has no weights and its result has a scale of its own.
pub(crate) fn rescales(graph: &FloatGraph) -> Vec<Option<Rescaled>> {
    let feeds_sums = feeds_sums(graph);
    let rescales = |(index, node): (usize, &Node<Op>)| match node.op.kind() {
        Kind::Rescales(rescaling) => Some(Rescaled::Operation(rescaling)),
        Kind::Averages => {
            // A mean is divided at once if it cannot wait as a sum for a division in later weights:
            // because a consumer is no linear layer, or because the divisor differs from place to place.
            let (window, uniform) =
                (node.op.mean_window(*graph.input_type(index, 0))).expect("a pool has a window");
            let divides = !uniform || (window.area() > 1 && !feeds_sums[index]);
            divides.then_some(Rescaled::Mean)
        }
        Kind::Input
        | Kind::Linear
        | Kind::Constant
        | Kind::Norm
        | Kind::Moves
        | Kind::Joins
        | Kind::Acts => None,
    };
    graph.nodes().iter().enumerate().map(rescales).collect()
}

/// For each node, whether its values reach nothing but linear layers, factors and means, through operations that
/// do not change sums. Whether a mean of sums is divided is decided at that mean; but a mean of one value
/// divides nothing, and passes sums on.
fn feeds_sums(graph: &FloatGraph) -> Vec<bool> {
    let divides = |index: usize| {
        let op = &graph.nodes()[index].op;
        let window = op.mean_window(*graph.input_type(index, 0));
        window.is_some_and(|(window, _)| window.area() > 1)
    };
    graph.all_paths_end(|index, op| match op.kind() {
        Kind::Linear => PathStep::Ends,
        Kind::Averages if divides(index) => PathStep::Ends,
        // Its factor divides too.
        Kind::Rescales(Rescaling::Scale) => PathStep::Ends,
        Kind::Averages | Kind::Moves => PathStep::Passes,
        Kind::Input
        | Kind::Constant
        | Kind::Norm
        | Kind::Joins
        | Kind::Rescales(_)
        | Kind::Acts => PathStep::Blocks,
    })
}

/// What the quantisation of a node that rescales depends on.
pub(crate) struct Place<'a> {
    pub(crate) node: &'a Node<Op>,
    /// What the node does.
    pub(crate) what: Rescaled,
    /// Scales of its inputs.
    pub(crate) inputs: &'a [i32],
    /// Scale of its output.
    pub(crate) output: i32,
    /// Bits that hold its output.
    pub(crate) bits: u32,
    /// How many times too large the integers of its first input are.
    pub(crate) gain: f64,
    /// Shape of its first input.
    pub(crate) shape: Shape,
    /// Shape of its output.
    pub(crate) out: Shape,
    /// Fractional bits of its factor, where they are the whole way from its input to its output.
    pub(crate) fraction: Option<u32>,
}

impl Place<'_> {
    /// Fraction and shift.
    pub(crate) fn rescale(&self) -> Result<Rescale, Error> {
        if let Some(fraction) = self.fraction {
            return Ok(Rescale {
                what: self.what,
                fraction,
                shift: 0,
            });
        }
        let (sixth, input) = (self.output.max(0) + SIXTH_BITS, self.inputs[0]);
        let (fraction, scale) = match self.what {
            Rescaled::Operation(Rescaling::Gate) => (0, input + self.inputs[1]),
            Rescaled::Operation(Rescaling::HardSigmoid) => (sixth, self.fine()? + sixth),
            Rescaled::Operation(Rescaling::HardSwish) => (sixth, 2 * self.fine()? + sixth),
            Rescaled::Operation(Rescaling::Curve) => {
                let fraction = if let Op::Curve { curve: Curve::Selu } = self.node.op {
                    self.bits.cast_signed()
                } else {
                    0
                };
                (fraction, self.output + fraction)
            }
            Rescaled::Operation(Rescaling::Quantise) => (0, input),
            Rescaled::Operation(Rescaling::Scale) => {
                let fraction = self.factor_fraction();
                (fraction, input + fraction)
            }
            Rescaled::Mean => {
                let fraction = self.mean_fraction();
                (fraction, input + fraction)
            }
        };
        let shift = u32::try_from(scale - self.output);
        let shift = shift.expect("choose_scales() kept the scale of the output below");
        Ok(Rescale {
            what: self.what,
            fraction: fraction.cast_unsigned(),
            shift,
        })
    }

    /// The scale of the first input, at which 3 must be an integer.
    fn fine(&self) -> Result<i32, Error> {
        let scale = self.inputs[0];
        if scale < 0 {
            let problem = format!("its input needs fractional bits and has scale {scale}");
            return Err(Error::width(&self.node.name, problem));
        }
        Ok(scale)
    }

    /// Fractional bits of a public factor: enough that it makes the largest output wrong by at most half a unit.
    fn factor_fraction(&self) -> i32 {
        let Op::Scale { factor } = self.node.op else {
            unreachable!("the caller knows the operation")
        };
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm")]
        let log = (factor.abs() / self.gain).log2().floor() as i32;
        (self.bits.cast_signed() - 1 - log)
            .max(self.output - self.inputs[0])
            .max(0)
    }

    /// Fractional bits of the reciprocal of a mean: k where all windows have 2^k inputs, for then it is
    /// exact; elsewhere enough bits that it makes the largest output wrong by at most half a unit.
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
            // A mean of a grid has more fractional bits than its input.
            return log.max(self.output - self.inputs[0]);
        }
        log + self.bits.cast_signed() - 1
    }
}
