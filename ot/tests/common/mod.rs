//! Two parties on two threads, over small pipes.

#![allow(dead_code, reason = "every test file uses its own part")]

use channel::{
    Channel, Connection, Cost, ONLINE, REFILL_SERVER_SENDS, Relay, Role, Way, memory_pair,
};
use ot::ideal::ideal_pair;
use ot::{
    Extension, OtReceiver, OtSender, RcotReceiver, RcotSender, ReceiveRows, SendRows, Silent,
    SilentSet, SoftSpokenReceiver, SoftSpokenSender,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::{Bits, Word};

/// Capacity of the pipes, far below a refill, so that a deadlock shows.
const CAPACITY: usize = 1 << 12;

/// Changes a bit of the byte at a place of what one party says on the refill stream.
pub(crate) struct Altered(pub(crate) Role, pub(crate) u64);

impl Relay for Altered {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        let at = self
            .1
            .checked_sub(offset)
            .and_then(|at| usize::try_from(at).ok());
        let is_it = way.from == self.0 && way.stream == REFILL_SERVER_SENDS;
        if let Some(byte) = at.filter(|_| is_it).and_then(|at| bytes.get_mut(at)) {
            *byte ^= 4;
        }
        bytes.len()
    }
}

/// What fills the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pool {
    Ideal,
    SoftSpoken(u32),
    /// With the demand that both ends are told.
    Silent(SilentSet, Option<u64>),
}

/// Both parties of a protocol; the server is the sender of the OTs.
pub(crate) fn run<R: Send, S: Send>(
    sender: impl FnOnce(Connection) -> R + Send,
    receiver: impl FnOnce(Connection) -> S + Send,
) -> (R, S) {
    let (server, client) = memory_pair(CAPACITY);
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || sender(server));
        let receiver = scope.spawn(move || receiver(client));
        match (sender.join(), receiver.join()) {
            (Ok(r), Ok(s)) => (r, s),
            (Err(panic), _) | (_, Err(panic)) => std::panic::resume_unwind(panic),
        }
    })
}

impl Pool {
    pub(crate) fn sender(self, connection: &Connection) -> Box<dyn RcotSender> {
        let open = || {
            connection
                .open(REFILL_SERVER_SENDS)
                .expect("the stream opens")
        };
        let (id, mut rng) = (connection.session_id(), ChaCha20Rng::seed_from_u64(1));
        match self {
            Self::Ideal => Box::new(ideal_pair([3; 32]).0),
            Self::SoftSpoken(k) => {
                let pool = SoftSpokenSender::setup(open(), k, &id, &mut rng);
                Box::new(pool.expect("the set-up succeeds"))
            }
            Self::Silent(set, announced) => {
                let pool = Silent::new(set).sender(open(), &id, &mut rng);
                let mut pool = pool.expect("the set-up succeeds");
                announced.into_iter().for_each(|n| pool.reserve(n));
                pool
            }
        }
    }

    pub(crate) fn receiver(self, connection: &Connection) -> Box<dyn RcotReceiver> {
        let open = || {
            connection
                .open(REFILL_SERVER_SENDS)
                .expect("the stream opens")
        };
        let (id, mut rng) = (connection.session_id(), ChaCha20Rng::seed_from_u64(2));
        match self {
            Self::Ideal => Box::new(ideal_pair([3; 32]).1),
            Self::SoftSpoken(k) => {
                let pool = SoftSpokenReceiver::setup(open(), k, &id, &mut rng);
                Box::new(pool.expect("the set-up succeeds"))
            }
            Self::Silent(set, announced) => {
                let pool = Silent::new(set).receiver(open(), &id, &mut rng);
                let mut pool = pool.expect("the set-up succeeds");
                announced.into_iter().for_each(|n| pool.reserve(n));
                pool
            }
        }
    }
}

/// Runs one form on an ideal or a real pool: results, and what was said on the online channel with
/// the COTs drawn.
pub(crate) fn run_form<R: Send, S: Send>(
    pool: Pool,
    send: impl FnOnce(&mut OtSender, &mut Channel) -> R + Send,
    receive: impl FnOnce(&mut OtReceiver, &mut Channel) -> S + Send,
) -> (R, S, Cost) {
    let ((r, cost), (s, other)) = run(
        |connection| {
            let mut ot = OtSender::new(
                pool.sender(&connection),
                &connection.session_id(),
                Role::Server,
            );
            let mut chan = connection.open(ONLINE).expect("the stream opens");
            let r = send(&mut ot, &mut chan);
            (r, chan.measured().with_cots(ot.drawn(), 0))
        },
        |connection| {
            let mut ot = OtReceiver::new(
                pool.receiver(&connection),
                &connection.session_id(),
                Role::Server,
            );
            let mut chan = connection.open(ONLINE).expect("the stream opens");
            let s = receive(&mut ot, &mut chan);
            (s, chan.measured().with_cots(ot.drawn(), 0))
        },
    );
    assert_eq!(cost, other, "both parties measured the same");
    (r, s, cost)
}

/// Reproducible words.
pub(crate) fn words(seed: u64, n: usize) -> Vec<u64> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..n).map(|_| rand_core::Rng::next_u64(&mut rng)).collect()
}

/// Reproducible bits.
pub(crate) fn bits(seed: u64, n: usize) -> ring_arith::BitVec {
    ring_arith::BitVec::from_words(n, words(seed, n.div_ceil(64)))
}

/// Rows of one shape, l = 9, with a running sum.
pub(crate) struct Rows<W> {
    count: usize,
    x: Vec<W>,
    pub(crate) sum: u64,
}

impl<W: Word> Rows<W> {
    pub(crate) fn new(count: usize, len: usize) -> Self {
        Self {
            count,
            x: vec![W::from_u64(3); len],
            sum: 0,
        }
    }

    fn add(&mut self, row: &[W]) {
        self.sum = row
            .iter()
            .fold(self.sum, |sum, x| sum.wrapping_add(x.to_u64()));
    }
}

impl<W: Word> SendRows<W> for Rows<W> {
    fn count(&self) -> usize {
        self.count
    }
    fn shape(&self, _: usize) -> (usize, Bits) {
        (self.x.len(), Bits::of(9))
    }
    fn correlation(&mut self, _: usize) -> &[W] {
        &self.x
    }
    fn absorb(&mut self, _: usize, r: &[W]) {
        self.add(r);
    }
}

impl<W: Word> ReceiveRows<W> for Rows<W> {
    fn count(&self) -> usize {
        self.count
    }
    fn shape(&self, _: usize) -> (usize, Bits) {
        (self.x.len(), Bits::of(9))
    }
    fn choice(&self, i: usize) -> bool {
        i.is_multiple_of(3)
    }
    fn absorb(&mut self, _: usize, y: &[W]) {
        self.add(y);
    }
}
