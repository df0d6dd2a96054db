//! Rewriting what only floats have into what integers have.
//!
//! - Batch norm, then `ReLU`, then linear layers (through concatenation, shuffle, average pool and the
//!   like): for ReLU(a·x + b) the node becomes [`Op::SignedRelu`] of x + b/a, and a goes into the
//!   columns of the linear layers. b/a is clamped to ±R, a stated factor over the largest magnitude
//!   of the channel in calibration. A channel that is then constantly on lacks a constant, whose
//!   image under the linear layer is added there: as bias, or as a map where padding makes it differ
//!   from place to place. a = 0 is a column of zeros and the constant max(b, 0).
//! - Batch norm elsewhere is a convolution of each channel apart, by one weight.

use crate::channels::links;
use crate::float::affine;
use crate::graph::{Graph, Op};
use crate::shape::{Shape, Window};
use crate::{Error, FloatModel, Node, Tensor, Tensors};

/// R over the largest magnitude seen, besides the margin.
const REACH: f64 = 2.0;
/// Channels this far below the tensor's largest count as this large.
const QUIET: f64 = 1.0 / 16.0;

/// What a tensor of the new graph stands for: factor times it plus constant.
#[derive(Clone, Default)]
struct Pending {
    /// Factor of each channel.
    factor: Vec<f64>,
    constant: Option<Vec<f32>>,
}

/// Whether [`lowerable`] would change anything.
pub(crate) fn is_lowerable(graph: &Graph) -> bool {
    let norm = |node: &Node| matches!(node.op, Op::BatchNorm { .. });
    !graph.nodes.iter().any(norm)
}

/// The same function, as far as channels keep within R, of operations that can be lowered.
pub(crate) fn lowerable(
    model: &FloatModel,
    peaks: &[Vec<f64>],
    margin: f64,
) -> Result<FloatModel, Error> {
    let shapes = model.graph.shapes()?;
    let mut rewrite = Rewrite {
        model,
        shapes,
        peaks,
        margin,
        graph: Graph::new(),
        tensors: model.tensors.clone(),
        new: Vec::new(),
        pending: Vec::new(),
    };
    for node in 0..model.graph.nodes.len() {
        let made = rewrite.node(node)?;
        rewrite.new.push(made);
    }
    let model = FloatModel {
        graph: rewrite.graph,
        tensors: rewrite.tensors,
    };
    model.check()?;
    Ok(model)
}

/// Whether a node's values reach nothing but linear layers.
fn feeds_linear(graph: &Graph, node: usize) -> bool {
    let takers = |n: &&Node| n.inputs.contains(&node);
    let good = |(index, taker): (usize, &Node)| match taker.op {
        Op::Conv2d { .. } | Op::Linear { .. } => true,
        Op::Concat
        | Op::ChannelShuffle { .. }
        | Op::Slice { .. }
        | Op::Flatten
        | Op::AvgPool { .. }
        | Op::GlobalAvgPool
        | Op::Subsample { .. }
        | Op::PadChannels { .. } => feeds_linear(graph, index),
        _ => false,
    };
    let mut all = graph.nodes.iter().enumerate();
    node + 1 < graph.nodes.len() && all.all(|(i, n)| !takers(&n) || good((i, n)))
}

struct Rewrite<'a> {
    model: &'a FloatModel,
    shapes: Vec<Shape>,
    peaks: &'a [Vec<f64>],
    margin: f64,
    graph: Graph,
    tensors: Tensors,
    /// New number of each old node.
    new: Vec<usize>,
    /// By new number.
    pending: Vec<Option<Pending>>,
}

