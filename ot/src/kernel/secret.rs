//! Buffers of secrets that grow.

use zeroize::Zeroize;

/// Makes a buffer at least `n` elements long. A longer one is another block of memory: the old one is
/// zeroized, and its content is gone.
pub(crate) fn make_room<T: Copy + Default>(buffer: &mut Vec<T>, n: usize)
where
    Vec<T>: Zeroize,
{
    if buffer.len() < n {
        buffer.zeroize();
        *buffer = vec![T::default(); n];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_buffer_is_a_new_one_and_a_shorter_one_is_kept() {
        let mut buffer = vec![7_u64; 3];
        make_room(&mut buffer, 3);
        assert_eq!(buffer, [7; 3]);
        make_room(&mut buffer, 5);
        assert_eq!(buffer, [0; 5]);
        buffer.fill(9);
        make_room(&mut buffer, 2);
        assert_eq!(buffer, [9; 5]);
    }
}
