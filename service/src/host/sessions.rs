//! The sessions at hand, and the end of all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use channel::{Connection, Leave, ListenerHandle};

use super::status::SessionStatus;
use crate::ClientKey;

/// How long a client that is cut has time to hear why.
const TO_HEAR: Duration = Duration::from_secs(1);

/// The sessions at hand.
#[derive(Default)]
pub(super) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    stopping: bool,
    /// The number of the last one, and of the last listener.
    last: u64,
    last_listener: u64,
    running: BTreeMap<u64, Running>,
    /// Those from which clients come.
    listeners: BTreeMap<u64, ListenerHandle>,
}

struct Running {
    client: ClientKey,
    connection: Connection,
    since: Instant,
    /// Images that were begun.
    images: u64,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins; it ends with the value.
    pub(super) fn enter(&self, client: ClientKey, connection: &Connection) -> Entered<'_> {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        let running = Running {
            client,
            connection: connection.clone(),
            since: Instant::now(),
            images: 0,
        };
        state.running.insert(number, running);
        Entered {
            sessions: self,
            number,
            is_listener: false,
        }
    }

    /// A listener begins, and is closed by [`Sessions::stop`], until the value is dropped.
    pub(super) fn listen(&self, handle: ListenerHandle) -> Entered<'_> {
        let mut state = self.lock();
        if state.stopping {
            handle.close();
        }
        state.last_listener += 1;
        let number = state.last_listener;
        state.listeners.insert(number, handle);
        Entered {
            sessions: self,
            number,
            is_listener: true,
        }
    }

    pub(super) fn count(&self, client: Option<ClientKey>) -> usize {
        let state = self.lock();
        let of = |running: &&Running| client.is_none_or(|client| running.client == client);
        state.running.values().filter(of).count()
    }

    /// So many images of a session have begun.
    pub(super) fn image(&self, session: u64, number: u64) {
        if let Some(running) = self.lock().running.get_mut(&session) {
            running.images = number;
        }
    }

    /// Each session, the oldest first.
    pub(super) fn status(&self) -> Vec<SessionStatus> {
        let of = |running: &Running| {
            let identity = running.connection.peer_identity();
            let name = identity.map(|identity| identity.name.as_str());
            SessionStatus {
                client: name.unwrap_or(running.connection.peer()).to_owned(),
                since_s: running.since.elapsed().as_secs(),
                images: running.images,
            }
        };
        self.lock().running.values().map(of).collect()
    }

    /// Clients in the lines of listeners: all, and those of them who are urgent.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        let busy = state.listeners.values().map(ListenerHandle::busy);
        busy.fold((0, 0), |(all, urgent), busy| {
            (all + busy.waiting, urgent + busy.urgent)
        })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.listeners.values().for_each(ListenerHandle::close);
    }

    /// All at once, so that one that takes nothing does not keep the others waiting.
    pub(super) fn cut(&self, why: Leave) {
        let running: Vec<Connection> = {
            let state = self.lock();
            let running = state.running.values();
            running.map(|running| running.connection.clone()).collect()
        };
        for connection in &running {
            connection.leave(why, TO_HEAR);
        }
        for connection in running {
            while !connection.has_left() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // What it returns says that it was cut.
            let _ = connection.close(Duration::ZERO);
        }
    }
}

/// A session or a listener, until it is dropped.
pub(super) struct Entered<'a> {
    sessions: &'a Sessions,
    number: u64,
    is_listener: bool,
}

impl Entered<'_> {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut state = self.sessions.lock();
        if self.is_listener {
            state.listeners.remove(&self.number);
            return;
        }
        let session = state.running.remove(&self.number);
        drop(state);
        // The last handle of a connection does more when it goes.
        drop(session);
    }
}
