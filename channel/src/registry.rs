//! What the acceptor thread and the server's other threads share.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::admission::{Admitted, Refusal};
use crate::error::Digest;
use crate::greeter::{Greeter, Greeting};
use crate::guard::PeerIdentity;
use crate::handshake::Hello;
use crate::lanes::Lanes;
use crate::origin::{Origin, network};
use crate::seats::Seats;
use crate::turns::Turns;
use crate::{Busy, Config, Error, SessionId, TurnedAway, Waiting};

/// Failed greetings kept for `accept` to report; older ones are forgotten.
const ERRORS_KEPT: usize = 16;
/// What those hear who come too late.
const CLOSING: &str = "it is closing";
/// How often a client in line is told its place: before anything between the parties takes the connection for dead.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Somebody who greeted for a session and waits for `accept`.
pub(crate) struct Caller {
    pub(crate) greeter: Greeter,
    pub(crate) greeting: Greeting,
    pub(crate) peer: SocketAddr,
    pub(crate) admitted: Admitted,
    /// It does not take what it is told.
    deaf: Cell<bool>,
}

impl Caller {
    pub(crate) fn new(
        greeter: Greeter,
        greeting: Greeting,
        peer: SocketAddr,
        admitted: Admitted,
    ) -> Self {
        Self {
            greeter,
            greeting,
            peer,
            admitted,
            deaf: Cell::new(false),
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::of(self.greeter.identity.as_ref(), self.peer.ip())
    }

    /// Whether it waits still.
    fn stays(&self) -> bool {
        !self.deaf.get() && !self.greeter.has_left()
    }

    fn tell(&self, hello: &Hello, version: u32) {
        if !self.greeter.tell(hello, version) {
            self.deaf.set(true);
        }
    }

    /// It is refused after it was in line.
    fn send_away(self, refusal: Refusal, version: u32) -> TurnedAway {
        let reason = refusal.reason().to_owned();
        self.tell(&Hello::Refusal(refusal), version);
        TurnedAway {
            peer: Some(self.peer),
            identity: self.greeter.identity.map(Box::new),
            error: Error::NotAdmitted { reason },
        }
    }
}

/// Sessions at hand, callers in line, and strangers who have not greeted yet.
pub(crate) struct Registry {
    pub(crate) config: Config,
    state: Mutex<State>,
    /// There is something new for `accept`.
    arrived: Condvar,
    /// There is something new for the line.
    line_moved: Condvar,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Session>,
    /// Whose the sessions are, those being made and those not yet ended included.
    seats: Seats,
    line: Turns<Caller>,
    errors: VecDeque<TurnedAway>,
    /// Ours, once `accept` was called: whoever speaks another hears which.
    version: Option<u32>,
    /// Those whose greeting is being read, the oldest first.
    strangers: VecDeque<Stranger>,
    /// The number of the next stranger.
    next: u64,
    closed: bool,
    abandoned: bool,
}

struct Session {
    lanes: Arc<Lanes>,
    identity: Option<Digest>,
    /// The network.
    from: IpAddr,
}

struct Stranger {
    number: u64,
    socket: TcpStream,
    /// The network: nobody knows yet who it is.
    from: IpAddr,
}

impl State {
    /// Whether a further connection of a session at hand may come from there.
    fn expects(&self, from: IpAddr) -> bool {
        let mut sessions = self.sessions.values();
        sessions.any(|session| session.from == from && session.lanes.has_room())
    }

    /// Hangs up on the oldest stranger of those that `which` names.
    fn evict(&mut self, which: impl Fn(&Self, &Stranger) -> bool) -> bool {
        let found = self.strangers.iter().position(|s| which(self, s));
        let evicted = found.and_then(|place| self.strangers.remove(place));
        if let Some(stranger) = &evicted {
            // The thread that reads the greeting sees it, and ends.
            drop(stranger.socket.shutdown(Shutdown::Both));
        }
        evicted.is_some()
    }

    /// Kept for `accept` to report.
    fn report(&mut self, error: TurnedAway) {
        if self.errors.len() == ERRORS_KEPT {
            self.errors.pop_front();
        }
        self.errors.push_back(error);
    }

