//! Which protocol computes which node, and at what cost.

use std::borrow::Cow;

use channel::{Cost, Role};
use linear::{AheadProtocol, LinearProtocol, Timing, Work};
use nets::{IntGraph, IntOp, Operator as _, PathStep, Shape, TensorType, Window};
use nonlinear::{
    ArgMax, ChannelExtend, Chunked, Clip, Curve, HardSwish, MaxPool, Pieces, Pool2d, Prices, Range,
    Relu, SignExtend, SignedRelu, Symmetry, TruncFaithful,
};
use ring_arith::Bits;
use sharing::{Reveal, ScaleRows};

use crate::cut::Cut;
use crate::draft::Task;
use crate::local::Local;
use crate::price::nonlinear_work;
use crate::quotients::{Group, Member, Part};
use crate::report::LayerPlan;
use crate::windows::{MOST_AHEAD, WINDOW};
use crate::{Error, algorithms};

/// The most elements that an elementwise protocol takes at a time (AGREEMENT). The next ones follow one round behind. More would
/// need fewer flights and more memory.
pub const CHUNK: usize = 1 << 21;

/// What a flight is worth, in bytes (AGREEMENT), where a comparison can take fewer of either: what a network of 3 Gbit/s carries in the sixth
/// of a millisecond.
pub(crate) const FLIGHT: u64 = 1 << 16;

/// The constants that both parties must have alike besides the public model: part of the digest that the
/// handshake compares.
pub const AGREEMENT: &[(&str, u64)] = &[
    ("secure chunk", CHUNK as u64),
    ("secure flight", FLIGHT),
    ("secure ahead window", WINDOW),
    ("secure ahead bytes", MOST_AHEAD),
];

/// How elements are divided into chunks.
pub(crate) const ELEMENTS: Chunked = Chunked::new(CHUNK);

/// The same for functions that tables give, which take a few times as much memory for each.
pub(crate) const CURVES: Chunked = Chunked::new(CHUNK / 4);

/// How one node is computed.
#[derive(Debug)]
pub(crate) enum Step {
    /// The client's image becomes shares.
    Input,
    /// Each party computes on its own share, without traffic.
    Local(Local),
    /// Product with the server's weights.
    Linear(Box<dyn LinearProtocol>),
    /// What is left of such a product after a phase ahead of the input, which the protocol has.
    Online(Box<dyn LinearProtocol>),
    /// A part of a truncation or comparison that several nodes have in common.
    Grouped(Member),
    /// Truncation into a narrower ring.
    TruncReduce(Cut),
    /// Truncation in the same ring.
    Trunc(TruncFaithful),
    /// Extension.
    Extend(SignExtend),
    /// Extension of what the node `after` gave, a `ReLU` with secret signs.
    ChannelExtend { step: ChannelExtend, after: usize },
    /// `ReLU`.
    Relu(Relu),
    /// `ReLU` with secret signs.
    SignedRelu(SignedRelu),
    /// Clipping.
    Clip(Clip),
    /// Hard-swish.
    HardSwish(HardSwish),
    /// A function that a table gives.
    Curve(Box<Curve>),
    /// Channels times shared factors.
    Gate(ScaleRows),
    /// Max-pool.
    MaxPool(MaxPool),
    /// The number of the largest value.
    ArgMax(ArgMax),
    /// The client learns the result.
    Reveal(Reveal),
}

