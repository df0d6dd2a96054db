//! One party's end of a two-party computation.

use std::borrow::Cow;
use std::fmt;

use channel::{
    Channel, Connection, Cost, Cots, Ledger, ONLINE, REFILL_CLIENT_SENDS, REFILL_SERVER_SENDS, Role,
};
use ot::{OtReceiver, OtSender, RcotReceiver, RcotSender, SoftSpokenReceiver, SoftSpokenSender};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::fork::{Place, Streams};
use crate::meter::Meter;
use crate::prg::Prg;

/// Numbers of the children of a session's seed, one per purpose.
pub(crate) mod child {
    pub(crate) const ONLINE: u64 = 0;
    pub(crate) const SERVER_SENDS: u64 = 1;
    pub(crate) const CLIENT_SENDS: u64 = 2;
    /// The first fork's; the others follow.
    pub(crate) const FORKS: u64 = 1 << 32;
}

/// Public parameters of a session: AGREEMENT, both parties use the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `Options { softspoken_k, ..Options::default() }`"
)]
pub struct Options {
    /// The parameter k of `SoftSpokenOT`, 1 to 8: 128/k bits of traffic per COT against 2^k
    /// hashes. The default is 4.
    pub softspoken_k: u32,
    /// What a COT costs in bits of traffic, where protocols choose a radix or a role by cost;
    /// `None` for the extension's own figure, 128/k rounded up.
    pub cot_price_bits: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            softspoken_k: 4,
            cot_price_bits: None,
        }
    }
}

impl Options {
    /// The price of one COT in bits of traffic under these options.
    #[must_use]
    pub const fn cot_price(&self) -> u32 {
        match self.cot_price_bits {
            Some(price) => price,
            None => 128_u32.div_ceil(self.softspoken_k),
        }
    }
}

/// One party's end of a two-party computation: the online stream, correlated oblivious transfers
/// in both directions, a seeded generator and the meter of what was spent.
///
/// Protocols take `&mut Session` and run in lock-step with the peer's. After an error the session
/// is dead: every further call returns [`Error::Dead`].
pub struct Session {
    pub(crate) online: Channel,
    pub(crate) sender: OtSender,
    pub(crate) receiver: OtReceiver,
    pub(crate) rng: Prg,
    pub(crate) place: Place,
    pub(crate) meter: Meter,
    pub(crate) price: u32,
    pub(crate) dead: bool,
}

impl Session {
    /// Opens the streams of `connection` and makes the correlated oblivious transfers of both
    /// directions ready (\[Roy22\] on base OTs), the direction in which the server is the sender
    /// first.
    ///
    /// `seed` is this party's own fresh randomness; everything the session draws comes from it.
    ///
    /// # Errors
    /// When a stream fails or the peer does not follow the set-up.
    ///
    /// # Panics
    /// When `options.softspoken_k` is not in 1..=8.
    pub fn establish(
        connection: &Connection,
        seed: [u8; 32],
        options: &Options,
    ) -> Result<Self, Error> {
        let seed = Zeroizing::new(seed);
        let k = options.softspoken_k;
        assert!((1..=8).contains(&k), "softspoken_k is 1 to 8, not {k}");
        let online = connection.open(ONLINE)?;
        let server_sends = connection.open(REFILL_SERVER_SENDS)?;
        let client_sends = connection.open(REFILL_CLIENT_SENDS)?;
        let id = connection.session_id();
        let mut first = Prg::child(&seed, child::SERVER_SENDS);
        let mut second = Prg::child(&seed, child::CLIENT_SENDS);
        let role = connection.role();
        let (sender, receiver): (Box<dyn RcotSender>, Box<dyn RcotReceiver>) = match role {
            Role::Server => {
                let sender = SoftSpokenSender::setup(server_sends, k, &id, &mut first)?;
                let receiver = SoftSpokenReceiver::setup(client_sends, k, &id, &mut second)?;
                (Box::new(sender), Box::new(receiver))
            }
            Role::Client => {
                let receiver = SoftSpokenReceiver::setup(server_sends, k, &id, &mut first)?;
                let sender = SoftSpokenSender::setup(client_sends, k, &id, &mut second)?;
                (Box::new(sender), Box::new(receiver))
            }
        };
        let ends = (
            OtSender::new(sender, &id, role),
            OtReceiver::new(receiver, &id, role.peer()),
        );
        let rng = Prg::child(&seed, child::ONLINE);
        let place = Place::Root(Streams::new(connection.clone(), seed));
        let price = options.cot_price();
        Ok(Self::assemble(online, ends, rng, price, place))
    }

