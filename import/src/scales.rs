//! The choice of a power-of-two scale for every tensor.
//!
//! Tensors joined by operations that keep the scale (ReLU, max-pool, residual add, concat, ...) form one
//! group with one scale. Linear layers connect groups: weights at scale w lead from scale x to w + x,
//! and a truncation by d = w + x - y >= 0 bits leads to the output group's scale y. Products and divided
//! means ([`crate::rescale`]) connect groups in the same way.

use std::collections::BTreeMap;

use nets::{Curve, FloatGraph, FloatModel, Kind, MAX_WEIGHT_BITS, Node, Op, Rescaling};

use crate::Error;
use crate::curve;
use crate::grids::{Fixed, FixedGroups};
use crate::options::{ImportOptions, Preset};
use crate::ranges::Reach;
use crate::rescale::{Place, Rescale, Rescaled, rescales};

/// The fewest bits of an activation.
const MIN_BITS: u32 = 4;

/// A tensor of small values has this many bits fewer than others have fractional bits.
const SMALL: u32 = 2;

/// The fewest bits of a weight in layers that give up bits for a narrower accumulator.
const MIN_WEIGHT_BITS: u32 = 6;

/// How many bits more a weight has in depthwise layers.
pub(crate) const DEPTHWISE_BITS: u32 = 4;

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
    /// Gives up as many bits of the weights as the accumulator would be wider than one product of a weight
    /// and an activation, down to [`MIN_WEIGHT_BITS`]: a layer that needs a wider accumulator has weights
    /// so small that they hardly change its output. Sums that stand for means may take bits on top.
    fn within(self, output: u32, gain: f64, options: &ImportOptions) -> Self {
        let product = self.bits + options.activation_bits;
        let sums = bits_for(gain) - bits_for(1.0);
        let over = match options.preset {
            Preset::Mixed => (output + self.shift).saturating_sub(product + sums),
            Preset::Uniform { .. } => 0,
        };
        // A shift by more than the whole product would cut all of it off: the scale can be smaller.
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
    /// Bits that each node's output needs, whatever the preset gives it.
    pub(crate) needed: Vec<u32>,
    /// How many times too large the integers of each node are, where they are sums instead of means.
    pub(crate) gain: Vec<f64>,
    /// Whether each node is the network's input or only moves or joins it. The client can encode that for any ring.
    pub(crate) is_input: Vec<bool>,
    /// Whether each node is computed anew in every ring in which it is wanted, instead of in one.
    pub(crate) is_anew: Vec<bool>,
    /// For clamps the bounds that values can reach.
    pub(crate) clamps: Clamps,
    /// For linear nodes.
    pub(crate) linear: Vec<Option<LinearScale>>,
    /// For the other nodes that end a group.
    pub(crate) rescale: Vec<Option<Rescale>>,
}

impl Scales {
    /// Bits cut off after a node whose scale is not that of its inputs.
    pub(crate) fn shift(&self, node: usize) -> Option<u32> {
        let linear = self.linear[node].map(|linear| linear.shift);
        linear.or(self.rescale[node].map(|rescale| rescale.shift))
    }
}

/// The lower and the upper bound of each clamp.
type Clamps = BTreeMap<usize, [Option<f64>; 2]>;

/// Sets of nodes that share a scale, as a union-find structure.
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

/// The number of each node's group.
fn roots(graph: &FloatGraph, rescales: &[Option<Rescaled>]) -> Vec<usize> {
    let mut groups = Groups((0..graph.len()).collect());
    for (index, node) in graph.nodes().iter().enumerate() {
        if node.op.kind() != Kind::Linear && rescales[index].is_none() {
            node.inputs.iter().for_each(|&i| groups.union(i, index));
        }
    }
    (0..graph.len()).map(|i| groups.find(i)).collect()
}

