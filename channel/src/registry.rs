//! What the acceptor thread and the server's other threads share.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::greeter::{Greeter, Greeting};
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

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Session>,
    /// Sessions, and those being made.
    seats: usize,
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
    from: IpAddr,
}

struct Stranger {
    number: u64,
    socket: TcpStream,
    from: IpAddr,
}

impl State {
    /// Whether a further connection of a session at hand may come from there.
    fn expects(&self, from: IpAddr) -> bool {
        let mut sessions = self.sessions.values();
        sessions.any(|session| session.from == from && session.lanes.has_room())
    }

    /// Hangs up on the stranger who has been silent for longest of those that `which` names.
    fn evict(&mut self, which: impl Fn(&Self, &Stranger) -> bool) -> bool {
        let found = self.strangers.iter().position(|s| which(self, s));
        let evicted = found.and_then(|place| self.strangers.remove(place));
        if let Some(stranger) = &evicted {
            // The thread that reads the greeting sees it, and ends.
            drop(stranger.socket.shutdown(Shutdown::Both));
        }
        evicted.is_some()
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

    /// Takes a place among those in their greeting, and returns its number. Who has been silent for longest makes room:
    /// of the same address if that has too many, else of any, first those that belong to no session at hand.
    pub(crate) fn begin_greeting(&self, socket: TcpStream, from: IpAddr) -> u64 {
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
        let free = self.config.max_sessions - state.seats;
        let places = self.config.max_waiting.saturating_add(free);
        if state.callers.len() >= places {
            state.callers.retain(|caller| !caller.greeter.has_left());
        }
        if state.callers.len() >= places {
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
            if state.seats < self.config.max_sessions
                && let Some(caller) = state.callers.pop_front()
            {
                state.seats += 1;
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
        let free = self.config.max_sessions - state.seats;
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
    pub(crate) fn enter(&self, session: SessionId, lanes: Arc<Lanes>, from: IpAddr) {
        let session_at_hand = Session { lanes, from };
        self.lock().sessions.insert(session, session_at_hand);
    }

    /// A seat comes free.
    pub(crate) fn leave(&self, session: Option<&SessionId>) {
        let mut state = self.lock();
        if let Some(session) = session {
            state.sessions.remove(session);
        }
        state.seats -= 1;
        drop(state);
        self.arrived.notify_one();
    }

    pub(crate) fn lanes(&self, session: &SessionId) -> Option<Arc<Lanes>> {
        let state = self.lock();
        let session = state.sessions.get(session)?;
        Some(Arc::clone(&session.lanes))
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
        state.abandoned && state.seats == 0
    }
}