    pub(crate) fn assemble(
        online: Channel,
        (sender, receiver): (OtSender, OtReceiver),
        rng: Prg,
        price: u32,
        place: Place,
    ) -> Self {
        Self {
            meter: Meter::start(&online, drawn(&sender, &receiver, online.role())),
            online,
            sender,
            receiver,
            rng,
            place,
            price,
            dead: false,
        }
    }

    /// Which party this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.online.role()
    }

    /// The public price of one COT in bits of traffic, by which protocols choose radices and
    /// roles; the same on both sides.
    #[must_use]
    pub const fn cot_price(&self) -> u32 {
        self.price
    }

    /// Replaces the price of a COT: AGREEMENT, both parties set the same before any protocol.
    pub const fn set_cot_price(&mut self, bits: u32) {
        self.price = bits;
    }

    /// The online stream.
    pub const fn channel(&mut self) -> &mut Channel {
        &mut self.online
    }

    /// This party's own randomness.
    pub fn rng(&mut self) -> &mut (impl CryptoRng + use<>) {
        &mut self.rng
    }

    /// The online stream and the oblivious transfers of both directions, for protocols that
    /// speak them directly. The direction in which the server is the sender comes first wherever
    /// a step draws in both.
    pub const fn ot(&mut self) -> (&mut Channel, &mut OtSender, &mut OtReceiver) {
        (&mut self.online, &mut self.sender, &mut self.receiver)
    }

    /// Runs `step` unless the session is dead, delivers what it said, and kills the session if it
    /// fails.
    ///
    /// Every protocol of this crate does this; a protocol built on [`Session::ot`] or
    /// [`Session::channel`] should as well. An error between two of its messages leaves the parties
    /// in different states; and words that stay in the buffer while this party waits for a refill,
    /// which is on another stream, are words the peer may wait for before it refills.
    ///
    /// # Errors
    /// [`Error::Dead`] after an earlier error, else what `step` returns.
    pub fn attempt<T, E: From<Error>>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.dead {
            return Err(Error::Dead.into());
        }
        let result = step(self).and_then(|value| match self.online.flush() {
            Ok(()) => Ok(value),
            Err(error) => Err(Error::from(error).into()),
        });
        if result.is_err() {
            self.kill();
        }
        result
    }

    /// Ends the session: every further call on it fails, and the peer's reads fail too.
    pub fn kill(&mut self) {
        self.dead = true;
        self.online.fail();
    }

    /// Whether an earlier error ended the session.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Names what follows, in the ledger of the online stream and in time-outs.
    pub fn enter_phase(&mut self, name: impl Into<Cow<'static, str>>) {
        self.online.enter_phase(name);
    }

    /// Starts measuring afresh: [`Session::measured`] counts from here.
    pub fn mark(&mut self) {
        let drawn = self.drawn();
        self.meter.mark(&mut self.online, drawn);
    }

    /// What was spent since the session began or since the last [`Session::mark`]: the segments
    /// of the online stream (those of joined forks beside each other) and the COTs drawn.
    #[must_use]
    pub fn measured(&self) -> Cost {
        self.meter.measured(&self.online, &self.drawn())
    }

    /// The traffic of the two refill streams, first the one on which the server is the OT sender;
    /// `None` for pools without a stream of their own.
    #[must_use]
    pub fn refill_ledgers(&self) -> [Option<&Ledger>; 2] {
        match self.role() {
            Role::Server => [self.sender.ledger(), self.receiver.ledger()],
            Role::Client => [self.receiver.ledger(), self.sender.ledger()],
        }
    }

    /// COTs that left the session's pools so far, by direction.
    pub(crate) fn drawn(&self) -> Cots {
        drawn(&self.sender, &self.receiver, self.role())
    }
}

fn drawn(sender: &OtSender, receiver: &OtReceiver, role: Role) -> Cots {
    let (server_sends, client_sends) = match role {
        Role::Server => (sender.drawn(), receiver.drawn()),
        Role::Client => (receiver.drawn(), sender.drawn()),
    };
    Cots {
        server_sends,
        client_sends,
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role())
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}