impl Step {
    /// The step for a node, where `exact` says whether a truncation into a narrower ring is.
    pub(crate) fn new(draft: &Task<'_>, node: usize, exact: bool) -> Result<Self, Error> {
        let Task { graph, wanted, .. } = *draft;
        let out = &graph.types()[node];
        let source = &graph.nodes()[node];
        if source.inputs.is_empty() {
            return Ok(Self::Input);
        }
        if let Some(local) = Local::of(&source.op) {
            return Ok(Self::Local(local));
        }
        let x = graph.input_type(node, 0);
        let prices = Prices::with_flights(wanted.price, FLIGHT, out.shape.len());
        Ok(match source.op {
            IntOp::Input { .. } => Self::Input,
            IntOp::Linear { .. } => {
                let layer = algorithms::layer(graph, node)?;
                let (layer, by) = layer.expect("it is a linear node");
                let protocol = algorithms::protocol(graph, node, &layer, by)?;
                if wanted.ahead && protocol.ahead().is_some() {
                    return Ok(Self::Online(protocol));
                }
                Self::Linear(protocol)
            }
            IntOp::TruncReduce { shift, rounded } => {
                let noise = draft.noise[source.inputs[0]];
                let cut = Cut::new(x.bits(), (shift, rounded), (exact, noise), prices);
                Self::TruncReduce(cut)
            }
            IntOp::Trunc { shift, .. } => {
                let trunc = TruncFaithful::new(x.bits(), shift, prices);
                Self::Trunc(trunc.within(range(x, shift)))
            }
            IntOp::Extend { to } => {
                let (from, to, after) = (x.bits(), Bits::of(to), source.inputs[0]);
                if graph.nodes()[after].op == IntOp::SignedRelu {
                    let step = ChannelExtend::new(from, to, ELEMENTS);
                    return Ok(Self::ChannelExtend { step, after });
                }
                Self::Extend(SignExtend::new(from, to, prices).within(range(x, 0)))
            }
            IntOp::Relu => Self::Relu(Relu::new(out.bits(), prices)),
            IntOp::SignedRelu => Self::SignedRelu(SignedRelu::new(out.bits(), ELEMENTS, prices)),
            IntOp::Clip { top } => Self::Clip(Clip::new(out.bits(), top, prices)),
            IntOp::HardSwish { fraction, .. } => {
                let scale = x.fixed.scale.cast_unsigned();
                let step = HardSwish::new(x.bits(), scale, fraction, out.bits(), prices);
                Self::HardSwish(step.expect("the graph is checked"))
            }
            IntOp::Curve { ref pieces, .. } => {
                let pieces = protocol_pieces(pieces);
                let step = Curve::new(x.bits(), pieces, out.bits(), prices);
                Self::Curve(Box::new(step.expect("the graph is checked")))
            }
            IntOp::Gate => Self::Gate(ScaleRows {
                bits: out.bits(),
                scalar_bits: graph.input_type(node, 1).bits(),
                width: out.shape.plane(),
            }),
            IntOp::MaxPool { window } => {
                Self::MaxPool(MaxPool::new(pool2d(x.shape, window)?, x.bits(), prices))
            }
            IntOp::ArgMax => Self::ArgMax(ArgMax::new(x.shape.len(), x.bits(), prices)),
            IntOp::Output => Self::Reveal(Reveal {
                to: Role::Client,
                bits: out.bits(),
            }),
            IntOp::Narrow { .. }
            | IntOp::Claim
            | IntOp::Affine { .. }
            | IntOp::MeanPool { .. }
            | IntOp::Add
            | IntOp::Concat
            | IntOp::ChannelShuffle { .. }
            | IntOp::Slice { .. }
            | IntOp::SumPool { .. }
            | IntOp::Subsample { .. }
            | IntOp::PadChannels { .. }
            | IntOp::Pick { .. }
            | IntOp::Reorder { .. }
            | IntOp::Flatten => unreachable!("each party computes it by itself"),
        })
    }

    /// When the node speaks; `None` for [`Step::Input`] and [`Step::Local`].
    pub(crate) fn timing(&self, graph: &IntGraph, node: usize, groups: &[Group]) -> Option<Timing> {
        let n = graph.types()[node].shape.len();
        Some(Timing::Rounds(match self {
            Self::Input | Self::Local(_) => return None,
            Self::Linear(step) => return Some(step.timing()),
            Self::Online(step) => ahead_of(step.as_ref()).online_rounds(),
            Self::Gate(step) => {
                let cost = step.cost(graph.types()[node].shape.channels);
                return Some(Timing::Alone(cost));
            }
            Self::Grouped(member) => {
                let protocol = &groups[member.group].protocol;
                match member.part {
                    Part::Quotient => protocol.rounds(n),
                    Part::Rectifier(number) | Part::Extension(number) => {
                        let own = protocol.use_rounds(number, n);
                        if member.leads(node, groups) {
                            protocol.rounds(n).beside(own)
                        } else {
                            own
                        }
                    }
                }
            }
            Self::TruncReduce(cut) => cut.rounds(n),
            Self::Trunc(step) => ELEMENTS.rounds(n, |n| step.rounds(n)),
            Self::Extend(step) => ELEMENTS.rounds(n, |n| step.rounds(n)),
            Self::ChannelExtend { step, .. } => step.rounds(n),
            Self::Relu(step) => ELEMENTS.rounds(n, |n| step.rounds(n)),
            Self::SignedRelu(step) => step.rounds(n),
            Self::Clip(step) => ELEMENTS.rounds(n, |n| step.rounds(n)),
            Self::HardSwish(step) => ELEMENTS.rounds(n, |n| step.rounds(n)),
            Self::Curve(step) => CURVES.rounds(n, |n| step.rounds(n)),
            Self::MaxPool(step) => {
                let shape = graph.input_type(node, 0).shape;
                planes(shape).rounds(shape.channels, |planes| step.rounds(planes))
            }
            Self::ArgMax(step) => step.rounds(1),
            Self::Reveal(step) => step.rounds(n),
        }))
    }

    /// The entry of a node in the plan, given what it costs; `None` for [`Step::Input`] and [`Step::Local`].
    pub(crate) fn plan(
        &self,
        graph: &IntGraph,
        node: usize,
        cost: Option<Cost>,
    ) -> Option<LayerPlan> {
        let (source, cost) = (&graph.nodes()[node], cost?);
        let (macs, work) = match self {
            Self::Linear(step) => (step.layer().shape.macs(), step.work()),
            Self::Online(step) => (step.layer().shape.macs(), Work::default()),
            _ => (0, nonlinear_work(&cost)),
        };
        let weight_bits = match source.op {
            IntOp::Linear { weight_bits, .. } => Some(weight_bits),
            _ => None,
        };
        Some(LayerPlan {
            node,
            name: source.name.clone(),
            op: source.op.name(),
            algorithm: self.name(graph, node, &cost),
            macs,
            weight_bits,
            ring_bits: graph.input_type(node, 0).bits().get(),
            work,
            cost,
        })
    }

