//! The float executor: what the network computes as trained.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::graph::{Graph, Op};
use crate::kernel::conv_f32;
use crate::shape::{Shape, Window};
use crate::{Error, Tensors};

/// A float graph and its parameters.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct FloatModel {
    /// The graph.
    pub graph: Graph,
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

    /// As [`FloatModel::run`], showing every node's output to `observe`.
    ///
    /// # Errors
    /// As [`FloatModel::run`].
    pub fn run_observed(
        &self,
        values: &[f32],
        observe: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<Vec<f32>, Error> {
        let shapes = self.graph.shapes()?;
        if values.len() != shapes[0].len() {
            return Err(Error::InputLength {
                expected: shapes[0].len(),
                found: values.len(),
            });
        }
        let mut uses = self.graph.uses();
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(shapes.len());
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let output = match node.op {
                Op::Input { .. } => values.to_vec(),
                _ => {
                    let inputs: Vec<_> = node
                        .inputs
                        .iter()
                        .map(|&i| (outputs[i].as_slice(), shapes[i]))
                        .collect();
                    self.node(&node.op, &inputs, shapes[index])?
                }
            };
            observe(index, &output);
            outputs.push(output);
            for &input in &node.inputs {
                uses[input] -= 1;
                if uses[input] == 0 {
                    outputs[input] = Vec::new();
                }
            }
        }
        Ok(outputs.pop().unwrap_or_default())
    }

    /// Number of trained parameters; running statistics are not.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for node in &self.graph.nodes {
            match &node.op {
                Op::Conv2d { weight, bias, .. } | Op::Linear { weight, bias, .. } => {
                    names.insert(weight);
                    names.extend(bias.as_deref());
                }
                Op::BatchNorm { gamma, beta, .. } => names.extend([gamma.as_str(), beta]),
                _ => {}
            }
        }
        let sizes = names
            .iter()
            .filter_map(|name| self.tensors.tensor(name).ok());
        sizes.map(|tensor| tensor.data().len() as u64).sum()
    }

    /// Checks that every parameter is there and has its shape.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn check(&self) -> Result<(), Error> {
        let shapes = self.graph.shapes()?;
        for (node, out) in self.graph.nodes.iter().zip(&shapes) {
            let input = node.inputs.first().map_or(*out, |&i| shapes[i]);
            for (name, shape) in parameters(&node.op, input) {
                self.tensors.values(name, &shape)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "values are f32")]
    pub(crate) fn node(
        &self,
        op: &Op,
        inputs: &[(&[f32], Shape)],
        out: Shape,
    ) -> Result<Vec<f32>, Error> {
        let (x, shape) = inputs[0];
        let tensor = |name: &str| -> Result<&[f32], Error> {
            let wanted = parameters(op, shape).into_iter().find(|(n, _)| *n == name);
            self.tensors
                .values(name, &wanted.expect("an op lists its parameters").1)
        };
        Ok(match op {
            Op::Input { .. } => unreachable!("the caller has the input"),
            Op::Conv2d {
                groups,
                window,
                weight,
                bias,
                ..
            } => {
                let mut y = conv_f32(x, shape, tensor(weight)?, out, *groups, *window);
                if let Some(bias) = bias {
                    add_per_channel(&mut y, tensor(bias)?, out.plane());
                }
                y
            }
            Op::Linear { weight, bias, .. } => {
                let window = Window::square(1, 1, 0);
                let mut y = conv_f32(x, shape, tensor(weight)?, out, 1, window);
                if let Some(bias) = bias {
                    add_per_channel(&mut y, tensor(bias)?, 1);
                }
                y
            }
            Op::BatchNorm {
                gamma,
                beta,
                mean,
                var,
                eps,
            } => {
                let affine = affine(
                    tensor(gamma)?,
                    tensor(beta)?,
                    tensor(mean)?,
                    tensor(var)?,
                    *eps,
                );
                let plane = shape.plane();
                x.chunks_exact(plane)
                    .zip(affine)
                    .flat_map(|(xs, (a, b))| {
                        xs.iter().map(move |&v| f64::from(v).mul_add(a, b) as f32)
                    })
                    .collect()
            }
            Op::Relu => x.iter().map(|v| v.max(0.0)).collect(),
            Op::SignedRelu { shift, sign } => {
                signed_relu(x, tensor(shift)?, tensor(sign)?, shape.plane())
            }
            Op::AddMap { map } => x.iter().zip(tensor(map)?).map(|(a, b)| a + b).collect(),
            Op::Clip { top } => x.iter().map(|v| v.clamp(0.0, *top as f32)).collect(),
            Op::MaxPool { window } => pool(x, shape, out, *window, f32::NEG_INFINITY, f32::max),
            Op::HardSigmoid => x.iter().map(|&v| hard_sigmoid(v)).collect(),
            Op::HardSwish => x.iter().map(|&v| v * hard_sigmoid(v)).collect(),
            Op::Gate => {
                let gated = |(i, v): (usize, &f32)| v * inputs[1].0[i / shape.plane()];
                x.iter().enumerate().map(gated).collect()
            }
            Op::AvgPool {
                window,
                counts_padding,
            } => mean(x, shape, out, *window, *counts_padding),
            Op::GlobalAvgPool => mean(x, shape, out, Window::whole(shape), true),
            Op::Add => x.iter().zip(inputs[1].0).map(|(a, b)| a + b).collect(),
            Op::Concat => inputs.iter().flat_map(|(x, _)| x.iter().copied()).collect(),
            Op::ChannelShuffle { groups } => crate::kernel::shuffle(x, shape, *groups),
            Op::Slice { start, .. } => crate::kernel::slice(x, shape, *start, out.channels),
            Op::Subsample { stride } => crate::kernel::subsample(x, shape, *stride),
            Op::PadChannels { front, back } => crate::kernel::pad_channels(x, shape, *front, *back),
            Op::Flatten => x.to_vec(),
        })
    }
}

