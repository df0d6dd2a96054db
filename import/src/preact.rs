//! Rewriting of the batch norms that folding left, which integer networks do not have.
//!
//! - Batch norm, then `ReLU`, then linear layers (through concatenation, shuffle, average pool and the
//!   like): ReLU(a·x + b) becomes [`Op::SignedRelu`] of x with the shift b/a, and the factor a goes into
//!   the columns of the linear layers. b/a is clamped to ±R, a multiple of the largest magnitude of the
//!   channel in calibration. Where the clamp takes a constant from a channel that is always on, what the
//!   linear layer makes of this constant is added to its output: as a bias, or as a map where padding
//!   makes it differ from place to place. For a = 0 the column is zeros, and the constant is max(b, 0).
//! - A batch norm before nothing but linear layers goes into these as well, factor and shift.
//! - A batch norm elsewhere becomes a depthwise convolution of 1x1, and so does what a constant is added to, unless it
//!   is a linear layer, whose biases hold the constant.

use nets::{
    FloatGraph, FloatModel, Kind, Op, PathStep, Places, Rewriter, Shape, Tensor, Tensors, Window,
};

use crate::Error;

/// R is this many times the margin times the largest magnitude seen.
const REACH: f64 = 2.0;
/// A channel counts as at least this part of the tensor's largest magnitude.
const QUIET: f64 = 1.0 / 16.0;

/// What a tensor of the new graph stands for: the factor times the tensor, plus the constant.
#[derive(Clone, Default)]
struct Pending {
    /// Factor of each channel.
    factor: Vec<f64>,
    constant: Option<Vec<f32>>,
}

/// Whether there is anything for [`lowerable`] to rewrite.
pub(crate) fn is_left(graph: &FloatGraph) -> bool {
    let mut nodes = graph.nodes().iter().enumerate();
    nodes.any(|(index, node)| match node.op.kind() {
        Kind::Norm => true,
        Kind::Constant => !is_bias(graph, index),
        Kind::Input
        | Kind::Linear
        | Kind::Moves
        | Kind::Joins
        | Kind::Averages
        | Kind::Rescales(_)
        | Kind::Acts => false,
    })
}

/// Whether a constant is added to the output of a linear layer and nothing else takes that, so that its biases can hold
/// the constant.
fn is_bias(graph: &FloatGraph, constant: usize) -> bool {
    let layer = graph.nodes()[constant].inputs[0];
    graph.nodes()[layer].op.kind() == Kind::Linear && graph.sole_consumer(layer).is_some()
}

/// The same function of operations that can be lowered. It is the same while no channel exceeds its R.
pub(crate) fn lowerable(
    model: &FloatModel,
    peaks: &[Vec<f64>],
    margin: f64,
) -> Result<FloatModel, Error> {
    let mut rewrite = Rewrite {
        model,
        feeds_linear: feeds_linear(&model.graph),
        peaks,
        margin,
        new: Rewriter::new(&model.graph),
        tensors: model.tensors.clone(),
        pending: Vec::new(),
    };
    for node in 0..model.graph.len() {
        let new = rewrite.node(node)?;
        rewrite.new.stand_in(node, new);
    }
    let model = FloatModel {
        graph: rewrite.new.finish()?.0,
        tensors: rewrite.tensors,
    };
    model.check()?;
    Ok(model)
}

/// For each node, whether its values reach nothing but linear layers, through operations that a factor
/// for each channel can be moved through.
fn feeds_linear(graph: &FloatGraph) -> Vec<bool> {
    graph.all_paths_end(|node, op| match op.kind() {
        Kind::Linear => PathStep::Ends,
        // Values of channels with different factors would have no factor in common.
        Kind::Moves if mixes(graph, node) => PathStep::Blocks,
        Kind::Moves | Kind::Joins | Kind::Averages => PathStep::Passes,
        Kind::Input | Kind::Constant | Kind::Norm | Kind::Rescales(_) | Kind::Acts => {
            PathStep::Blocks
        }
    })
}

/// Whether an operation that moves values puts some of several channels into one.
fn mixes(graph: &FloatGraph, node: usize) -> bool {
    let (op, x) = (&graph.nodes()[node].op, *graph.input_type(node, 0));
    let channels = op.provenance(&[x], graph.types()[node]);
    channels.windows(2).any(|pair| pair[0].to == pair[1].to)
}

struct Rewrite<'a> {
    model: &'a FloatModel,
    feeds_linear: Vec<bool>,
    peaks: &'a [Vec<f64>],
    margin: f64,
    new: Rewriter<'a, Op>,
    tensors: Tensors,
    /// What is pending at each new node.
    pending: Vec<Option<Pending>>,
}