    /// Why there is no place in line, and how long it takes until all those in it have been served.
    fn crowded(&self, places: usize) -> Refusal {
        let forecast = self.line.forecast(&self.seats, places, Instant::now());
        let wait = forecast.last().and_then(|(_, place)| place.wait);
        Refusal::new("too many clients wait already", wait)
    }
}

impl Registry {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            state: Mutex::default(),
            arrived: Condvar::new(),
            line_moved: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place among those in their greeting, and returns its number. The oldest makes room:
    /// of the same address if that has too many, else of any, first those that belong to no session at hand.
    pub(crate) fn begin_greeting(&self, socket: TcpStream, from: IpAddr) -> u64 {
        let from = network(from);
        let mut state = self.lock();
        let of_address = state.strangers.iter().filter(|s| s.from == from).count();
        if of_address >= self.config.max_pending_per_address {
            state.evict(|_, stranger| stranger.from == from);
        } else if state.strangers.len() >= self.config.max_pending {
            let _ = state.evict(|state, stranger| !state.expects(stranger.from))
                || state.evict(|_, _| true);
        }
        let number = state.next;
        state.next += 1;
        state.strangers.push_back(Stranger {
            number,
            socket,
            from,
        });
        number
    }

    /// Gives the place back; false if it was lost meanwhile.
    pub(crate) fn end_greeting(&self, number: u64) -> bool {
        let mut state = self.lock();
        let place = state.strangers.iter().position(|s| s.number == number);
        place.and_then(|p| state.strangers.remove(p)).is_some()
    }

    /// Lines up a caller, or gives it back with the reason why not.
    pub(crate) fn line_up(&self, caller: Caller) -> Result<(), (Box<Caller>, Refusal)> {
        let mut state = self.lock();
        if state.closed {
            return Err((Box::new(caller), Refusal::new(CLOSING, None)));
        }
        let seats = self.config.max_sessions;
        let free = seats.saturating_sub(state.seats.total());
        let places = self.config.max_waiting.saturating_add(free);
        let (urgent, origin) = (caller.admitted.urgent, caller.origin());
        if state.line.len() >= places {
            state.line.retain(Caller::stays);
        }
        if state.line.len() >= places {
            let refusal = state.crowded(seats);
            let Some(gone) = state.line.make_room(urgent, origin) else {
                return Err((Box::new(caller), refusal));
            };
            let version = state.version.unwrap_or(gone.greeting.version);
            let gone = gone.send_away(refusal, version);
            state.report(gone);
        }
        let most = caller.admitted.sessions;
        state.line.push(urgent, origin, most, caller);
        drop(state);
        self.arrived.notify_one();
        self.line_moved.notify_all();
        Ok(())
    }

    pub(crate) fn report(&self, error: TurnedAway) {
        self.lock().report(error);
        self.arrived.notify_one();
    }