    /// The name of the protocol.
    fn name(&self, graph: &IntGraph, node: usize, cost: &Cost) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Linear(step) => return step.name().into(),
            Self::Online(step) => return format!("{}, ahead", step.name()).into(),
            Self::Input | Self::Local(_) => "local",
            Self::Grouped(Member { part, .. }) => match part {
                Part::Quotient => "carry",
                Part::Rectifier(_) => "shared comparison and mux",
                Part::Extension(_) => "shared comparison",
            },
            Self::TruncReduce(_) if cost.is_silent() => "local",
            Self::TruncReduce(_) => "carry",
            Self::Trunc(_) => "carry and wrap",
            Self::Extend(_) => match range(graph.input_type(node, 0), 0) {
                Range::Any => "wrap",
                Range::Nonnegative => "known sign",
                Range::Half | Range::From(_) => "known range",
            },
            Self::ChannelExtend { .. } => "sign known to the server",
            Self::Relu(_) | Self::SignedRelu(_) => "millionaires' and mux",
            Self::Clip(_) => "two comparisons",
            Self::HardSwish(_) => "two comparisons and a square",
            Self::Curve(_) => "a table look-up and products",
            Self::Gate(_) => "ot, both choose",
            Self::MaxPool(_) | Self::ArgMax(_) => "tournament",
            Self::Reveal(_) => "open to client",
        })
    }
}

/// For each node, whether its value stays hidden: whether a protocol comes between it and the output on every path.
/// Of other values the client sees a function that each party computes by itself.
pub(crate) fn hidden(graph: &IntGraph) -> Vec<bool> {
    graph.all_paths_end(|_, op| match op {
        IntOp::Narrow { .. }
        | IntOp::Claim
        | IntOp::Affine { .. }
        | IntOp::MeanPool { .. }
        | IntOp::Add
        | IntOp::Concat
        | IntOp::ChannelShuffle { .. }
        | IntOp::Slice { .. }
        | IntOp::SumPool { .. }
        | IntOp::Subsample { .. }
        | IntOp::PadChannels { .. }
        | IntOp::Pick { .. }
        | IntOp::Reorder { .. }
        | IntOp::Flatten => PathStep::Passes,
        IntOp::Output => PathStep::Blocks,
        IntOp::Input { .. }
        | IntOp::Extend { .. }
        | IntOp::Linear { .. }
        // It is exact itself, unless its own result stays hidden.
        | IntOp::TruncReduce { .. }
        | IntOp::Trunc { .. }
        | IntOp::Relu
        | IntOp::SignedRelu
        | IntOp::Clip { .. }
        | IntOp::HardSwish { .. }
        | IntOp::Curve { .. }
        | IntOp::Gate
        | IntOp::MaxPool { .. }
        | IntOp::ArgMax => PathStep::Ends,
    })
}

/// A public table as the protocol takes it.
fn protocol_pieces(pieces: &nets::Pieces) -> Pieces {
    let nets::Pieces {
        low,
        width,
        symmetry,
        ref values,
        ref slopes,
        fraction,
        ramp,
        shift,
    } = *pieces;
    Pieces {
        low,
        width,
        symmetry: match symmetry {
            nets::Symmetry::None => Symmetry::None,
            nets::Symmetry::Even => Symmetry::Even,
            nets::Symmetry::Odd => Symmetry::Odd,
        },
        values: values.clone(),
        slopes: slopes.clone(),
        fraction,
        ramp,
        shift,
    }
}

/// The phase ahead of a protocol that is planned with it.
pub(crate) fn ahead_of(step: &dyn LinearProtocol) -> &dyn AheadProtocol {
    step.ahead().expect("it has a phase ahead")
}

/// How the planes of a pool are divided into chunks.
pub(crate) fn planes(shape: Shape) -> Chunked {
    Chunked::new((CHUNK / shape.plane()).max(1))
}

/// What is proved of a tensor that is cut by `shift`. Whatever it is costs less than to know nothing: the two share
/// bits that tell of a wrap are then multiplied in one COT, in place of a comparison.
///
/// This holds for values with noise too, 2^g·y + e with 0 ≤ e < 2^g ≤ 2^shift, though it is proved of 2^g·y: no such value is below
/// 2^g·y, and both the ends of the range, multiples of 2^shift and hence of 2^g, are above 2^g·y + e if they are above 2^g·y.
pub(crate) const fn range(x: &TensorType, shift: u32) -> Range {
    match x.values.half_from(x.bits(), shift) {
        None => Range::Any,
        Some(0) => Range::Nonnegative,
        Some(low) => Range::From(low),
    }
}

/// The geometry of a pool as `nonlinear` takes it.
fn pool2d(shape: Shape, window: Window) -> Result<Pool2d, Error> {
    let Window {
        kernel,
        stride,
        padding,
        ..
    } = window;
    let [height, width] = [shape.height, shape.width];
    Ok(Pool2d::new(height, width, kernel, stride, padding)?)
}
