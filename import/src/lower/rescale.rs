//! Products and divided means as integer operations.

use nets::{IntOp, Rescaling};

use super::{Lowering, Value};
use crate::options::Preset;
use crate::rescale::{Rescale, Rescaled};

impl Lowering<'_> {
    /// Widens the ring in which every product is computed to the widest in which a consumer takes it. A
    /// product may be negative, so that an extension would take a comparison; a wider product takes only
    /// some bits more in correlated OTs that are there anyway.
    pub(super) fn widen(&mut self) {
        let (nodes, bits) = (self.model.graph.nodes(), &self.scales.bits);
        if self.options.preset != Preset::Mixed {
            return;
        }
        let mut wanted = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate().rev() {
            let shift = self.shift(index);
            if let Some(rescale) = self.scales.rescale[index] {
                // A product that was always near 0 has a narrow ring, but its factors are not narrowed to it.
                let factors = node.inputs.iter().map(|&i| bits[i]);
                let factors = factors.fold(0, u32::max).saturating_sub(rescale.shift);
                let wide = match rescale.what {
                    Rescaled::Operation(Rescaling::HardSwish) => wanted[index],
                    Rescaled::Operation(Rescaling::Gate) => wanted[index].max(factors),
                    Rescaled::Operation(Rescaling::HardSigmoid) => 0,
                    Rescaled::Mean => factors,
                };
                let widest = 64_u32.saturating_sub(rescale.shift);
                self.first_bits[index] = wide.min(widest).max(bits[index]);
            } else if let Some(linear) = self.scales.linear[index] {
                // A layer that was always near 0 has a narrow ring, but needs room for its weights.
                let weights = linear.bits.saturating_sub(linear.shift);
                self.first_bits[index] = weights.max(bits[index]);
            }
            let what = self.scales.rescale[index].map(|rescale| rescale.what);
            let ring = match what {
                // They take activations.
                Some(Rescaled::Operation(Rescaling::HardSigmoid | Rescaling::HardSwish)) => None,
                Some(Rescaled::Operation(Rescaling::Gate) | Rescaled::Mean) | None => {
                    shift.map(|shift| self.first_bits[index] + shift)
                }
            };
            for (k, &input) in node.inputs.iter().enumerate() {
                let taken = match (what, ring) {
                    (Some(Rescaled::Operation(Rescaling::Gate)), _) if k == 1 => bits[input],
                    (_, Some(ring)) => ring,
                    _ if self.scales.gain[index] != 1.0 => wanted[index],
                    _ => bits[input],
                };
                wanted[input] = taken.max(wanted[input]);
            }
        }
    }

    /// The values that a node that rescales is computed from.
    pub(super) fn rescaled_needs(&self, node: usize, rescale: Rescale) -> Vec<Value> {
        let (inputs, bits) = (self.inputs(node), &self.scales.bits);
        let ring = self.ring(node, rescale.shift);
        let ring = ring.expect("input() asked for every ring");
        match rescale.what {
            Rescaled::Operation(Rescaling::HardSigmoid | Rescaling::HardSwish) => {
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
            Rescaled::Mean => vec![(inputs[0], ring)],
        }
    }

    /// Whether an integer node of `bits` bits can gate in this ring as it is, because it is never negative.
    fn is_gate(&self, gate: usize, bits: u32, ring: u32) -> bool {
        bits <= ring && self.graph.type_of(gate).is_some_and(|t| t.nonneg)
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

/// A sixth of a value, with the rounding constant of the truncation that follows.
const fn sixth(rescale: Rescale) -> IntOp {
    IntOp::Affine {
        factor: ((1_i64 << rescale.fraction) + 3) / 6,
        add: (1_i64 << rescale.shift) >> 1,
        scale: rescale.fraction.cast_signed(),
    }
}
