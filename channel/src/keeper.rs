//! The small thread beside a lane: it sends what nobody waits for.
//!
//! Signs of life when nothing else is sent, grants that found the lane full, and the end of a lane that nobody uses any
//! more. It never reads while anybody else may, and ends with the lane.

use std::io::{IoSliceMut, Result as IoResult};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::listener::Seat;
use crate::mux::Mux;
use crate::wire::Ready;

/// How long a lane that nobody uses any more waits for the peer to take what was sent: in all,
const LINGER: Duration = Duration::from_secs(10);
/// and without any sign of life.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the thread waits for a full lane before it looks whether it is still needed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The same for a lane that this party has left.
const BRIEFLY: Duration = Duration::from_millis(10);
/// It calls nothing deep.
const STACK: usize = 128 << 10;

/// What the keeper sleeps on.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

/// What the keeper is wanted for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Rung {
    /// Something is owed that the lane did not take.
    owed: bool,
    /// Nobody uses the lane any more.
    over: bool,
}

impl Bell {
    /// Something is owed.
    pub(crate) fn ring(&self) {
        self.change(|rung| rung.owed = true);
    }

    /// Nobody uses the lane any more.
    pub(crate) fn ring_out(&self) {
        self.change(|rung| rung.over = true);
    }

    fn change(&self, change: impl FnOnce(&mut Rung)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        drop(state);
        self.rung.notify_all();
    }

    /// Sleeps until it rings, or for so long.
    fn listen(&self, timeout: Duration) -> Rung {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = |rung: &mut Rung| *rung == Rung::default();
        let woken = self.rung.wait_timeout_while(state, timeout, silent);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        let rung = *state;
        state.owed = false;
        rung
    }
}

/// Starts the thread of a lane that shows life so often. At a server the session keeps its seat until the last lane has ended.
pub(crate) fn keep(mux: Arc<Mux>, keep_alive: Duration, seat: Option<Arc<Seat>>) -> IoResult<()> {
    let keep = move || {
        run(&mux, keep_alive);
        drop(mux);
        drop(seat);
    };
    Builder::new()
        .name("lane".to_owned())
        .stack_size(STACK)
        .spawn(keep)
        .map(drop)
}

fn run(mux: &Mux, keep_alive: Duration) {
    // Twice as often, as it finds out only afterwards that nothing was sent.
    let pause = (keep_alive / 2).max(Duration::from_millis(1));
    loop {
        let rung = mux.bell.listen(pause);
        if let Some(until) = mux.leaving() {
            return leave(mux, until);
        }
        if mux.is_lost() {
            return;
        }
        if rung.over {
            return linger(mux);
        }
        if rung.owed {
            wait(mux, true, LOOK_AGAIN);
            mux.flush();
        } else {
            mux.show_life();
        }
    }
}

/// Delivers what was sent, and then takes what still comes: a system that closes a socket with unread bytes in it
/// forgets the bytes that it had still to send.
fn linger(mux: &Mux) {
    let end = Instant::now() + LINGER;
    while !mux.flush() && Instant::now() < end {
        wait(mux, true, LOOK_AGAIN);
    }
    mux.wire().end();
    let mut rest = [0; 4096];
    let mut silent_since = Instant::now();
    while silent_since.elapsed() < SILENCE && Instant::now() < end {
        wait(mux, false, LOOK_AGAIN);
        match mux.wire().try_read(&mut [IoSliceMut::new(&mut rest)]) {
            Ok(1..) => silent_since = Instant::now(),
            Err(error) if is_early(&error) => {}
            Ok(0) | Err(_) => break,
        }
    }
    mux.wire().cut();
}

/// The same where this party has left and may still use the lane: until then, or until the peer is gone.
fn leave(mux: &Mux, until: Instant) {
    while !mux.is_flushed() && Instant::now() < until {
        wait(mux, true, BRIEFLY);
    }
    mux.wire().end();
    while Instant::now() < until && mux.take_rest(BRIEFLY) {}
    mux.cut();
}

fn is_early(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), Interrupted | WouldBlock)
}

fn wait(mux: &Mux, write: bool, timeout: Duration) {
    let wanted = Ready {
        read: !write,
        write,
    };
    // An error shows again in the call that follows.
    drop(mux.wire().wait(wanted, timeout));
}
