//! Products and divided means as integer operations.

use nets::{Curve, FloatModel, IntOp, Interval, Rescaling};
use ring_arith::Bits;

use super::{Lowering, Value};
use crate::curve;
use crate::options::{ImportOptions, Preset};
use crate::rescale::{Rescale, Rescaled};
use crate::scales::Scales;

/// The fewest bits that a ring must be narrower by to be worth an extension, which takes a correlated OT.
const WORTH: u32 = 3;

/// For each node the ring in which its value is first computed: for products the widest in which a consumer takes
/// them, so that none is extended.
pub(super) fn widest(model: &FloatModel, scales: &Scales, options: &ImportOptions) -> Vec<u32> {
    let (nodes, bits) = (model.graph.nodes(), &scales.bits);
    let mut first_bits = bits.clone();
    if options.preset != Preset::Mixed {
        return first_bits;
    }
    let mut wanted = vec![0; nodes.len()];
    wanted[nodes.len() - 1] = bits[nodes.len() - 1];
    for (index, node) in nodes.iter().enumerate().rev() {
        if let Some(rescale) = scales.rescale[index] {
            let wide = match rescale.what {
                Rescaled::Operation(Rescaling::HardSwish | Rescaling::Curve | Rescaling::Gate) => {
                    wanted[index]
                }
                Rescaled::Operation(
                    Rescaling::HardSigmoid | Rescaling::Quantise | Rescaling::Scale,
                )
                | Rescaled::Mean => 0,
            };
            let widest = 64_u32.saturating_sub(rescale.shift);
            let wide = wide.max(room(model, scales, index, rescale));
            first_bits[index] = wide.min(widest).max(bits[index]);
        } else if let Some(linear) = scales.linear[index] {
            // A layer that was always near 0 has a narrow ring, but needs room for its weights.
            let weights = linear.bits.saturating_sub(linear.shift);
            first_bits[index] = weights.max(bits[index]);
        }
        let what = scales.rescale[index].map(|rescale| rescale.what);
        let ring = match what {
            // They take activations.
            Some(Rescaled::Operation(
                Rescaling::HardSigmoid
                | Rescaling::HardSwish
                | Rescaling::Curve
                | Rescaling::Quantise,
            )) => None,
            Some(Rescaled::Operation(Rescaling::Gate | Rescaling::Scale) | Rescaled::Mean)
            | None => scales.shift(index).map(|shift| first_bits[index] + shift),
        };
        for (k, &input) in node.inputs.iter().enumerate() {
            let taken = match (what, ring) {
                (Some(Rescaled::Operation(Rescaling::Gate)), _) if k == 1 => bits[input],
                (_, Some(ring)) => ring,
                _ if scales.is_anew[index] => wanted[index],
                _ => bits[input],
            };
            wanted[input] = taken.max(wanted[input]);
        }
    }
    first_bits
}

/// The fewest bits in which a node that rescales may be computed. A product that was always near 0 has a narrow
/// ring, but its factors are not narrowed to it.
fn room(model: &FloatModel, scales: &Scales, node: usize, rescale: Rescale) -> u32 {
    let factors = model.graph.nodes()[node].inputs.iter();
    let factors = factors.map(|&i| scales.bits[i]).fold(0, u32::max);
    let factors = match rescale.what {
        Rescaled::Operation(Rescaling::Gate | Rescaling::Scale) | Rescaled::Mean => factors,
        Rescaled::Operation(
            Rescaling::HardSwish | Rescaling::HardSigmoid | Rescaling::Curve | Rescaling::Quantise,
        ) => 0,
    };
    factors.saturating_sub(rescale.shift).max(scales.bits[node])
}

