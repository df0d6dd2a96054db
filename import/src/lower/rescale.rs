//! Products and divided means as integer operations.

use nets::{IntOp, Op};

use super::{Lowering, Value};
use crate::options::Preset;
use crate::rescale::Rescale;

impl Lowering<'_> {
    /// Makes every product in the widest ring that something takes it in. It has either sign, so an
    /// extension would take a comparison; a wider product takes some bits more in COTs that are there
    /// anyway.
    pub(super) fn widen(&mut self) {
        let (nodes, bits) = (self.model.graph.nodes(), &self.scales.bits);
        if self.options.preset != Preset::Mixed {
            return;
        }
        let mut wanted = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate().rev() {
            let shift = self.shift(index);
            if let Some(rescale) = self.scales.rescale[index] {
                // Factors are not cut to the ring of a product that was always near 0.
                let factors = node.inputs.iter().map(|&i| bits[i]);
                let factors = factors.fold(0, u32::max).saturating_sub(rescale.shift);
                let wide = match node.op {
                    Op::HardSwish => wanted[index],
                    Op::Gate => wanted[index].max(factors),
                    Op::HardSigmoid => 0,
                    _ => factors,
                };
                let most = 64_u32.saturating_sub(rescale.shift);
                self.native[index] = wide.min(most).max(bits[index]);
            } else if let Some(linear) = self.scales.linear[index] {
                // A layer that was always near 0 has weights all the same.
                let weights = linear.bits.saturating_sub(linear.shift);
                self.native[index] = weights.max(bits[index]);
            }
            let ring = match node.op {
                Op::HardSigmoid | Op::HardSwish => None,
                _ => shift.map(|shift| self.native[index] + shift),
            };
            for (k, &input) in node.inputs.iter().enumerate() {
                let taken = match (&node.op, ring) {
                    (Op::Gate, _) if k == 1 => bits[input],
                    (_, Some(ring)) => ring,
                    _ if self.scales.gain[index] != 1.0 => wanted[index],
                    _ => bits[input],
                };
                wanted[input] = taken.max(wanted[input]);
            }
        }
    }

    /// What a node that rescales is made of.
    pub(super) fn rescaled_needs(&self, node: usize, rescale: Rescale) -> Vec<Value> {
        let (inputs, bits) = (self.inputs(node), &self.scales.bits);
        let ring = self.ring(node, rescale.shift);
        let ring = ring.expect("input() asked for every ring");
        match self.op(node) {
            Op::HardSigmoid | Op::HardSwish => vec![(inputs[0], bits[inputs[0]])],
            Op::Gate => {
                let factor = (inputs[1], bits[inputs[1]]);
                let mut needs = vec![(inputs[0], ring), factor];
                let made = self.made.get(&factor);
                if made.is_some_and(|&made| !self.is_gate(made, factor.1, ring)) {
                    needs.push((inputs[1], ring));
                }
                needs
            }
            _ => vec![(inputs[0], ring)],
        }
    }

    /// Whether an integer node can gate in this ring as it is: where it can have no sign.
    fn is_gate(&self, made: usize, bits: u32, ring: u32) -> bool {
        bits <= ring && self.graph.type_of(made).is_some_and(|t| t.nonneg)
    }

    /// The value of a node that rescales, in the ring of activations: made in a ring wider by the
    /// bits to be cut off, since the result depends on it modulo that only.
    pub(super) fn rescaled(&mut self, node: usize, rescale: Rescale) -> usize {
        let (name, first) = (self.name(node), self.inputs(node)[0]);
        let ring = self.ring(node, rescale.shift);
        let ring = ring.expect("input() asked for every ring");
        let mut rounding = IntOp::Affine {
            factor: 1,
            add: (1_i64 << rescale.shift) >> 1,
            scale: 0,
        };
        let made = match self.op(node) {
            Op::HardSigmoid => {
                let clipped = self.clipped(name, first, ring);
                rounding = sixth(rescale);
                clipped
            }
            Op::HardSwish => {
                let shifted = self.shifted(name, first);
                let (fraction, to) = (rescale.fraction, ring);
                self.push(name, IntOp::HardSwish { fraction, to }, &[shifted])
            }
            Op::Gate => {
                let (x, second) = (self.made[&(first, ring)], self.inputs(node)[1]);
                let gate = self.gate(second, ring);
                self.push(name, IntOp::Gate, &[x, gate])
            }
            _ => {
                let window = self.op(node).mean_window(self.shape(first));
                let (window, counts_padding) = window.expect("it is a mean");
                let x = self.made[&(first, ring)];
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
            return made;
        }
        let made = self.push(&format!("{name}.round"), rounding, &[made]);
        self.truncated(name, made, rescale.shift)
    }

    /// x + 3.
    fn shifted(&mut self, name: &str, input: usize) -> usize {
        let x = self.made[&(input, self.scales.bits[input])];
        let op = IntOp::Affine {
            factor: 1,
            add: 3 << self.scales.tensor[input],
            scale: 0,
        };
        self.push(&format!("{name}.shift"), op, &[x])
    }

    /// clip(x + 3, 0, 6) in a ring.
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

    /// A gate: as it is where it can have no sign, else in the ring of the product.
    fn gate(&self, node: usize, ring: u32) -> usize {
        let bits = self.scales.bits[node];
        let made = self.made[&(node, bits)];
        if self.is_gate(made, bits, ring) {
            made
        } else {
            self.made[&(node, ring)]
        }
    }
}

/// Times a sixth, rounded.
const fn sixth(rescale: Rescale) -> IntOp {
    IntOp::Affine {
        factor: ((1_i64 << rescale.fraction) + 3) / 6,
        add: (1_i64 << rescale.shift) >> 1,
        scale: rescale.fraction.cast_signed(),
    }
}
