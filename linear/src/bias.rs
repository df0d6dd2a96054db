//! The server's additions to its own share: free and local.

use ring_arith::{Bits, slices};

/// Adds `bias[c]` to every element of channel `c` of the server's share `y` (channels first), mod
/// 2^bits. Local: the client does nothing.
///
/// # Panics
/// If the channels do not divide `y` evenly.
pub fn add_bias(bits: Bits, y: &mut [u64], bias: &[i64]) {
    if y.is_empty() && bias.is_empty() {
        return;
    }
    assert!(
        !bias.is_empty() && y.len().is_multiple_of(bias.len()),
        "{} channels do not divide {} elements",
        bias.len(),
        y.len()
    );
    let plane = y.len() / bias.len();
    for (c, &bias) in bias.iter().enumerate() {
        let channel = &mut y[c * plane..(c + 1) * plane];
        slices::add_constant(bits, channel, bits.from_signed(bias));
    }
}

/// Adds a bias of its own to every element of the server's share, mod 2^bits: what a constant
/// input to a padded convolution leaves behind.
///
/// # Panics
/// If the lengths differ.
pub fn add_bias_map(bits: Bits, y: &mut [u64], map: &[i64]) {
    assert_eq!(y.len(), map.len(), "one bias per element");
    for (y, &bias) in y.iter_mut().zip(map) {
        *y = bits.reduce(y.wrapping_add(bits.from_signed(bias)));
    }
}
