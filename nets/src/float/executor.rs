//! The float executor: what a network computes as it was trained.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::gemm::conv_f32;
use super::op::{FloatGraph, Op};
use super::tensors::{Tensor, Tensors};
use crate::Error;
use crate::kernel;
use crate::shape::{Shape, Window};

/// A float graph and its parameters.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct FloatModel {
    /// The graph.
    pub graph: FloatGraph,
    /// Its parameters.
    pub tensors: Tensors,
}

impl FloatModel {
    /// Runs one image; returns the output.
    ///
    /// # Errors
    /// [`Error::InputLength`], [`Error::Shape`], [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn run(&self, values: &[f32]) -> Result<Vec<f32>, Error> {
        self.run_observed(values, &mut |_, _| {})
    }

    /// As [`FloatModel::run`], and shows every node's output to `observe`.
    ///
    /// # Errors
    /// As [`FloatModel::run`].
    pub fn run_observed(
        &self,
        values: &[f32],
        observe: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<Vec<f32>, Error> {
        self.run_with(
            values,
            |op, inputs, out| op.compute(&self.tensors, inputs, out),
            observe,
        )
    }

    /// As [`FloatModel::run_observed`], but `compute` computes every node except the input.
    pub(crate) fn run_with(
        &self,
        values: &[f32],
        mut compute: impl FnMut(&Op, &[(&[f32], Shape)], Shape) -> Result<Vec<f32>, Error>,
        observe: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<Vec<f32>, Error> {
        let (graph, shapes) = (&self.graph, self.graph.types());
        let (expected, found) = (graph.input().len(), values.len());
        if expected != found {
            return Err(Error::InputLength { expected, found });
        }
        let last_use = graph.last_use();
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(graph.len());
        for (index, node) in graph.nodes().iter().enumerate() {
            let output = if let Op::Input { .. } = node.op {
                values.to_vec()
            } else {
                let inputs: Vec<_> = (node.inputs.iter())
                    .map(|&i| (outputs[i].as_slice(), shapes[i]))
                    .collect();
                compute(&node.op, &inputs, shapes[index])?
            };
            observe(index, &output);
            outputs.push(output);
            for &input in node.inputs.iter().filter(|&&i| last_use[i] == index) {
                outputs[input] = Vec::new();
            }
        }
        Ok(outputs.pop().unwrap_or_default())
    }

    /// Number of trained parameters. The running statistics of batch norms are not among them.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for node in self.graph.nodes() {
            match &node.op {
                // Training measures the running statistics; no gradient changes them.
                Op::BatchNorm { gamma, beta, .. } => names.extend([gamma.as_str(), beta]),
                op => names.extend(op.parameters(Shape::vector(1)).iter().map(|p| p.0)),
            }
        }
        let tensors = names.iter().filter_map(|n| self.tensors.tensor(n).ok());
        tensors.map(|tensor| tensor.data().len() as u64).sum()
    }

    /// Checks that every parameter is there and has its shape.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn check(&self) -> Result<(), Error> {
        for (node, out) in self.graph.nodes().iter().zip(self.graph.types()) {
            let input = node.inputs.first().map_or(*out, |&i| self.graph.types()[i]);
            for (name, shape) in node.op.parameters(input) {
                self.tensors.values(name, &shape)?;
            }
        }
        Ok(())
    }
}

impl Op {
    /// A batch norm as a factor and a shift for each channel; `None` for other operations.
    ///
    /// # Errors
    /// [`Error::MissingTensor`].
    pub fn affine(&self, tensors: &Tensors) -> Result<Option<Vec<(f64, f64)>>, Error> {
        let Self::BatchNorm {
            gamma,
            beta,
            mean,
            var,
            eps,
        } = self
        else {
            return Ok(None);
        };
        let value = |name: &str| tensors.tensor(name).map(Tensor::data);
        let [gamma, beta, mean, var] = [value(gamma)?, value(beta)?, value(mean)?, value(var)?];
        let channel = |c: usize| {
            let a = f64::from(gamma[c]) / (f64::from(var[c]) + eps).sqrt();
            (a, f64::from(beta[c]) - a * f64::from(mean[c]))
        };
        Ok(Some((0..gamma.len()).map(channel).collect()))
    }

