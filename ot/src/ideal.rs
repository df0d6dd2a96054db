//! The ideal functionality of a pool of correlated OTs. **Insecure**: for tests and studies of cost, and
//! never for data that somebody wants to keep from the other party.
//!
//! Both parties compute every correlation from a seed they share, so each of them knows the other's
//! secrets, and nothing erases them. There is no traffic. It is public, and not behind a feature, because
//! the tests of the crates above use it too.

use core::fmt;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use ring_arith::BitVec;

use crate::{Block, Error, RcotReceiver, RcotSender};

/// Both ends of an ideal pool. Two parties call it with the same seed and keep one end each; the
/// two directions of a session need two seeds.
#[must_use]
pub fn ideal_pair(seed: [u8; 32]) -> (IdealSender, IdealReceiver) {
    (
        IdealSender(Dealer::new(seed)),
        IdealReceiver(Dealer::new(seed)),
    )
}

/// Sender's end of an ideal pool.
pub struct IdealSender(Dealer);

/// Receiver's end of an ideal pool.
pub struct IdealReceiver(Dealer);

impl RcotSender for IdealSender {
    fn delta(&self) -> Block {
        self.0.delta
    }

    fn draw(&mut self, q: &mut [Block]) -> Result<u64, Error> {
        let first = self.0.drawn;
        for q in q {
            *q = self.0.next().0;
        }
        Ok(first)
    }

    fn drawn(&self) -> u64 {
        self.0.drawn
    }
}

impl RcotReceiver for IdealReceiver {
    fn draw(&mut self, choices: &mut BitVec, t: &mut [Block]) -> Result<u64, Error> {
        assert_eq!(choices.len(), t.len(), "one choice per correlation");
        let first = self.0.drawn;
        for (word, t) in choices.words_mut().iter_mut().zip(t.chunks_mut(64)) {
            *word = 0;
            for (i, t) in t.iter_mut().enumerate() {
                let (q, c) = self.0.next();
                *t = q ^ self.0.delta & Block::from(c).wrapping_neg();
                *word |= c << i;
            }
        }
        Ok(first)
    }

    fn drawn(&self) -> u64 {
        self.0.drawn
    }
}

/// Deals correlation after correlation; the same for both ends.
struct Dealer {
    delta: Block,
    blocks: ChaCha8Rng,
    choices: ChaCha8Rng,
    drawn: u64,
}

impl Dealer {
    fn new(seed: [u8; 32]) -> Self {
        let mut blocks = ChaCha8Rng::from_seed(seed);
        let mut choices = ChaCha8Rng::from_seed(seed);
        choices.set_stream(1);
        Self {
            delta: next_block(&mut blocks),
            blocks,
            choices,
            drawn: 0,
        }
    }

    /// `q` and the choice bit.
    fn next(&mut self) -> (Block, u64) {
        self.drawn += 1;
        (
            next_block(&mut self.blocks),
            u64::from(self.choices.next_u32() & 1),
        )
    }
}

fn next_block(rng: &mut ChaCha8Rng) -> Block {
    let low = rng.next_u64();
    Block::from(low) | Block::from(rng.next_u64()) << 64
}

impl fmt::Debug for IdealSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdealSender")
            .field("drawn", &self.0.drawn)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IdealReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdealReceiver")
            .field("drawn", &self.0.drawn)
            .finish_non_exhaustive()
    }
}
