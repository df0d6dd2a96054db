//! X-operators in place of a network's convolutions.

use std::collections::BTreeSet;

use ::xop::{Operation, Spatial, Warning, XOp};

use crate::backbones::{Parameters, Seeded};
use crate::float::parameters;
use crate::graph::{Graph, Op};
use crate::import::Source;
use crate::shape::{Shape, Window};
use crate::{Error, FloatModel, Tensors};

/// The options of [`replace_convolutions`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct XOpOptions {
    /// r: the part of the channels that goes through the k × k depthwise convolution.
    pub spatial: Spatial,
    /// g: the groups of the operators' 1 × 1 convolutions.
    pub groups: usize,
    /// Groups for the network's own 1 × 1 layers, which are then shuffled too; `None` leaves those
    /// as they are.
    pub pointwise: Option<usize>,
}

impl Default for XOpOptions {
    fn default() -> Self {
        Self {
            spatial: Spatial::default(),
            groups: 1,
            pointwise: None,
        }
    }
}

/// A network with X-operators.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Replacement {
    /// The network.
    pub source: Source,
    /// The convolutions that were replaced.
    pub replaced: Vec<String>,
    /// Convolutions larger than 1 × 1 that stay, and why.
    pub kept: Vec<(String, &'static str)>,
    /// What is hardly meant.
    pub warning: Option<Warning>,
}

/// Puts an X-operator in place of every dense k × k convolution, k > 1, and with
/// [`XOpOptions::pointwise`] of every dense 1 × 1; the new layers have random weights from the seed,
/// so the network must be trained again.
///
/// The first linear layer, which takes the image, stays, and so does the last: a few input channels
/// leave a 1 × 1 convolution nothing to mix, and classes need not divide into groups. Convolutions
/// that are grouped already, not square, or not padded such that stride 1 keeps the size stay as
/// well; [`Replacement::kept`] names them. Parameters of the layer `a` become `a.depthwise.weight`,
/// `a.pointwise.weight` and, where it had a bias, `a.pointwise.bias`.
///
/// # Errors
/// [`Error::XOp`] naming a layer whose channels the groups do not divide; [`Error::Option`] if there
/// is nothing to replace.
pub fn replace_convolutions(
    source: &Source,
    options: &XOpOptions,
    seed: [u8; 32],
) -> Result<Replacement, Error> {
    replace_with(source, options, &mut Seeded(seed))
}

/// As [`replace_convolutions`], with parameters for the new layers.
pub(crate) fn replace_with(
    source: &Source,
    options: &XOpOptions,
    new: &mut dyn Parameters,
) -> Result<Replacement, Error> {
    let float = &source.float;
    let mut replacing = Replacing {
        old: &float.graph,
        shapes: float.graph.shapes()?,
        options,
        graph: Graph::new(),
        fresh: BTreeSet::new(),
        replaced: Vec::new(),
        kept: Vec::new(),
        warning: None,
    };
    let (behind, before) = ends(&float.graph);
    let mut made = Vec::with_capacity(float.graph.nodes.len());
    for (index, node) in float.graph.nodes.iter().enumerate() {
        let inputs: Vec<usize> = node.inputs.iter().map(|&i| made[i]).collect();
        let inner = behind[index] && before[index];
        made.push(match replacing.operator(index, inner)? {
            Some(op) => replacing.put(index, &op, inputs[0])?,
            None => (replacing.graph).push(node.name.clone(), node.op.clone(), &inputs),
        });
    }
    let Replacing {
        graph,
        fresh,
        replaced,
        kept,
        warning,
        ..
    } = replacing;
    if replaced.is_empty() {
        let problem = "there is no dense convolution larger than 1 x 1 but the first and last \
                       layers; `pointwise` replaces those of 1 x 1";
        return Err(Error::Option {
            option: "xop",
            problem: problem.into(),
        });
    }
    let tensors = tensors(&graph, &float.tensors, &fresh, new)?;
    let float = FloatModel { graph, tensors };
    float.check()?;
    let mut source = Source {
        float,
        ..source.clone()
    };
    source.arch.push_str("-x");
    Ok(Replacement {
        source,
        replaced,
        kept,
        warning,
    })
}

/// Whether there is a linear layer somewhere before each node, and somewhere after it.
fn ends(graph: &Graph) -> (Vec<bool>, Vec<bool>) {
    let nodes = &graph.nodes;
    let linear = |i: usize| matches!(nodes[i].op, Op::Conv2d { .. } | Op::Linear { .. });
    let (mut behind, mut before) = (vec![false; nodes.len()], vec![false; nodes.len()]);
    for (index, node) in nodes.iter().enumerate() {
        behind[index] = node.inputs.iter().any(|&i| behind[i] || linear(i));
    }
    for (index, node) in nodes.iter().enumerate().rev() {
        let reaches = before[index] || linear(index);
        node.inputs.iter().for_each(|&i| before[i] |= reaches);
    }
    (behind, before)
}

