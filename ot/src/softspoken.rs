//! SoftSpokenOT [Roy22]: what both ends share. The protocol is described at
//! [`SoftSpokenSender`](crate::SoftSpokenSender).

mod check;
mod receiver;
mod sender;

use channel::{Cost, Role};

pub use receiver::SoftSpokenReceiver;
pub use sender::SoftSpokenSender;

/// Columns of the matrix of one refill: enough to make streams of AES-CTR fast, little enough that the
/// matrix stays in the second-level cache and little is left over. AGREEMENT.
pub(crate) const COLUMNS: usize = 1 << 14;

/// Columns that the consistency check hashes at a time, and the number of those at the end that mask
/// what it shows. SECURITY.
const BLOCK: usize = 128;

/// COTs made by one refill: all columns but the last block. AGREEMENT.
pub(crate) const BATCH: usize = COLUMNS - BLOCK;

/// Bits of Δ, and rows of the extension. SECURITY.
const LAMBDA: usize = 128;

/// Phase names on the refill channel.
const SETUP: &str = "setup";
const REFILL: &str = "refill";

/// Words of a row of the matrix.
const ROW: usize = COLUMNS / 64;

/// Exact traffic of the set-up of a pool in which `sender` sends.
pub(crate) fn setup_cost(sender: Role) -> Cost {
    let corrections = Cost::speak(sender.peer(), (2 * 16 * LAMBDA) as u64);
    crate::base::cost(LAMBDA, sender.peer()).then(corrections)
}

/// Exact traffic of the refills until `cots` COTs are drawn, with 2^k seeds per group.
pub(crate) fn refill_cost(k: u32, cots: u64, sender: Role) -> Cost {
    let refills = cots.div_ceil(BATCH as u64);
    Cost::speak(sender.peer(), refills * refill_bytes(k))
}

/// Bytes of one refill: the corrections and the proof that they are consistent.
pub(crate) fn refill_bytes(k: u32) -> u64 {
    let corrections = groups(k).len() - 1;
    (corrections * COLUMNS / 8 + check::PROOF) as u64
}

/// First row and number of rows of every group.
fn groups(k: u32) -> impl ExactSizeIterator<Item = (usize, usize)> {
    assert!((1..=8).contains(&k), "k is {k}, not from 1 to 8");
    let k = k as usize;
    (0..LAMBDA.div_ceil(k)).map(move |g| (g * k, k.min(LAMBDA - g * k)))
}

/// Where a pool stands in its batch.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// Correlations of the current batch that are used up.
    used: usize,
    /// Correlations drawn in all.
    drawn: u64,
}

impl Position {
    const START: Self = Self {
        used: BATCH,
        drawn: 0,
    };

    /// Correlations until the refill after next at most.
    const fn within_refill(&self) -> usize {
        match BATCH - self.used {
            0 => BATCH,
            left => left,
        }
    }

    /// Takes up to `wanted` of the batch: where they start, and how many.
    fn take(&mut self, wanted: usize) -> (usize, usize) {
        let (start, taken) = (self.used, wanted.min(BATCH - self.used));
        self.used += taken;
        self.drawn += taken as u64;
        (start, taken)
    }
}