/// Chooses the scales.
pub(crate) fn choose_scales(
    model: &FloatModel,
    reach: &Reach,
    fixed: &[Option<Fixed>],
    input_bound: f64,
    options: &ImportOptions,
) -> Result<Scales, Error> {
    let (nodes, shapes) = (model.graph.nodes(), model.graph.types());
    let rescales = rescales(&model.graph);
    let root = roots(&model.graph, &rescales);
    let is_input = inputs(&model.graph);
    let in_group = |&index: &usize| root[index] == 0;
    let mut with_input = (0..nodes.len()).filter(in_group);
    let input_is_alone =
        with_input.all(|index| is_input[index] && (index == 0 || index + 1 < nodes.len()));
    // Scales and the bits that precision asks for follow what is usual; widths have room for more.
    let (top, usual, _) = tops(model, &reach.scale, input_bound, &root)?;
    let (_, widest, clamps) = tops(model, &reach.width, input_bound, &root)?;
    let max_bits = |group| match group {
        // All consumers of the input are linear layers: its width costs in the accumulator only.
        0 if input_is_alone => options.input_bits,
        _ => options.activation_bits,
    };
    // Where values are small, so many fractional bits that the largest still has some bits.
    let least = options.fraction_bits.saturating_sub(SMALL).max(MIN_BITS);
    let fraction = |group| {
        let cap = fitting(top[group], least).max(options.fraction_bits.cast_signed());
        fitting(top[group], max_bits(group)).min(cap)
    };
    let mut scale: Vec<i32> = (0..nodes.len()).map(fraction).collect();

    let gain = gains(&model.graph, &rescales);
    let is_anew = |i: usize| is_input[i] || gain[i] != 1.0 || grows(&model.graph, i);
    let is_anew = (0..nodes.len()).map(is_anew).collect();
    let mut weight = weight_scales(model, &gain, options)?;
    let groups = FixedGroups::new(&model.graph, fixed, &root);
    groups.set(&mut scale, &mut weight);
    let held = groups.contained();
    lower_until_shifts_fit(&model.graph, &root, &held, &weight, &rescales, &mut scale)?;
    groups.align(&mut scale);
    let own = groups.bits(&scale, &reach.width);
    let usual = |group: usize| bits_for(usual[group] * 2f64.powi(scale[group])).max(MIN_BITS);
    let needed = |group: usize| {
        let wide = bits_for(widest[group] * 2f64.powi(scale[group]));
        own[group].unwrap_or_else(|| wide.max(usual(group)))
    };
    let linear = (0..nodes.len()).map(|i| {
        if let Some(own) = groups.linear(i) {
            return Some(own);
        }
        let x = nodes[i].inputs.first().map_or(0, |&x| root[x]);
        let fitted = LinearScale {
            weight: weight[i]?,
            bits: weight_bits(&nodes[i].op, options),
            shift: (weight[i]? + scale[x] - scale[root[i]]).cast_unsigned(),
        };
        Some(fitted.within(usual(root[i]), gain[nodes[i].inputs[0]], options))
    });
    let needed: Vec<u32> = root.iter().map(|&r| needed(r)).collect();
    let bits = match options.preset {
        Preset::Uniform { bits } => vec![bits; nodes.len()],
        Preset::Mixed => needed.clone(),
    };
    let rescale = (0..nodes.len()).map(|index| {
        let node = &nodes[index];
        let inputs: Vec<i32> = node.inputs.iter().map(|&i| scale[root[i]]).collect();
        let place = |what| Place {
            node,
            what,
            inputs: &inputs,
            output: scale[root[index]],
            bits: own[root[index]].unwrap_or_else(|| usual(root[index])),
            gain: gain[node.inputs[0]],
            shape: shapes[node.inputs[0]],
            out: shapes[index],
            fraction: groups.fraction(index, &scale),
        };
        let rescale = |what| place(what).rescale();
        rescales[index].map(rescale).transpose()
    });
    Ok(Scales {
        linear: linear.collect(),
        rescale: rescale.collect::<Result<_, Error>>()?,
        tensor: root.iter().map(|&r| scale[r]).collect(),
        bits,
        needed,
        gain,
        is_input,
        is_anew,
        clamps,
    })
}

