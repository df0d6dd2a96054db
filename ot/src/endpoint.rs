//! The two ends of the derived forms, and where their random OTs come from: a pool, whose correlation a hash breaks, or a stock.

use core::fmt;

use channel::{Ledger, Role, SessionId};
use ring_arith::{BitVec, Bits};
use zeroize::{Zeroize, Zeroizing};

use crate::hash::{TccrHash, Tweak};
use crate::kernel::bits::low;
use crate::kernel::planes::low_planes;
use crate::kernel::secret::make_room;
use crate::stock::{Draw, Form, Messages, Stock, keys_form, planes_draw};
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
    pub(crate) source: Source<SenderPool>,
    sender: Role,
    /// Keys 0 and 1 of the rows of a super-tile, where they come from a stock.
    pub(crate) tile: Messages<Block>,
}

/// Where the keys of random OTs come from.
pub(crate) enum Source<P> {
    /// Made when they are drawn.
    Pool(P),
    /// Made before.
    Stock(Stock),
    /// Nowhere: all are zero, and the draws are written down.
    Rehearsal(Vec<Draw>),
}

/// A pool, and the hash.
pub(crate) struct SenderPool {
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
    pub(crate) source: Source<ReceiverPool>,
    sender: Role,
    /// Keys of the rows of a super-tile, where they come from a stock.
    pub(crate) tile: Zeroizing<Vec<Block>>,
}

/// A pool, and the hash.
pub(crate) struct ReceiverPool {
    pub(crate) pool: Box<dyn RcotReceiver>,
    pub(crate) hash: TccrHash,
    pub(crate) sender: Role,
    /// Correlations in use, kept between calls.
    pub(crate) t: Vec<Block>,
}

impl<P> Source<P> {
    /// Takes note of a draw where it is one of a rehearsal.
    fn note(&mut self, draw: Draw) {
        if let Self::Rehearsal(draws) = self {
            draws.push(draw);
        }
    }

    fn drawn(&self, pool: impl FnOnce(&P) -> u64) -> u64 {
        match self {
            Self::Pool(of) => pool(of),
            Self::Stock(stock) => stock.taken(),
            Self::Rehearsal(draws) => draws.iter().map(|draw| draw.n as u64).sum(),
        }
    }

