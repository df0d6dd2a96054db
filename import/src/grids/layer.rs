//! Layers between grids: an exact sum, and a factor for each channel.

use nets::{Op, Tensor, Window};

use super::levels::levels;
use super::{Fixed, Grid, MAX_FRACTION, REAL, Rewrite, SHARE, State, fraction};
use crate::Error;
use crate::scales::bits_for;

/// The largest integer of a bias: an `f32` holds it.
const MAX_BIAS: f64 = 8_388_608.0;
/// How far a product of integers and scales may be from its `f32`, relative to it.
const NOISE: f64 = 4.0 * f32::EPSILON as f64;
/// The most bits that a sum with its factor may have.
const MAX_BITS: u32 = 62;

/// One output channel.
struct Row {
    weights: Vec<f32>,
    /// What is added to the sum.
    bias: f64,
    /// What the sum is multiplied by.
    factor: f64,
    /// What is added to the product.
    rest: f64,
    /// Between which the sum lies.
    sum: (f64, f64),
}

impl Row {
    /// The largest magnitude of the sum.
    fn most(&self) -> f64 {
        self.sum.0.abs().max(self.sum.1.abs())
    }

    /// Between which the result lies.
    fn values(&self) -> (f64, f64) {
        let of = |sum: f64| sum.mul_add(self.factor, self.rest);
        (of(self.sum.0), of(self.sum.1))
    }
}

