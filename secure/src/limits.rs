//! How large a network may be, so that a graph of a stranger is refused before anything is spent on it.

use channel::Cost;
use nets::{IntGraph, IntOp, LayerShape, Shape, Window};

use crate::Error;

/// The most that a network may take, summed over all its nodes. What exceeds one of these is refused in time linear
/// in the nodes, and before memory is taken for it.
///
/// The default has room for the convolutional networks in use, on images of 512 × 512: VGG, ResNet-152 and
/// DenseNet-161, also where every product is made by oblivious transfer. It bounds what a *plan* takes; what a session
/// may send is up to whoever starts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct Limits {
    /// Values of all tensors, and values under all windows of pools.
    pub values: u64,
    /// Positions of the kernels of all convolutions, of which a 3 × 3 kernel has nine.
    pub kernel_positions: u64,
    /// Products of a bit of a weight with an activation, those with padding included.
    pub products: u64,
    /// Flights of a run.
    pub flights: u64,
    /// Online bytes of a run, in both directions.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            values: 1 << 33,
            kernel_positions: 1 << 18,
            products: 1 << 43,
            flights: 1 << 20,
            bytes: 1 << 43,
        }
    }
}

impl Limits {
    /// No limit at all, for graphs of one's own.
    pub const NONE: Self = Self {
        values: u64::MAX,
        kernel_positions: u64::MAX,
        products: u64::MAX,
        flights: u64::MAX,
        bytes: u64::MAX,
    };

    /// Checks what can be counted without planning a layer.
    pub(crate) fn check_graph(&self, graph: &IntGraph) -> Result<(), Error> {
        let (mut values, mut positions, mut products) = (0_u64, 0_u64, 0_u64);
        for (index, node) in graph.nodes().iter().enumerate() {
            let out = graph.types()[index].shape;
            values = values.saturating_add(out.len() as u64);
            match &node.op {
                IntOp::Linear {
                    shape, weight_bits, ..
                } => {
                    let (groups, window) = shape.window();
                    let inputs = match shape {
                        LayerShape::Conv { .. } => {
                            graph.input_type(index, 0).shape.channels / groups
                        }
                        LayerShape::FullyConnected { .. } => graph.input_type(index, 0).shape.len(),
                    };
                    let each = (inputs as u64)
                        .saturating_mul(window.area() as u64)
                        .saturating_mul((*weight_bits).into());
                    products = products.saturating_add(each.saturating_mul(out.len() as u64));
                    positions = positions.saturating_add(window.area() as u64);
                }
                IntOp::MaxPool { window }
                | IntOp::SumPool { window }
                | IntOp::MeanPool { window, .. } => {
                    values = values.saturating_add(covered(out, *window));
                }
                IntOp::Input { .. }
                | IntOp::Extend { .. }
                | IntOp::Narrow { .. }
                | IntOp::Claim
                | IntOp::TruncReduce { .. }
                | IntOp::Trunc { .. }
                | IntOp::Relu
                | IntOp::SignedRelu
                | IntOp::Clip { .. }
                | IntOp::Affine { .. }
                | IntOp::HardSwish { .. }
                | IntOp::Curve { .. }
                | IntOp::Gate
                | IntOp::ArgMax
                | IntOp::Add
                | IntOp::Concat
                | IntOp::ChannelShuffle { .. }
                | IntOp::Slice { .. }
                | IntOp::Subsample { .. }
                | IntOp::PadChannels { .. }
                | IntOp::Pick { .. }
                | IntOp::Reorder { .. }
                | IntOp::Flatten
                | IntOp::Output => {}
            }
        }
        within("values", values, self.values)?;
        within("positions of kernels", positions, self.kernel_positions)?;
        within("products of bits", products, self.products)
    }
}

/// The sums of a plan so far.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    flights: u64,
    bytes: u64,
}

impl Spent {
    /// Adds a node.
    pub(crate) fn add(&mut self, node: &Cost, limits: &Limits) -> Result<(), Error> {
        self.flights = self.flights.saturating_add(node.flights() as u64);
        self.bytes = self.bytes.saturating_add(node.bytes());
        within("flights", self.flights, limits.flights)?;
        within("bytes", self.bytes, limits.bytes)
    }
}

/// Values under all windows of a pool.
const fn covered(out: Shape, window: Window) -> u64 {
    (out.len() as u64).saturating_mul(window.area() as u64)
}

const fn within(what: &'static str, found: u64, allowed: u64) -> Result<(), Error> {
    if found > allowed {
        return Err(Error::TooLarge {
            what,
            found,
            allowed,
        });
    }
    Ok(())
}
