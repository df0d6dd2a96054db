//! Factors for channels, folded into weights, so that one scale for a whole tensor wastes no bits.
//!
//! For c > 0, `ReLU(c x) = c ReLU(x)`, and the same holds for every homogeneous operation: a convolution
//! may make a channel larger by c, and the layers that take the channel divide by c again, at no cost.
//! The factors are chosen so that within every weight tensor the rows (output channels) and the columns
//! (input channels) reach about equally far. [NBBW19] Nagel, van Baalen, Blankevoort, Welling,
//! *Data-Free Quantization*, arXiv 1906.04721, section 4.1, here for whole residual streams instead of
//! pairs of layers, and with the ranges of activations in the balance.

use nets::{FloatModel, Op, Provenance, Shape, Tensor};

use crate::Error;

/// Sweeps over all channels; the factors settle long before.
const SWEEPS: usize = 40;
/// No sweep changes a factor by more than this, and all sweeps together by no more than its square, so
/// that channels which are nearly 0 get no extreme factors.
const LIMIT: f64 = 16.0;

/// A network whose channels are balanced.
pub(crate) struct Balanced {
    /// The same function with balanced weights. Only parameters change, never the graph.
    pub(crate) model: FloatModel,
    /// The factor of every channel of every node's output.
    pub(crate) factors: Vec<Vec<f64>>,
}

impl Balanced {
    /// The largest magnitudes that the channels have in the balanced network.
    pub(crate) fn scaled(&self, peaks: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let node = |(peaks, factors): (&Vec<f64>, &Vec<f64>)| {
            let channels = peaks.iter().zip(factors);
            channels.map(|(peak, factor)| peak * factor).collect()
        };
        peaks.iter().zip(&self.factors).map(node).collect()
    }
}

/// Balances a network, where `peaks` are the largest magnitudes of every channel of every node's output.
pub(crate) fn equalise(model: &FloatModel, peaks: &[Vec<f64>]) -> Result<Balanced, Error> {
    let classes = Classes::new(model);
    let linears = linears(model, &classes)?;
    let peaks = with_shifts(model, peaks)?;
    let mut factor = vec![1.0_f64; classes.count];
    for _ in 0..SWEEPS {
        let mut row_reach = vec![0.0_f64; classes.count];
        let mut column_reach = vec![0.0_f64; classes.count];
        for linear in &linears {
            linear.reach(&factor, &mut row_reach, &mut column_reach);
        }
        for (node, peaks) in peaks.iter().enumerate() {
            let class = |c: usize| classes.class(node, c);
            let scaled = |(c, peak): (usize, &f64)| peak * factor[class(c)];
            let top = peaks.iter().enumerate().map(scaled).fold(0.0, f64::max);
            for (c, peak) in peaks.iter().enumerate().filter(|_| top > 0.0) {
                row_reach[class(c)] = row_reach[class(c)].max(peak * factor[class(c)] / top);
            }
        }
        for (class, factor) in factor.iter_mut().enumerate() {
            let (row, column) = (row_reach[class], column_reach[class]);
            if !classes.fixed[class] && row > 0.0 && column > 0.0 {
                let change = (column / row).sqrt().clamp(1.0 / LIMIT, LIMIT);
                *factor = (*factor * change).clamp(1.0 / (LIMIT * LIMIT), LIMIT * LIMIT);
            }
        }
    }
    let of = |(node, shape): (usize, &Shape)| {
        (0..shape.channels)
            .map(|c| factor[classes.class(node, c)])
            .collect()
    };
    let factors = model.graph.types().iter().enumerate().map(of).collect();
    Ok(Balanced {
        model: apply(model, &linears, &classes, &factor)?,
        factors,
    })
}

/// The peaks, raised to the shifts that an [`Op::SignedRelu`] adds, which need room too.
fn with_shifts(model: &FloatModel, peaks: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, Error> {
    let mut peaks = peaks.to_vec();
    for (node, peaks) in model.graph.nodes().iter().zip(&mut peaks) {
        if let Op::SignedRelu { shift, .. } = &node.op {
            let shifts = model.tensors.tensor(shift)?.data();
            for (peak, shift) in peaks.iter_mut().zip(shifts) {
                *peak = peak.max(f64::from(shift.abs()));
            }
        }
    }
    Ok(peaks)
}

/// Channels in classes that share a factor: those that operations without weights connect.
struct Classes {
    /// The first channel of each node in `parent`.
    start: Vec<usize>,
    /// Class of each channel, by its first channel.
    class: Vec<usize>,
    /// Classes whose factor must stay 1.
    fixed: Vec<bool>,
    count: usize,
}

impl Classes {
    fn new(model: &FloatModel) -> Self {
        let shapes = model.graph.types();
        let mut start = Vec::with_capacity(shapes.len());
        let mut count = 0;
        for shape in shapes {
            start.push(count);
            count += shape.channels;
        }
        let mut class: Vec<usize> = (0..count).collect();
        let mut fixed = vec![false; count];
        let mut hold = |node: usize| {
            let channels = start[node]..start[node] + shapes[node].channels;
            fixed[channels].iter_mut().for_each(|f| *f = true);
        };
        hold(0);
        hold(shapes.len() - 1);
        let mut joined = Vec::new();
        for (index, node) in model.graph.nodes().iter().enumerate() {
            if !node.op.is_homogeneous() {
                hold(index);
                node.inputs.iter().for_each(|&input| hold(input));
            }
            let inputs: Vec<Shape> = node.inputs.iter().map(|&i| shapes[i]).collect();
            let pair = |channel: Provenance| {
                let source = start[node.inputs[channel.input]] + channel.from;
                (start[index] + channel.to, source)
            };
            let channels = node.op.provenance(&inputs, shapes[index]);
            joined.extend(channels.into_iter().map(pair));
        }
        for (a, b) in joined {
            let (a, b) = (root(&mut class, a), root(&mut class, b));
            class[a.max(b)] = a.min(b);
        }
        for channel in 0..count {
            let root = root(&mut class, channel);
            class[channel] = root;
        }
        for channel in (0..count).filter(|&c| fixed[c]).collect::<Vec<_>>() {
            fixed[class[channel]] = true;
        }
        Self {
            start,
            class,
            fixed,
            count,
        }
    }

    fn class(&self, node: usize, channel: usize) -> usize {
        self.class[self.start[node] + channel]
    }
}

fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

/// The weights of one linear node as blocks of one output and one input channel.
struct Linear<'a> {
    weight: &'a str,
    bias: Option<&'a str>,
    shape: &'a [usize],
    data: &'a [f32],
    /// The largest magnitude of each block.
    peaks: Vec<f32>,
    /// Weights of one output and one input channel.
    area: usize,
    /// Input channels of a group.
    inputs: usize,
    /// Class of each output channel.
    rows: Vec<usize>,
    /// Class of each input channel of each output's group.
    columns: Vec<usize>,
    /// Output channels of a group.
    per_group: usize,
}