    /// Computes the operation, which is not [`Op::Input`], on the values and shapes of its inputs.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    ///
    /// # Panics
    /// If it is [`Op::Input`], if the inputs do not have their shapes, or if these do not fit the operation.
    #[expect(clippy::cast_possible_truncation, reason = "values are f32")]
    pub fn compute(
        &self,
        tensors: &Tensors,
        inputs: &[(&[f32], Shape)],
        out: Shape,
    ) -> Result<Vec<f32>, Error> {
        let (x, shape) = inputs[0];
        let tensor = |name: &str| -> Result<&[f32], Error> {
            let wanted = self.parameters(shape).into_iter().find(|p| p.0 == name);
            tensors.values(name, &wanted.expect("an op lists its parameters").1)
        };
        Ok(match self {
            Self::Input { .. } => unreachable!("the input is not computed"),
            Self::Conv2d { .. } | Self::Linear { .. } => {
                let layer = self.linear().expect("these are linear");
                let weight = tensor(layer.weight)?;
                let mut y = conv_f32(x, shape, weight, out, layer.groups, layer.window);
                if let Some(bias) = layer.bias {
                    add_per_channel(&mut y, tensor(bias)?, out.plane());
                }
                y
            }
            Self::BatchNorm { .. } => {
                let affine = self.affine(tensors)?.expect("it is a batch norm");
                normed(x, &affine, shape.plane())
            }
            Self::Relu => x.iter().map(|v| v.max(0.0)).collect(),
            Self::SignedRelu { shift, sign } => {
                signed_relu(x, tensor(shift)?, tensor(sign)?, shape.plane())
            }
            Self::LeakyRelu { slope } => {
                let slope = *slope as f32;
                x.iter().map(|v| v.max(0.0) + slope * v.min(0.0)).collect()
            }
            Self::PRelu { slope } => {
                let (slope, plane) = (tensor(slope)?, shape.plane());
                let value = |(i, v): (usize, &f32)| v.max(0.0) + slope[i / plane] * v.min(0.0);
                x.iter().enumerate().map(value).collect()
            }
            Self::AddMap { map } => x.iter().zip(tensor(map)?).map(|(a, b)| a + b).collect(),
            Self::Clamp { low, high } => {
                let [low, high] = [low, high].map(|bound| bound.map(|v| v as f32));
                let [low, high] = [low.unwrap_or(f32::MIN), high.unwrap_or(f32::MAX)];
                x.iter().map(|v| v.max(low).min(high)).collect()
            }
            Self::Neg => x.iter().map(|v| -v).collect(),
            Self::Pick {
                channels,
                rows,
                columns,
            } => kernel::pick(x, shape, [channels, rows, columns], out),
            Self::Reorder { order, .. } => kernel::reorder(x, shape, *order),
            Self::Clip { top } => x.iter().map(|v| v.clamp(0.0, *top as f32)).collect(),
            Self::MaxPool { window } => pool(x, shape, out, *window, f32::NEG_INFINITY, f32::max),
            Self::HardSigmoid => x.iter().map(|&v| hard_sigmoid(v)).collect(),
            Self::HardSwish => x.iter().map(|&v| v * hard_sigmoid(v)).collect(),
            Self::Curve { curve } => {
                let value = |&v: &f32| curve.value(f64::from(v)) as f32;
                x.par_iter().map(value).collect()
            }
            Self::Gate => {
                let gated = |(i, v): (usize, &f32)| v * inputs[1].0[i / shape.plane()];
                x.iter().enumerate().map(gated).collect()
            }
            Self::Quantise { scale, low, high } => {
                quantised(x, *scale as f32, *low as f32, *high as f32)
            }
            Self::Scale { factor } => x.iter().map(|v| (f64::from(*v) * factor) as f32).collect(),
            Self::AvgPool {
                window,
                counts_padding,
            } => mean(x, shape, out, *window, *counts_padding),
            Self::GlobalAvgPool => mean(x, shape, out, Window::whole(shape), true),
            Self::Add => x.iter().zip(inputs[1].0).map(|(a, b)| a + b).collect(),
            Self::Concat => inputs.iter().map(|(x, _)| *x).collect::<Vec<_>>().concat(),
            Self::ChannelShuffle { groups } => kernel::shuffle(x, shape, *groups),
            Self::Slice { start, .. } => kernel::slice(x, shape, *start, out.channels),
            Self::Subsample { stride } => kernel::subsample(x, shape, *stride),
            Self::PadChannels { front, back } => kernel::pad_channels(x, shape, *front, *back),
            Self::Flatten => x.to_vec(),
        })
    }
}

