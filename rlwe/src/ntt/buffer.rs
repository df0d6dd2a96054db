//! Storage for polynomials.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroize;

/// A cache line, in doubles.
const LINE: usize = 8;

/// Loads wait for an earlier store whose address agrees with theirs in this many doubles.
const PAGE: usize = 4096 / size_of::<f64>();

/// Doubles that begin at a cache line, and not where other buffers begin within their pages: loops over several polynomials of 32 KiB would
/// otherwise take the stores to one for stores to the others. Overwritten with zeros when dropped.
pub(crate) struct Buffer {
    storage: Vec<f64>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        /// Steps of nearly the golden ratio: every run of buffers is spread evenly.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        const STEP: usize = 39 * LINE;

        let storage = vec![0.0; len + PAGE];
        let place = NEXT.fetch_add(STEP, Ordering::Relaxed) % PAGE;
        let address = storage.as_ptr().addr() / size_of::<f64>();
        let start = place.wrapping_sub(address) % PAGE;
        Self {
            storage,
            start,
            len,
        }
    }
}

impl Deref for Buffer {
    type Target = [f64];

    #[inline]
    fn deref(&self) -> &[f64] {
        &self.storage[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.storage[self.start..][..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.storage.zeroize();
    }
}

/// The pair of two polynomials: blocks of eight doubles of one and of the other by turns.
///
/// # Panics
/// Unless the lengths fit, in whole blocks.
pub(crate) fn interleave(pair: &mut [f64], a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "polynomials of one degree");
    assert_eq!(pair.len(), 2 * a.len(), "a pair");
    let (to, rest) = pair.as_chunks_mut::<{ 2 * LINE }>();
    assert!(rest.is_empty(), "whole blocks");
    let from = a.as_chunks::<LINE>().0.iter().zip(b.as_chunks::<LINE>().0);
    for (to, (a, b)) in to.iter_mut().zip(from) {
        to[..LINE].copy_from_slice(a);
        to[LINE..].copy_from_slice(b);
    }
}

/// The two polynomials of a pair.
///
/// # Panics
/// Unless the lengths fit, in whole blocks.
pub(crate) fn split(pair: &[f64], a: &mut [f64], b: &mut [f64]) {
    assert_eq!(a.len(), b.len(), "polynomials of one degree");
    assert_eq!(pair.len(), 2 * a.len(), "a pair");
    let (from, rest) = pair.as_chunks::<{ 2 * LINE }>();
    assert!(rest.is_empty(), "whole blocks");
    let to = a.as_chunks_mut::<LINE>().0.iter_mut();
    let to = to.zip(b.as_chunks_mut::<LINE>().0);
    for (from, (a, b)) in from.iter().zip(to) {
        a.copy_from_slice(&from[..LINE]);
        b.copy_from_slice(&from[LINE..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_at_lines_and_apart_within_their_pages() {
        let buffers: Vec<_> = (0..6).map(|_| Buffer::zeroed(4096)).collect();
        for (i, a) in buffers.iter().enumerate() {
            assert!(a.as_ptr().addr().is_multiple_of(64));
            assert!(a.len() == 4096 && a.iter().all(|&x| x == 0.0));
            for b in &buffers[..i] {
                assert_ne!(a.as_ptr().addr() % 4096, b.as_ptr().addr() % 4096);
            }
        }
    }

    #[test]
    fn a_pair_holds_blocks_of_eight_by_turns() {
        let a: Vec<_> = (0..16).map(f64::from).collect();
        let b: Vec<_> = (16..32).map(f64::from).collect();
        let mut pair = vec![0.0; 32];
        interleave(&mut pair, &a, &b);
        assert_eq!(pair[7..=8], [7.0, 16.0]);
        assert_eq!(pair[16], 8.0);
        let (mut c, mut d) = (vec![0.0; 16], vec![0.0; 16]);
        split(&pair, &mut c, &mut d);
        assert_eq!((c, d), (a, b));
    }
}
