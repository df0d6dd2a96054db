//! Values that are rounded to integers of a grid, and values times a public factor.

use nets::{FloatModel, IntOp, Op};
use ring_arith::Bits;

use super::Lowering;
use crate::options::{ImportOptions, Preset};
use crate::rescale::Rescale;

/// Why the grids of a network cannot be lowered, if they cannot.
pub(super) fn problem(model: &FloatModel, options: &ImportOptions) -> Option<String> {
    let is_grid = |op: &Op| matches!(op, Op::Quantise { .. } | Op::Scale { .. });
    let grid = model.graph.nodes().iter().find(|node| is_grid(&node.op))?;
    let is_uniform = options.preset != Preset::Mixed;
    let name = &grid.name;
    is_uniform.then(|| format!("a network with scales of its own in one ring for all (`{name}`)"))
}

impl Lowering<'_> {
    /// The integers of a grid: rounded, clipped, in a ring of their own.
    pub(super) fn levels(&mut self, node: usize, rescale: Rescale) -> usize {
        let Op::Quantise { low, high, .. } = *self.op(node) else {
            unreachable!("the caller knows the operation")
        };
        let (name, input) = (self.name(node), self.inputs(node)[0]);
        let (shift, wide) = (rescale.shift, self.scales.bits[input]);
        let x = self.nodes[&(input, wide)];
        let half = (1_i64 << shift) >> 1;
        let x = self.with_constant(&format!("{name}.round"), x, half - (low << shift));
        let x = self.truncated(name, x, shift);
        let (ring, bits) = (wide - shift, self.scales.bits[node]);
        let top = high - low;
        let op = match top >= Bits::of(ring).max_signed() {
            true => IntOp::Relu,
            false => IntOp::Clip { top },
        };
        let x = self.push(name, op, &[x]);
        let x = match bits < ring {
            true => self.push(&format!("{name}.narrow"), IntOp::Narrow { to: bits }, &[x]),
            false => x,
        };
        self.with_constant(&format!("{name}.zero"), x, low)
    }

    /// A value, as activation or as sum, times a public factor, in a ring of `ring` bits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    pub(super) fn scaled(&mut self, node: usize, rescale: Rescale, ring: u32) -> usize {
        let Op::Scale { factor } = *self.op(node) else {
            unreachable!("the caller knows the operation")
        };
        let (name, input) = (self.name(node), self.inputs(node)[0]);
        let one = 2f64.powi(rescale.fraction.cast_signed());
        let op = IntOp::Affine {
            factor: (factor / self.scales.gain[input] * one).round() as i64,
            add: (1_i64 << rescale.shift) >> 1,
            scale: rescale.fraction.cast_signed(),
        };
        let product = self.push(name, op, &[self.nodes[&(input, ring)]]);
        self.truncated(name, product, rescale.shift)
    }

    /// A value plus a constant.
    fn with_constant(&mut self, name: &str, x: usize, add: i64) -> usize {
        if add == 0 {
            return x;
        }
        let op = IntOp::Affine {
            factor: 1,
            add,
            scale: 0,
        };
        self.push(name, op, &[x])
    }
}