/// For each node, whether it is the input or only moves or joins it.
fn inputs(graph: &FloatGraph) -> Vec<bool> {
    let mut is_input = vec![true; graph.len()];
    for (index, node) in graph.nodes().iter().enumerate().skip(1) {
        let moves = matches!(node.op.kind(), Kind::Moves | Kind::Joins);
        is_input[index] = moves && node.inputs.iter().all(|&input| is_input[input]);
    }
    is_input
}

/// Whether a node moves values and has more of them than it takes, so that these are extended rather than its own.
fn grows(graph: &FloatGraph, node: usize) -> bool {
    let moves = graph.nodes()[node].op.kind() == Kind::Moves;
    moves && graph.types()[node].len() > graph.input_type(node, 0).len()
}

/// The bounds of a clamp that values up to `before` can reach.
fn reached([low, high]: [Option<f64>; 2], before: f64) -> [Option<f64>; 2] {
    let far = 2.0 * before;
    [low.filter(|&v| v >= -far), high.filter(|&v| v <= far)]
}

/// For every group, by its number: the largest value that decides its scale, and the largest that decides
/// its bits. Also the bounds of clamps.
fn tops(
    model: &FloatModel,
    reach: &[f64],
    input_bound: f64,
    root: &[usize],
) -> Result<(Vec<f64>, Vec<f64>, Clamps), Error> {
    let nodes = model.graph.nodes();
    let mut top = vec![0.0_f64; nodes.len()];
    for (index, &group) in root.iter().enumerate() {
        let range = match nodes[index].op {
            // No input gives more.
            Op::HardSigmoid => 1.0,
            Op::Curve {
                curve: Curve::Sigmoid | Curve::Tanh,
            } => 1.0,
            _ => reach[index],
        };
        top[group] = top[group].max(range);
    }
    top[0] = top[0].max(input_bound);
    // Some operations shift a value before they cut it off. The shifted value is in no tensor of the float
    // network: it needs bits, but no other scale.
    let mut widest = top.clone();
    let mut clamps = Clamps::new();
    for (index, node) in nodes.iter().enumerate() {
        let before = |input: usize| match input {
            0 => top[0],
            input => reach[input],
        };
        match node.op.kind() {
            Kind::Acts => {
                if let Op::Clamp { low, high } = node.op {
                    let before = before(node.inputs[0]);
                    let bounds = reached([low, high], before);
                    let moved = bounds
                        .iter()
                        .flatten()
                        .fold(0.0, |most: f64, v| most.max(v.abs()));
                    widest[root[index]] = widest[root[index]].max(before + moved);
                    clamps.insert(index, bounds);
                }
                let Some(shift) = node.op.offset() else {
                    continue;
                };
                let shifts = model.tensors.tensor(shift)?.data();
                let largest = shifts.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
                let before = reach[node.inputs[0]];
                widest[root[index]] = widest[root[index]].max(before + f64::from(largest));
            }
            // x + 3, which is clipped at 6.
            Kind::Rescales(Rescaling::HardSigmoid | Rescaling::HardSwish) => {
                let group = root[node.inputs[0]];
                widest[group] = widest[group].max(before(node.inputs[0]) + 3.0).max(6.0);
            }
            // A table is not exact.
            Kind::Rescales(Rescaling::Curve) => {
                let group = root[index];
                widest[group] = widest[group].max(top[group] + curve::ERROR);
            }
            Kind::Input
            | Kind::Linear
            | Kind::Constant
            | Kind::Norm
            | Kind::Moves
            | Kind::Joins
            | Kind::Averages
            | Kind::Rescales(Rescaling::Gate | Rescaling::Quantise | Rescaling::Scale) => {}
        }
    }
    Ok((top, widest, clamps))
}

