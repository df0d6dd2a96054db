//! Clamps between bounds of any sign.
//!
//! A clip between 0 and a bound is an integer operation. Other bounds are moved there by constants that each party
//! adds by itself, for which the tensor has a bit more ([`crate::scales`]).

use nets::IntOp;
use ring_arith::Bits;

use super::Lowering;

impl Lowering<'_> {
    /// A clamp, in a ring of `bits`: low + clip(x − low, 0, high − low), and high − max(high − x, 0) where there is no
    /// lower bound. Bounds that no value reaches are left out.
    pub(super) fn clamp(&mut self, node: usize, bits: u32) -> usize {
        let x = self.nodes[&(self.inputs(node)[0], bits)];
        let [low, high] = self.scales.clamps.get(&node).copied().unwrap_or_default();
        let [low, high] = [low, high].map(|bound| bound.map(|v| self.integer(node, v)));
        match (low, high) {
            (None, None) => x,
            (Some(low), None) => {
                let above = self.plus(node, "above", x, (1, low.saturating_neg()));
                let kept = self.push(self.name(node), IntOp::Relu, &[above]);
                self.plus(node, "back", kept, (1, low))
            }
            (None, Some(high)) => {
                let below = self.plus(node, "below", x, (-1, high));
                let kept = self.push(self.name(node), IntOp::Relu, &[below]);
                self.plus(node, "back", kept, (-1, high))
            }
            (Some(low), Some(high)) => {
                let above = self.plus(node, "above", x, (1, low.saturating_neg()));
                let top = high.saturating_sub(low).max(1);
                let op = match top < Bits::of(bits).max_signed() {
                    true => IntOp::Clip { top },
                    false => IntOp::Relu,
                };
                let kept = self.push(self.name(node), op, &[above]);
                self.plus(node, "back", kept, (1, low))
            }
        }
    }

    /// A number at the scale of a node.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate"
    )]
    fn integer(&self, node: usize, value: f64) -> i64 {
        (value * 2f64.powi(self.scales.tensor[node])).round() as i64
    }

    /// factor·x + add, which is x itself where nothing changes.
    fn plus(&mut self, node: usize, what: &str, x: usize, (factor, add): (i64, i64)) -> usize {
        if (factor, add) == (1, 0) {
            return x;
        }
        let op = IntOp::Affine {
            factor,
            add,
            scale: 0,
        };
        self.push(&format!("{}.{what}", self.name(node)), op, &[x])
    }
}
