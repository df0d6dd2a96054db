//! The bias, which the server adds to its own share without the client.

use ring_arith::{Bits, slices};

/// Adds `bias[c]` to every element of channel `c` of the server's share `y` (channels first), mod
/// 2^bits; with as many biases as elements, each gets its own. Local: the client does nothing.
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
