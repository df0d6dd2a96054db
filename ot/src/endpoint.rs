//! The two ends of the derived forms: a pool, and the hash that breaks its correlation.

use core::fmt;

use channel::{Ledger, Role, SessionId};
use ring_arith::BitVec;
use zeroize::Zeroize;

use crate::hash::{TccrHash, Tweak};
use crate::kernel::secret::make_room;
use crate::{Block, Error, RcotReceiver, RcotSender};

/// Correlations drawn and hashed at a time. LOCAL.
pub(crate) const TILE: usize = 1024;

/// The sender's end of every derived form: random OT, COT over Z_2^l, OT of chosen messages.
///
/// Key `b` of correlation `i` is `H(q_i ^ b*delta, tweak i)`, with H tweakable circular
/// correlation-robust [GKWY20]. The tweak is (direction of the OT, index of the correlation), and
/// every correlation is used once by one form, so no tweak is ever used twice under one `delta`.
///
/// The hash is good for about 114 bits, however many OTs there are: [`hash`](crate::hash) says how and why.
///
/// [GKWY20]: crate#papers
pub struct OtSender {
    pub(crate) pool: Box<dyn RcotSender>,
    pub(crate) hash: TccrHash,
    pub(crate) sender: Role,
    /// Correlations in use, kept between calls.
    pub(crate) q: Vec<Block>,
}

/// The receiver's end of every derived form; see [`OtSender`].
///
/// The key of correlation `i` is `H(t_i, tweak i)`: the sender's key number `c_i`.
pub struct OtReceiver {
    pub(crate) pool: Box<dyn RcotReceiver>,
    pub(crate) hash: TccrHash,
    pub(crate) sender: Role,
    /// Correlations in use, kept between calls.
    pub(crate) t: Vec<Block>,
}

/// Domain of the hash: which party sends in the OTs.
fn direction(sender: Role) -> u8 {
    match sender {
        Role::Server => 1,
        Role::Client => 2,
    }
}

pub(crate) fn tweak(sender: Role, index: u64) -> Tweak {
    Tweak::new(direction(sender), 0, index)
}

impl OtSender {
    /// A sender over `pool`. `sender` is the role of this party.
    #[must_use]
    pub fn new(pool: Box<dyn RcotSender>, session: &SessionId, sender: Role) -> Self {
        Self {
            pool,
            hash: TccrHash::new(session),
            sender,
            q: Vec::new(),
        }
    }

    /// Announces that at least `n` more correlations will be drawn.
    pub fn reserve(&mut self, n: u64) {
        self.pool.reserve(n);
    }

    /// Correlations drawn so far.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.pool.drawn()
    }

    /// Traffic of the refill channel, if the pool has one.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.pool.ledger()
    }

    /// Draws `n` correlations and hands their key pairs to `sink`, tile by tile: number of the
    /// first, keys 0, keys 1.
    pub(crate) fn keys(
        &mut self,
        n: usize,
        tile: usize,
        mut sink: impl FnMut(usize, &[Block], &[Block]),
    ) -> Result<(), Error> {
        let most = n.min(tile);
        make_room(&mut self.q, most);
        let delta = self.pool.delta();
        let mut keys = Keys::new(2 * most);
        for start in (0..n).step_by(tile) {
            let len = (n - start).min(tile);
            let q = &mut self.q[..len];
            let first = self.pool.draw(q)?;
            let (k0, k1) = keys.0.split_at_mut(most);
            let (k0, k1) = (&mut k0[..len], &mut k1[..len]);
            self.hash
                .hash_pair_range(tweak(self.sender, first), q, delta, k0, k1);
            sink(start, k0, k1);
        }
        Ok(())
    }
}

impl OtReceiver {
    /// A receiver over `pool`. `sender` is the role of the *other* party, which holds the sender's
    /// end.
    #[must_use]
    pub fn new(pool: Box<dyn RcotReceiver>, session: &SessionId, sender: Role) -> Self {
        Self {
            pool,
            hash: TccrHash::new(session),
            sender,
            t: Vec::new(),
        }
    }

    /// Announces that at least `n` more correlations will be drawn.
    pub fn reserve(&mut self, n: u64) {
        self.pool.reserve(n);
    }

    /// Correlations drawn so far.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.pool.drawn()
    }

    /// Traffic of the refill channel, if the pool has one.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.pool.ledger()
    }

    /// Draws `n` correlations, hands their keys to `sink` tile by tile (number of the first, keys),
    /// and returns their choices. `tile` is a multiple of 64.
    pub(crate) fn keys(
        &mut self,
        n: usize,
        tile: usize,
        mut sink: impl FnMut(usize, &[Block]),
    ) -> Result<BitVec, Error> {
        let most = n.min(tile);
        make_room(&mut self.t, most);
        let mut choices = BitVec::zeros(n);
        let mut some = BitVec::zeros(most);
        let mut keys = Keys::new(most);
        for start in (0..n).step_by(tile) {
            let len = (n - start).min(tile);
            if len != some.len() {
                some = BitVec::zeros(len);
            }
            let t = &mut self.t[..len];
            let first = self.pool.draw(&mut some, t)?;
            let words = some.words();
            choices.words_mut()[start / 64..][..words.len()].copy_from_slice(words);
            self.hash
                .hash_range(tweak(self.sender, first), t, &mut keys.0[..len]);
            sink(start, &keys.0[..len]);
        }
        Ok(choices)
    }
}

/// OT keys in use; zeroized on drop.
pub(crate) struct Keys(pub(crate) Vec<Block>);

impl Keys {
    pub(crate) fn new(n: usize) -> Self {
        Self(vec![0; n])
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for OtSender {
    fn drop(&mut self) {
        self.q.zeroize();
    }
}

impl Drop for OtReceiver {
    fn drop(&mut self) {
        self.t.zeroize();
    }
}

impl fmt::Debug for OtSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtSender")
            .field("sender", &self.sender)
            .field("drawn", &self.drawn())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OtReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtReceiver")
            .field("sender", &self.sender)
            .field("drawn", &self.drawn())
            .finish_non_exhaustive()
    }
}