    /// Waits for a caller and a seat for it, or for news of one that failed. The seat is the caller's from the moment that is
    /// returned, until [`Registry::leave`].
    pub(crate) fn next_caller(&self, version: u32) -> Result<(Caller, Instant), TurnedAway> {
        let mut state = self.lock();
        state.version = Some(version);
        loop {
            if state.closed {
                return Err(Error::ListenerClosed.into());
            }
            let State { line, seats, .. } = &mut *state;
            if seats.total() < self.config.max_sessions
                && let Some(caller) = line.next(seats)
            {
                let now = Instant::now();
                seats.take(caller.origin(), now);
                drop(state);
                self.line_moved.notify_all();
                return Ok((caller, now));
            }
            if let Some(error) = state.errors.pop_front() {
                return Err(error);
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells those in line who have no seat their places, once there are any, and after a pause or when the line moves again;
    /// false once the listener is closed.
    pub(crate) fn attend_line(&self) -> bool {
        let mut state = self.lock();
        state.line.retain(Caller::stays);
        let State { line, seats, .. } = &*state;
        let mut nobody = true;
        for (caller, place) in line.forecast(seats, self.config.max_sessions, Instant::now()) {
            if place.now {
                continue;
            }
            nobody = false;
            let waiting = Waiting {
                ahead: u32::try_from(place.ahead).unwrap_or(u32::MAX),
                wait: place.wait,
                urgent: caller.admitted.urgent,
            };
            let version = state.version.unwrap_or(caller.greeting.version);
            caller.tell(&Hello::Waiting(waiting), version);
        }
        let gone = state.line.retain(|caller| !caller.deaf.get());
        let pause = if nobody { Duration::MAX } else { TELL_AGAIN };
        if !state.closed && gone == 0 {
            let woken = self.line_moved.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.closed
    }

    /// The session of a caller with a seat is made.
    pub(crate) fn enter(
        &self,
        session: SessionId,
        lanes: Arc<Lanes>,
        identity: Option<PeerIdentity>,
        from: IpAddr,
    ) {
        let session_at_hand = Session {
            lanes,
            identity: identity.map(|identity| identity.key),
            from: network(from),
        };
        self.lock().sessions.insert(session, session_at_hand);
    }

    /// The session is over for this party.
    pub(crate) fn dismiss(&self, session: &SessionId) {
        let removed = self.lock().sessions.remove(session);
        // Its seat may come free now, which asks for the lock.
        drop(removed);
    }

    /// A seat that was taken at a moment comes free; whether there was a session.
    pub(crate) fn leave(&self, from: Origin, taken: Instant, session: bool) {
        let mut state = self.lock();
        state.seats.free(from, taken, session, Instant::now());
        drop(state);
        self.arrived.notify_one();
    }

    /// Ours, once it is known.
    pub(crate) fn version(&self) -> Option<u32> {
        self.lock().version
    }

    /// How busy the listener is.
    pub(crate) fn busy(&self) -> Busy {
        let state = self.lock();
        Busy {
            sessions: state.seats.total(),
            waiting: state.line.len(),
            urgent: state.line.count(true),
            mean_session: state.seats.mean(),
        }
    }

    /// The lanes of a session, for a further connection with this identity.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], or [`Error::OtherIdentity`] if it is somebody else's.
    pub(crate) fn lanes(
        &self,
        session: &SessionId,
        identity: Option<&PeerIdentity>,
    ) -> Result<Arc<Lanes>, Error> {
        let state = self.lock();
        let session = state.sessions.get(session).ok_or(Error::UnknownSession)?;
        if session.identity != identity.map(|identity| identity.key) {
            return Err(Error::OtherIdentity);
        }
        Ok(Arc::clone(&session.lanes))
    }

    /// Takes no more sessions, and says so to those in line.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let version = state.version;
        for caller in state.line.drain() {
            let version = version.unwrap_or(caller.greeting.version);
            caller.send_away(Refusal::new(CLOSING, None), version);
        }
        state.errors.clear();
        drop(state);
        self.arrived.notify_all();
        self.line_moved.notify_all();
    }

    /// Nobody will call `accept` any more.
    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
    }

    /// Whether the acceptor has nothing left to do.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.lock();
        state.abandoned && state.seats.total() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Deadline;
    use std::net::TcpListener;

    /// A caller who says to come from there.
    fn caller(listener: &TcpListener, from: [u8; 4], number: u16) -> Caller {
        let address = listener.local_addr().expect("bound");
        let mut client = TcpStream::connect(address).expect("connect");
        let hello = Hello::Refusal(Refusal::new("", None)).encode(1);
        std::io::Write::write_all(&mut client, &hello).expect("written");
        let (socket, _) = listener.accept().expect("accept");
        let deadline = Deadline::after(Duration::from_secs(5));
        let mut greeter = Greeter::new(Box::new(socket), None, None, deadline);
        let greeting = greeter.hear().expect("a greeting");
        // It stays in line.
        std::mem::forget(client);
        let peer = SocketAddr::from((from, number));
        Caller::new(greeter, greeting, peer, Admitted::default())
    }

    #[test]
    fn no_address_keeps_the_others_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let registry = Registry::new(Config {
            max_sessions: 2,
            max_waiting: 3,
            ..Config::default()
        });
        let [greedy, other] = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let line_up = |from, number| {
            let outcome = registry.line_up(caller(&listener, from, number));
            outcome.map_err(|(_, refusal)| refusal.reason().to_owned())
        };
        for number in 1..=5 {
            line_up(greedy, number).expect("there is room");
        }
        assert_eq!(
            line_up(greedy, 6),
            Err("too many clients wait already".to_owned())
        );
        // It takes the places of the last of the greedy, as long as those have more.
        for number in 1..=2 {
            line_up(other, number).expect("room is made");
        }
        assert_eq!(
            line_up(other, 3),
            Err("too many clients wait already".to_owned())
        );
        let next = || {
            let (caller, taken) = registry.next_caller(1).expect("somebody");
            (caller.peer, taken)
        };
        let (first, taken) = next();
        assert_eq!(first, SocketAddr::from((greedy, 1)));
        let (second, taken_second) = next();
        assert_eq!(second, SocketAddr::from((other, 1)));
        registry.leave(Origin::Network(other.into()), taken_second, true);
        assert_eq!(next().0, SocketAddr::from((other, 2)));
        registry.leave(Origin::Network(greedy.into()), taken, true);
        assert_eq!(next().0, SocketAddr::from((greedy, 2)));
        // Those who were pushed out of the line are known.
        assert_eq!(registry.busy().waiting, 1);
        let gone = || registry.next_caller(1).map(drop).expect_err("pushed out");
        for number in [5, 4] {
            let TurnedAway { peer, error, .. } = gone();
            assert_eq!(peer, Some(SocketAddr::from((greedy, number))));
            assert!(matches!(error, Error::NotAdmitted { .. }), "{error:?}");
        }
    }
}
