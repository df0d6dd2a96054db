//! Choosing a power-of-two scale for every tensor.
//!
//! Tensors joined by operations that keep the scale (ReLU, max-pool, residual add, concat, ...) form one
//! group with one scale. Linear layers connect groups: weights at scale w map scale x to w + x,
//! and a truncation by d = w + x - y >= 0 bits ends at the output group's scale y. So do products and
//! divided means ([`crate::rescale`]).

use nets::{FloatGraph, FloatModel, Kind, MAX_WEIGHT_BITS, Node, Op, Rescaling};

use crate::Error;
use crate::bounds::bits_for;
use crate::options::{ImportOptions, Preset};
use crate::rescale::{Place, Rescale, rescales};

/// The narrowest activation.
const MIN_BITS: u32 = 4;

/// What weights that give way to the accumulator keep.
const MIN_WEIGHT_BITS: u32 = 6;

/// Weight bits that layers with weights for each channel apart have more.
pub(crate) const APART_BITS: u32 = 4;

/// How one linear node is quantised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearScale {
    /// Scale of the weights.
    pub(crate) weight: i32,
    /// Bits of a weight.
    pub(crate) bits: u32,
    /// Bits cut off afterwards.
    pub(crate) shift: u32,
}

impl LinearScale {
    /// With weights coarser by as many bits as the accumulator would be wider than one product of a
    /// weight and an activation, down to [`MIN_WEIGHT_BITS`]: weights so small that they would need a
    /// wider one hardly move what they are added to. Sums instead of means stay beside that.
    fn within(self, output: u32, gain: f64, options: &ImportOptions) -> Self {
        let product = self.bits + options.activation_bits;
        let sums = bits_for(gain) - bits_for(1.0);
        let over = match options.preset {
            Preset::Mixed => (output + self.shift).saturating_sub(product + sums),
            Preset::Uniform { .. } => 0,
        };
        // Where the products would all be cut off, the scale needs to be no larger.
        let lost = self.shift.saturating_sub(product);
        let coarser = over
            .min(self.bits.saturating_sub(MIN_WEIGHT_BITS))
            .min(self.shift)
            .max(lost);
        Self {
            weight: self.weight - coarser.cast_signed(),
            bits: self
                .bits
                .saturating_sub(coarser)
                .max(MIN_WEIGHT_BITS.min(self.bits)),
            shift: self.shift - coarser,
        }
    }
}

/// The scale of every node's output, and the scales of linear nodes.
#[derive(Debug)]
pub(crate) struct Scales {
    /// Scale of each node's output after any truncation.
    pub(crate) tensor: Vec<i32>,
    /// Bits of each node's output as an activation.
    pub(crate) bits: Vec<u32>,
    /// The integers of a node are `gain` times too large: sums instead of means.
    pub(crate) gain: Vec<f64>,
    /// For linear nodes.
    pub(crate) linear: Vec<Option<LinearScale>>,
    /// For the other nodes that end a group.
    pub(crate) rescale: Vec<Option<Rescale>>,
}

/// Sets of nodes with one scale: union-find.
struct Groups(Vec<usize>);

impl Groups {
    fn find(&mut self, mut node: usize) -> usize {
        while self.0[node] != node {
            self.0[node] = self.0[self.0[node]];
            node = self.0[node];
        }
        node
    }

