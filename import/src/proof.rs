//! How far tensors can reach on any picture, by interval arithmetic from black and white.
//!
//! Each value has an interval of its own, so that zeros of padding, channels and positions are told apart. A linear layer
//! takes the ends by the signs of its weights. Everything is computed in `f32` as the network itself is; the result is
//! widened by what rounding may have cost it.

use nets::{Curve, FloatModel, LinearView, Op, Preprocessing, Shape, Tensor, Tensors};

use crate::Error;
use crate::variants::extremes;

/// What rounding may cost a bound.
const SLACK: f64 = 1.0 + 1.0 / 1024.0;

/// The ends of the interval of each value.
struct Ends {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Ends {
    /// The interval that holds both results of a monotonous operation, whether it rises or falls.
    fn between(a: Vec<f32>, b: Vec<f32>) -> Self {
        let (mut low, mut high) = (a, b);
        for (low, high) in low.iter_mut().zip(&mut high) {
            if *low > *high {
                std::mem::swap(low, high);
            }
        }
        Self { low, high }
    }

    /// With `value` wherever the interval of the operation's input holds `at`.
    fn with(mut self, input: &Self, at: f32, value: f32) -> Self {
        let inputs = input.low.iter().zip(&input.high);
        let holds = inputs.map(|(&low, &high)| low <= at && at <= high);
        let ends = self.low.iter_mut().zip(&mut self.high);
        for ((low, high), holds) in ends.zip(holds) {
            if holds {
                *low = low.min(value);
                *high = high.max(value);
            }
        }
        self
    }

    /// With everything possible where a sum of infinities or a product of zero and infinity says nothing.
    fn without_gaps(mut self) -> Self {
        let ends = self.low.iter_mut().zip(&mut self.high);
        for (low, high) in ends.filter(|(low, high)| low.is_nan() || high.is_nan()) {
            (*low, *high) = (f32::NEG_INFINITY, f32::INFINITY);
        }
        self
    }

    /// The largest magnitude; infinite where nothing is known.
    fn reach(&self) -> f64 {
        let values = self.low.iter().chain(&self.high);
        let larger = |top: f64, &v: &f32| match v.is_finite() {
            true => top.max(f64::from(v.abs())),
            false => f64::INFINITY,
        };
        values.fold(0.0, larger) * SLACK
    }
}

/// The largest magnitude that every node's output can have; infinite where `f32` does not hold it.
pub(crate) fn reach(model: &FloatModel, preprocessing: &Preprocessing) -> Result<Vec<f64>, Error> {
    let (graph, shapes) = (&model.graph, model.graph.types());
    let last_use = graph.last_use();
    let mut ends: Vec<Option<Ends>> = Vec::with_capacity(graph.len());
    let mut reach = Vec::with_capacity(graph.len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let found = if let Op::Input { .. } = node.op {
            let [black, white] = extremes(preprocessing).map(|v| preprocessing.rounded(v));
            Ends::between(black, white)
        } else {
            let input = |&i: &usize| (ends[i].as_ref().expect("it is used later"), shapes[i]);
            let inputs: Vec<_> = node.inputs.iter().map(input).collect();
            of(&node.op, &model.tensors, &inputs, shapes[index])?
        };
        let found = found.without_gaps();
        reach.push(found.reach());
        ends.push(Some(found));
        for &input in node.inputs.iter().filter(|&&i| last_use[i] == index) {
            ends[input] = None;
        }
    }
    Ok(reach)
}

/// What an operation gives of any values within the intervals of its inputs.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "levels are small"
)]
fn of(op: &Op, tensors: &Tensors, inputs: &[(&Ends, Shape)], out: Shape) -> Result<Ends, Error> {
    let x = inputs[0].0;
    let compute = |tensors: &Tensors, end: fn(&Ends) -> &[f32]| {
        let inputs: Vec<_> = inputs.iter().map(|(ends, s)| (end(ends), *s)).collect();
        op.compute(tensors, &inputs, out)
    };
    let low: fn(&Ends) -> &[f32] = |ends| &ends.low;
    let high: fn(&Ends) -> &[f32] = |ends| &ends.high;
    let ends = || {
        Ok::<_, Error>(Ends::between(
            compute(tensors, low)?,
            compute(tensors, high)?,
        ))
    };
    Ok(match op {
        Op::Input { .. } => unreachable!("the input is known"),
        Op::Conv2d { .. } | Op::Linear { .. } => linear(op, tensors, inputs[0], out)?,
        // They rise or fall, value by value.
        Op::BatchNorm { .. }
        | Op::Relu
        | Op::SignedRelu { .. }
        | Op::AddMap { .. }
        | Op::Clip { .. }
        | Op::Clamp { .. }
        | Op::Neg
        | Op::MaxPool { .. }
        | Op::HardSigmoid
        | Op::Scale { .. }
        | Op::AvgPool { .. }
        | Op::GlobalAvgPool
        | Op::Add
        | Op::Concat
        | Op::ChannelShuffle { .. }
        | Op::Slice { .. }
        | Op::Subsample { .. }
        | Op::PadChannels { .. }
        | Op::Flatten
        | Op::Pick { .. }
        | Op::Reorder { .. } => ends()?,
        // What is before it is not exact: near the middle between two integers it is rounded to either.
        Op::Quantise { scale, low, high } => {
            let [step, low, high] = [*scale, *low as f64 * scale, *high as f64 * scale];
            let mut ends = ends()?;
            for v in &mut ends.low {
                *v = (f64::from(*v) - step).max(low) as f32;
            }
            for v in &mut ends.high {
                *v = (f64::from(*v) + step).min(high) as f32;
            }
            ends
        }
        // With a negative slope they turn at 0.
        Op::LeakyRelu { .. } | Op::PRelu { .. } => ends()?.with(x, 0.0, 0.0),
        Op::HardSwish => ends()?.with(x, -1.5, -0.375),
        Op::Curve { curve } => match turn(*curve) {
            Some((at, value)) => ends()?.with(x, at, value),
            None => ends()?,
        },
        Op::Gate => {
            let (gate, plane) = (inputs[1].0, inputs[0].1.plane());
            let values = x.low.iter().zip(&x.high).enumerate();
            let products = values.map(|(i, (&low, &high))| {
                let (g, h) = (gate.low[i / plane], gate.high[i / plane]);
                let all = [low * g, low * h, high * g, high * h];
                if all.iter().any(|v| v.is_nan()) {
                    return (f32::NEG_INFINITY, f32::INFINITY);
                }
                let least = all.into_iter().fold(f32::INFINITY, f32::min);
                (least, all.into_iter().fold(f32::NEG_INFINITY, f32::max))
            });
            let (low, high) = products.unzip();
            Ends { low, high }
        }
    })
}

