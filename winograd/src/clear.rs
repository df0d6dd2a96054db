//! Winograd's convolution of clear integers mod 2^l.

use linear::ConvSpec;
use ndarray::{Array4, ArrayView4};
use ring_arith::Bits;

use crate::{Error, Tile, WinogradConv};

/// 2^g times the convolution of one image mod 2^(bits + g), NCHW, where g is the number of
/// [`guard_bits`](Tile::guard_bits) of the tile. Shifted right by g, it is the convolution mod 2^bits, bit
/// for bit that of [`linear::clear::conv2d`].
///
/// # Errors
/// As [`WinogradConv::new`], for the smallest width that holds all weights.
///
/// # Panics
/// If the weights or x do not have the shapes of the spec.
pub fn conv2d(
    spec: &ConvSpec,
    tile: Tile,
    bits: Bits,
    weights: ArrayView4<'_, i32>,
    x: ArrayView4<'_, u64>,
) -> Result<Array4<u64>, Error> {
    // A sign bit, and the magnitude bits of w or of −w − 1.
    let width = |w: &i32| 33 - (w ^ (w >> 31)).leading_zeros();
    let weight_bits = Bits::of(weights.iter().map(width).max().unwrap_or(1));
    let conv = WinogradConv::new(*spec, tile, weight_bits, bits)?;
    Ok(conv.clear(&conv.prepare(weights)?, x))
}