/// The largest scale at which `top` fits into signed `bits`.
#[expect(clippy::cast_possible_truncation, reason = "a logarithm of an f64")]
pub(crate) fn fitting(top: f64, bits: u32) -> i32 {
    let room = 2f64.powi(bits.cast_signed() - 1) - 1.0;
    // A tensor of zeros fits at any scale; this one keeps shifts moderate.
    if top <= 0.0 {
        bits.cast_signed() / 2
    } else {
        (room / top).log2().floor() as i32
    }
}

/// The most bits of a linear node's weights. A depthwise layer gets more: its channels differ most from each
/// other, and more bits cost least there.
fn weight_bits(op: &Op, options: &ImportOptions) -> u32 {
    let bits = options.weight_bits.bits();
    let is_depthwise = op.linear().is_some_and(|layer| layer.is_depthwise());
    let bits = bits + if is_depthwise { DEPTHWISE_BITS } else { 0 };
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

/// The gain of each node: an average pool is lowered to a sum where its division can wait for the next linear
/// node.
fn gains(graph: &FloatGraph, rescales: &[Option<Rescaled>]) -> Vec<f64> {
    let mut gain: Vec<f64> = Vec::with_capacity(graph.len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let input = node.inputs.first().map_or(1.0, |&i| gain[i]);
        let pool = (node.inputs.first())
            .and_then(|&i| node.op.mean_window(graph.types()[i]))
            .map_or(1.0, |(window, _)| count(window.area()));
        let sums = node.op.kind() != Kind::Linear && rescales[index].is_none();
        gain.push(if sums { input * pool } else { 1.0 });
    }
    gain
}

#[expect(clippy::cast_precision_loss, reason = "windows are small")]
const fn count(area: usize) -> f64 {
    area as f64
}

/// Lowers the scales of outputs until no node would have to shift to the left.
fn lower_until_shifts_fit(
    graph: &FloatGraph,
    root: &[usize],
    held: &[bool],
    weight: &[Option<i32>],
    rescales: &[Option<Rescaled>],
    scale: &mut [i32],
) -> Result<(), Error> {
    for _ in 0..=2 * graph.len() {
        let mut changed = false;
        for (index, node) in graph.nodes().iter().enumerate() {
            let first = |scale: &[i32]| node.inputs.first().map(|&i| scale[root[i]]);
            let limit = match node.op.kind() {
                Kind::Linear => weight[index].zip(first(scale)).map(|(w, x)| w + x),
                Kind::Rescales(Rescaling::Gate) => {
                    first(scale).map(|x| x + scale[root[node.inputs[1]]])
                }
                Kind::Rescales(Rescaling::HardSwish) => first(scale),
                // The reciprocal has as many bits as the result needs.
                Kind::Rescales(Rescaling::HardSigmoid | Rescaling::Curve | Rescaling::Scale) => {
                    None
                }
                // The integers of a grid have the scale 0.
                Kind::Rescales(Rescaling::Quantise) => None,
                Kind::Averages => first(scale).filter(|_| rescales[index].is_some()),
                // They are in one group with their inputs.
                Kind::Input
                | Kind::Constant
                | Kind::Norm
                | Kind::Moves
                | Kind::Joins
                | Kind::Acts => None,
            };
            let Some(limit) = limit else { continue };
            if scale[root[index]] > limit && !held[root[index]] {
                scale[root[index]] = limit;
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
    }
    Err(Error::width(
        "graph",
        "weights this large leave no fractional bits; allow more bits",
    ))
}

/// The number of bits with which signed integers of this magnitude can be written.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a logarithm"
)]
pub(crate) fn bits_for(magnitude: f64) -> u32 {
    if magnitude <= 0.0 {
        1
    } else {
        (magnitude.ceil() + 1.0).log2().ceil() as u32 + 1
    }
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