impl Rewrite<'_> {
    fn push(&mut self, name: String, op: Op, inputs: &[usize], pending: Option<Pending>) -> usize {
        self.pending.push(pending);
        self.new.push(name, op, inputs)
    }

    fn shape(&self, old: usize) -> Shape {
        self.model.graph.types()[old]
    }

    fn node(&mut self, old: usize) -> Result<usize, Error> {
        let node = &self.model.graph.nodes()[old];
        let inputs = self.new.inputs(old);
        if node.op.kind() == Kind::Linear {
            return self.linear(node.name.clone(), node.op.clone(), inputs[0], old);
        }
        if let Some(factors) = node.op.affine(&self.model.tensors)? {
            if self.rectifier(old).is_some() {
                // The rectifier behind it takes its input.
                return Ok(inputs[0]);
            }
            if self.feeds_linear[old] {
                return Ok(self.postponed(old, inputs[0], &factors));
            }
            return self.depthwise(&node.name, old, inputs[0], &factors);
        }
        if node.op.kind() == Kind::Constant && !self.is_bias(old, inputs[0]) {
            let same = vec![(1.0, 0.0); self.shape(old).channels];
            let layer = self.depthwise(&format!("{}.layer", node.name), old, inputs[0], &same)?;
            return Ok(self.push(node.name.clone(), node.op.clone(), &[layer], None));
        }
        if node.op == Op::Relu && self.rectifier(node.inputs[0]) == Some(old) {
            return self.signed_relu(old, inputs[0]);
        }
        let pending = self.passed(old, &inputs)?;
        Ok(self.push(node.name.clone(), node.op.clone(), &inputs, pending))
    }

    /// Whether the biases of the new node that a constant is added to can hold the constant.
    fn is_bias(&self, constant: usize, input: usize) -> bool {
        let op = &self.new.new_graph().nodes()[input].op;
        op.kind() == Kind::Linear && is_bias(&self.model.graph, constant)
    }

    /// The `ReLU` that is the only consumer of a batch norm and reaches linear layers only.
    fn rectifier(&self, norm: usize) -> Option<usize> {
        let graph = &self.model.graph;
        if graph.nodes()[norm].op.kind() != Kind::Norm {
            return None;
        }
        let is_relu = |&relu: &usize| graph.nodes()[relu].op == Op::Relu;
        let relu = graph.sole_consumer(norm).filter(is_relu)?;
        self.feeds_linear[relu].then_some(relu)
    }

    /// A batch norm that the linear layers behind it do. In its place stands an operation that changes nothing.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn postponed(&mut self, old: usize, input: usize, factors: &[(f64, f64)]) -> usize {
        let plane = self.shape(old).plane();
        let shift = |f: &(f64, f64)| std::iter::repeat_n(f.1 as f32, plane);
        let pending = Pending {
            factor: factors.iter().map(|f| f.0).collect(),
            constant: Some(factors.iter().flat_map(shift).collect()),
        };
        let name = self.model.graph.nodes()[old].name.clone();
        let [channels, rows, columns] = [const { Places::All }; 3];
        let same = Op::Pick {
            channels,
            rows,
            columns,
        };
        self.push(name, same, &[input], Some(pending))
    }

    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn signed_relu(&mut self, relu: usize, input: usize) -> Result<usize, Error> {
        let (nodes, shape) = (self.model.graph.nodes(), self.shape(relu));
        let norm = &nodes[nodes[relu].inputs[0]];
        let peaks = &self.peaks[norm.inputs[0]];
        let top = peaks.iter().copied().fold(0.0, f64::max);
        let affine = norm.op.affine(&self.model.tensors)?;
        let affine = affine.expect("a rectifier follows a batch norm");
        let (mut shift, mut sign) = (Vec::new(), Vec::new());
        let (mut factor, mut constant) = (Vec::new(), Vec::new());
        for ((a, b), peak) in affine.into_iter().zip(peaks) {
            let reach = REACH * self.margin * peak.max(top * QUIET);
            let ratio = b / a;
            let (on, far) = ((ratio > 0.0) != (a < 0.0), ratio.abs() > reach);
            let dead = !ratio.is_finite() || (far && !on);
            shift.push(if dead {
                0.0
            } else {
                ratio.clamp(-reach, reach) as f32
            });
            sign.push(if a < 0.0 { -1.0 } else { 1.0 });
            factor.push(if dead { 0.0 } else { a });
            constant.push(match (dead, far) {
                (true, _) if on || !ratio.is_finite() => b.max(0.0),
                (false, true) => (ratio - ratio.clamp(-reach, reach)) * a,
                _ => 0.0,
            } as f32);
        }
        let name = nodes[relu].name.clone();
        let parts = [("shift", shift), ("sign", sign)].map(|(part, values)| {
            let part = format!("{name}:{part}");
            self.tensors
                .insert(part.clone(), Tensor::new(vec![shape.channels], values));
            part
        });
        let [shift, sign] = parts;
        let map = (constant.iter()).flat_map(|&c| std::iter::repeat_n(c, shape.plane()));
        let constant = constant.iter().any(|&c| c != 0.0).then(|| map.collect());
        let pending = Some(Pending { factor, constant });
        Ok(self.push(name, Op::SignedRelu { shift, sign }, &[input], pending))
    }

    /// What is pending after an operation that treats every channel by itself.
    fn passed(&self, old: usize, inputs: &[usize]) -> Result<Option<Pending>, Error> {
        if inputs.iter().all(|&i| self.pending[i].is_none()) {
            return Ok(None);
        }
        let node = &self.model.graph.nodes()[old];
        let shapes: Vec<Shape> = node.inputs.iter().map(|&i| self.shape(i)).collect();
        let out = self.shape(old);
        let mut factor = vec![1.0; out.channels];
        for channel in node.op.provenance(&shapes, out) {
            if let Some(pending) = &self.pending[inputs[channel.input]] {
                factor[channel.to] = pending.factor[channel.from];
            }
        }
        let of = |i: usize| self.pending[i].as_ref().and_then(|p| p.constant.clone());
        let constants: Vec<_> = inputs.iter().map(|&i| of(i)).collect();
        let mut constant = None;
        if constants.iter().any(Option::is_some) {
            let filled: Vec<Vec<f32>> = (constants.into_iter().zip(&shapes))
                .map(|(c, shape)| c.unwrap_or_else(|| vec![0.0; shape.len()]))
                .collect();
            let inputs: Vec<_> = filled.iter().map(Vec::as_slice).zip(shapes).collect();
            constant = Some(node.op.compute(&self.tensors, &inputs, out)?);
        }
        Ok(Some(Pending { factor, constant }))
    }

    /// A depthwise convolution by a factor for each channel, plus a shift.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn depthwise(
        &mut self,
        name: &str,
        old: usize,
        input: usize,
        factors: &[(f64, f64)],
    ) -> Result<usize, Error> {
        let channels = factors.len();
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}:{part}"));
        let values = factors.iter().map(|f| f.0 as f32).collect();
        let shifts = factors.iter().map(|f| f.1 as f32).collect();
        self.tensors
            .insert(weight.clone(), Tensor::new(vec![channels, 1, 1, 1], values));
        self.tensors
            .insert(bias.clone(), Tensor::new(vec![channels], shifts));
        let op = Op::Conv2d {
            out_channels: channels,
            groups: channels,
            window: Window::square(1, 1, 0),
            weight,
            bias: Some(bias),
        };
        self.linear(name.to_owned(), op, input, old)
    }

    /// A linear layer in the place of an old node. What is pending at its input goes into its parameters.
    fn linear(&mut self, name: String, op: Op, input: usize, old: usize) -> Result<usize, Error> {
        let Some(pending) = self.pending[input].clone() else {
            return Ok(self.push(name, op, &[input], None));
        };
        let layer = op.linear().expect("the caller has a linear layer");
        let bias = layer.bias.expect("fold() gave every linear node a bias");
        let (x, out) = (*self.model.graph.input_type(old, 0), self.shape(old));
        let mut map = None;
        if let Some(constant) = pending.constant {
            let at_zero = self.tensors.tensor(bias)?.clone();
            let all = op.compute(&self.tensors, &[(&constant, x)], out)?;
            let plane = out.plane();
            let uniform = |channel: &[f32]| channel.iter().all(|v| *v == channel[0]);
            if all.chunks_exact(plane).all(uniform) {
                let shifted = all.iter().step_by(plane).copied().collect();
                self.tensors
                    .insert(bias, Tensor::new(vec![out.channels], shifted));
            } else {
                let rest = |(i, v): (usize, &f32)| v - at_zero.data()[i / plane];
                let values = all.iter().enumerate().map(rest).collect();
                let shape = vec![out.channels, out.height, out.width];
                map = Some(Tensor::new(shape, values));
            }
        }
        self.scale_columns(&op, &pending.factor)?;
        let layer = self.push(name.clone(), op, &[input], None);
        let Some(map) = map else { return Ok(layer) };
        let tensor = format!("{name}:map");
        self.tensors.insert(tensor.clone(), map);
        let name = format!("{name}.map");
        Ok(self.push(name, Op::AddMap { map: tensor }, &[layer], None))
    }

    /// Multiplies a linear node's weights by the factors of its input channels.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn scale_columns(&mut self, op: &Op, factor: &[f64]) -> Result<(), Error> {
        let layer = op.linear().expect("the caller has a linear layer");
        let area = layer.window.area();
        let old = self.tensors.tensor(layer.weight)?;
        let (columns, rows) = (factor.len() / layer.groups, old.shape()[0] / layer.groups);
        let scaled = old.data().iter().enumerate().map(|(i, &w)| {
            let (row, column) = (i / area / columns, i / area % columns);
            (f64::from(w) * factor[row / rows * columns + column]) as f32
        });
        let scaled = Tensor::new(old.shape().to_vec(), scaled.collect());
        self.tensors.insert(layer.weight, scaled);
        Ok(())
    }
}