/// The old parameters that the graph still has, and the new ones.
fn tensors(
    graph: &Graph,
    old: &Tensors,
    fresh: &BTreeSet<String>,
    new: &mut dyn Parameters,
) -> Result<Tensors, Error> {
    let shapes = graph.shapes()?;
    let mut tensors = Tensors::new();
    for (node, out) in graph.nodes.iter().zip(&shapes) {
        let input = node.inputs.first().map_or(*out, |&i| shapes[i]);
        for (name, shape) in parameters(&node.op, input) {
            let tensor = if fresh.contains(name) {
                new.take(name, &shape)?
            } else {
                old.tensor(name)?.clone()
            };
            tensors.insert(name, tensor);
        }
    }
    Ok(tensors)
}

struct Replacing<'a> {
    old: &'a Graph,
    shapes: Vec<Shape>,
    options: &'a XOpOptions,
    graph: Graph,
    /// Names of new parameters.
    fresh: BTreeSet<String>,
    replaced: Vec<String>,
    kept: Vec<(String, &'static str)>,
    warning: Option<Warning>,
}

impl Replacing<'_> {
    /// The operator for a node; `None` for what stays.
    fn operator(&mut self, index: usize, inner: bool) -> Result<Option<XOp>, Error> {
        let node = &self.old.nodes[index];
        let Op::Conv2d {
            out_channels,
            groups,
            window,
            ..
        } = node.op
        else {
            return Ok(None);
        };
        let pointwise = window.kernel == [1; 2];
        let grouping = if pointwise {
            self.options.pointwise
        } else {
            Some(self.options.groups)
        };
        let Some(grouping) = grouping else {
            return Ok(None);
        };
        let (x, out) = (self.shapes[node.inputs[0]], self.shapes[index]);
        let ([kernel, columns], [stride, across]) = (window.kernel, window.stride);
        let same = |side: usize| side.div_ceil(stride);
        let reason = if !inner {
            "the first or the last layer"
        } else if groups != 1 {
            "grouped already"
        } else if kernel != columns || stride != across {
            "not square"
        } else if [out.height, out.width] != [same(x.height), same(x.width)] {
            "not padded to keep the size"
        } else {
            // A 1 x 1 depthwise part would only scale what the mixing scales anyway.
            let spatial = if pointwise {
                Spatial::Zero
            } else {
                self.options.spatial
            };
            let channels = [x.channels, out_channels];
            let op = XOp::new(channels, kernel, stride, spatial, grouping);
            let op = op.map_err(|source| Error::xop(&node.name, source))?;
            self.warning = self.warning.or(op.warning());
            return Ok(Some(op));
        };
        if !pointwise {
            self.kept.push((node.name.clone(), reason));
        }
        Ok(None)
    }

    /// Puts an operator's steps in place of a node, on `input`; returns the last one.
    fn put(&mut self, index: usize, op: &XOp, input: usize) -> Result<usize, Error> {
        let node = &self.old.nodes[index];
        let Op::Conv2d { weight, bias, .. } = &node.op else {
            unreachable!("operator() looked")
        };
        let prefix = weight.strip_suffix(".weight").unwrap_or(weight);
        let x = self.shapes[node.inputs[0]];
        let steps = op.lower([x.height, x.width]);
        let steps = steps.map_err(|source| Error::xop(&node.name, source))?;
        let mut made = vec![input];
        let mut names = BTreeSet::new();
        for step in steps {
            let inputs: Vec<usize> = step.inputs.iter().map(|&i| made[i]).collect();
            let part = step.operation.name();
            let mut parameter = |kind: &str| {
                let name = format!("{prefix}.{part}.{kind}");
                self.fresh.insert(name.clone());
                name
            };
            let new = match step.operation {
                // Lowering brings every layer's output to its scale.
                Operation::Rescale => {
                    made.push(inputs[0]);
                    continue;
                }
                Operation::Shuffle { groups } => Op::ChannelShuffle { groups },
                Operation::Slice { start, channels } => Op::Slice { start, channels },
                Operation::Subsample { stride } => Op::Subsample { stride },
                Operation::Concat => Op::Concat,
                Operation::Depthwise(spec) => conv(&spec, parameter("weight"), None),
                Operation::Pointwise(spec) => {
                    let bias = bias.as_ref().map(|_| parameter("bias"));
                    conv(&spec, parameter("weight"), bias)
                }
            };
            // A second shuffle or slice needs another name.
            let again = if names.insert(part) { "" } else { "2" };
            let name = format!("{}.{part}{again}", node.name);
            made.push(self.graph.push(name, new, &inputs));
        }
        self.replaced.push(node.name.clone());
        Ok(made[made.len() - 1])
    }
}

fn conv(spec: &linear::ConvSpec, weight: String, bias: Option<String>) -> Op {
    let [out_channels, ..] = spec.weight_shape();
    Op::Conv2d {
        out_channels,
        groups: spec.groups(),
        window: Window {
            kernel: spec.kernel(),
            stride: spec.stride(),
            padding: spec.padding(),
        },
        weight,
        bias,
    }
}