impl Linear<'_> {
    /// Class of the input channel of a block.
    fn column(&self, row: usize, column: usize) -> usize {
        self.columns[row / self.per_group * self.inputs + column]
    }

    /// Blocks with their rows and columns.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        let blocks = self.data.chunks_exact(self.area).enumerate();
        blocks.map(|(i, block)| (i / self.inputs, i % self.inputs, block))
    }

    /// Raises the reach of each row and each column to its largest scaled weight, relative to the largest of
    /// the layer.
    fn reach(&self, factor: &[f64], row_reach: &mut [f64], column_reach: &mut [f64]) {
        let mut top = 0.0_f64;
        self.each(factor, |_, _, peak| top = top.max(peak));
        if top > 0.0 {
            self.each(factor, |row, column, peak| {
                row_reach[row] = row_reach[row].max(peak / top);
                column_reach[column] = column_reach[column].max(peak / top);
            });
        }
    }

    /// Shows the class of the row and of the column of every block, and its largest scaled weight.
    fn each(&self, factor: &[f64], mut see: impl FnMut(usize, usize, f64)) {
        let rows = self.peaks.chunks_exact(self.inputs).zip(&self.rows);
        for (number, (peaks, &row)) in rows.enumerate() {
            let columns = &self.columns[number / self.per_group * self.inputs..];
            for (peak, &column) in peaks.iter().zip(columns) {
                see(row, column, f64::from(*peak) * factor[row] / factor[column]);
            }
        }
    }
}

fn linears<'a>(model: &'a FloatModel, classes: &Classes) -> Result<Vec<Linear<'a>>, Error> {
    let shapes = model.graph.types();
    let mut linears = Vec::new();
    for (index, node) in model.graph.nodes().iter().enumerate() {
        let Some(layer) = node.op.linear() else {
            continue;
        };
        let (groups, tensor) = (layer.groups, model.tensors.tensor(layer.weight)?);
        let (x, channels) = (node.inputs[0], shapes[node.inputs[0]].channels);
        linears.push(Linear {
            weight: layer.weight,
            bias: layer.bias,
            shape: tensor.shape(),
            data: tensor.data(),
            peaks: (tensor.data().chunks_exact(layer.window.area()))
                .map(|block| block.iter().fold(0.0, |top: f32, w| top.max(w.abs())))
                .collect(),
            area: layer.window.area(),
            inputs: channels / groups,
            rows: (0..shapes[index].channels)
                .map(|c| classes.class(index, c))
                .collect(),
            columns: (0..channels).map(|c| classes.class(x, c)).collect(),
            per_group: shapes[index].channels / groups,
        });
    }
    Ok(linears)
}

#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
fn apply(
    model: &FloatModel,
    linears: &[Linear<'_>],
    classes: &Classes,
    factor: &[f64],
) -> Result<FloatModel, Error> {
    let mut tensors = model.tensors.clone();
    for linear in linears {
        // Made at its full length: what grows takes up to twice the memory.
        let mut scaled = Vec::with_capacity(linear.data.len());
        for (r, c, block) in linear.blocks() {
            let f = factor[linear.rows[r]] / factor[linear.column(r, c)];
            scaled.extend(block.iter().map(|&w| (f64::from(w) * f) as f32));
        }
        tensors.insert(linear.weight, Tensor::new(linear.shape.to_vec(), scaled));
        if let Some(bias) = linear.bias {
            let old = model.tensors.tensor(bias)?;
            let scaled = old.data().iter().zip(&linear.rows);
            let scaled = scaled
                .map(|(&b, &row)| (f64::from(b) * factor[row]) as f32)
                .collect();
            tensors.insert(bias, Tensor::new(old.shape().to_vec(), scaled));
        }
    }
    for (index, node) in model.graph.nodes().iter().enumerate() {
        let Some(name) = node.op.offset() else {
            continue;
        };
        let old = model.tensors.tensor(name)?;
        let plane = old.data().len() / old.shape()[0];
        let scaled = |(i, &v): (usize, &f32)| {
            (f64::from(v) * factor[classes.class(index, i / plane)]) as f32
        };
        let scaled = old.data().iter().enumerate().map(scaled).collect();
        tensors.insert(name, Tensor::new(old.shape().to_vec(), scaled));
    }
    Ok(FloatModel {
        graph: model.graph.clone(),
        tensors,
    })
}
