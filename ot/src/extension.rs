//! OT extensions as values. A session is given one, and makes its correlations with it.

use std::fmt;

use channel::{Channel, Cost, Role, SessionId};
use rand_core::CryptoRng;

use crate::softspoken::{self, SoftSpokenReceiver, SoftSpokenSender};
use crate::{CotPrice, Error, RcotReceiver, RcotSender, Silent, SilentSet};

/// A way to make random correlated OTs: how it is set up, the pools that it makes, and what they
/// cost. Its parameters are AGREEMENT, which means that both parties must use the same ones.
pub trait Extension: fmt::Debug + Send + Sync {
    /// Its name, for reports and for options of programs.
    fn name(&self) -> &'static str;

    /// The parameters that both parties must have in common, by name.
    fn agreement(&self) -> Vec<(&'static str, u64)>;

    /// The traffic of one correlation, averaged over many.
    fn price(&self) -> CotPrice;

    /// Sets up the sender's end of a pool, which refills on `refill`. `rng` is this party's own.
    ///
    /// # Errors
    /// When the channel fails or the peer does not follow the set-up.
    fn sender(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotSender>, Error>;

    /// Sets up the receiver's end of a pool, which refills on `refill`. `rng` is this party's own.
    ///
    /// # Errors
    /// When the channel fails or the peer does not follow the set-up.
    fn receiver(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotReceiver>, Error>;

    /// The exact traffic of setting up a pool in which `sender` sends.
    fn setup_cost(&self, sender: Role) -> Cost;

    /// The exact traffic of the refills of such a pool until `drawn` correlations are drawn. `announced` is what both ends
    /// were told before the first of them ([`RcotSender::reserve`]), if anything.
    fn refill_cost_announced(&self, announced: Option<u64>, drawn: u64, sender: Role) -> Cost;

    /// The exact traffic of the refills of such a pool until `cots` correlations are drawn, if that number was announced
    /// before the first of them.
    fn refill_cost(&self, cots: u64, sender: Role) -> Cost {
        self.refill_cost_announced(Some(cots), cots, sender)
    }
}

/// Every extension of this crate with parameters that its users have reason to choose, the most usual assumptions first.
/// Their names are distinct.
pub const EXTENSIONS: [&dyn Extension; 5] = [
    &SOFT_SPOKEN,
    &Silent::new(SilentSet::Small),
    &Silent::new(SilentSet::SmallTwice),
    &Silent::new(SilentSet::Medium),
    &Silent::new(SilentSet::Large),
];

const SOFT_SPOKEN: SoftSpoken = SoftSpoken::new(4);

/// The extension for callers that have no reason to choose another one: `SoftSpokenOT` with k = 4, which rests on no
/// assumption of its own and needs no announcement.
#[must_use]
pub fn default_extension() -> &'static dyn Extension {
    &SOFT_SPOKEN
}

/// `SoftSpokenOT` \[Roy22\], described at [`SoftSpokenSender`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoftSpoken {
    k: u32,
}

impl SoftSpoken {
    /// Correlations made by one refill.
    pub const BATCH: usize = softspoken::BATCH;

    /// The extension with parameter k. A larger k means less traffic, about 128/k bits for a correlation,
    /// and more computation, which grows as 2^k/k.
    ///
    /// # Panics
    /// Unless 1 <= k <= 8.
    #[must_use]
    pub const fn new(k: u32) -> Self {
        assert!(1 <= k && k <= 8, "k is from 1 to 8");
        Self { k }
    }

    /// The parameter k.
    #[must_use]
    pub const fn k(&self) -> u32 {
        self.k
    }
}

impl Extension for SoftSpoken {
    fn name(&self) -> &'static str {
        "softspoken"
    }

    fn agreement(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("softspoken k", self.k.into()),
            ("softspoken batch", softspoken::BATCH as u64),
            ("softspoken columns", softspoken::COLUMNS as u64),
        ]
    }

    fn price(&self) -> CotPrice {
        let bits = 8 * softspoken::refill_bytes(self.k);
        CotPrice::millibits((bits * 1000).div_ceil(softspoken::BATCH as u64))
    }

    fn sender(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotSender>, Error> {
        let pool = SoftSpokenSender::setup(refill, self.k, session, rng)?;
        Ok(Box::new(pool))
    }

    fn receiver(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotReceiver>, Error> {
        let pool = SoftSpokenReceiver::setup(refill, self.k, session, rng)?;
        Ok(Box::new(pool))
    }

    fn setup_cost(&self, sender: Role) -> Cost {
        softspoken::setup_cost(sender)
    }

    fn refill_cost_announced(&self, _announced: Option<u64>, drawn: u64, sender: Role) -> Cost {
        softspoken::refill_cost(self.k, drawn, sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_parameters_tell_extensions_apart() {
        for (i, one) in EXTENSIONS.iter().enumerate() {
            for other in &EXTENSIONS[..i] {
                assert_ne!(one.name(), other.name());
                assert_ne!(one.agreement(), other.agreement());
            }
        }
    }
}