/// Each channel times its factor, plus its constant.
#[expect(clippy::cast_possible_truncation, reason = "values are f32")]
fn normed(x: &[f32], affine: &[(f64, f64)], plane: usize) -> Vec<f32> {
    let mut y = x.to_vec();
    for (plane, &(a, b)) in y.chunks_exact_mut(plane).zip(affine) {
        plane
            .iter_mut()
            .for_each(|v| *v = f64::from(*v).mul_add(a, b) as f32);
    }
    y
}

fn quantised(x: &[f32], scale: f32, low: f32, high: f32) -> Vec<f32> {
    let level = |v: &f32| (v / scale).round_ties_even().clamp(low, high);
    x.iter().map(|v| level(v) * scale).collect()
}

fn signed_relu(x: &[f32], shift: &[f32], sign: &[f32], plane: usize) -> Vec<f32> {
    let mut y = x.to_vec();
    let channels = shift.iter().zip(sign);
    for (plane, (&shift, &sign)) in y.chunks_exact_mut(plane).zip(channels) {
        if sign < 0.0 {
            plane.iter_mut().for_each(|v| *v = kept_below(*v + shift));
        } else {
            plane.iter_mut().for_each(|v| *v = kept_above(*v + shift));
        }
    }
    y
}

/// What is negative, or no number; else 0.
fn kept_below(y: f32) -> f32 {
    if y >= 0.0 { 0.0 } else { y }
}

/// What is not negative; else 0.
fn kept_above(y: f32) -> f32 {
    if y >= 0.0 { y } else { 0.0 }
}

fn add_per_channel(y: &mut [f32], bias: &[f32], plane: usize) {
    for (channel, b) in y.chunks_exact_mut(plane).zip(bias) {
        channel.iter_mut().for_each(|v| *v += b);
    }
}

fn hard_sigmoid(v: f32) -> f32 {
    (v + 3.0).clamp(0.0, 6.0) / 6.0
}

fn mean(x: &[f32], shape: Shape, out: Shape, window: Window, counts_padding: bool) -> Vec<f32> {
    let mut y = pool(x, shape, out, window, 0.0, |a, b| a + b);
    let counts = window.covered(shape, out);
    for plane in y.chunks_exact_mut(out.plane()) {
        for (v, &count) in plane.iter_mut().zip(&counts) {
            *v /= if counts_padding { window.area() } else { count } as f32;
        }
    }
    y
}

fn pool(
    x: &[f32],
    shape: Shape,
    out: Shape,
    window: Window,
    start: f32,
    join: fn(f32, f32) -> f32,
) -> Vec<f32> {
    let mut y = vec![start; out.len()];
    y.par_chunks_exact_mut(out.plane())
        .zip(x.par_chunks_exact(shape.plane()))
        .for_each(|(y, x)| kernel::pool_plane(x, shape, y, out, window, join));
    y
}
