//! Protocols that run side by side: one party's end of all of them, in common flights.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use channel::{Cost, Role, Segment, SessionId};
use ot::{OtReceiver, OtSender};
use rand_core::CryptoRng;

use crate::error::Error;
use crate::meter::Account;
use crate::session::Session;

/// One party in protocols that run side by side.
///
/// A protocol is an `async fn` that takes a `&Party`. It computes, draws correlations, and speaks in *rounds*: every
/// `.await` of [`Party::exchange`], [`Party::send`] or [`Party::recv`] is one round, and the round is over when both
/// parties have what they wait for. Both ends run the same protocols in the same order, so round number k of a protocol is the same at
/// both. Protocols that are joined ([`Party::both`], [`Party::all`]) share their rounds: what they all say in one
/// is one message. Nothing else is concurrent: there is one thread, and a protocol is only ever left at an `.await`
/// of a round.
///
/// That is also why no lock-step can be lost. Between two rounds both parties run the same parts of the same protocols in
/// the same order, so they draw correlations in the same order; and a party enters a round only after it has sent
/// all that it said in the one before, so neither can wait for a refill while the other one waits for a message.
/// A protocol must await nothing but rounds, since the rounds wait for nothing else.
///
/// ```
/// # use channel::Role;
/// use sharing::{Error, Party};
///
/// /// Each party tells the other one a number.
/// async fn swap(party: &Party<'_>, number: u8) -> Result<u8, Error> {
///     let theirs = party.exchange(vec![number], 1).await?;
///     Ok(theirs[0])
/// }
///
/// let [server, client] = [Role::Server, Role::Client].map(|role| {
///     move |s: &mut sharing::Session| {
///         let number = if role.is_server() { 3 } else { 5 };
///         // Two swaps in one flight.
///         s.run(async |party| party.both(swap(party, number), swap(party, number + 1)).await)
///     }
/// });
/// let (at_server, at_client, cost) = testkit::run_sessions(1, server, client);
/// assert_eq!((at_server?, at_client?), ((5, 6), (3, 4)));
/// assert_eq!(cost.flights(), 1);
/// # Ok::<(), Error>(())
/// ```
pub struct Party<'s> {
    common: Rc<Common<'s>>,
    account: RefCell<Account>,
}

/// What all protocols of a run have in common.
struct Common<'s> {
    role: Role,
    session: RefCell<&'s mut Session>,
    round: RefCell<Round>,
}

/// The round in the making, and what came in the last one. Neither is erased: all of it goes over the wire.
#[derive(Default)]
struct Round {
    number: u64,
    said: Vec<u8>,
    awaited: usize,
    came: Vec<u8>,
}

/// A protocol's part of a round: its number, and where the peer's bytes will be in what comes.
struct Part {
    number: u64,
    place: Range<usize>,
}

impl Session {
    /// Runs a protocol, and with it all that it joins, to its end.
    ///
    /// # Errors
    /// [`Error::Dead`] after an earlier error, else what the protocol returns or the stream fails with; the session is
    /// dead then.
    pub fn run<T, E: From<Error>>(
        &mut self,
        protocol: impl AsyncFnOnce(&Party<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.attempt(|s| {
            let common = Rc::new(Common {
                role: s.role(),
                session: RefCell::new(s),
                round: RefCell::default(),
            });
            let party = Party::new(Rc::clone(&common));
            let mut run = pin!(protocol(&party));
            let mut context = Context::from_waker(Waker::noop());
            loop {
                if let Poll::Ready(outcome) = run.as_mut().poll(&mut context) {
                    return outcome;
                }
                common.turn()?;
            }
        })
    }
}

impl Common<'_> {
    /// Ends a round: says what was to be said, and takes what is awaited.
    fn turn(&self) -> Result<(), Error> {
        let mut round = self.round.borrow_mut();
        let Round {
            number,
            said,
            awaited,
            came,
        } = &mut *round;
        came.clear();
        came.resize(*awaited, 0);
        if !said.is_empty() || !came.is_empty() {
            let mut session = self.session.borrow_mut();
            session.online.exchange(said, came)?;
        }
        said.clear();
        *awaited = 0;
        *number += 1;
        Ok(())
    }
}

impl Round {
    /// Says `bytes` in this round, after what others say, and awaits `n` bytes of the peer.
    fn join(&mut self, bytes: Vec<u8>, n: usize) -> Part {
        if self.said.is_empty() {
            self.said = bytes;
        } else {
            self.said.extend_from_slice(&bytes);
        }
        let place = self.awaited..self.awaited + n;
        self.awaited = place.end;
        Part {
            number: self.number,
            place,
        }
    }

