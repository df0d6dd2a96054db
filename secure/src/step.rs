//! Which protocol computes which node, and at what cost.

use channel::{Cost, Role};
use linear::{Conv2d, ConvSpec, FullyConnected};
use nonlinear::{HardSwish, MaxPool, Range, Relu, SignExtend, TruncFaithful, TruncReduce};
use ring_arith::Bits;
use sharing::{Gate, Reveal};

use crate::clip::Clip;
use crate::igraph::{IntGraph, IntOp, TensorType};
use crate::infer::hard_swish;
use crate::integer::pool2d;
use crate::price::Work;
use crate::report::{LayerPlan, Mode};
use crate::signed_relu::SignedRelu;
use crate::tiled::Tiled;
use crate::{Error, Window};

/// The most elements an elementwise protocol takes at a time (AGREEMENT: more would need less
/// flights and more memory).
pub const CHUNK: usize = 1 << 16;

/// What both parties must have alike besides the public model, as text: for the digest of the
/// handshake.
#[must_use]
pub fn agreement() -> String {
    format!("nets chunk {CHUNK}")
}

/// How one node is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Each party on its own share, without traffic.
    Local,
    /// Convolution.
    Conv(Conv2d),
    /// Convolution by Winograd's algorithm.
    Winograd(Tiled),
    /// Fully connected layer.
    FullyConnected(FullyConnected),
    /// Truncation into a narrower ring.
    TruncReduce(TruncReduce),
    /// Truncation in the same ring.
    Trunc(TruncFaithful),
    /// Extension.
    Extend(SignExtend),
    /// `ReLU`.
    Relu(Relu),
    /// `ReLU` with secret signs.
    SignedRelu(SignedRelu),
    /// Clipping.
    Clip(Clip),
    /// Hard-swish.
    HardSwish(HardSwish),
    /// Channels times shared factors.
    Gate(Gate),
    /// Max-pool.
    MaxPool(MaxPool),
    /// The client learns the result.
    Reveal(Reveal),
}

impl Step {
    /// The step for a node.
    pub(crate) fn new(
        graph: &IntGraph,
        node: usize,
        mode: Mode,
        price: u32,
    ) -> Result<Self, Error> {
        let out = &graph.types()[node];
        Ok(match graph.nodes()[node].op {
            IntOp::Conv {
                groups,
                window,
                weight_bits,
                ..
            } => {
                let x = graph.input_type(node, 0);
                let spec = conv_spec(x, out, groups, window)?;
                Self::Conv(Conv2d {
                    spec,
                    weight_bits: Bits::of(weight_bits),
                    bits: out.bits(),
                })
            }
            IntOp::Winograd { .. } => Self::Winograd(Tiled::new(graph, node)?),
            IntOp::FullyConnected { weight_bits, .. } => Self::FullyConnected(FullyConnected {
                inputs: graph.input_type(node, 0).shape.len(),
                outputs: out.shape.len(),
                weight_bits: Bits::of(weight_bits),
                bits: out.bits(),
            }),
            IntOp::TruncReduce { shift, .. } => {
                let bits = graph.input_type(node, 0).bits();
                let exact = mode == Mode::Faithful;
                Self::TruncReduce(TruncReduce::new(bits, shift, exact, price))
            }
            IntOp::Trunc { shift, .. } => {
                let x = graph.input_type(node, 0);
                let trunc = TruncFaithful::new(x.bits(), shift, price);
                Self::Trunc(trunc.within(range(x)))
            }
            IntOp::Extend { to } => {
                let x = graph.input_type(node, 0);
                let extend = SignExtend::new(x.bits(), Bits::of(to), price);
                Self::Extend(extend.within(range(x)))
            }
            IntOp::Relu => Self::Relu(Relu::new(out.bits(), price)),
            IntOp::SignedRelu => Self::SignedRelu(SignedRelu::new(out.bits(), price)),
            IntOp::Clip { top } => Self::Clip(Clip::new(out.bits(), top, price)),
            IntOp::HardSwish { fraction, .. } => {
                let spec = hard_swish(graph.input_type(node, 0), fraction, out.bits(), price);
                Self::HardSwish(spec.expect("infer() checked it"))
            }
            IntOp::Gate => Self::Gate(Gate {
                bits: out.bits(),
                scalar_bits: graph.input_type(node, 1).bits(),
                width: out.shape.plane(),
            }),
            IntOp::MaxPool { window } => {
                let x = graph.input_type(node, 0);
                Self::MaxPool(MaxPool::new(pool2d(x.shape, window)?, x.bits(), price))
            }
            IntOp::Output => Self::Reveal(Reveal {
                to: Role::Client,
                bits: out.bits(),
            }),
            IntOp::Input { .. }
            | IntOp::Narrow { .. }
            | IntOp::Add
            | IntOp::Affine { .. }
            | IntOp::MeanPool { .. }
            | IntOp::Concat
            | IntOp::ChannelShuffle { .. }
            | IntOp::Slice { .. }
            | IntOp::SumPool { .. }
            | IntOp::Subsample { .. }
            | IntOp::PadChannels { .. }
            | IntOp::Flatten => Self::Local,
        })
    }

