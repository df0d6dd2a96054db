//! X-operators in place of the convolutions of a network.

use nets::{FloatGraph, FloatModel, Kind, Op, Rewriter, Shape, Source, Tensors, Window};

use std::collections::BTreeSet;

use ::xop::{Operation, Spatial, Warning, XOp};

use crate::Error;
use crate::builder::Parameters;
use crate::seeded::Seeded;

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
    /// What is probably a mistake.
    pub warning: Option<Warning>,
}

/// Puts an X-operator in place of every dense k × k convolution with k > 1, and with
/// [`XOpOptions::pointwise`] also of every dense 1 × 1 convolution. The new layers have random weights
/// from the seed, so that the network must be trained again.
///
/// The first and the last linear layer stay: the few channels of an image leave a 1 × 1 convolution
/// nothing to mix, and the number of classes need not divide into groups. Convolutions that are grouped
/// already, dilated, not square, or not padded such that stride 1 keeps the size stay as well;
/// [`Replacement::kept`] names those larger than 1 × 1. The parameters of a layer `a` become
/// `a.depthwise.weight`, `a.pointwise.weight` and, where it had a bias, `a.pointwise.bias`.
///
/// # Errors
/// [`Error::XOp`] naming a layer whose channels the groups do not divide; [`Error::NothingToReplace`].
pub fn replace_convolutions(
    source: &Source,
    options: &XOpOptions,
    seed: [u8; 32],
) -> Result<Replacement, Error> {
    replace_with(source, options, &mut Seeded(seed))
}

/// As [`replace_convolutions`], with a source of parameters for the new layers.
pub(crate) fn replace_with(
    source: &Source,
    options: &XOpOptions,
    new: &mut dyn Parameters,
) -> Result<Replacement, Error> {
    let float = &source.float;
    let mut replacing = Replacing {
        old: &float.graph,
        options,
        new: Rewriter::new(&float.graph),
        fresh: BTreeSet::new(),
        replaced: Vec::new(),
        kept: Vec::new(),
        warning: None,
    };
    let (behind, before) = ends(&float.graph);
    for index in 0..float.graph.len() {
        match replacing.operator(index, behind[index] && before[index])? {
            Some(op) => replacing.put(index, &op)?,
            None => {
                replacing.new.keep(index);
            }
        }
    }
    if replacing.replaced.is_empty() {
        return Err(Error::NothingToReplace);
    }
    let graph = replacing.new.finish()?.0;
    let tensors = tensors(&graph, &float.tensors, &replacing.fresh, new)?;
    let float = FloatModel { graph, tensors };
    float.check()?;
    let mut source = Source {
        float,
        ..source.clone()
    };
    source.arch.push_str("-x");
    Ok(Replacement {
        source,
        replaced: replacing.replaced,
        kept: replacing.kept,
        warning: replacing.warning,
    })
}

/// For each node, whether there is a linear layer somewhere before it, and whether there is one behind it.
fn ends(graph: &FloatGraph) -> (Vec<bool>, Vec<bool>) {
    let nodes = graph.nodes();
    let linear = |i: usize| nodes[i].op.kind() == Kind::Linear;
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

/// The parameters of the new graph: those that it still has from the old one, and the new ones.
fn tensors(
    graph: &FloatGraph,
    old: &Tensors,
    fresh: &BTreeSet<String>,
    new: &mut dyn Parameters,
) -> Result<Tensors, Error> {
    let mut tensors = Tensors::new();
    for (node, out) in graph.nodes().iter().zip(graph.types()) {
        let input = node.inputs.first().map_or(*out, |&i| graph.types()[i]);
        for (name, shape) in node.op.parameters(input) {
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
    old: &'a FloatGraph,
    options: &'a XOpOptions,
    new: Rewriter<'a, Op>,
    /// Names of new parameters.
    fresh: BTreeSet<String>,
    replaced: Vec<String>,
    kept: Vec<(String, &'static str)>,
    warning: Option<Warning>,
}

impl Replacing<'_> {
    /// The operator for a node; `None` if the node stays.
    fn operator(&mut self, index: usize, inner: bool) -> Result<Option<XOp>, Error> {
        let node = &self.old.nodes()[index];
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
        let (x, out) = (*self.old.input_type(index, 0), self.old.types()[index]);
        let ([kernel, columns], [stride, across]) = (window.kernel, window.stride);
        let same = |side: usize| side.div_ceil(stride);
        let reason = if !inner {
            "the first or the last layer"
        } else if groups != 1 {
            "grouped already"
        } else if kernel != columns || stride != across {
            "not square"
        } else if window.is_dilated() {
            "dilated"
        } else if [out.height, out.width] != [same(x.height), same(x.width)] {
            "not padded to keep the size"
        } else {
            // A 1 x 1 depthwise part would only scale channels, which the 1 x 1 convolution does anyway.
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

    /// Puts an operator's steps in place of a node.
    fn put(&mut self, index: usize, op: &XOp) -> Result<(), Error> {
        let node = &self.old.nodes()[index];
        let Op::Conv2d { weight, bias, .. } = &node.op else {
            unreachable!("operator() found a convolution")
        };
        let prefix = weight.strip_suffix(".weight").unwrap_or(weight);
        let x: Shape = *self.old.input_type(index, 0);
        let steps = op.lower([x.height, x.width]);
        let steps = steps.map_err(|source| Error::xop(&node.name, source))?;
        let mut values = self.new.inputs(index);
        let mut names = BTreeSet::new();
        for step in steps {
            let inputs: Vec<usize> = step.inputs.iter().map(|&i| values[i]).collect();
            let part = step.operation.name();
            let mut parameter = |kind: &str| {
                let name = format!("{prefix}.{part}.{kind}");
                self.fresh.insert(name.clone());
                name
            };
            let new = match step.operation {
                // Import brings the output of every layer to its scale.
                Operation::Rescale => {
                    values.push(inputs[0]);
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
            values.push(self.new.push(name, new, &inputs));
        }
        self.replaced.push(node.name.clone());
        self.new.stand_in(index, values[values.len() - 1]);
        Ok(())
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
            dilation: [1; 2],
        },
        weight,
        bias,
    }
}