    /// What came for `part`, right after the end of its round.
    fn take(&mut self, part: Part) -> Vec<u8> {
        assert_eq!(self.number, part.number + 1, "polled once in each round");
        if part.place.is_empty() {
            Vec::new()
        } else if part.place == (0..self.came.len()) {
            std::mem::take(&mut self.came)
        } else {
            self.came[part.place].to_vec()
        }
    }
}

impl<'s> Party<'s> {
    fn new(common: Rc<Common<'s>>) -> Self {
        Self {
            common,
            account: RefCell::default(),
        }
    }

    /// The same party with an account of its own, for a protocol that is to be measured apart from others.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self::new(Rc::clone(&self.common))
    }

    /// What was said and drawn through this value, without what [`Party::apart`] accounts elsewhere. The flights are those
    /// on the wire if nobody else says anything meanwhile.
    #[must_use]
    pub fn spent(&self) -> Cost {
        self.account.borrow().total()
    }

    /// Which party this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.common.role
    }

    /// How many rounds of the run are over.
    #[must_use]
    pub fn round(&self) -> u64 {
        self.common.round.borrow().number
    }

    /// A round in which both speak: says `bytes`, and gives the `n` bytes of the peer.
    ///
    /// # Errors
    /// Never at this place: a stream that fails ends the whole run.
    ///
    /// # Panics
    /// When the protocol was not polled right after the round, as [`Party::both`] and [`Party::all`] do it.
    pub async fn exchange(&self, bytes: Vec<u8>, n: usize) -> Result<Vec<u8>, Error> {
        let (to_server, to_client) = match self.role() {
            Role::Server => (n, bytes.len()),
            Role::Client => (bytes.len(), n),
        };
        let said = Segment {
            to_server: to_server as u64,
            to_client: to_client as u64,
        };
        self.account.borrow_mut().say(self.round(), said);
        let part = self.common.round.borrow_mut().join(bytes, n);
        next_round().await;
        Ok(self.common.round.borrow_mut().take(part))
    }

    /// A round in which this party speaks.
    ///
    /// # Errors
    /// As [`Party::exchange`].
    pub async fn send(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.exchange(bytes, 0).await.map(drop)
    }

    /// A round in which the peer speaks, `n` bytes.
    ///
    /// # Errors
    /// As [`Party::exchange`].
    pub async fn recv(&self, n: usize) -> Result<Vec<u8>, Error> {
        self.exchange(Vec::new(), n).await
    }

    /// Rounds in which nobody says anything of this protocol.
    ///
    /// # Errors
    /// As [`Party::exchange`].
    pub async fn pause(&self, rounds: usize) -> Result<(), Error> {
        for _ in 0..rounds {
            self.exchange(Vec::new(), 0).await?;
        }
        Ok(())
    }

    /// Draws correlations, from the pool in which this party sends and from the one in which it receives. Both parties
    /// must draw the same at the same point; where that is from both pools, first from the one in which the server sends.
    ///
    /// # Errors
    /// Those of the pools.
    pub fn draw<T>(
        &self,
        from: impl FnOnce(&mut OtSender, &mut OtReceiver) -> Result<T, ot::Error>,
    ) -> Result<T, Error> {
        let mut session = self.common.session.borrow_mut();
        let before = session.drawn();
        let (_, sender, receiver) = session.ot();
        let drawn = from(sender, receiver)?;
        let now = session.drawn();
        let [server, client] = [
            now.server_sends - before.server_sends,
            now.client_sends - before.client_sends,
        ];
        self.spend(Cost::none().with_cots(server, client));
        Ok(drawn)
    }

    /// Names what begins, for the ledger of the stream and for the messages of time-outs.
    pub fn enter_phase(&self, name: impl Into<Cow<'static, str>>) {
        self.common.session.borrow_mut().enter_phase(name);
    }

    /// This party's own randomness.
    pub fn with_rng<T>(&self, take: impl FnOnce(&mut dyn CryptoRng) -> T) -> T {
        take(&mut self.common.session.borrow_mut().rng)
    }

    /// What a protocol keeps in the session from run to run: [`Session::kept`].
    ///
    /// # Panics
    /// When `with` uses a party of this run.
    pub fn kept<T: Any + Send + Default, R>(&self, with: impl FnOnce(&mut T) -> R) -> R {
        with(self.common.session.borrow_mut().kept())
    }

    /// The number of the session: [`Session::id`].
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        *self.common.session.borrow().id()
    }

    /// A whole protocol that speaks on the stream by itself, between two rounds. Both parties must run the same at the same
    /// point.
    ///
    /// # Errors
    /// Those of `step`.
    ///
    /// # Panics
    /// When `step` uses a party of this run; a run of its own is [`Session::run`].
    pub fn alone<T, E>(&self, step: impl FnOnce(&mut Session) -> Result<T, E>) -> Result<T, E> {
        let mut session = self.common.session.borrow_mut();
        let mark = session.here();
        let outcome = step(&mut session)?;
        self.spend(session.since(&mark));
        Ok(outcome)
    }

    /// Two protocols side by side.
    ///
    /// # Errors
    /// The first error of either.
    pub async fn both<A, B, E>(
        &self,
        first: impl Future<Output = Result<A, E>>,
        second: impl Future<Output = Result<B, E>>,
    ) -> Result<(A, B), E> {
        let (mut first, mut second) = (pin!(first), pin!(second));
        let (mut a, mut b) = (None, None);
        std::future::poll_fn(|context| {
            advance(&mut a, first.as_mut(), context)?;
            advance(&mut b, second.as_mut(), context)?;
            match (a.take(), b.take()) {
                (Some(a), Some(b)) => Poll::Ready(Ok((a, b))),
                unfinished => {
                    (a, b) = unfinished;
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Any number of protocols side by side.
    ///
    /// # Errors
    /// The first error of any.
    pub async fn all<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        protocols: impl IntoIterator<Item = F>,
    ) -> Result<Vec<T>, E> {
        let mut live: Vec<_> = protocols
            .into_iter()
            .map(|protocol| (Box::pin(protocol), None))
            .collect();
        std::future::poll_fn(|context| {
            for (protocol, outcome) in &mut live {
                advance(outcome, protocol.as_mut(), context)?;
            }
            if live.iter().any(|(_, outcome)| outcome.is_none()) {
                return Poll::Pending;
            }
            let outcomes = live.iter_mut().filter_map(|(_, outcome)| outcome.take());
            Poll::Ready(Ok(outcomes.collect()))
        })
        .await
    }

    fn spend(&self, cost: Cost) {
        self.account.borrow_mut().before(self.round(), cost);
    }
}

/// Polls `protocol` unless it has ended.
fn advance<T, E>(
    outcome: &mut Option<T>,
    protocol: Pin<&mut impl Future<Output = Result<T, E>>>,
    context: &mut Context<'_>,
) -> Result<(), E> {
    if outcome.is_none()
        && let Poll::Ready(ended) = protocol.poll(context)
    {
        *outcome = Some(ended?);
    }
    Ok(())
}

/// Leaves a protocol until the round is over.
async fn next_round() {
    let mut over = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut over, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// A value that one protocol of a run hands to others when it is there. Clones stand for the same value.
///
/// Whoever waits and comes after the one who sets it, as the second of [`Party::both`] comes after the first, has it between the same two
/// rounds; whoever comes before has it after the next round. Both ends join them in the same order. The one who sets it must do that or
/// fail: a run in which all others wait does not end.
///
/// ```
/// use sharing::{Later, Party};
///
/// /// What the peer says first is said back to it in the next round, beside what else there is to say.
/// async fn echo(party: &Party<'_>, number: u8) -> Result<u8, sharing::Error> {
///     let heard = Later::new();
///     let says = async {
///         heard.set(party.exchange(vec![number], 1).await?[0]);
///         party.exchange(vec![number + 1], 1).await
///     };
///     let echoes = async { party.exchange(vec![*heard.wait().await], 1).await };
///     let (_, echo) = party.both(says, echoes).await?;
///     Ok(echo[0])
/// }
///
/// let end = |number| move |s: &mut sharing::Session| s.run(async |party| echo(party, number).await);
/// let (at_server, at_client, cost) = testkit::run_sessions(1, end(3), end(5));
/// assert_eq!((at_server?, at_client?), (3, 5));
/// assert_eq!(cost.flights(), 2);
/// # Ok::<(), sharing::Error>(())
/// ```
pub struct Later<T>(Rc<OnceCell<T>>);

impl<T> Later<T> {
    /// A value that is not there yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Rc::new(OnceCell::new()))
    }

    /// Hands it over.
    ///
    /// # Panics
    /// If that was done before.
    pub fn set(&self, value: T) {
        assert!(self.0.set(value).is_ok(), "a value is handed over once");
    }

    /// The value, if it is there.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// The value, after as many silent rounds as it takes.
    pub async fn wait(&self) -> &T {
        std::future::poll_fn(|_| self.get().map_or(Poll::Pending, Poll::Ready)).await
    }
}

impl<T> Clone for Later<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for Later<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Later")
            .field("is_there", &self.get().is_some())
            .finish()
    }
}

impl std::fmt::Debug for Party<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Party")
            .field("role", &self.role())
            .finish_non_exhaustive()
    }
}
