//! The sessions at hand, and the end of all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel::{Connection, ListenerHandle};

use crate::ClientKey;

/// The sessions at hand.
#[derive(Default)]
pub(super) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    stopping: bool,
    /// The number of the last one, and of the last listener.
    last: u64,
    last_listener: u64,
    running: BTreeMap<u64, (ClientKey, Connection)>,
    /// Those from which clients come.
    listeners: BTreeMap<u64, ListenerHandle>,
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
        state.running.insert(number, (client, connection.clone()));
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
        let of = |(key, _): &&(ClientKey, Connection)| client.is_none_or(|client| *key == client);
        state.running.values().filter(of).count()
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

    pub(super) fn cut(&self) {
        let running: Vec<Connection> = {
            let state = self.lock();
            let connections = state.running.values().map(|(_, connection)| connection);
            connections.cloned().collect()
        };
        for connection in running {
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
