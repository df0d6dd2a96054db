//! Pools of random correlated OTs: the one interface between extensions and everything above.

use channel::Ledger;
use ring_arith::BitVec;

use crate::{Block, Error};

/// The sender's end of a pool of random correlated OTs.
///
/// **Functionality.** A global secret `delta` is fixed when the pool is made. Correlation `i` is
/// `q_i` for the sender, and a random bit `c_i` with `t_i = q_i ^ (c_i * delta)` for the receiver.
/// Both ends must draw the same numbers in the same order; the index of a correlation is unique
/// under its `delta` for the life of the pool, and is meant to be the tweak of a hash.
pub trait RcotSender: Send {
    /// The global correlation.
    fn delta(&self) -> Block;

    /// Fills `q` with the next correlations and returns the index of the first; the others follow
    /// it.
    ///
    /// # Errors
    /// The refill channel failed, or the correlations are not what they should be. The pool is dead then.
    fn draw(&mut self, q: &mut [Block]) -> Result<u64, Error>;

    /// Announces that at least `n` more correlations will be drawn, so that the pool can size its
    /// refills. Both ends must be told the same number, at the same point among their draws. The default ignores it.
    fn reserve(&mut self, n: u64) {
        let _ = n;
    }

    /// Correlations that the next draw may take for one refill at most; never 0. Both ends tell the same.
    fn within_refill(&self) -> usize {
        usize::MAX
    }

    /// Correlations drawn so far.
    fn drawn(&self) -> u64;

    /// Traffic of the refill channel, if this pool has one.
    fn ledger(&self) -> Option<&Ledger> {
        None
    }
}

/// The receiver's end of a pool of random correlated OTs; see [`RcotSender`].
pub trait RcotReceiver: Send {
    /// Overwrites `choices` and `t` with the next correlations and returns the index of the first.
    ///
    /// # Errors
    /// As [`RcotSender::draw`].
    ///
    /// # Panics
    /// If `choices` and `t` differ in length.
    fn draw(&mut self, choices: &mut BitVec, t: &mut [Block]) -> Result<u64, Error>;

    /// Announces that at least `n` more correlations will be drawn, so that the pool can size its
    /// refills. Both ends must be told the same number, at the same point among their draws. The default ignores it.
    fn reserve(&mut self, n: u64) {
        let _ = n;
    }

    /// Correlations that the next draw may take for one refill at most; never 0. Both ends tell the same.
    fn within_refill(&self) -> usize {
        usize::MAX
    }

    /// Correlations drawn so far.
    fn drawn(&self) -> u64;

    /// Traffic of the refill channel, if this pool has one.
    fn ledger(&self) -> Option<&Ledger> {
        None
    }
}