impl Lowering<'_> {
    /// For each node the ring in which its value should first be computed, where this lowering did so in wide rings.
    /// A product is as narrow as it can be such that its extension takes no comparison: the values proved of it lie
    /// in half of its ring.
    pub(super) fn narrowest(&self) -> Vec<u32> {
        let mut first_bits = self.first_bits.clone();
        if self.options.preset != Preset::Mixed {
            return first_bits;
        }
        for (index, bits) in first_bits.iter_mut().enumerate() {
            let node = self.nodes.get(&(index, *bits));
            let (Some(rescale), Some(&node)) = (self.scales.rescale[index], node) else {
                continue;
            };
            let own = [Rescaling::Quantise, Rescaling::Scale].map(Rescaled::Operation);
            let Some(product) = self
                .graph
                .type_of(node)
                .filter(|_| !own.contains(&rescale.what))
            else {
                continue;
            };
            let room = room(self.model, self.scales, index, rescale);
            let fits = |&bits: &u32| {
                let (values, bits) = (product.values, Bits::of(bits));
                values.is_within(Interval::ring(bits)) && values.half_from(bits, 0).is_some()
            };
            let narrow = (room..*bits).find(fits);
            if let Some(narrow) = narrow.filter(|narrow| narrow + WORTH <= *bits) {
                *bits = narrow;
            }
        }
        first_bits
    }

    /// The values that a node that rescales is computed from.
    pub(super) fn rescaled_needs(&self, node: usize, rescale: Rescale) -> Vec<Value> {
        let (inputs, bits) = (self.inputs(node), &self.scales.bits);
        let ring = self.ring(node, rescale.shift);
        let ring = ring.expect("input() asked for every ring");
        match rescale.what {
            Rescaled::Operation(
                Rescaling::HardSigmoid
                | Rescaling::HardSwish
                | Rescaling::Curve
                | Rescaling::Quantise,
            ) => {
                vec![(inputs[0], bits[inputs[0]])]
            }
            Rescaled::Operation(Rescaling::Gate) => {
                let factor = (inputs[1], bits[inputs[1]]);
                let mut needs = vec![(inputs[0], ring), factor];
                let gate = self.nodes.get(&factor);
                if gate.is_some_and(|&gate| !self.is_gate(gate, factor.1, ring)) {
                    needs.push((inputs[1], ring));
                }
                needs
            }
            Rescaled::Operation(Rescaling::Scale) | Rescaled::Mean => vec![(inputs[0], ring)],
        }
    }

    /// Whether an integer node of `bits` bits can gate in this ring as it is, because it is never negative.
    fn is_gate(&self, gate: usize, bits: u32, ring: u32) -> bool {
        bits <= ring
            && self
                .graph
                .type_of(gate)
                .is_some_and(|t| t.values.is_nonnegative())
    }

    /// Emits a node that rescales. It is computed in a ring that is wider by the bits to be cut off, since
    /// the result depends only on the value modulo that ring.
    pub(super) fn rescaled(&mut self, node: usize, rescale: Rescale) -> usize {
        let (name, first) = (self.name(node), self.inputs(node)[0]);
        let ring = self.ring(node, rescale.shift);
        let ring = ring.expect("input() asked for every ring");
        let mut rounding = IntOp::Affine {
            factor: 1,
            add: (1_i64 << rescale.shift) >> 1,
            scale: 0,
        };
        let exact = match rescale.what {
            Rescaled::Operation(Rescaling::HardSigmoid) => {
                let clipped = self.clipped(name, first, ring);
                rounding = sixth(rescale);
                clipped
            }
            Rescaled::Operation(Rescaling::HardSwish) => {
                let shifted = self.shifted(name, first);
                let (fraction, to) = (rescale.fraction, ring);
                self.push(name, IntOp::HardSwish { fraction, to }, &[shifted])
            }
            Rescaled::Operation(Rescaling::Curve) => {
                rounding = scaled(rescale);
                self.curve(node, ring)
            }
            Rescaled::Operation(Rescaling::Quantise) => return self.levels(node, rescale),
            Rescaled::Operation(Rescaling::Scale) => return self.scaled(node, rescale, ring),
            Rescaled::Operation(Rescaling::Gate) => {
                let (x, second) = (self.nodes[&(first, ring)], self.inputs(node)[1]);
                let gate = self.gate(second, ring);
                self.push(name, IntOp::Gate, &[x, gate])
            }
            Rescaled::Mean => {
                let window = self.op(node).mean_window(self.shape(first));
                let (window, counts_padding) = window.expect("it is a mean");
                let x = self.nodes[&(first, ring)];
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a product of areas"
                )]
                let divisor = self.scales.gain[first] as u64;
                let op = IntOp::MeanPool {
                    window,
                    counts_padding,
                    divisor,
                    fraction: rescale.fraction,
                };
                self.push(name, op, &[x])
            }
        };
        if rescale.shift == 0 {
            return exact;
        }
        let rounded = self.push(&format!("{name}.round"), rounding, &[exact]);
        self.truncated(name, rounded, rescale.shift)
    }

    /// A smooth function, in this ring.
    fn curve(&mut self, node: usize, ring: u32) -> usize {
        let (name, input) = (self.name(node), self.inputs(node)[0]);
        let wanted = curve::wanted(self.model, self.scales, node).expect("it is one");
        let table = self.tables.table(wanted);
        let table = (table.as_ref().as_ref()).expect("supported() made one");
        let x = self.nodes[&(input, self.scales.bits[input])];
        let to = ring.min(table.widest());
        let op = IntOp::Curve {
            pieces: table.pieces.clone(),
            to,
            scale: wanted.output,
        };
        let mut last = self.push(name, op, &[x]);
        if wanted.offset() != 0 {
            let op = IntOp::Affine {
                factor: 1,
                add: wanted.offset(),
                scale: 0,
            };
            last = self.push(&format!("{name}.lift"), op, &[last]);
        }
        if to < ring {
            let op = IntOp::Extend { to: ring };
            last = self.push(&format!("{name}.extend"), op, &[last]);
        }
        last
    }

    /// x + 3.
    fn shifted(&mut self, name: &str, input: usize) -> usize {
        let x = self.nodes[&(input, self.scales.bits[input])];
        let op = IntOp::Affine {
            factor: 1,
            add: 3 << self.scales.tensor[input],
            scale: 0,
        };
        self.push(&format!("{name}.shift"), op, &[x])
    }

    /// clip(x + 3, 0, 6), in this ring.
    fn clipped(&mut self, name: &str, input: usize, ring: u32) -> usize {
        let shifted = self.shifted(name, input);
        let top = 6 << self.scales.tensor[input];
        let clipped = self.push(name, IntOp::Clip { top }, &[shifted]);
        let bits = self.scales.bits[input];
        match ring.cmp(&bits) {
            std::cmp::Ordering::Less => {
                let op = IntOp::Narrow { to: ring };
                self.push(&format!("{name}.narrow"), op, &[clipped])
            }
            std::cmp::Ordering::Equal => clipped,
            std::cmp::Ordering::Greater => {
                let op = IntOp::Extend { to: ring };
                self.push(&format!("{name}.extend"), op, &[clipped])
            }
        }
    }

    /// The integer node of a gate: in the ring of activations if it is never negative, else in the ring of
    /// the product.
    fn gate(&self, node: usize, ring: u32) -> usize {
        let bits = self.scales.bits[node];
        let gate = self.nodes[&(node, bits)];
        if self.is_gate(gate, bits, ring) {
            gate
        } else {
            self.nodes[&(node, ring)]
        }
    }
}

/// The factor of a SELU, with the rounding constant of the truncation that follows.
#[expect(clippy::cast_possible_truncation, reason = "below 2^34")]
fn scaled(rescale: Rescale) -> IntOp {
    let one = (1_u64 << rescale.fraction) as f64;
    IntOp::Affine {
        factor: (Curve::SELU_FACTOR * one).round() as i64,
        add: (1_i64 << rescale.shift) >> 1,
        scale: rescale.fraction.cast_signed(),
    }
}

/// A sixth of a value, with the rounding constant of the truncation that follows.
const fn sixth(rescale: Rescale) -> IntOp {
    IntOp::Affine {
        factor: ((1_i64 << rescale.fraction) + 3) / 6,
        add: (1_i64 << rescale.shift) >> 1,
        scale: rescale.fraction.cast_signed(),
    }
}
