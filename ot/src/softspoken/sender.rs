//! The sender's end: of every group it lacks the seed at its bits of Δ.

use core::fmt;

use channel::{Channel, Ledger, SessionId};
use rand_core::CryptoRng;
use ring_arith::BitVec;
use zerocopy::IntoBytes;
use zeroize::{Zeroize, Zeroizing};

use super::check::{Binding, PROOF};
use super::{BATCH, COLUMNS, LAMBDA, Position, REFILL, ROW, SETUP, groups};
use crate::backend::xor_masked;
use crate::kernel::bits::low;
use crate::kernel::fold::{Scratch, fold};
use crate::kernel::ggm;
use crate::kernel::secret::make_room;
use crate::kernel::transpose::transpose_128;
use crate::prg::{Prg, TreePrg};
use crate::{Block, Error, RcotSender, base};

/// The sender's end of a pool filled by SoftSpokenOT, OT extension over small fields [Roy22].
///
/// **Functionality.** A pool of random correlated OTs, see [`RcotSender`].
///
/// **Protocol.** The set-up consists of 128 base OTs ([`base`]), in which the parties swap roles. For
/// every group of k bits of Δ the receiver grows a GGM tree of 2^k seeds, and the base OTs give the
/// sender every seed but the one whose number is its k bits of Δ: a punctured PRF. In a refill both
/// expand their seeds. Let G(x) be the expansion of seed x, and x_b bit b of its number. The receiver
/// computes the rows Σ x_b·G(x), one for each bit b, and u = Σ G(x). The sender numbers the seeds x ^ Δ
/// instead, so that the one it lacks has number 0 and counts in no row; its row b is the receiver's
/// row b ^ Δ_b·u. The groups must all have the same u (the repetition code), so the receiver sends
/// u_g ^ u_0 for every group g but the first, and proves that it did. The choice vector is u_0, which is
/// random and costs nothing. The columns of the rows are the COTs, but for those that the proof takes.
///
/// With k = 1 this is IKNP [IKNP03] with one column less on the wire. Where k does not divide 128, the
/// last group has the bits that are left. The expansion is AES-CTR, continued from refill to refill;
/// the doubling step of a tree is [`TreePrg`].
///
/// **Security.** λ = 128. Either party may deviate. If the receiver does, the sender's draw fails with
/// [`Error::Inconsistent`], unless the receiver guesses all the bits of Δ that the draw would have shown it:
/// [`consistency`](crate::consistency) says how and why, and what that does not give. The sender says
/// nothing in a refill, and the base OTs are secure against both. Protocols that use the pool are
/// semi-honest all the same.
///
/// **Cost.** [`Extension::setup_cost`](crate::Extension::setup_cost): one flight each way.
/// [`Extension::refill_cost`](crate::Extension::refill_cost): from receiver to sender, for every batch of
/// [`SoftSpoken::BATCH`](crate::SoftSpoken::BATCH) COTs, ceil(128/k) - 1 bits for each of 128 columns more than
/// there are COTs, and 48 bytes. A refill happens inside the draw that needs it, which is the same draw on
/// both sides. The sender waits for the receiver's corrections; the receiver waits
/// for nothing but room in the line. A party that is the sender in one pool and the receiver in another
/// must draw from them in the same order as its peer.
///
/// [IKNP03]: crate#papers
/// [Roy22]: crate#papers
pub struct SoftSpokenSender {
    chan: Channel,
    k: u32,
    delta: Block,
    /// 2^k - 1 streams per group, in the order of their distance from the missing one.
    streams: Vec<Vec<Prg>>,
    binding: Binding,
    batch: Batch,
    position: Position,
}

/// The batch in use and the room to make the next.
struct Batch {
    q: Vec<Block>,
    rows: Vec<u64>,
    /// The sum of a group's streams, which only the receiver has use for.
    sum: Vec<u64>,
    /// A row for each group, the first of which has none; see [`Binding::challenge`].
    corrections: Vec<u64>,
    scratch: Box<Scratch>,
}

