//! Images that show nothing, for networks that have learned nothing.

use sha2::{Digest as _, Sha256};

/// Bytes that look random, always the same for the same number.
pub(super) fn noise(number: u32, len: usize) -> Vec<u8> {
    let block = |i: u64| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(number.to_le_bytes());
        hash.update(i.to_le_bytes());
        hash.finalize().into()
    };
    (0..).flat_map(block).take(len).collect()
}