/// The names and shapes of an operation's parameters, given its input's shape.
pub(crate) fn parameters(op: &Op, input: Shape) -> Vec<(&str, Vec<usize>)> {
    match op {
        Op::Conv2d {
            out_channels,
            groups,
            window,
            weight,
            bias,
        } => {
            let shape = vec![
                *out_channels,
                input.channels / (*groups).max(1),
                window.kernel[0],
                window.kernel[1],
            ];
            let bias = bias.as_deref().map(|b| (b, vec![*out_channels]));
            std::iter::once((weight.as_str(), shape))
                .chain(bias)
                .collect()
        }
        Op::Linear {
            out_features,
            weight,
            bias,
        } => {
            let bias = bias.as_deref().map(|b| (b, vec![*out_features]));
            let shape = vec![*out_features, input.len()];
            std::iter::once((weight.as_str(), shape))
                .chain(bias)
                .collect()
        }
        Op::BatchNorm {
            gamma,
            beta,
            mean,
            var,
            ..
        } => {
            let shape = vec![input.channels];
            [gamma, beta, mean, var]
                .map(|n| (n.as_str(), shape.clone()))
                .into()
        }
        Op::SignedRelu { shift, sign } => [shift, sign]
            .map(|n| (n.as_str(), vec![input.channels]))
            .into(),
        Op::AddMap { map } => {
            let shape = vec![input.channels, input.height, input.width];
            vec![(map.as_str(), shape)]
        }
        _ => Vec::new(),
    }
}

fn signed_relu(x: &[f32], shift: &[f32], sign: &[f32], plane: usize) -> Vec<f32> {
    let kept = |y: f32, sign: f32| if (y >= 0.0) == (sign < 0.0) { 0.0 } else { y };
    (x.iter().enumerate())
        .map(|(i, x)| kept(x + shift[i / plane], sign[i / plane]))
        .collect()
}

/// A batch norm as factor and shift per channel.
pub(crate) fn affine(
    gamma: &[f32],
    beta: &[f32],
    mean: &[f32],
    var: &[f32],
    eps: f64,
) -> Vec<(f64, f64)> {
    (0..gamma.len())
        .map(|c| {
            let a = f64::from(gamma[c]) / (f64::from(var[c]) + eps).sqrt();
            (a, f64::from(beta[c]) - a * f64::from(mean[c]))
        })
        .collect()
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
        .for_each(|(y, x)| crate::kernel::pool_plane(x, shape, y, out, window, join));
    y
}