/// What a linear layer gives.
fn linear(
    op: &Op,
    tensors: &Tensors,
    (x, shape): (&Ends, Shape),
    out: Shape,
) -> Result<Ends, Error> {
    let layer = op.linear().expect("the caller found a linear layer");
    let ends = |sign: Sign| {
        let part = part(tensors, &layer, sign)?;
        let end = |end: &[f32]| op.compute(&part, &[(end, shape)], out);
        Ok::<_, Error>((end(&x.low)?, end(&x.high)?))
    };
    // One after the other: a layer can have most of a network's weights.
    let (above, below) = (ends(Sign::Above)?, ends(Sign::Below)?);
    let sum = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
    Ok(Ends {
        low: sum(above.0, below.1),
        high: sum(above.1, below.0),
    })
}

/// Where a smooth function has its least value on the left, and that value.
const fn turn(curve: Curve) -> Option<(f32, f32)> {
    match curve {
        Curve::Sigmoid | Curve::Tanh | Curve::Celu { .. } | Curve::Selu | Curve::Softplus => None,
        // One with an alpha below 0 falls before 0.
        Curve::Elu { .. } => Some((0.0, 0.0)),
        Curve::Silu => Some((-1.278_465, -0.278_465)),
        Curve::Gelu => Some((-0.751_79, -0.169_972)),
        Curve::GeluTanh => Some((-0.752_46, -0.170_041)),
        Curve::Mish => Some((-1.192_27, -0.308_844)),
    }
}

/// Which weights of a layer.
#[derive(Clone, Copy)]
enum Sign {
    Above,
    Below,
}

/// The parameters of a linear layer with the weights above zero and its bias, or with those below and none.
fn part(tensors: &Tensors, layer: &LinearView<'_>, sign: Sign) -> Result<Tensors, Error> {
    let weight = tensors.tensor(layer.weight)?;
    let kept = match sign {
        Sign::Above => f32::max,
        Sign::Below => f32::min,
    };
    let values = weight.data().iter().map(|&w| kept(w, 0.0)).collect();
    let mut part = Tensors::new();
    part.insert(layer.weight, Tensor::new(weight.shape().to_vec(), values));
    if let Some(name) = layer.bias {
        let bias = tensors.tensor(name)?;
        let bias = match sign {
            Sign::Above => bias.clone(),
            Sign::Below => Tensor::new(bias.shape().to_vec(), vec![0.0; bias.data().len()]),
        };
        part.insert(name, bias);
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_turn_where_they_are_said_to() {
        let curves = [Curve::Silu, Curve::Gelu, Curve::GeluTanh, Curve::Mish];
        for curve in curves {
            let (at, value) = turn(curve).expect("it turns");
            let values = (-5000..5000).map(|i| curve.value(f64::from(i) / 500.0));
            let least = values.fold(f64::INFINITY, f64::min);
            assert!((least - f64::from(value)).abs() < 2e-6, "{curve:?} {least}");
            assert!(
                (curve.value(f64::from(at)) - least).abs() < 2e-6,
                "{curve:?} {at}"
            );
        }
        for curve in [Curve::Sigmoid, Curve::Tanh, Curve::Selu, Curve::Softplus] {
            let values: Vec<f64> = (-500..500)
                .map(|i| curve.value(f64::from(i) / 50.0))
                .collect();
            assert!(values.is_sorted(), "{curve:?}");
        }
    }
}
