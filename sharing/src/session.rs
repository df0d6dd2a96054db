//! One party's end of a two-party computation.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use channel::{
    Channel, Connection, Cost, Cots, Ledger, ONLINE, REFILL_CLIENT_SENDS, REFILL_SERVER_SENDS,
    Role, SessionId,
};
use ot::{CotPrice, Extension, OtReceiver, OtSender, RcotReceiver, RcotSender};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::meter::Mark;
use crate::prg::Prg;

/// Numbers of the children of a session's seed, one per purpose.
pub(crate) mod child {
    pub(crate) const ONLINE: u64 = 0;
    pub(crate) const SERVER_SENDS: u64 = 1;
    pub(crate) const CLIENT_SENDS: u64 = 2;
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
    pub(crate) mark: Mark,
    pub(crate) price: CotPrice,
    pub(crate) dead: bool,
    id: SessionId,
    kept: BTreeMap<TypeId, Box<dyn Any + Send>>,
}

impl Session {
    /// Opens the streams of `connection` and makes the correlated oblivious transfers of both
    /// directions ready with an OT extension, the direction in which the server is the sender first.
    ///
    /// `seed` is this party's own fresh randomness; everything the session draws comes from it.
    ///
    /// # Errors
    /// When a stream fails or the peer does not follow the set-up.
    pub fn establish(
        connection: &Connection,
        seed: [u8; 32],
        extension: &dyn Extension,
    ) -> Result<Self, Error> {
        let seed = Zeroizing::new(seed);
        let online = connection.open(ONLINE)?;
        let (id, price) = (connection.session_id(), extension.price());
        let ots = pools(connection, &seed, extension)?;
        Ok(Self::with_ots(online, &id, ots, price, *seed))
    }

    /// Gives a session that was made without pools ([`Session::without_pools`]) those of an OT extension, which must have the price that the session
    /// has. From here it draws from them. Both parties do so at the same point.
    ///
    /// `seed` is fresh randomness: another one than the session has.
    ///
    /// # Errors
    /// As [`Session::establish`]; the session is dead then.
    ///
    /// # Panics
    /// If the price is another one.
    pub fn add_pools(
        &mut self,
        connection: &Connection,
        seed: [u8; 32],
        extension: &dyn Extension,
    ) -> Result<(), Error> {
        assert_eq!(self.price, extension.price(), "pools of another price");
        let seed = Zeroizing::new(seed);
        let ots = self.attempt(|_| pools(connection, &seed, extension))?;
        (self.sender, self.receiver) = ots;
        self.mark();
        Ok(())
    }

    /// A session on pools that are there already: `sender` for the transfers in which this party
    /// sends, `receiver` for those in which it receives. `price` is what a correlation is worth where a
    /// protocol has a choice; both parties must give the same.
    #[must_use]
    pub fn with_pools(
        online: Channel,
        id: &SessionId,
        sender: Box<dyn RcotSender>,
        receiver: Box<dyn RcotReceiver>,
        price: CotPrice,
        seed: [u8; 32],
    ) -> Self {
        let role = online.role();
        let sender = OtSender::new(sender, id, role);
        let receiver = OtReceiver::new(receiver, id, role.peer());
        Self::with_ots(online, id, (sender, receiver), price, seed)
    }

    /// A session on ends of random OTs that are there already.
    pub(crate) fn with_ots(
        mut online: Channel,
        id: &SessionId,
        (sender, receiver): (OtSender, OtReceiver),
        price: CotPrice,
        seed: [u8; 32],
    ) -> Self {
        let role = online.role();
        Self {
            mark: Mark::here(&mut online, drawn(&sender, &receiver, role)),
            online,
            sender,
            receiver,
            rng: Prg::child(&Zeroizing::new(seed), child::ONLINE),
            price,
            dead: false,
            id: *id,
            kept: BTreeMap::new(),
        }
    }

    /// Tells the pools how many correlations are coming, so that they can size their refills.
    pub fn reserve(&mut self, cots: Cots) {
        let (sends, receives) = match self.role() {
            Role::Server => (cots.server_sends, cots.client_sends),
            Role::Client => (cots.client_sends, cots.server_sends),
        };
        self.sender.reserve(sends);
        self.receiver.reserve(receives);
    }

