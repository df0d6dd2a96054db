//! The receiver's end: it has all seeds.

use core::fmt;

use channel::{Channel, Ledger, SessionId};
use rand_core::CryptoRng;
use ring_arith::BitVec;
use zerocopy::IntoBytes;
use zeroize::{Zeroize, Zeroizing};

use super::check::Binding;
use super::{BATCH, COLUMNS, LAMBDA, Position, REFILL, ROW, SETUP, groups};
use crate::kernel::bits::copy_bits;
use crate::kernel::fold::{Scratch, fold};
use crate::kernel::ggm;
use crate::kernel::secret::make_room;
use crate::kernel::transpose::transpose_128;
use crate::prg::{Prg, TreePrg, xor_into};
use crate::{Block, Error, RcotReceiver, base};

/// The receiver's end of a pool filled by SoftSpokenOT; the protocol is described at the sender's
/// end, [`SoftSpokenSender`](crate::SoftSpokenSender).
pub struct SoftSpokenReceiver {
    chan: Channel,
    k: u32,
    /// 2^k streams per group.
    streams: Vec<Vec<Prg>>,
    binding: Binding,
    batch: Batch,
    position: Position,
}

/// The batch in use and the room to make the next.
struct Batch {
    choices: Vec<u64>,
    t: Vec<Block>,
    rows: Vec<u64>,
    /// A row for each group, the first of which has none; see [`Binding::challenge`].
    corrections: Vec<u64>,
    scratch: Box<Scratch>,
}

/// A tree for every group: the streams of its leaves, and the sums of the left and of the right children on
/// each of its levels.
struct Trees {
    streams: Vec<Vec<Prg>>,
    sums: Zeroizing<Vec<[Block; 2]>>,
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
        chan: Channel,
        k: u32,
        session: &SessionId,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let trees = Trees::grow(k, session, rng);
        Self::offer(chan, k, session, trees, rng)
    }

    /// Lets the sender have the sums off the path of its missing seed, of every tree.
    fn offer(
        mut chan: Channel,
        k: u32,
        session: &SessionId,
        trees: Trees,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        chan.enter_phase(SETUP);
        let (mut pads, transcript) = base::send(&mut chan, session, LAMBDA, rng)?;
        for (pad, sum) in pads.iter_mut().zip(trees.sums.iter()) {
            *pad = [(pad[0] ^ sum[0]).to_le(), (pad[1] ^ sum[1]).to_le()];
        }
        // The sums hide what the pads were.
        let masked = pads;
        chan.send(masked.as_bytes())?;
        chan.flush()?;
        chan.enter_phase(REFILL);
        Ok(Self {
            chan,
            k,
            streams: trees.streams,
            binding: Binding::new(k, &transcript, &masked),
            batch: Batch::empty(),
            position: Position::START,
        })
    }

    /// The refill channel, between two refills.
    pub(crate) const fn channel(&mut self) -> &mut Channel {
        &mut self.chan
    }

    /// Makes the next batch.
    fn refill(&mut self) -> Result<(), Error> {
        self.expand();
        self.tell()?;
        self.transpose();
        Ok(())
    }

    /// Expands the seeds to choices, rows and corrections.
    fn expand(&mut self) {
        self.batch.reserve(self.k);
        let Batch {
            choices,
            rows,
            corrections,
            scratch,
            ..
        } = &mut self.batch;
        let mut groups = groups(self.k).zip(&mut self.streams);
        let ((_, k), streams) = groups.next().expect("there are groups");
        fold(streams, k, &mut rows[..k * ROW], choices, scratch);
        for (((first, k), streams), sum) in groups.zip(corrections[ROW..].chunks_exact_mut(ROW)) {
            let rows = &mut rows[first * ROW..(first + k) * ROW];
            fold(streams, k, rows, sum, scratch);
            xor_into(sum.as_mut_bytes(), choices.as_bytes());
        }
    }

    /// Sends the corrections, and the proof that they are consistent.
    fn tell(&mut self) -> Result<(), Error> {
        let Batch {
            choices,
            rows,
            corrections,
            ..
        } = &mut self.batch;
        self.chan.send(corrections[ROW..].as_bytes())?;
        let challenge = self.binding.challenge(corrections);
        self.chan.send(&challenge.prove(choices, rows))?;
        self.chan.flush()?;
        Ok(())
    }

    /// Makes COTs of the columns.
    fn transpose(&mut self) {
        transpose_128(self.batch.rows.as_bytes(), &mut self.batch.t);
        for word in &mut self.batch.choices {
            *word = u64::from_le(*word);
        }
        self.position.used = 0;
    }
}

impl Trees {
    fn grow(k: u32, session: &SessionId, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let tree = TreePrg::new(session);
        let mut sums = Zeroizing::new(Vec::with_capacity(LAMBDA));
        let grow = |(_, bits)| {
            let [low, high] = [rng.next_u64(), rng.next_u64()].map(Block::from);
            let leaves = ggm::full(&tree, low | high << 64, bits, &mut sums);
            leaves.iter().map(|&leaf| Prg::new(leaf)).collect()
        };
        Self {
            streams: groups(k).map(grow).collect(),
            sums,
        }
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

    fn within_refill(&self) -> usize {
        self.position.within_refill()
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
            corrections: Vec::new(),
            scratch: Scratch::boxed(),
        }
    }

    /// Takes the room for a batch, at the first refill.
    fn reserve(&mut self, k: u32) {
        make_room(&mut self.choices, ROW);
        make_room(&mut self.t, COLUMNS);
        make_room(&mut self.rows, LAMBDA * ROW);
        make_room(&mut self.corrections, groups(k).len() * ROW);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.choices.zeroize();
        self.t.zeroize();
        self.rows.zeroize();
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

#[cfg(test)]
mod tests;
