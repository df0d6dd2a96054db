//! Pools that are refilled in a thread of their own.

use std::fmt;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use channel::{Breaker, Channel, Cost, Ledger, Role, SessionId};
use rand_core::CryptoRng;
use ring_arith::BitVec;
use zeroize::Zeroize;

use crate::kernel::bits::copy_bits;
use crate::{Block, CotPrice, Error, Extension, RcotReceiver, RcotSender};

/// Parts that wait for their user, besides the one in the making. LOCAL.
const AHEAD: usize = 8;

/// Correlations of a part at most, where refills are larger. LOCAL.
const MOST: usize = 1 << 14;

/// An extension whose pools are refilled in a thread of their own, ahead of their draws.
///
/// **Functionality.** That of the extension; the correlations are the same ones. It is a LOCAL choice: a peer may refill in
/// the background or within its draws.
///
/// **Protocol.** That of the extension. The first draw starts the thread of a pool, which makes what was announced before
/// ([`RcotSender::reserve`]) and keeps the correlations of at most eight refills for their user, 0.5 to 2 MiB; beyond what was
/// announced it makes what a draw asks for. What it hands over at a time is of one refill, so a draw never waits for a refill that a
/// peer without threads would not make in the same draw. So what is sent in all is what a pool without a thread sends. What
/// [`RcotSender::ledger`] tells is the traffic up to the last correlation that was handed over.
///
/// A thread waits for its peer no longer than the time-out of the channel, even where its user needs nothing yet: parties that pause
/// their draws for longer do without.
///
/// The first failure ends the thread, and the next draw that would need it returns the error; every later one fails as
/// on a dead channel. When a pool is dropped, its thread ends. If it was still making what had been announced, the line is
/// cut, since it may wait for a peer that says nothing.
///
/// **Security.** That of the extension.
///
/// **Cost.** That of the extension. It takes a processor per pool to gain anything by it.
///
/// ```
/// use ot::{Background, Extension, default_extension};
///
/// let background = Background::new(default_extension());
/// assert_eq!(background.agreement(), default_extension().agreement());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Background<'a>(&'a dyn Extension);

impl<'a> Background<'a> {
    /// The extension with threads.
    #[must_use]
    pub const fn new(extension: &'a dyn Extension) -> Self {
        Self(extension)
    }
}

