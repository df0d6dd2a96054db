//! Transposition of bit matrices with 128 rows.

use crate::Block;
use crate::backend;

/// Transposes 128 rows of n = `out.len()` bits: bit `r` of `out[i]` is bit `i` of row `r`.
///
/// Row `r` is the n/8 bytes from `rows[r * n / 8]` on, least significant bit first.
///
/// # Panics
/// If n is not a multiple of 128, or `rows` has not 16·n bytes.
pub fn transpose_128(rows: &[u8], out: &mut [Block]) {
    assert!(out.len().is_multiple_of(128), "whole tiles of columns");
    assert_eq!(rows.len(), 16 * out.len(), "128 rows of n bits");
    backend::transpose_128(rows, out);
}