impl Rewrite<'_> {
    /// A linear layer. Its weights take the unit of its input.
    pub(super) fn linear(
        &mut self,
        old: usize,
        op: Op,
        x: usize,
        goal: Option<Grid>,
    ) -> Result<usize, Error> {
        let state = self.states[x];
        if let (true, Some(grid)) = (state.levels, goal)
            && let Some(new) = self.requantised(old, &op, x, &grid)?
        {
            return Ok(new);
        }
        let name = self.model.graph.nodes()[old].name.clone();
        let mut op = op;
        if !state.is_real() {
            let (weight, _) = op.linear_parameters_mut().expect("it is linear");
            let values = self.tensors.tensor(weight)?;
            #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
            let by_unit = |w: &f32| (f64::from(*w) * state.unit) as f32;
            let scaled = values.data().iter().map(by_unit).collect();
            let scaled = Tensor::new(values.shape().to_vec(), scaled);
            *weight = format!("{name}:in-units");
            self.tensors.insert(weight.clone(), scaled);
        }
        Ok(self.push(name, op, &[x], REAL, None))
    }

    /// A layer of integer weights between two grids; `None` if its weights are not integers, or too large.
    fn requantised(
        &mut self,
        old: usize,
        op: &Op,
        x: usize,
        grid: &Grid,
    ) -> Result<Option<usize>, Error> {
        let Some(rows) = self.rows(op, self.states[x], grid)? else {
            return Ok(None);
        };
        let values = rows.iter().map(Row::values);
        let values = values.fold((0.0_f64, 0.0_f64), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        let reached = |row: &Row| (row.factor, row.most().min(grid.reach() / row.factor));
        let factors: Vec<_> = rows.iter().map(reached).collect();
        let (mut shift, _) = fraction(&factors, SHARE / 2.0);
        // What is left of biases is rounded too.
        let half = |shift: u32| 2f64.powi(-shift.cast_signed() - 1);
        let rests = rows.iter().any(|row| row.rest != 0.0);
        while rests && half(shift) > SHARE / 2.0 {
            shift += 1;
        }
        let one = 2f64.powi(shift.cast_signed());
        let bits = bits_for(grid.room(values) * one);
        let largest = rows.iter().map(|row| row.factor).fold(0.0, f64::max) * one;
        let most = rows.iter().map(Row::most).fold(0.0, f64::max);
        let weight = rows.iter().flat_map(|row| &row.weights);
        let weight = weight.fold(0.0_f32, |top, w| top.max(w.abs()));
        let weight_bits = bits_for(weight.into()).max(2);
        if bits > MAX_BITS || shift > MAX_FRACTION || bits_for(largest) > nets::MAX_WEIGHT_BITS {
            return Ok(None);
        }
        let moved = factors
            .iter()
            .map(|&(by, reach)| ((by * one).round() / one - by).abs() * reach);
        let moved = moved.fold(0.0, f64::max) + if rests { half(shift) } else { 0.0 };
        let state = State {
            unit: grid.scale,
            values: Some(values),
            aligned: true,
            moved,
            ..REAL
        };
        let name = self.model.graph.nodes()[old].name.clone();
        // Factors that are one power of two are a scale.
        let power = rows
            .iter()
            .all(|row| row.factor == 1.0 / one || row.most() == 0.0);
        if power && !rests {
            let op = self.with_rows(&name, op, &rows, 1.0 / one);
            let fixed = Fixed::Sums {
                scale: shift,
                weight_bits,
                bits: bits.max(weight_bits),
            };
            return Ok(Some(self.push(name, op, &[x], state, Some(fixed))));
        }
        let op = self.with_rows(&name, op, &rows, 1.0);
        let sums = Fixed::Sums {
            scale: 0,
            weight_bits,
            // With one bit more, an extension takes no comparison.
            bits: (bits_for(most) + 1).max(weight_bits),
        };
        let sum = self.push(name.clone(), op, &[x], REAL, Some(sums));
        let factors = Fixed::Sums {
            scale: shift,
            weight_bits: bits_for(largest).max(2),
            bits: bits.max(bits_for(largest)),
        };
        let op = self.factors(&name, &rows);
        Ok(Some(self.push(
            format!("{name}.factor"),
            op,
            &[sum],
            state,
            Some(factors),
        )))
    }

    /// The rows of a layer; `None` if one is not of integers.
    fn rows(&self, op: &Op, x: State, grid: &Grid) -> Result<Option<Vec<Row>>, Error> {
        let layer = op.linear().expect("it is linear");
        let weight = self.tensors.tensor(layer.weight)?.data();
        let bias = layer.bias.expect("fold() gave every linear node a bias");
        let bias = self.tensors.tensor(bias)?.data();
        let (low, high) = x.values.expect("levels are bounded");
        let mut rows = Vec::with_capacity(bias.len());
        for (row, &bias) in weight.chunks_exact(weight.len() / bias.len()).zip(bias) {
            let Some((weights, scale)) = levels(row) else {
                return Ok(None);
            };
            // As the tensor of factors holds it.
            #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
            let factor = f64::from((x.unit * scale / grid.scale) as f32);
            let bias = f64::from(bias);
            let whole = (bias / (x.unit * scale)).round();
            // A row of zeros, or a bias too large for an integer, is in the rest.
            let whole = if whole.abs() < MAX_BIAS { whole } else { 0.0 };
            let rest = whole.mul_add(-factor, bias / grid.scale);
            // What is left of an integer is rounding of the file's floats.
            let is_noise = rest.abs() <= bias.abs() / grid.scale * NOISE;
            let of = |w: &f32| {
                let w = f64::from(*w);
                ((w * low).min(w * high), (w * low).max(w * high))
            };
            let sums = weights.iter().map(of);
            let sum = sums.fold((whole, whole), |a, b| (a.0 + b.0, a.1 + b.1));
            rows.push(Row {
                weights,
                bias: whole,
                factor,
                rest: if is_noise { 0.0 } else { rest },
                sum,
            });
        }
        Ok(Some(rows))
    }

    /// The layer with the integers of its rows times `by`.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn with_rows(&mut self, name: &str, op: &Op, rows: &[Row], by: f64) -> Op {
        let mut op = op.clone();
        let (weight, bias) = op.linear_parameters_mut().expect("it is linear");
        let shape = self.tensors.tensor(weight).map(|t| t.shape().to_vec());
        let shape = shape.expect("rows() read it");
        let scaled = |w: f64| (w * by) as f32;
        let weights = rows.iter().flat_map(|row| &row.weights);
        let weights = weights.map(|&w| scaled(w.into())).collect();
        *weight = format!("{name}:integers");
        self.tensors
            .insert(weight.clone(), Tensor::new(shape, weights));
        let biases = rows.iter().map(|row| scaled(row.bias)).collect();
        let whole = format!("{name}:integer-bias");
        self.tensors
            .insert(whole.clone(), Tensor::new(vec![rows.len()], biases));
        *bias = Some(whole);
        op
    }

    /// The factors of the rows, as a depthwise layer.
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn factors(&mut self, name: &str, rows: &[Row]) -> Op {
        let [weight, bias] = ["factor", "rest"].map(|part| format!("{name}:{part}"));
        let channels = rows.len();
        let factors = rows.iter().map(|row| row.factor as f32).collect();
        let rests = rows.iter().map(|row| row.rest as f32).collect();
        let shape = vec![channels, 1, 1, 1];
        self.tensors
            .insert(weight.clone(), Tensor::new(shape, factors));
        self.tensors
            .insert(bias.clone(), Tensor::new(vec![channels], rests));
        Op::Conv2d {
            out_channels: channels,
            groups: channels,
            window: Window::square(1, 1, 0),
            weight,
            bias: Some(bias),
        }
    }
}