impl SoftSpokenSender {
    /// Set-up on the refill channel, which the pool keeps. `rng` decides Δ.
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
        let delta = Zeroizing::new([rng.next_u64(), rng.next_u64()]);
        Self::with_delta(chan, k, session, delta, rng)
    }

    /// [`Self::setup`] with a Δ of the caller's choice, its low half first.
    pub(crate) fn with_delta(
        mut chan: Channel,
        k: u32,
        session: &SessionId,
        delta: Zeroizing<[u64; 2]>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let groups = groups(k);
        chan.enter_phase(SETUP);
        // The base OTs give the sums off the path of the missing seed.
        let choices = BitVec::from_words(LAMBDA, delta.map(|word| !word).to_vec());
        let delta = Block::from(delta[0]) | Block::from(delta[1]) << 64;
        let (mut siblings, transcript) = base::receive(&mut chan, session, &choices, rng)?;
        let mut masked = vec![[0; 2]; LAMBDA];
        chan.recv(masked.as_mut_bytes())?;
        for ((sibling, masked), choice) in siblings.iter_mut().zip(&masked).zip(choices.iter()) {
            let [m0, m1] = masked.map(Block::from_le);
            *sibling ^= m0 ^ (m0 ^ m1) & Block::from(choice).wrapping_neg();
        }
        let tree = TreePrg::new(session);
        let streams = groups
            .map(|(first, bits)| {
                let alpha = low(delta >> first) & ((1 << bits) - 1);
                let leaves = ggm::punctured(&tree, alpha, &siblings[first..first + bits]);
                leaves[1..].iter().map(|&leaf| Prg::new(leaf)).collect()
            })
            .collect();
        chan.enter_phase(REFILL);
        Ok(Self {
            chan,
            k,
            delta,
            streams,
            binding: Binding::new(k, &transcript, &masked),
            batch: Batch::empty(),
            position: Position::START,
        })
    }

    /// The refill channel, between two refills.
    pub(crate) const fn channel(&mut self) -> &mut Channel {
        &mut self.chan
    }

    /// Makes the next batch, and checks it.
    fn refill(&mut self) -> Result<(), Error> {
        self.batch.reserve(self.k);
        let Batch {
            q,
            rows,
            sum,
            corrections,
            scratch,
        } = &mut self.batch;
        for ((first, k), streams) in groups(self.k).zip(&mut self.streams) {
            fold(
                streams,
                k,
                &mut rows[first * ROW..(first + k) * ROW],
                sum,
                scratch,
            );
        }
        self.chan.recv(corrections[ROW..].as_mut_bytes())?;
        let mut proof = [0; PROOF];
        self.chan.recv(&mut proof)?;
        for ((first, k), correction) in groups(self.k).zip(corrections.chunks_exact(ROW)).skip(1) {
            let rows = &mut rows[first * ROW..(first + k) * ROW];
            for (b, row) in (first..).zip(rows.chunks_exact_mut(ROW)) {
                let [select, ..] = (self.delta >> b & 1).wrapping_neg().to_le_bytes();
                xor_masked(row.as_mut_bytes(), correction.as_bytes(), select);
            }
        }
        let challenge = self.binding.challenge(corrections);
        if let Err(error) = challenge.verify(&proof, rows, self.delta) {
            self.chan.fail();
            return Err(error);
        }
        transpose_128(rows.as_bytes(), q);
        self.position.used = 0;
        Ok(())
    }
}

impl RcotSender for SoftSpokenSender {
    fn delta(&self) -> Block {
        self.delta
    }

    fn draw(&mut self, q: &mut [Block]) -> Result<u64, Error> {
        let first = self.position.drawn;
        let mut done = 0;
        while done < q.len() {
            if self.position.used == BATCH {
                self.refill()?;
            }
            let (start, taken) = self.position.take(q.len() - done);
            q[done..done + taken].copy_from_slice(&self.batch.q[start..start + taken]);
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
            q: Vec::new(),
            rows: Vec::new(),
            sum: Vec::new(),
            corrections: Vec::new(),
            scratch: Scratch::boxed(),
        }
    }

    /// Takes the room for a batch, at the first refill.
    fn reserve(&mut self, k: u32) {
        make_room(&mut self.q, COLUMNS);
        make_room(&mut self.rows, LAMBDA * ROW);
        make_room(&mut self.sum, ROW);
        make_room(&mut self.corrections, groups(k).len() * ROW);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.q.zeroize();
        self.rows.zeroize();
        self.sum.zeroize();
    }
}

impl Drop for SoftSpokenSender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

impl fmt::Debug for SoftSpokenSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftSpokenSender")
            .field("k", &self.k)
            .field("drawn", &self.position.drawn)
            .finish_non_exhaustive()
    }
}