    /// The number of the session. Both parties had a part in it, so that it is new to each of them.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// What a protocol keeps in the session from run to run, one value of each type: keys, say. It begins with the default, and is
    /// dropped with the session or when the session is killed; what is secret in it erases itself then.
    ///
    /// ```
    /// let [count, twice] = [1, 2].map(|n| move |s: &mut sharing::Session| {
    ///     (0..n).for_each(|_| *s.kept::<u64>() += 1);
    ///     *s.kept::<u64>()
    /// });
    /// let (at_server, at_client, _) = testkit::run_sessions(1, count, twice);
    /// assert_eq!((at_server, at_client), (1, 2));
    /// ```
    #[expect(clippy::missing_panics_doc, reason = "a value is kept by its own type")]
    pub fn kept<T: Any + Send + Default>(&mut self) -> &mut T {
        let kept = self.kept.entry(TypeId::of::<T>());
        let kept = kept.or_insert_with(|| Box::new(T::default()));
        kept.downcast_mut().expect("it is kept by its type")
    }

    /// Which party this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.online.role()
    }

    /// The public price of one COT, by which protocols choose radices and roles; the same on both
    /// sides.
    #[must_use]
    pub const fn cot_price(&self) -> CotPrice {
        self.price
    }

    /// The online stream.
    pub const fn channel(&mut self) -> &mut Channel {
        &mut self.online
    }

    /// This party's own randomness.
    pub fn rng(&mut self) -> &mut (impl CryptoRng + use<>) {
        &mut self.rng
    }

    /// The online stream and the oblivious transfers of both directions, for protocols that use them
    /// directly. A step that draws in both directions must draw first in the one in which the server is
    /// the sender.
    pub const fn ot(&mut self) -> (&mut Channel, &mut OtSender, &mut OtReceiver) {
        (&mut self.online, &mut self.sender, &mut self.receiver)
    }

    /// Runs `step` unless the session is dead, delivers what it said, and kills the session if it
    /// fails.
    ///
    /// Every protocol of this crate runs inside of this, and a protocol that is built on [`Session::ot`]
    /// or [`Session::channel`] should as well, for two reasons. An error between two messages leaves the
    /// parties in different states. And a refill is on another stream: if a message stayed in this
    /// party's buffer while it waits for a refill, the peer might wait for the message before it refills.
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

    /// Ends the session: every further call on it fails, and the peer's reads fail too. What protocols keep in it is dropped.
    pub fn kill(&mut self) {
        self.dead = true;
        self.kept.clear();
        self.online.fail();
    }

    /// Whether an earlier error ended the session.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Names the phase that begins, for the ledger of the online stream and for the messages of time-outs.
    pub fn enter_phase(&mut self, name: impl Into<Cow<'static, str>>) {
        self.online.enter_phase(name);
    }

    /// Starts measuring anew: [`Session::measured`] counts from here.
    pub fn mark(&mut self) {
        self.mark = self.here();
    }

    /// What was spent since the session began or since the last [`Session::mark`]: the segments
    /// of the online stream and the COTs drawn.
    #[must_use]
    pub fn measured(&self) -> Cost {
        self.since(&self.mark)
    }

    pub(crate) fn here(&mut self) -> Mark {
        let drawn = self.drawn();
        Mark::here(&mut self.online, drawn)
    }

    pub(crate) fn since(&self, mark: &Mark) -> Cost {
        mark.since(&self.online, &self.drawn())
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

/// The ends of both directions, from pools of an OT extension.
fn pools(
    connection: &Connection,
    seed: &Zeroizing<[u8; 32]>,
    extension: &dyn Extension,
) -> Result<(OtSender, OtReceiver), Error> {
    let server_sends = connection.open(REFILL_SERVER_SENDS)?;
    let client_sends = connection.open(REFILL_CLIENT_SENDS)?;
    let (id, role) = (connection.session_id(), connection.role());
    let mut first = Prg::child(seed, child::SERVER_SENDS);
    let mut second = Prg::child(seed, child::CLIENT_SENDS);
    let (sender, receiver) = match role {
        Role::Server => {
            let sender = extension.sender(server_sends, &id, &mut first)?;
            let receiver = extension.receiver(client_sends, &id, &mut second)?;
            (sender, receiver)
        }
        Role::Client => {
            let receiver = extension.receiver(server_sends, &id, &mut first)?;
            let sender = extension.sender(client_sends, &id, &mut second)?;
            (sender, receiver)
        }
    };
    let sender = OtSender::new(sender, &id, role);
    Ok((sender, OtReceiver::new(receiver, &id, role.peer())))
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