impl Rewrite<'_> {
    fn push(&mut self, name: String, op: Op, inputs: &[usize], pending: Option<Pending>) -> usize {
        self.pending.push(pending);
        self.graph.push(name, op, inputs)
    }

    fn node(&mut self, old: usize) -> Result<usize, Error> {
        let node = &self.model.graph.nodes[old];
        let inputs: Vec<usize> = node.inputs.iter().map(|&i| self.new[i]).collect();
        match &node.op {
            Op::Conv2d { .. } | Op::Linear { .. } => {
                let op = node.op.clone();
                self.linear(
                    node.name.clone(),
                    op,
                    inputs[0],
                    node.inputs[0],
                    self.shapes[old],
                )
            }
            // Its rectifier takes its input.
            Op::BatchNorm { .. } if self.rectifier(old).is_some() => Ok(inputs[0]),
            Op::BatchNorm { .. } => {
                let factors = self.affine(&node.op)?;
                self.apart(&node.name, old, inputs[0], node.inputs[0], &factors)
            }
            Op::Relu if self.rectifier(node.inputs[0]) == Some(old) => {
                self.signed_relu(old, inputs[0])
            }
            _ => {
                let pending = self.passed(old, &inputs)?;
                Ok(self.push(node.name.clone(), node.op.clone(), &inputs, pending))
            }
        }
    }

    /// The `ReLU` that alone takes a batch norm and reaches linear layers only.
    fn rectifier(&self, norm: usize) -> Option<usize> {
        let graph = &self.model.graph;
        let is_norm = matches!(graph.nodes[norm].op, Op::BatchNorm { .. });
        if !is_norm || norm + 1 == graph.nodes.len() {
            return None;
        }
        let mut takers = (0..graph.nodes.len()).filter(|&i| graph.nodes[i].inputs.contains(&norm));
        let (relu, more) = (takers.next()?, takers.next());
        let alone = more.is_none() && graph.nodes[relu].op == Op::Relu;
        (alone && feeds_linear(graph, relu)).then_some(relu)
    }

    fn affine(&self, norm: &Op) -> Result<Vec<(f64, f64)>, Error> {
        let Op::BatchNorm {
            gamma,
            beta,
            mean,
            var,
            eps,
        } = norm
        else {
            unreachable!("the caller looked")
        };
        let value = |name: &str| self.model.tensors.tensor(name).map(Tensor::data);
        let [g, b, m, v] = [value(gamma)?, value(beta)?, value(mean)?, value(var)?];
        Ok(affine(g, b, m, v, *eps))
    }

    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn signed_relu(&mut self, relu: usize, input: usize) -> Result<usize, Error> {
        let (nodes, shape) = (&self.model.graph.nodes, self.shapes[relu]);
        let norm = &nodes[nodes[relu].inputs[0]];
        let peaks = &self.peaks[norm.inputs[0]];
        let top = peaks.iter().copied().fold(0.0, f64::max);
        let (mut shift, mut sign) = (Vec::new(), Vec::new());
        let (mut factor, mut constant) = (Vec::new(), Vec::new());
        for ((a, b), peak) in self.affine(&norm.op)?.into_iter().zip(peaks) {
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

    /// What is pending after an operation that treats channels apart.
    fn passed(&self, old: usize, inputs: &[usize]) -> Result<Option<Pending>, Error> {
        if inputs.iter().all(|&i| self.pending[i].is_none()) {
            return Ok(None);
        }
        let node = &self.model.graph.nodes[old];
        let shapes: Vec<Shape> = node.inputs.iter().map(|&i| self.shapes[i]).collect();
        let out = self.shapes[old];
        let mut factor = vec![1.0; out.channels];
        for link in links(&node.op, &shapes, out) {
            if let Some(pending) = &self.pending[inputs[link.input]] {
                factor[link.to] = pending.factor[link.from];
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
            constant = Some(self.model.node(&node.op, &inputs, out)?);
        }
        Ok(Some(Pending { factor, constant }))
    }

    /// A convolution of each channel apart by a factor, plus a shift.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn apart(
        &mut self,
        name: &str,
        old: usize,
        input: usize,
        old_input: usize,
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
        self.linear(name.to_owned(), op, input, old_input, self.shapes[old])
    }

    /// A linear layer that takes in what is pending at its input.
    fn linear(
        &mut self,
        name: String,
        op: Op,
        input: usize,
        old_input: usize,
        out: Shape,
    ) -> Result<usize, Error> {
        let Some(pending) = self.pending[input].clone() else {
            return Ok(self.push(name, op, &[input], None));
        };
        let (Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias, .. }) = &op else {
            unreachable!("the caller looked")
        };
        let bias = bias.as_ref().expect("fold() gave every linear node a bias");
        let mut map = None;
        if let Some(constant) = pending.constant {
            let at_zero = self.tensors.tensor(bias)?.data().to_vec();
            let run = FloatModel {
                graph: Graph::new(),
                tensors: [weight, bias]
                    .into_iter()
                    .map(|n| self.tensors.tensor(n).map(|t| (n.clone(), t.clone())))
                    .collect::<Result<_, Error>>()?,
            };
            let all = run.node(&op, &[(&constant, self.shapes[old_input])], out)?;
            let plane = out.plane();
            if all
                .chunks_exact(plane)
                .all(|c| c.iter().all(|v| *v == c[0]))
            {
                let shifted = all.iter().step_by(plane).copied().collect();
                self.tensors
                    .insert(bias.clone(), Tensor::new(vec![out.channels], shifted));
            } else {
                let rest = |(i, v): (usize, &f32)| v - at_zero[i / plane];
                let values = all.iter().enumerate().map(rest).collect();
                let shape = vec![out.channels, out.height, out.width];
                map = Some(Tensor::new(shape, values));
            }
        }
        self.scale_columns(&op, &pending.factor)?;
        let made = self.push(name.clone(), op, &[input], None);
        let Some(map) = map else { return Ok(made) };
        let tensor = format!("{name}:map");
        self.tensors.insert(tensor.clone(), map);
        let name = format!("{name}.map");
        Ok(self.push(name, Op::AddMap { map: tensor }, &[made], None))
    }

    /// Multiplies a linear node's weights by the factors of its input channels.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn scale_columns(&mut self, op: &Op, factor: &[f64]) -> Result<(), Error> {
        let (weight, groups, area) = match op {
            Op::Conv2d {
                weight,
                groups,
                window,
                ..
            } => (weight, *groups, window.area()),
            Op::Linear { weight, .. } => (weight, 1, 1),
            _ => unreachable!("the caller looked"),
        };
        let old = self.tensors.tensor(weight)?;
        let (columns, rows) = (factor.len() / groups, old.shape()[0] / groups);
        let scaled = old.data().iter().enumerate().map(|(i, &w)| {
            let (row, column) = (i / area / columns, i / area % columns);
            (f64::from(w) * factor[row / rows * columns + column]) as f32
        });
        let scaled = Tensor::new(old.shape().to_vec(), scaled.collect());
        self.tensors.insert(weight.clone(), scaled);
        Ok(())
    }
}
