//! The receiver's end: it has all seeds.

use core::fmt;

use channel::{Channel, Ledger, SessionId};
use rand_core::CryptoRng;
use ring_arith::BitVec;
use zerocopy::IntoBytes;
use zeroize::Zeroize;

use super::{BATCH, LAMBDA, Position, REFILL, ROW, SETUP, groups};
use crate::kernel::bits::copy_bits;
use crate::kernel::fold::{Scratch, fold};
use crate::kernel::ggm;
use crate::kernel::transpose::transpose_128;
use crate::prg::{Prg, TreePrg};
use crate::{Block, Error, RcotReceiver, base};

/// The receiver's end of a pool filled by SoftSpokenOT; the protocol is described at the sender's
/// end, [`SoftSpokenSender`](crate::SoftSpokenSender).
pub struct SoftSpokenReceiver {
    chan: Channel,
    k: u32,
    /// 2^k streams per group.
    streams: Vec<Vec<Prg>>,
    batch: Batch,
    position: Position,
}

/// The batch in use and the room to make the next.
struct Batch {
    choices: Vec<u64>,
    t: Vec<Block>,
    rows: Vec<u64>,
    sum: Vec<u64>,
    scratch: Box<Scratch>,
}

impl SoftSpokenReceiver {
    /// Set-up on the refill channel, which the pool keeps. `rng` decides all choices.
    ///
    /// # Errors
    /// The channel failed, or the peer sent an invalid point.
    ///
    /// # Panics
    /// Unless 1 <= k <= 8.
    pub fn setup(
        mut chan: Channel,
        k: u32,
        session: &SessionId,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        chan.enter_phase(SETUP);
        let tree = TreePrg::new(session);
        let (mut streams, mut sums) = (Vec::new(), Vec::with_capacity(LAMBDA));
        for (_, bits) in groups(k) {
            let [low, high] = [rng.next_u64(), rng.next_u64()].map(Block::from);
            let (leaves, levels) = ggm::full(&tree, low | high << 64, bits);
            streams.push(leaves.iter().map(|&leaf| Prg::new(leaf)).collect());
            sums.extend(levels);
        }
        let mut pads = base::send(&mut chan, session, LAMBDA, rng)?;
        for (pad, sum) in pads.iter_mut().zip(&sums) {
            *pad = [(pad[0] ^ sum[0]).to_le(), (pad[1] ^ sum[1]).to_le()];
        }
        chan.send(pads.as_bytes())?;
        chan.flush()?;
        pads.zeroize();
        sums.zeroize();
        chan.enter_phase(REFILL);
        Ok(Self {
            chan,
            k,
            streams,
            batch: Batch::empty(),
            position: Position::START,
        })
    }

    /// Makes the next batch.
    fn refill(&mut self) -> Result<(), Error> {
        self.batch.reserve();
        let Batch {
            choices,
            t,
            rows,
            sum,
            scratch,
        } = &mut self.batch;
        for ((first, k), streams) in groups(self.k).zip(&mut self.streams) {
            let rows = &mut rows[first * ROW..(first + k) * ROW];
            if first == 0 {
                fold(streams, k, rows, choices, scratch);
            } else {
                fold(streams, k, rows, sum, scratch);
                for (sum, choice) in sum.iter_mut().zip(choices.iter()) {
                    *sum ^= choice;
                }
                self.chan.send(sum.as_bytes())?;
            }
        }
        self.chan.flush()?;
        transpose_128(rows.as_bytes(), t);
        for word in choices.iter_mut() {
            *word = u64::from_le(*word);
        }
        self.position.used = 0;
        Ok(())
    }
}

impl RcotReceiver for SoftSpokenReceiver {
    fn draw(&mut self, choices: &mut BitVec, t: &mut [Block]) -> Result<u64, Error> {
        assert_eq!(choices.len(), t.len(), "one choice per correlation");
        let first = self.position.drawn;
        let mut done = 0;
        while done < t.len() {
            if self.position.used == BATCH {
                self.refill()?;
            }
            let (start, taken) = self.position.take(t.len() - done);
            t[done..done + taken].copy_from_slice(&self.batch.t[start..start + taken]);
            copy_bits(choices.words_mut(), done, &self.batch.choices, start, taken);
            done += taken;
        }
        Ok(first)
    }

    fn drawn(&self) -> u64 {
        self.position.drawn
    }

    fn ledger(&self) -> Option<&Ledger> {
        Some(self.chan.ledger())
    }
}

impl Batch {
    fn empty() -> Self {
        Self {
            choices: Vec::new(),
            t: Vec::new(),
            rows: Vec::new(),
            sum: Vec::new(),
            scratch: Scratch::boxed(),
        }
    }

    /// Takes the room for a batch, at the first refill.
    fn reserve(&mut self) {
        self.choices.resize(ROW, 0);
        self.t.resize(BATCH, 0);
        self.rows.resize(LAMBDA * ROW, 0);
        self.sum.resize(ROW, 0);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.choices.zeroize();
        self.t.zeroize();
        self.rows.zeroize();
        self.sum.zeroize();
    }
}

impl fmt::Debug for SoftSpokenReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftSpokenReceiver")
            .field("k", &self.k)
            .field("drawn", &self.position.drawn)
            .finish_non_exhaustive()
    }
}
