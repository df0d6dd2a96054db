//! The receiver's end: of every tree it lacks the leaf of which nobody else knows the number.

use core::fmt;

use channel::{Channel, Ledger, SessionId};
use rand_core::CryptoRng;
use ring_arith::BitVec;
use zerocopy::IntoBytes;
use zeroize::Zeroizing;

use super::plan::{BASE_K, Plan};
use super::rows::{Domain, End, Rows};
use super::{Silent, SilentSet, Supply};
use crate::backend::Cipher;
use crate::kernel::bits::low;
use crate::kernel::half_tree::Grower;
use crate::{Block, Error, RcotReceiver, SoftSpokenReceiver};

/// The receiver's end of a pool filled by silent OT, described at [`Silent`].
pub struct SilentReceiver {
    base: SoftSpokenReceiver,
    domain: Domain,
    set: SilentSet,
    announced: Option<u64>,
    drawn: u64,
    supply: Supply<Trees>,
}

/// The receiver's trees.
struct Trees {
    grower: Grower,
}

impl SilentReceiver {
    /// Set-up on the refill channel, which the pool keeps. `rng` decides all choices.
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
            sender: chan.role().peer(),
        };
        Ok(Self {
            base: SoftSpokenReceiver::setup(chan, BASE_K, session, rng)?,
            domain,
            set: silent.set(),
            announced: None,
            drawn: 0,
            supply: Supply::Undecided,
        })
    }

    /// Decides how the correlations are made, and makes the base of the last set.
    fn begin(&mut self) -> Result<Supply<Trees>, Error> {
        let Some((first, rest)) = Plan::for_demand(self.set, self.announced).0.split_first() else {
            return Ok(Supply::SoftSpoken);
        };
        let mut base = Zeroizing::new(vec![0; first.base()]);
        let mut choices = BitVec::zeros(base.len());
        self.base.draw(&mut choices, &mut base)?;
        for (t, choice) in base.iter_mut().zip(choices.iter()) {
            *t = *t & !1 | Block::from(choice);
        }
        let trees = Trees {
            grower: Grower::new(),
        };
        let mut rows = Rows::new(trees, self.domain, *first, base);
        for set in rest {
            rows.climb(self.base.channel(), *set)?;
        }
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
        let mut siblings = Zeroizing::new(vec![0; base.len()]);
        chan.recv(siblings.as_mut_bytes())?;
        // The path goes to the side that is not the choice.
        let mut alpha = 0;
        for ((j, sibling), t) in (0..).zip(siblings.iter_mut()).zip(base) {
            *sibling = Block::from_le(*sibling) ^ t;
            alpha |= (!low(*t) & 1) << j;
        }
        self.grower.punctured(cipher, alpha, &siblings, leaves);
        Ok(())
    }
}

impl RcotReceiver for SilentReceiver {
    fn draw(&mut self, choices: &mut BitVec, t: &mut [Block]) -> Result<u64, Error> {
        assert_eq!(choices.len(), t.len(), "one choice per correlation");
        let first = self.drawn;
        if t.is_empty() {
            return Ok(first);
        }
        if matches!(self.supply, Supply::Undecided) {
            self.supply = self.begin()?;
        }
        match &mut self.supply {
            Supply::Rows(rows) => {
                rows.draw(self.base.channel(), t)?;
                for (word, t) in choices.words_mut().iter_mut().zip(t.chunks(64)) {
                    *word = (0..)
                        .zip(t)
                        .fold(0, |word, (i, t)| word | (low(*t) & 1) << i);
                }
            }
            _ => drop(self.base.draw(choices, t)?),
        }
        self.drawn += t.len() as u64;
        Ok(first)
    }

    fn reserve(&mut self, n: u64) {
        self.announced = self.announced.max(Some(self.drawn.saturating_add(n)));
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
        self.base.ledger()
    }
}

impl fmt::Debug for SilentReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SilentReceiver")
            .field("set", &self.set)
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}
