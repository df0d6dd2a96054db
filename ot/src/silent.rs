//! Silent OT: what both ends share, and the extension. The protocol is described at [`Silent`].

#[cfg(test)]
mod bounds;
mod places;
mod plan;
mod receiver;
mod rows;
mod sender;
mod set;

use channel::{Channel, Cost, Role, SessionId};
use rand_core::CryptoRng;

use crate::{CotPrice, Error, Extension, RcotReceiver, RcotSender, softspoken};
use plan::{BASE_K, Plan};
pub use receiver::SilentReceiver;
use rows::Rows;
pub use sender::SilentSender;
pub use set::SilentSet;

/// Silent OT: correlated OTs of learning parity with noise [YWL+20] on half trees [GYW+22], for about a bit each or less.
///
/// **Functionality.** A pool of random correlated OTs, see [`RcotSender`]. Δ is odd, and the choice of every correlation of a
/// silent row is the lowest bit of the receiver's block.
///
/// **Protocol.** A round makes t·2^h correlations of k + t·h, or twice as many of twice as many if two instances share the
/// matrix ([`SilentSet`]). k of these are a table; each of the others serves one level of one tree. A row is one tree:
///
/// 1. The sender grows a tree of 2^h leaves under a random root, whose levels all add up to Δ. For each level it sends the sum
///    of the left nodes ^ q, with q its end of the correlation of that level. The receiver gets the sum of the left nodes if
///    its choice there is 0, of the right ones if it is 1, and from these sums all leaves but one: the number α of that one
///    consists of the complements of its choices. What it has instead is that leaf ^ Δ. So the leaves are 2^h correlations
///    with one choice that is 1, at α, which only the receiver knows.
/// 2. To leaf i both add ten entries of their tables, at the public places of row i of a matrix. The choices become those
///    of A·s ^ e, where A is the matrix, s the choices of the table and e the noise, which has one 1 in each row.
///
/// The last rows of a round are the base of the next one. Rows are made when they are drawn, 4,096 correlations at a time, so
/// a pool that stops early has paid for what it drew. SoftSpokenOT ([`SoftSpokenSender`](crate::SoftSpokenSender)) with k = 8
/// makes the first base, of the small set; a larger set takes its base from a round of the small one. The places and the keys
/// of the trees come from AES-CTR under keys that are public and derived from the session, the sender, the set, the stage and
/// the round.
///
/// **The demand.** A base is too dear for few correlations. So a pool decides at its first draw which way to take for the
/// number that [`RcotSender::reserve`] has announced: SoftSpokenOT for all (up to about 100,000), the small set, or the whole
/// way; the furthest whose traffic is within a sixteenth of the least. If nothing was announced, it goes the whole way. What was
/// announced is AGREEMENT: both ends must have been told the same before their first draw, or they wait for each other until
/// the time-out. Later announcements change nothing.
///
/// **Security.** Against semi-honest parties. *Δ* rests on the hash of the trees, and on what SoftSpokenOT needs. Each tree has
/// its own key, and AES under each key is taken as an ideal permutation: p evaluations of any of them find Δ with a
/// probability of about p·2^(h + 2)/2^127 at most, however many trees there are, so a constant chance takes at least 113 bits
/// of work. *The choices* rest on the assumption that A·s ^ e looks random: LPN over bits with regular noise and ten ones in
/// each row of the matrix. A test of the crate computes the cost of the attacks that come closest, for each set: pooled Gauss,
/// Stern's decoding, decoding that knows the blocks, on all samples and on few of them, the hybrid of guessing and
/// linearised quadratic equations, and algebraic attacks in one stage and in two. All take at least 140 bits, memory being free; the margin over 128 is for attacks on many
/// rounds at once and for progress. LPN is a younger assumption than what SoftSpokenOT needs, and its attacks improve from
/// time to time; whoever would rather not rest on it uses [`SoftSpoken`](crate::SoftSpoken).
///
/// *A peer that deviates.* The base is checked ([`consistency`](crate::consistency)). In the rows only the sender speaks, so
/// the receiver has nothing to deviate with. A sender can send a false sum. It makes false correlations, at places of this row
/// that depend on α; nothing notices them here. If what follows shows which they are, the sender learns bits of α, which are
/// the noise of one row; from enough rows of a round it learns the choices of the round. The forms on top of a pool
/// are semi-honest in the same way.
///
/// **Cost.** [`Extension::setup_cost`]: one flight each way. [`Extension::refill_cost`]: from receiver to sender the base,
/// then from sender to receiver h blocks of 16 bytes for each tree; exact for a pool that was told that number, and
/// [`Extension::refill_cost_announced`] for any other. The sender waits for nothing but the base and room in the line. Of what was announced it
/// makes rows before they are drawn, up to 16 KiB of messages and the base of a round, where [`Channel::room`] permits it, and up to 6 MiB of
/// correlations: so two parties that draw in turn from two pools do not wait for each other at every turn. A party that is the sender in one pool and the receiver in another must draw from them in the same order as its peer.
/// Computation is one AES call for each leaf, two and a half for its places, which instances share, and ten reads of a table
/// of 16·k bytes for each instance, which should fit into the cache with room to spare; each end has one such table, and two
/// while it changes rounds.
///
/// [GYW+22]: crate#papers
/// [YWL+20]: crate#papers
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Silent {
    set: SilentSet,
}

/// Where the correlations of a pool come from.
enum Supply<E> {
    /// Nothing has been drawn.
    Undecided,
    /// From SoftSpokenOT: the demand is too small for more.
    SoftSpoken,
    Rows(Box<Rows<E>>),
}

impl Silent {
    /// The extension with a set of parameters.
    #[must_use]
    pub const fn new(set: SilentSet) -> Self {
        Self { set }
    }

    /// The set of parameters.
    #[must_use]
    pub const fn set(&self) -> SilentSet {
        self.set
    }
}

impl Extension for Silent {
    fn name(&self) -> &'static str {
        match self.set {
            SilentSet::Small => "silent-small",
            SilentSet::SmallTwice => "silent-small-twice",
            SilentSet::Medium => "silent-medium",
            SilentSet::Large => "silent-large",
        }
    }

    fn agreement(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("silent tree depth", self.set.depth() as u64),
            ("silent rows", self.set.rows() as u64),
            ("silent table", self.set.table() as u64),
            ("silent instances", self.set.instances() as u64),
            ("silent sparsity", set::SPARSITY as u64),
            ("silent step", set::STEP as u64),
            ("silent base softspoken k", BASE_K.into()),
            ("softspoken batch", softspoken::BATCH as u64),
            ("softspoken columns", softspoken::COLUMNS as u64),
        ]
    }

    fn price(&self) -> CotPrice {
        let millibits = 8000 * self.set.rows() * self.set.row_bytes();
        CotPrice::millibits(millibits.div_ceil(self.set.usable() * self.set.row()) as u64)
    }

    fn sender(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotSender>, Error> {
        Ok(Box::new(SilentSender::setup(refill, *self, session, rng)?))
    }

    fn receiver(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotReceiver>, Error> {
        Ok(Box::new(SilentReceiver::setup(
            refill, *self, session, rng,
        )?))
    }

    fn setup_cost(&self, sender: Role) -> Cost {
        softspoken::setup_cost(sender)
    }

    fn refill_cost_announced(&self, announced: Option<u64>, drawn: u64, sender: Role) -> Cost {
        Plan::for_demand(self.set, announced).cost(drawn, sender)
    }
}