    /// The entry of a node in the plan; `None` if nothing happens between the parties.
    pub(crate) fn plan(
        &self,
        graph: &IntGraph,
        node: usize,
        price: u32,
    ) -> Result<Option<LayerPlan>, Error> {
        let n = graph.types()[node].shape.len();
        let macs = match self {
            Self::Conv(conv) => conv.spec.macs(),
            Self::Winograd(tiled) => tiled.spec.macs(),
            Self::FullyConnected(fc) => (fc.inputs as u64).saturating_mul(fc.outputs as u64),
            _ => 0,
        };
        let (algorithm, cost) = match self {
            Self::Local => return Ok(None),
            Self::Conv(conv) => ("ot", conv.cost()?),
            Self::Winograd(tiled) => (tiled.algorithm(), tiled.conv()?.cost()),
            Self::FullyConnected(fc) => {
                let algorithm = match fc.chooser(price)? {
                    Role::Server => "ot",
                    Role::Client => "ot, client chooses",
                };
                (algorithm, fc.cost(price)?)
            }
            Self::TruncReduce(step) => {
                let cost = chunked(n, |n| step.cost(n));
                (
                    if cost == Cost::none() {
                        "local"
                    } else {
                        "carry"
                    },
                    cost,
                )
            }
            Self::Trunc(step) => ("carry and wrap", chunked(n, |n| step.cost(n))),
            Self::Extend(step) => {
                let known = graph.input_type(node, 0).nonneg;
                (
                    if known { "known sign" } else { "wrap" },
                    chunked(n, |n| step.cost(n)),
                )
            }
            Self::Relu(step) => ("millionaires' and mux", chunked(n, |n| step.cost(n))),
            Self::SignedRelu(step) => ("millionaires' and mux", chunked(n, |n| step.cost(n))),
            Self::Clip(step) => ("two comparisons", chunked(n, |n| step.cost(n))),
            Self::HardSwish(step) => ("two comparisons and a square", chunked(n, |n| step.cost(n))),
            Self::Gate(step) => {
                let channels = graph.types()[node].shape.channels;
                ("ot, both choose", step.cost(channels))
            }
            Self::MaxPool(step) => {
                let shape = graph.input_type(node, 0).shape;
                let per_chunk = planes_per_chunk(shape.plane());
                let cost = split(shape.channels, per_chunk, |planes| step.cost(planes));
                ("tournament", cost)
            }
            Self::Reveal(step) => ("open to client", step.cost(n)),
        };
        let source = &graph.nodes()[node];
        let (name, op) = (source.name.clone(), source.op.name());
        let weight_bits = match source.op {
            IntOp::Conv { weight_bits, .. }
            | IntOp::Winograd { weight_bits, .. }
            | IntOp::FullyConnected { weight_bits, .. } => Some(weight_bits),
            _ => None,
        };
        Ok(Some(LayerPlan {
            name,
            op,
            algorithm,
            macs,
            weight_bits,
            ring_bits: graph.input_type(node, 0).bits().get(),
            work: Work::of(self, &cost)?,
            cost,
            why: String::new(),
        }))
    }
}

/// Planes of a pool that are handled together.
pub(crate) fn planes_per_chunk(plane: usize) -> usize {
    (CHUNK / plane).max(1)
}

/// What is proved of a tensor.
const fn range(x: &TensorType) -> Range {
    if x.nonneg {
        Range::Nonnegative
    } else {
        Range::Any
    }
}

pub(crate) fn conv_spec(
    x: &TensorType,
    out: &TensorType,
    groups: usize,
    window: Window,
) -> Result<ConvSpec, Error> {
    let channels = [x.shape.channels, out.shape.channels];
    let input = [x.shape.height, x.shape.width];
    Ok(ConvSpec::new(
        channels,
        input,
        window.kernel,
        window.stride,
        window.padding,
        groups,
    )?)
}

pub(crate) fn chunked(n: usize, cost: impl Fn(usize) -> Cost) -> Cost {
    split(n, CHUNK, cost)
}

/// The cost of `n` things, `chunk` at a time.
fn split(n: usize, chunk: usize, cost: impl Fn(usize) -> Cost) -> Cost {
    let full = if n < chunk {
        Cost::none()
    } else {
        cost(chunk).repeat(n / chunk)
    };
    full.then(cost(n % chunk))
}