    fn union(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// Chooses the scales.
pub(crate) fn choose_scales(
    model: &FloatModel,
    ranges: &[f64],
    input_bound: f64,
    options: &ImportOptions,
) -> Result<Scales, Error> {
    let (nodes, shapes) = (model.graph.nodes(), model.graph.types());
    let rescales = rescales(&model.graph);
    let mut groups = Groups((0..nodes.len()).collect());
    for (index, node) in nodes.iter().enumerate() {
        if node.op.kind() != Kind::Linear && !rescales[index] {
            node.inputs.iter().for_each(|&i| groups.union(i, index));
        }
    }
    let root: Vec<usize> = (0..nodes.len()).map(|i| groups.find(i)).collect();
    let alone = root.iter().filter(|&&r| r == 0).count() == 1;
    let (top, widest) = tops(model, ranges, input_bound, options, &root)?;
    let most = |group| match group {
        // Nothing but linear layers takes the input: its width costs the accumulator only.
        0 if alone => options.input_bits,
        _ => options.activation_bits,
    };
    let cap = options.fraction_bits.cast_signed();
    let fraction = |group| fitting(top[group], most(group)).min(cap);
    let mut scale: Vec<i32> = (0..nodes.len()).map(fraction).collect();

    let gain = gains(&model.graph, &rescales);
    let weight = weight_scales(model, &gain, options)?;
    lower_until_shifts_fit(&model.graph, &root, &weight, &rescales, &mut scale)?;
    let needed = |group: usize| bits_for(widest[group] * 2f64.powi(scale[group])).max(MIN_BITS);
    let linear = (0..nodes.len()).map(|i| {
        let x = nodes[i].inputs.first().map_or(0, |&x| root[x]);
        let fitted = LinearScale {
            weight: weight[i]?,
            bits: weight_bits(&nodes[i].op, options),
            shift: (weight[i]? + scale[x] - scale[root[i]]).cast_unsigned(),
        };
        Some(fitted.within(needed(root[i]), gain[nodes[i].inputs[0]], options))
    });
    let linear = linear.collect();
    let bits = |group: usize| match options.preset {
        Preset::Uniform { bits } => bits,
        Preset::Mixed => needed(group),
    };
    let bits = root.iter().map(|&r| bits(r)).collect();
    let rescale = (0..nodes.len()).map(|index| {
        let node = &nodes[index];
        let inputs: Vec<i32> = node.inputs.iter().map(|&i| scale[root[i]]).collect();
        let place = || Place {
            node,
            inputs: &inputs,
            output: scale[root[index]],
            bits: needed(root[index]),
            gain: gain[node.inputs[0]],
            shape: shapes[node.inputs[0]],
            out: shapes[index],
        };
        rescales[index].then(|| place().rescale()).transpose()
    });
    let rescale = rescale.collect::<Result<_, Error>>()?;
    Ok(Scales {
        tensor: root.iter().map(|&r| scale[r]).collect(),
        bits,
        gain,
        linear,
        rescale,
    })
}

/// The largest value of every group for its scale, and for its bits, by the group's number.
fn tops(
    model: &FloatModel,
    ranges: &[f64],
    input_bound: f64,
    options: &ImportOptions,
    root: &[usize],
) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let nodes = model.graph.nodes();
    let mut top = vec![0.0_f64; nodes.len()];
    for (index, &group) in root.iter().enumerate() {
        let range = match nodes[index].op {
            // For every input.
            Op::HardSigmoid => 1.0,
            _ => ranges[index] * options.margin,
        };
        top[group] = top[group].max(range);
    }
    top[0] = top[0].max(input_bound);
    // A shifted value is gone after its `ReLU`: it needs bits, but no other scale.
    let mut widest = top.clone();
    for (index, node) in nodes.iter().enumerate() {
        if let Op::SignedRelu { shift, .. } = &node.op {
            let shifts = model.tensors.tensor(shift)?.data();
            let most = shifts.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
            let before = ranges[node.inputs[0]] * options.margin;
            widest[root[index]] = widest[root[index]].max(before + f64::from(most));
        }
        // So is x + 3, which is clipped at 6.
        if let Op::HardSigmoid | Op::HardSwish = &node.op {
            let group = root[node.inputs[0]];
            let before = match node.inputs[0] {
                0 => top[0],
                input => ranges[input] * options.margin,
            };
            widest[group] = widest[group].max(before + 3.0).max(6.0);
        }
    }
    Ok((top, widest))
}

/// The largest scale at which `top` fits into signed `bits`.
#[expect(clippy::cast_possible_truncation, reason = "a logarithm of an f64")]
pub(crate) fn fitting(top: f64, bits: u32) -> i32 {
    let room = 2f64.powi(bits.cast_signed() - 1) - 1.0;
    // An all-zero tensor fits any scale; this one keeps shifts moderate.
    if top <= 0.0 {
        bits.cast_signed() / 2
    } else {
        (room / top).log2().floor() as i32
    }
}

/// The most bits of a linear node's weights. Where each channel has a few weights of its own, channels differ
/// most, and more bits cost least.
fn weight_bits(op: &Op, options: &ImportOptions) -> u32 {
    let bits = options.weight_bits.bits();
    let apart = op.linear().is_some_and(|layer| layer.is_depthwise());
    let bits = bits + if apart { APART_BITS } else { 0 };
    bits.min(MAX_WEIGHT_BITS)
}

/// The weight scale of every linear node: the largest at which its weights fit.
fn weight_scales(
    model: &FloatModel,
    gain: &[f64],
    options: &ImportOptions,
) -> Result<Vec<Option<i32>>, Error> {
    let scale = |node: &Node<Op>| {
        let Some(layer) = node.op.linear() else {
            return Ok(None);
        };
        let weights = model.tensors.tensor(layer.weight)?.data();
        let top = weights.iter().fold(0.0_f32, |top, w| top.max(w.abs()));
        let bits = weight_bits(&node.op, options);
        Ok(Some(fitting(f64::from(top) / gain[node.inputs[0]], bits)))
    };
    model.graph.nodes().iter().map(scale).collect()
}

/// Pools are lowered to sums, where the division can wait for the next linear node.
fn gains(graph: &FloatGraph, rescales: &[bool]) -> Vec<f64> {
    let mut gain: Vec<f64> = Vec::with_capacity(graph.len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let input = node.inputs.first().map_or(1.0, |&i| gain[i]);
        let pool = (node.inputs.first())
            .and_then(|&i| node.op.mean_window(graph.types()[i]))
            .map_or(1.0, |(window, _)| count(window.area()));
        let sums = node.op.kind() != Kind::Linear && !rescales[index];
        gain.push(if sums { input * pool } else { 1.0 });
    }
    gain
}

#[expect(clippy::cast_precision_loss, reason = "windows are small")]
const fn count(area: usize) -> f64 {
    area as f64
}

/// Lowers output scales until no node would have to shift left.
fn lower_until_shifts_fit(
    graph: &FloatGraph,
    root: &[usize],
    weight: &[Option<i32>],
    rescales: &[bool],
    scale: &mut [i32],
) -> Result<(), Error> {
    for _ in 0..=2 * graph.len() {
        let mut changed = false;
        for (index, node) in graph.nodes().iter().enumerate() {
            let first = |scale: &[i32]| node.inputs.first().map(|&i| scale[root[i]]);
            let most = match node.op.kind() {
                Kind::Linear => weight[index].zip(first(scale)).map(|(w, x)| w + x),
                Kind::Rescales(Rescaling::Gate) => {
                    first(scale).map(|x| x + scale[root[node.inputs[1]]])
                }
                Kind::Rescales(Rescaling::HardSwish) => first(scale),
                // Its reciprocal has as many bits as the result needs.
                Kind::Rescales(Rescaling::HardSigmoid) => None,
                Kind::Averages => first(scale).filter(|_| rescales[index]),
                // One group with their inputs.
                Kind::Input
                | Kind::Constant
                | Kind::Norm
                | Kind::Moves
                | Kind::Joins
                | Kind::Acts => None,
            };
            let Some(most) = most else { continue };
            if scale[root[index]] > most {
                scale[root[index]] = most;
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
    }
    Err(Error::width(
        "graph",
        "weights this large leave no fractional bits; give more bits",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightBits;

    #[test]
    fn accumulators_are_no_wider_than_a_product() {
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(10),
            ..ImportOptions::default()
        };
        let within = |bits, shift, output, gain| {
            let fitted = LinearScale {
                weight: 12,
                bits,
                shift,
            };
            (fitted, fitted.within(output, gain, &options))
        };
        for bits in 2..=24 {
            let product = bits + options.activation_bits;
            for (shift, output) in (0..=60).flat_map(|d| (4..=24).map(move |m| (d, m))) {
                let (fitted, kept) = within(bits, shift, output, 1.0);
                let lost = fitted.shift - kept.shift;
                assert_eq!(fitted.weight - kept.weight, lost.cast_signed());
                assert!(kept.bits >= bits.min(MIN_WEIGHT_BITS) && kept.shift <= product);
                assert!(
                    output + kept.shift <= product
                        || kept.bits <= MIN_WEIGHT_BITS
                        || kept.shift == 0
                );
                assert!(lost == 0 || output + shift > product, "no more than needed");
            }
        }
        // Sums of 100 values have seven bits more, and their layer the same weights.
        let (_, kept) = within(10, 17, 15, 100.0);
        assert_eq!((kept.bits, kept.shift), (10, 17));
        assert_eq!(within(10, 17, 15, 1.0).1.bits, 6);
    }
}