impl Extension for Background<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn agreement(&self) -> Vec<(&'static str, u64)> {
        self.0.agreement()
    }

    fn price(&self) -> CotPrice {
        self.0.price()
    }

    fn sender(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotSender>, Error> {
        let breaker = refill.breaker();
        let pool = self.0.sender(refill, session, rng)?;
        let (delta, supply) = (pool.delta(), Supply::new(Maker::Sends(pool), breaker));
        Ok(Box::new(BackgroundSender { delta, supply }))
    }

    fn receiver(
        &self,
        refill: Channel,
        session: &SessionId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn RcotReceiver>, Error> {
        let breaker = refill.breaker();
        let pool = self.0.receiver(refill, session, rng)?;
        let supply = Supply::new(Maker::Receives(pool), breaker);
        Ok(Box::new(BackgroundReceiver { supply }))
    }

    fn setup_cost(&self, sender: Role) -> Cost {
        self.0.setup_cost(sender)
    }

    fn refill_cost_announced(&self, announced: Option<u64>, drawn: u64, sender: Role) -> Cost {
        self.0.refill_cost_announced(announced, drawn, sender)
    }
}

struct BackgroundSender {
    delta: Block,
    supply: Supply,
}

struct BackgroundReceiver {
    supply: Supply,
}

impl RcotSender for BackgroundSender {
    fn delta(&self) -> Block {
        self.delta
    }

    fn draw(&mut self, q: &mut [Block]) -> Result<u64, Error> {
        self.supply.draw(q.len(), |at, part, range| {
            q[at..at + range.len()].copy_from_slice(&part.blocks[range]);
        })
    }

    fn reserve(&mut self, n: u64) {
        self.supply.reserve(n);
    }

    fn drawn(&self) -> u64 {
        self.supply.drawn
    }

    fn ledger(&self) -> Option<&Ledger> {
        self.supply.ledger.as_ref()
    }
}

impl RcotReceiver for BackgroundReceiver {
    fn draw(&mut self, choices: &mut BitVec, t: &mut [Block]) -> Result<u64, Error> {
        assert_eq!(choices.len(), t.len(), "one choice per correlation");
        self.supply.draw(t.len(), |at, part, range| {
            t[at..at + range.len()].copy_from_slice(&part.blocks[range.clone()]);
            let (to, from) = (choices.words_mut(), part.choices.words());
            copy_bits(to, at, from, range.start, range.len());
        })
    }

    fn reserve(&mut self, n: u64) {
        self.supply.reserve(n);
    }

    fn drawn(&self) -> u64 {
        self.supply.drawn
    }

    fn ledger(&self) -> Option<&Ledger> {
        self.supply.ledger.as_ref()
    }
}

/// One end of a pool, to be moved into its thread.
enum Maker {
    Sends(Box<dyn RcotSender>),
    Receives(Box<dyn RcotReceiver>),
}

/// Correlations on their way to their user.
#[derive(Default)]
struct Part {
    blocks: Vec<Block>,
    /// Of the receiver only.
    choices: BitVec,
    /// The traffic so far.
    ledger: Option<Ledger>,
}

impl Maker {
    fn reserve(&mut self, n: u64) {
        match self {
            Self::Sends(pool) => pool.reserve(n),
            Self::Receives(pool) => pool.reserve(n),
        }
    }

    fn within_refill(&self) -> usize {
        match self {
            Self::Sends(pool) => pool.within_refill(),
            Self::Receives(pool) => pool.within_refill(),
        }
        .min(MOST)
    }

    fn ledger(&self) -> Option<&Ledger> {
        match self {
            Self::Sends(pool) => pool.ledger(),
            Self::Receives(pool) => pool.ledger(),
        }
    }

    /// Fills a part with the next `n` correlations.
    fn fill(&mut self, n: usize, part: &mut Part) -> Result<(), Error> {
        part.blocks.resize(n, 0);
        match self {
            Self::Sends(pool) => pool.draw(&mut part.blocks)?,
            Self::Receives(pool) => {
                if part.choices.len() != n {
                    part.choices = BitVec::zeros(n);
                }
                pool.draw(&mut part.choices, &mut part.blocks)?
            }
        };
        part.ledger = self.ledger().cloned();
        Ok(())
    }

    /// Makes as many correlations as each order says, until there are no more orders or nobody takes them.
    fn work(
        mut self,
        orders: &Receiver<u64>,
        used: &Receiver<Part>,
        parts: &SyncSender<Result<Part, Error>>,
    ) {
        while let Ok(mut left) = orders.recv() {
            while left > 0 {
                let most = self.within_refill();
                let n = usize::try_from(left).unwrap_or(most).min(most);
                let mut part = used.try_recv().unwrap_or_default();
                let made = self.fill(n, &mut part).map(|()| part);
                let failed = made.is_err();
                if parts.send(made).is_err() || failed {
                    return;
                }
                left -= n as u64;
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.blocks.zeroize();
    }
}

/// The user's side of a pool.
struct Supply {
    /// Until the first draw.
    maker: Option<Maker>,
    thread: Option<Thread>,
    breaker: Breaker,
    /// Correlations that the thread was told to make, and those that came of it.
    ordered: u64,
    received: u64,
    part: Part,
    /// Correlations of the part that are used up.
    used: usize,
    drawn: u64,
    ledger: Option<Ledger>,
}

/// A thread that refills, and the ways from and to it.
struct Thread {
    orders: Sender<u64>,
    used: Sender<Part>,
    parts: Receiver<Result<Part, Error>>,
    handle: JoinHandle<()>,
}

impl Thread {
    fn start(maker: Maker) -> Result<Self, Error> {
        let (orders, orders_there) = channel();
        let (used, used_there) = channel();
        let (parts_there, parts) = sync_channel(AHEAD);
        let work = move || maker.work(&orders_there, &used_there, &parts_there);
        let handle = Builder::new().name("refill".to_owned()).spawn(work);
        let handle = handle.map_err(|cause| channel::Error::Io {
            phase: "a thread for refills".to_owned(),
            cause,
        })?;
        Ok(Self {
            orders,
            used,
            parts,
            handle,
        })
    }
}

impl Supply {
    fn new(maker: Maker, breaker: Breaker) -> Self {
        Self {
            ledger: maker.ledger().cloned(),
            maker: Some(maker),
            thread: None,
            breaker,
            ordered: 0,
            received: 0,
            part: Part::default(),
            used: 0,
            drawn: 0,
        }
    }

    fn reserve(&mut self, n: u64) {
        let more = (self.drawn.saturating_add(n)).saturating_sub(self.ordered);
        self.ordered += more;
        match (&mut self.maker, &self.thread) {
            (Some(maker), _) => maker.reserve(n),
            // A thread that has failed says so at the next draw.
            (None, Some(thread)) => drop(thread.orders.send(more)),
            (None, None) => {}
        }
    }

    /// Hands `n` correlations to `sink`, each time with the number of the first and its place in a part.
    fn draw(
        &mut self,
        n: usize,
        mut sink: impl FnMut(usize, &Part, Range<usize>),
    ) -> Result<u64, Error> {
        let (first, mut done) = (self.drawn, 0);
        while done < n {
            if self.used == self.part.blocks.len() {
                self.next_part(n - done)?;
            }
            let taken = (self.part.blocks.len() - self.used).min(n - done);
            sink(done, &self.part, self.used..self.used + taken);
            self.used += taken;
            self.drawn += taken as u64;
            done += taken;
        }
        Ok(first)
    }

    /// Waits for the next part; `wanted` correlations at least are to come.
    fn next_part(&mut self, wanted: usize) -> Result<(), Error> {
        if let Some(maker) = self.maker.take() {
            let thread = self.thread.insert(Thread::start(maker)?);
            let _ = thread.orders.send(self.ordered);
        }
        let dead = || Error::from(channel::Error::Dead);
        let thread = self.thread.as_ref().ok_or_else(dead)?;
        if self.received == self.ordered {
            self.ordered += wanted as u64;
            let _ = thread.orders.send(wanted as u64);
        }
        let part = thread.parts.recv().map_err(|_| dead())??;
        let used = std::mem::replace(&mut self.part, part);
        let _ = thread.used.send(used);
        self.used = 0;
        self.received += self.part.blocks.len() as u64;
        self.ledger.clone_from(&self.part.ledger);
        Ok(())
    }
}

impl Drop for Supply {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        let Thread {
            orders,
            used,
            parts,
            handle,
        } = thread;
        drop((orders, used, parts));
        if self.received < self.ordered {
            self.breaker.cut();
        }
        // Its panic was a failed draw.
        let _ = handle.join();
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supply")
            .field("ordered", &self.ordered)
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}
