//! What the acceptor thread and the server's other threads share.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::greeter::{Greeter, Greeting};
use crate::handshake::Answer;
use crate::{Config, Error, SessionId};

/// Failed greetings kept for `accept` to report; older ones are forgotten.
const ERRORS_KEPT: usize = 16;

/// Somebody who greeted for a session and waits for `accept`.
pub(crate) struct Caller {
    pub(crate) greeter: Greeter,
    pub(crate) greeting: Greeting,
    pub(crate) peer: SocketAddr,
}

/// Sessions at hand and callers waiting.
pub(crate) struct Registry {
    pub(crate) config: Config,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Arc<Mailbox>>,
    callers: VecDeque<Caller>,
    errors: VecDeque<Error>,
    /// Connections whose greeting is being read.
    greeting: usize,
    closed: bool,
    abandoned: bool,
}

impl Registry {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves one of the places for connections in their greeting.
    pub(crate) fn begin_greeting(&self) -> bool {
        let mut state = self.lock();
        let free = state.greeting < self.config.max_pending;
        state.greeting += usize::from(free);
        free
    }

    /// Gives the place back.
    pub(crate) fn end_greeting(&self) {
        self.lock().greeting -= 1;
    }

    /// Lines up a caller, or gives it back with the reason why not.
    pub(crate) fn line_up(&self, caller: Caller) -> Result<(), (Caller, Answer)> {
        let mut state = self.lock();
        if state.closed {
            return Err((caller, Answer::Closing));
        }
        if state.callers.len() >= self.config.max_pending {
            return Err((caller, Answer::TooManySessions));
        }
        state.callers.push_back(caller);
        drop(state);
        self.arrived.notify_one();
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

    /// Waits for a caller, or for news of one that failed.
    pub(crate) fn next_caller(&self) -> Result<Caller, Error> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Error::ListenerClosed);
            }
            if let Some(caller) = state.callers.pop_front() {
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

    /// A mailbox for a new session, unless there are too many.
    pub(crate) fn admit(&self, session: SessionId) -> Option<Arc<Mailbox>> {
        let mut state = self.lock();
        if state.sessions.len() >= self.config.max_sessions {
            return None;
        }
        let mailbox = Arc::<Mailbox>::default();
        state.sessions.insert(session, Arc::clone(&mailbox));
        Some(mailbox)
    }

    pub(crate) fn dismiss(&self, session: &SessionId) {
        self.lock().sessions.remove(session);
    }

    pub(crate) fn mailbox(&self, session: &SessionId) -> Option<Arc<Mailbox>> {
        self.lock().sessions.get(session).cloned()
    }

    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.callers.clear();
        state.errors.clear();
        drop(state);
        self.arrived.notify_all();
    }

    /// Nobody will call `accept` any more.
    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
    }

    /// Whether the acceptor has nothing left to do.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.lock();
        state.abandoned && state.sessions.is_empty()
    }
}

/// Streams of one session that have arrived.
#[derive(Default)]
pub(crate) struct Mailbox {
    state: Mutex<Streams>,
    arrived: Condvar,
}

#[derive(Default)]
struct Streams {
    waiting: HashMap<u32, TcpStream>,
    /// Every number that ever came.
    seen: HashSet<u32>,
    taken: usize,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a stream is welcome: its number is new, and fewer than `limit` others wait.
    pub(crate) fn announce(&self, stream: u32, limit: usize) -> Answer {
        let mut state = self.lock();
        if state.seen.contains(&stream) {
            return Answer::StreamTaken;
        }
        if state.seen.len() - state.taken >= limit {
            return Answer::TooManyStreams;
        }
        state.seen.insert(stream);
        Answer::Welcome
    }

    /// Puts in a stream that was welcome.
    pub(crate) fn put(&self, stream: u32, socket: TcpStream) {
        self.lock().waiting.insert(stream, socket);
        self.arrived.notify_all();
    }

    /// Waits until a stream is in.
    pub(crate) fn take(&self, stream: u32, timeout: Duration) -> Result<TcpStream, Error> {
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(self.lock(), timeout, |state| {
                !state.waiting.contains_key(&stream)
            })
            .unwrap_or_else(PoisonError::into_inner);
        let late = || Error::Timeout {
            phase: format!("opening stream {stream}"),
            after: timeout,
        };
        let socket = state.waiting.remove(&stream).ok_or_else(late)?;
        state.taken += 1;
        Ok(socket)
    }
}
