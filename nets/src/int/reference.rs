//! What the more complex operations compute on integers.
//!
//! They are stated here without the protocols that compute them between two parties, so that the clear
//! executor is an oracle for these.

use ring_arith::Bits;

use super::types::TensorType;
use crate::shape::{Shape, Window};

/// [`crate::IntOp::HardSwish`] of integers h = x + 3·2^scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardSwish {
    scale: u32,
    fraction: u32,
}

impl HardSwish {
    /// Refuses widths without room for the clipped value, for a sixth of it, or for the values beyond 6.
    pub(super) fn new(h: &TensorType, fraction: u32, to: Bits) -> Result<Self, String> {
        let (bits, scale) = (h.bits(), h.fixed.scale);
        let refused = || {
            format!(
                "{bits} bits at scale {scale}, a sixth of {fraction} bits and {to} bits out do not fit together"
            )
        };
        let scale = u32::try_from(scale).map_err(|_| refused())?;
        let clipped = scale.checked_add(4).is_some_and(|n| n <= bits.get());
        let ramp = scale.checked_add(fraction).is_some_and(|n| n < to.get());
        if clipped && ramp && fraction >= 2 {
            Ok(Self { scale, fraction })
        } else {
            Err(refused())
        }
    }

    /// m·c·(c − 3·2^s) + 2^(s + fraction)·r, modulo 2^64.
    pub(super) fn value(self, h: i64) -> i64 {
        let three = 3_i64 << self.scale;
        let sixth = sixth(self.fraction);
        let clipped = h.clamp(0, 2 * three);
        let beyond = h.saturating_sub(2 * three).max(0);
        let square = clipped.wrapping_mul(clipped - three).wrapping_mul(sixth);
        square.wrapping_add(beyond.wrapping_shl(self.scale + self.fraction))
    }
}

/// The integer nearest to 2^fraction / 6.
pub(super) const fn sixth(fraction: u32) -> i64 {
    (((1_u64 << fraction) + 3) / 6).cast_signed()
}

/// The largest value under every window, as the winner of a tournament by differences modulo 2^l: within
/// the rows of the window first, then among the winners of the rows. In each round neighbours meet, and a
/// value without a neighbour goes on. Where all differences are below 2^(l-1) the order does not matter.
pub(super) fn max_pool(
    x: &[i64],
    shape: Shape,
    out: Shape,
    window: Window,
    bits: Bits,
) -> Vec<i64> {
    let mut y = Vec::with_capacity(out.len());
    for plane in x.chunks_exact(shape.plane()) {
        for r in 0..out.height {
            let rows = span(&window, 0, r, shape.height);
            for c in 0..out.width {
                let columns = span(&window, 1, c, shape.width);
                let row = |r: usize| plane[r * shape.width..][columns.clone()].iter();
                let of_row = |r| winner(bits, row(r).map(|&v| (v, ())).collect());
                let winners = rows.clone().map(of_row).collect();
                y.push(winner(bits, winners).0);
            }
        }
    }
    y
}

/// The rows (axis 0) or columns (axis 1) of the input under a window, padding left out.
fn span(window: &Window, axis: usize, o: usize, size: usize) -> std::ops::Range<usize> {
    let start = o * window.stride[axis];
    let clip = |place: usize| place.saturating_sub(window.padding[axis]).min(size);
    clip(start)..clip(start + window.kernel[axis])
}

/// The number of the winner of such a tournament of a whole vector.
pub(super) fn arg_max(x: &[i64], bits: Bits) -> i64 {
    winner(bits, x.iter().copied().zip(0..).collect()).1
}

/// The value that wins, and what came with it.
fn winner<T: Copy>(bits: Bits, mut values: Vec<(i64, T)>) -> (i64, T) {
    let meet = |pair: &[(i64, T)]| match *pair {
        [a, b] if bits.to_signed(a.0.wrapping_sub(b.0).cast_unsigned()) < 0 => b,
        _ => pair[0],
    };
    while values.len() > 1 {
        values = values.chunks(2).map(meet).collect();
    }
    values[0]
}