    fn is_spent(&self) -> bool {
        match self {
            Self::Pool(_) | Self::Rehearsal(_) => true,
            Self::Stock(stock) => stock.is_spent(),
        }
    }
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
        let pool = SenderPool {
            pool,
            hash: TccrHash::new(session),
            sender,
            q: Vec::new(),
        };
        Self::of(Source::Pool(pool), sender)
    }

    /// A sender whose random OTs were made before. Without a pool there is nothing that it could refill.
    #[must_use]
    pub fn stocked(stock: Stock, sender: Role) -> Self {
        Self::of(Source::Stock(stock), sender)
    }

    /// A sender for a dry run of a protocol, which tells what it draws. Its messages are zero, and **nothing is secret**.
    #[must_use]
    pub fn rehearsal(sender: Role) -> Self {
        Self::of(Source::Rehearsal(Vec::new()), sender)
    }

    fn of(source: Source<SenderPool>, sender: Role) -> Self {
        let tile = Default::default();
        Self {
            source,
            sender,
            tile,
        }
    }

    /// Announces that at least `n` more correlations will be drawn.
    pub fn reserve(&mut self, n: u64) {
        if let Source::Pool(pool) = &mut self.source {
            pool.pool.reserve(n);
        }
    }

    /// Correlations drawn so far.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.source.drawn(|pool| pool.pool.drawn())
    }

    /// Traffic of the refill channel, if the pool has one.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        match &self.source {
            Source::Pool(pool) => pool.pool.ledger(),
            Source::Stock(_) | Source::Rehearsal(_) => None,
        }
    }

    /// What a rehearsal has drawn, in order.
    #[must_use]
    pub fn rehearsed(&self) -> &[Draw] {
        match &self.source {
            Source::Rehearsal(draws) => draws,
            Source::Pool(_) | Source::Stock(_) => &[],
        }
    }

    /// Whether nothing of a stock is left. A pool has nothing that could be.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.source.is_spent()
    }

    /// `n` random OTs, their messages as bit planes.
    pub(crate) fn planes(&mut self, n: usize, width: usize) -> Result<[Vec<BitVec>; 2], Error> {
        self.source.note(planes_draw(n, width));
        let zeros = || [(); 2].map(|()| vec![BitVec::zeros(n); width]);
        match &mut self.source {
            Source::Stock(stock) => Ok(stock.planes(n, width)?.1),
            Source::Rehearsal(_) => Ok(zeros()),
            Source::Pool(pool) => {
                let mut planes = zeros();
                pool.keys(n, |start, k0, k1| {
                    low_planes(k0, start, &mut planes[0]);
                    low_planes(k1, start, &mut planes[1]);
                })?;
                Ok(planes)
            }
        }
    }

    /// `n` random OTs, their messages as words of which the lowest `bits` count.
    pub(crate) fn words(&mut self, n: usize, bits: Bits) -> Result<Messages<u64>, Error> {
        let form = Form::Words(bits);
        self.source.note(Draw { n, form });
        match &mut self.source {
            Source::Stock(stock) => Ok(stock.words(n, bits)?.1),
            Source::Rehearsal(_) => Ok([(); 2].map(|()| Zeroizing::new(vec![0; n]))),
            Source::Pool(pool) => {
                let [mut k0, mut k1] = [(); 2].map(|()| Zeroizing::new(Vec::with_capacity(n)));
                pool.keys(n, |_, first, second| {
                    k0.extend(first.iter().map(|&key| low(key)));
                    k1.extend(second.iter().map(|&key| low(key)));
                })?;
                Ok([k0, k1])
            }
        }
    }

    /// `n` random OTs, their messages as keys.
    pub(crate) fn blocks(&mut self, n: usize) -> Result<Zeroizing<Vec<[Block; 2]>>, Error> {
        let form = Form::Keys;
        self.source.note(Draw { n, form });
        let mut out = Zeroizing::new(Vec::with_capacity(n));
        match &mut self.source {
            Source::Rehearsal(_) => out.resize(n, [0; 2]),
            Source::Stock(stock) => {
                let (_, [k0, k1]) = stock.keys(n, 128)?;
                out.extend(k0.iter().zip(k1.iter()).map(|(&k0, &k1)| [k0, k1]));
            }
            Source::Pool(pool) => pool.keys(n, |_, k0, k1| {
                out.extend(k0.iter().zip(k1).map(|(&k0, &k1)| [k0, k1]));
            })?,
        }
        Ok(out)
    }

    /// Draws the keys of `n` rows of a super-tile, of which the lowest `width` bits are used, and keeps them for
    /// [`OtSender::row_keys`]. The number of the first correlation, if they are from a pool.
    pub(crate) fn draw_rows(&mut self, n: usize, width: usize) -> Result<u64, Error> {
        let form = keys_form(width);
        self.source.note(Draw { n, form });
        match &mut self.source {
            Source::Pool(SenderPool { pool, q, .. }) => {
                make_room(q, n);
                return pool.draw(&mut q[..n]);
            }
            Source::Stock(stock) => self.tile = stock.keys(n, width)?.1,
            Source::Rehearsal(_) => self.tile = [(); 2].map(|()| Zeroizing::new(vec![0; n])),
        }
        Ok(0)
    }

    /// Renames key pairs of a super-tile where the receiver says so.
    pub(crate) fn swap_rows(&mut self, n: usize, swaps: &[u8]) {
        let mask = |i: usize| Block::from(swaps[i / 8] >> (i % 8) & 1).wrapping_neg();
        if let Source::Pool(SenderPool { pool, q, .. }) = &mut self.source {
            let delta = pool.delta();
            let q = q[..n].iter_mut().enumerate();
            return q.for_each(|(i, q)| *q ^= delta & mask(i));
        }
        let [k0, k1] = &mut self.tile;
        for (i, (k0, k1)) in k0.iter_mut().zip(k1.iter_mut()).enumerate() {
            let difference = (*k0 ^ *k1) & mask(i);
            *k0 ^= difference;
            *k1 ^= difference;
        }
    }

    /// The keys of the rows of a super-tile from number `at` on, whose first correlation is number `first`.
    pub(crate) fn row_keys(&self, first: u64, at: usize, [k0, k1]: [&mut [Block]; 2]) {
        let rows = at..at + k0.len();
        if let Source::Pool(SenderPool { pool, q, hash, .. }) = &self.source {
            let from = tweak(self.sender, first + at as u64);
            return hash.hash_pair_range(from, &q[rows], pool.delta(), k0, k1);
        }
        k0.copy_from_slice(&self.tile[0][rows.clone()]);
        k1.copy_from_slice(&self.tile[1][rows]);
    }
}

