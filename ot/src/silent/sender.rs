//! The sender's end: it knows the whole of every tree.

use core::fmt;

use channel::{Channel, Ledger, SessionId};
use rand_core::CryptoRng;
use zerocopy::IntoBytes;
use zeroize::Zeroizing;

use super::plan::{BASE_K, Plan};
use super::rows::{Domain, End, Rows};
use super::{Silent, SilentSet, Supply};
use crate::backend::Cipher;
use crate::kernel::half_tree::Grower;
use crate::prg::Prg;
use crate::{Block, Error, RcotSender, SoftSpokenSender};

/// The sender's end of a pool filled by silent OT, described at [`Silent`].
pub struct SilentSender {
    base: SoftSpokenSender,
    domain: Domain,
    set: SilentSet,
    announced: Option<u64>,
    drawn: u64,
    /// What the roots of the trees come from.
    seed: Zeroizing<Block>,
    supply: Supply<Trees>,
}

/// The sender's trees.
struct Trees {
    delta: Zeroizing<Block>,
    roots: Prg,
    grower: Grower,
}

impl SilentSender {
    /// Set-up on the refill channel, which the pool keeps. `rng` decides Δ and the roots of all trees.
    ///
    /// # Errors
    /// The channel failed, or the peer sent an invalid point.
    pub fn setup(
        chan: Channel,
        silent: Silent,
        session: &SessionId,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let domain = Domain {
            session: *session,
            sender: chan.role(),
        };
        let delta = Zeroizing::new([rng.next_u64() | 1, rng.next_u64()]);
        let [low, high] = [rng.next_u64(), rng.next_u64()].map(Block::from);
        Ok(Self {
            base: SoftSpokenSender::with_delta(chan, BASE_K, session, delta, rng)?,
            domain,
            set: silent.set(),
            announced: None,
            drawn: 0,
            seed: Zeroizing::new(low | high << 64),
            supply: Supply::Undecided,
        })
    }

    /// Decides how the correlations are made, and makes the base of the last set.
    fn begin(&mut self) -> Result<Supply<Trees>, Error> {
        let Some((first, rest)) = Plan::for_demand(self.set, self.announced).0.split_first() else {
            return Ok(Supply::SoftSpoken);
        };
        let mut base = Zeroizing::new(vec![0; first.base()]);
        self.base.draw(&mut base)?;
        for q in &mut *base {
            *q &= !1;
        }
        let trees = Trees {
            delta: Zeroizing::new(self.base.delta()),
            roots: Prg::new(*self.seed),
            grower: Grower::new(),
        };
        let mut rows = Rows::new(trees, self.domain, *first, base);
        for set in rest {
            rows.climb(self.base.channel(), *set)?;
        }
        rows.announce(self.announced.unwrap_or(0));
        Ok(Supply::Rows(Box::new(rows)))
    }
}

impl End for Trees {
    fn tree(
        &mut self,
        chan: &mut Channel,
        cipher: &Cipher,
        base: &[Block],
        leaves: &mut [Block],
    ) -> Result<(), Error> {
        let mut root = Zeroizing::new([0]);
        self.roots.fill_blocks(&mut *root);
        let mut sums = Zeroizing::new(vec![0; base.len()]);
        self.grower
            .full(cipher, root[0], *self.delta, leaves, &mut sums);
        for (sum, q) in sums.iter_mut().zip(base) {
            *sum = (*sum ^ q).to_le();
        }
        for leaf in leaves {
            *leaf &= !1;
        }
        chan.send(sums.as_bytes())?;
        Ok(())
    }
}

impl RcotSender for SilentSender {
    fn delta(&self) -> Block {
        self.base.delta()
    }

    fn draw(&mut self, q: &mut [Block]) -> Result<u64, Error> {
        let first = self.drawn;
        if q.is_empty() {
            return Ok(first);
        }
        if matches!(self.supply, Supply::Undecided) {
            self.supply = self.begin()?;
        }
        match &mut self.supply {
            Supply::Rows(rows) => rows.draw(self.base.channel(), q)?,
            _ => drop(self.base.draw(q)?),
        }
        self.drawn += q.len() as u64;
        Ok(first)
    }

    fn reserve(&mut self, n: u64) {
        let all = Some(self.drawn.saturating_add(n));
        self.announced = self.announced.max(all);
        if let (Supply::Rows(rows), Some(all)) = (&mut self.supply, self.announced) {
            rows.announce(all - self.drawn);
        }
    }

    fn within_refill(&self) -> usize {
        match &self.supply {
            // The first correlation decides what a refill is.
            Supply::Undecided => 1,
            Supply::SoftSpoken => self.base.within_refill(),
            Supply::Rows(rows) => rows.within_step(),
        }
    }

    fn drawn(&self) -> u64 {
        self.drawn
    }

    fn ledger(&self) -> Option<&Ledger> {
        match &self.supply {
            Supply::Rows(rows) => rows.ledger(),
            _ => self.base.ledger(),
        }
    }
}

impl fmt::Debug for SilentSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SilentSender")
            .field("set", &self.set)
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}
