//! Words and blocks written as the bytes of a key stream.

use crate::Block;
use ring_arith::Word;

/// Turns words whose memory holds little-endian bytes into native words.
#[inline]
pub(crate) fn words_from_le<W: Word>(words: &mut [W]) {
    if cfg!(target_endian = "big") {
        for word in words {
            *word = W::from_u64(word.to_u64().swap_bytes() >> (64 - W::BITS));
        }
    }
}

/// Turns blocks whose memory holds little-endian bytes into native blocks.
#[inline]
pub(crate) fn blocks_from_le(blocks: &mut [Block]) {
    if cfg!(target_endian = "big") {
        for block in blocks {
            *block = Block::from_le(*block);
        }
    }
}