impl SenderPool {
    /// Draws `n` correlations and hands their key pairs to `sink`, tile by tile: number of the
    /// first, keys 0, keys 1.
    fn keys(
        &mut self,
        n: usize,
        mut sink: impl FnMut(usize, &[Block], &[Block]),
    ) -> Result<(), Error> {
        let most = n.min(TILE);
        make_room(&mut self.q, most);
        let delta = self.pool.delta();
        let mut keys = Keys::new(2 * most);
        for start in (0..n).step_by(TILE) {
            let len = (n - start).min(TILE);
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
        let pool = ReceiverPool {
            pool,
            hash: TccrHash::new(session),
            sender,
            t: Vec::new(),
        };
        Self::of(Source::Pool(pool), sender)
    }

    /// A receiver whose random OTs were made before; see [`OtSender::stocked`].
    #[must_use]
    pub fn stocked(stock: Stock, sender: Role) -> Self {
        Self::of(Source::Stock(stock), sender)
    }

    /// A receiver for a dry run of a protocol; see [`OtSender::rehearsal`]. Its choices and messages are zero.
    #[must_use]
    pub fn rehearsal(sender: Role) -> Self {
        Self::of(Source::Rehearsal(Vec::new()), sender)
    }

    fn of(source: Source<ReceiverPool>, sender: Role) -> Self {
        let tile = Zeroizing::default();
        Self {
            source,
            sender,
            tile,
        }
    }

    /// Announces that at least `n` more correlations will be drawn.
    pub fn reserve(&mut self, n: u64) {
        if let Source::Pool(pool) = &mut self.source {
            pool.pool.reserve(n);
        }
    }

    /// Correlations drawn so far.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.source.drawn(|pool| pool.pool.drawn())
    }

