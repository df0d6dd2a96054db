//! What the acceptor thread and the server's other threads share.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Digest;
use crate::greeter::{Greeter, Greeting};
use crate::guard::PeerIdentity;
use crate::handshake::{Answer, Hello};
use crate::lanes::Lanes;
use crate::{Config, Error, SessionId};

/// Failed greetings kept for `accept` to report; older ones are forgotten.
const ERRORS_KEPT: usize = 16;
/// How often a client in line is told its place: before anything between the parties takes the connection for dead.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Somebody who greeted for a session and waits for `accept`.
pub(crate) struct Caller {
    pub(crate) greeter: Greeter,
    pub(crate) greeting: Greeting,
    pub(crate) peer: SocketAddr,
}

impl Caller {
    fn origin(&self) -> Origin {
        Origin::of(self.greeter.identity.as_ref(), self.peer.ip())
    }

    fn tell(&self, hello: &Hello) -> bool {
        self.greeter.tell(hello, self.greeting.version)
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

/// Whom a place is counted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// Where a guard knows it.
    Identity(Digest),
    /// As [`network`] has it.
    Network(IpAddr),
}

impl Origin {
    pub(crate) fn of(identity: Option<&PeerIdentity>, from: IpAddr) -> Self {
        match identity {
            Some(identity) => Self::Identity(identity.key),
            None => Self::Network(network(from)),
        }
    }
}

/// What of an address stands for a party: of IPv6 the first 64 bits, as who has one address there has them all.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(network).into()
        }
        v4 => v4,
    }
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Session>,
    /// Whose the sessions are, those being made and those not yet ended included.
    seats: Vec<Origin>,
    callers: VecDeque<Caller>,
    errors: VecDeque<Error>,
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

    /// The next caller: the one who came first of those whose origin has the fewest seats, so that none keeps the others
    /// waiting.
    fn next_in_line(&mut self) -> Option<Caller> {
        let seats = |from: Origin| self.seats.iter().filter(|&&seat| seat == from).count();
        let callers = self.callers.iter().enumerate();
        let (place, _) = callers.min_by_key(|(_, caller)| seats(caller.origin()))?;
        self.callers.remove(place)
    }

    /// Refuses the last caller of the origin that has most of them, if that has at least two more than `from`.
    fn make_room_in_line(&mut self, from: Origin) -> bool {
        let count = |from: Origin| {
            let callers = self.callers.iter();
            callers.filter(|caller| caller.origin() == from).count()
        };
        let callers = self.callers.iter().enumerate();
        let last = callers.max_by_key(|(_, caller)| count(caller.origin()));
        let last = last.filter(|(_, caller)| count(caller.origin()) > count(from) + 1);
        let last = last.map(|(place, _)| place);
        let refused = last.and_then(|place| self.callers.remove(place));
        if let Some(caller) = &refused {
            caller.tell(&Hello::Answer(Answer::TooManySessions));
        }
        refused.is_some()
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
    pub(crate) fn line_up(&self, caller: Caller) -> Result<(), (Box<Caller>, Answer)> {
        let mut state = self.lock();
        if state.closed {
            return Err((Box::new(caller), Answer::Closing));
        }
        let free = self.config.max_sessions - state.seats.len();
        let places = self.config.max_waiting.saturating_add(free);
        if state.callers.len() >= places {
            state.callers.retain(|caller| !caller.greeter.has_left());
        }
        if state.callers.len() >= places && !state.make_room_in_line(caller.origin()) {
            return Err((Box::new(caller), Answer::TooManySessions));
        }
        state.callers.push_back(caller);
        drop(state);
        self.arrived.notify_one();
        self.line_moved.notify_all();
        Ok(())
    }

    pub(crate) fn report(&self, error: Error) {
        let mut state = self.lock();
        if state.errors.len() == ERRORS_KEPT {
            state.errors.pop_front();
        }
        state.errors.push_back(error);
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits for a caller and a seat for it, or for news of one that failed. The seat is the caller's, until
    /// [`Registry::leave`].
    pub(crate) fn next_caller(&self) -> Result<Caller, Error> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Error::ListenerClosed);
            }
            if state.seats.len() < self.config.max_sessions
                && let Some(caller) = state.next_in_line()
            {
                state.seats.push(caller.origin());
                drop(state);
                self.line_moved.notify_all();
                return Ok(caller);
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
        let free = self.config.max_sessions - state.seats.len();
        let mut place = 0_u32;
        let mut left = 0;
        state.callers.retain(|caller| {
            let ahead = place;
            place += 1;
            let stays = usize::try_from(ahead).is_ok_and(|ahead| ahead < free)
                || !caller.greeter.has_left() && caller.tell(&Hello::Waiting { ahead });
            if !stays {
                place -= 1;
                left += 1;
            }
            stays
        });
        let nobody = state.callers.len() <= free;
        let pause = if nobody { Duration::MAX } else { TELL_AGAIN };
        if !state.closed && left == 0 {
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

    /// A seat comes free.
    pub(crate) fn leave(&self, from: Origin) {
        let mut state = self.lock();
        let seat = state.seats.iter().position(|&seat| seat == from);
        state.seats.swap_remove(seat.expect("it was taken"));
        drop(state);
        self.arrived.notify_one();
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
        for caller in state.callers.drain(..) {
            caller.tell(&Hello::Answer(Answer::Closing));
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
        state.abandoned && state.seats.is_empty()
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
        let hello = Hello::Answer(Answer::Welcome).encode(1);
        std::io::Write::write_all(&mut client, &hello).expect("written");
        let (socket, _) = listener.accept().expect("accept");
        let deadline = Deadline::after(Duration::from_secs(5));
        let mut greeter = Greeter::new(Box::new(socket), None, None, deadline);
        let greeting = greeter.hear().expect("a greeting");
        // It stays in line.
        std::mem::forget(client);
        let peer = SocketAddr::from((from, number));
        Caller {
            greeter,
            greeting,
            peer,
        }
    }

    #[test]
    fn an_identity_goes_before_its_address_and_an_address_is_a_network() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let identity = |key| PeerIdentity {
            key: [key; 32],
            name: String::new(),
        };
        let here = address("10.0.0.1");
        assert_eq!(
            Origin::of(Some(&identity(1)), here),
            Origin::of(Some(&identity(1)), address("10.0.0.2"))
        );
        assert_ne!(
            Origin::of(Some(&identity(1)), here),
            Origin::of(Some(&identity(2)), here)
        );
        assert_ne!(
            Origin::of(None, here),
            Origin::of(None, address("10.0.0.2"))
        );
        assert_eq!(
            Origin::of(None, here),
            Origin::of(None, address("::ffff:10.0.0.1"))
        );
        let six = Origin::of(None, address("2001:db8:1:2:3::1"));
        assert_eq!(six, Origin::of(None, address("2001:db8:1:2:ffff::9")));
        assert_ne!(six, Origin::of(None, address("2001:db8:1:3:3::1")));
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
            outcome.map_err(|(_, answer)| answer)
        };
        for number in 1..=5 {
            line_up(greedy, number).expect("there is room");
        }
        assert_eq!(line_up(greedy, 6), Err(Answer::TooManySessions));
        // It takes the places of the last of the greedy, as long as those have more.
        for number in 1..=2 {
            line_up(other, number).expect("room is made");
        }
        assert_eq!(line_up(other, 3), Err(Answer::TooManySessions));
        let next = || registry.next_caller().expect("somebody").peer;
        assert_eq!(next(), SocketAddr::from((greedy, 1)));
        assert_eq!(next(), SocketAddr::from((other, 1)));
        registry.leave(Origin::Network(other.into()));
        assert_eq!(next(), SocketAddr::from((other, 2)));
        registry.leave(Origin::Network(greedy.into()));
        assert_eq!(next(), SocketAddr::from((greedy, 2)));
    }
}