    /// Traffic of the refill channel, if the pool has one.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        match &self.source {
            Source::Pool(pool) => pool.pool.ledger(),
            Source::Stock(_) | Source::Rehearsal(_) => None,
        }
    }

    /// What a rehearsal has drawn, in order.
    #[must_use]
    pub fn rehearsed(&self) -> &[Draw] {
        match &self.source {
            Source::Rehearsal(draws) => draws,
            Source::Pool(_) | Source::Stock(_) => &[],
        }
    }

    /// Whether nothing of a stock is left. A pool has nothing that could be.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.source.is_spent()
    }

    /// `n` random OTs, their messages as bit planes.
    pub(crate) fn planes(
        &mut self,
        n: usize,
        width: usize,
    ) -> Result<(BitVec, Vec<BitVec>), Error> {
        self.source.note(planes_draw(n, width));
        let mut planes = vec![BitVec::zeros(n); width];
        let choices = match &mut self.source {
            Source::Stock(stock) => {
                let (choices, [planes, _]) = stock.planes(n, width)?;
                return Ok((choices, planes));
            }
            Source::Rehearsal(_) => BitVec::zeros(n),
            Source::Pool(pool) => pool.keys(n, |start, k| low_planes(k, start, &mut planes))?,
        };
        Ok((choices, planes))
    }

    /// `n` random OTs, their messages as words of which the lowest `bits` count.
    pub(crate) fn words(
        &mut self,
        n: usize,
        bits: Bits,
    ) -> Result<(BitVec, Zeroizing<Vec<u64>>), Error> {
        let form = Form::Words(bits);
        self.source.note(Draw { n, form });
        match &mut self.source {
            Source::Stock(stock) => {
                let (choices, [words, _]) = stock.words(n, bits)?;
                Ok((choices, words))
            }
            Source::Rehearsal(_) => Ok((BitVec::zeros(n), Zeroizing::new(vec![0; n]))),
            Source::Pool(pool) => {
                let mut own = Zeroizing::new(Vec::with_capacity(n));
                let choices = pool.keys(n, |_, k| own.extend(k.iter().map(|&k| low(k))))?;
                Ok((choices, own))
            }
        }
    }

    /// `n` random OTs, their messages as keys.
    pub(crate) fn blocks(&mut self, n: usize) -> Result<(BitVec, Zeroizing<Vec<Block>>), Error> {
        let form = Form::Keys;
        self.source.note(Draw { n, form });
        match &mut self.source {
            Source::Stock(stock) => {
                let (choices, [keys, _]) = stock.keys(n, 128)?;
                Ok((choices, keys))
            }
            Source::Rehearsal(_) => Ok((BitVec::zeros(n), Zeroizing::new(vec![0; n]))),
            Source::Pool(pool) => {
                let mut own = Zeroizing::new(Vec::with_capacity(n));
                let choices = pool.keys(n, |_, k| own.extend_from_slice(k))?;
                Ok((choices, own))
            }
        }
    }

    /// Draws the keys of `n` rows of a super-tile, of which the lowest `width` bits are used, and keeps them for
    /// [`OtReceiver::row_keys`]. The choices, and the number of the first correlation, if they are from a pool.
    pub(crate) fn draw_rows(&mut self, n: usize, width: usize) -> Result<(BitVec, u64), Error> {
        let form = keys_form(width);
        self.source.note(Draw { n, form });
        let mut choices = BitVec::zeros(n);
        match &mut self.source {
            Source::Pool(ReceiverPool { pool, t, .. }) => {
                make_room(t, n);
                let first = pool.draw(&mut choices, &mut t[..n])?;
                return Ok((choices, first));
            }
            Source::Stock(stock) => {
                let (stored, [keys, _]) = stock.keys(n, width)?;
                (choices, self.tile) = (stored, keys);
            }
            Source::Rehearsal(_) => self.tile = Zeroizing::new(vec![0; n]),
        }
        Ok((choices, 0))
    }

    /// The keys of the rows of a super-tile from number `at` on, whose first correlation is number `first`.
    pub(crate) fn row_keys(&self, first: u64, at: usize, keys: &mut [Block]) {
        let rows = at..at + keys.len();
        if let Source::Pool(ReceiverPool { t, hash, .. }) = &self.source {
            return hash.hash_range(tweak(self.sender, first + at as u64), &t[rows], keys);
        }
        keys.copy_from_slice(&self.tile[rows]);
    }
}

impl ReceiverPool {
    /// Draws `n` correlations, hands their keys to `sink` tile by tile (number of the first, keys),
    /// and returns their choices.
    fn keys(&mut self, n: usize, mut sink: impl FnMut(usize, &[Block])) -> Result<BitVec, Error> {
        let most = n.min(TILE);
        make_room(&mut self.t, most);
        let mut choices = BitVec::zeros(n);
        let mut some = BitVec::zeros(most);
        let mut keys = Keys::new(most);
        for start in (0..n).step_by(TILE) {
            let len = (n - start).min(TILE);
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

impl Drop for SenderPool {
    fn drop(&mut self) {
        self.q.zeroize();
    }
}

impl Drop for ReceiverPool {
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
