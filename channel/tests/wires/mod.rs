//! A wire in memory that holds few bytes and moves them in small pieces.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Result as IoResult};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use channel::{Config, Connection, Ready, Role, Wire};

/// One end; the other has the same state and the other number.
pub(crate) struct Trickle {
    line: Arc<Line>,
    end: usize,
}

struct Line {
    /// What each end has written and the other not yet read.
    ways: Mutex<[Way; 2]>,
    moved: Condvar,
    capacity: usize,
    /// The most bytes that one call moves.
    piece: usize,
}

#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    ended: bool,
    cut: bool,
}

/// Both ends.
pub(crate) fn trickle(capacity: usize, piece: usize) -> (Trickle, Trickle) {
    let line = Arc::new(Line {
        ways: Mutex::default(),
        moved: Condvar::new(),
        capacity,
        piece,
    });
    let end = |end| Trickle {
        line: Arc::clone(&line),
        end,
    };
    (end(0), end(1))
}

/// A connection over such a wire, both ends.
pub(crate) fn multiplexed(capacity: usize, piece: usize) -> (Connection, Connection) {
    let (server, client) = trickle(capacity, piece);
    let over = |role, wire| {
        let config = Config::default();
        Connection::multiplex(role, [7; 16], "a wire", &config, wire).expect("it starts")
    };
    (over(Role::Server, server), over(Role::Client, client))
}

impl Trickle {
    fn lock(&self) -> MutexGuard<'_, [Way; 2]> {
        self.line.ways.lock().expect("nobody panics here")
    }

    fn ready(&self, ways: &[Way; 2]) -> Ready {
        let (ours, theirs) = (&ways[self.end], &ways[1 - self.end]);
        Ready {
            read: theirs.cut || theirs.ended || !theirs.bytes.is_empty(),
            write: ours.cut || ours.bytes.len() < self.line.capacity,
        }
    }
}

impl Wire for Trickle {
    fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        let mut ways = self.lock();
        let way = &mut ways[1 - self.end];
        if way.bytes.is_empty() {
            let over = way.ended || way.cut;
            return if over {
                Ok(0)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
        }
        let room: usize = out.iter().map(|slice| slice.len()).sum();
        let count = way.bytes.len().min(self.line.piece).min(room);
        let mut bytes = way.bytes.drain(..count);
        for (to, from) in out
            .iter_mut()
            .flat_map(|slice| slice.iter_mut())
            .zip(&mut bytes)
        {
            *to = from;
        }
        drop(bytes);
        drop(ways);
        self.line.moved.notify_all();
        Ok(count)
    }

    fn try_write(&self, bytes: &[IoSlice<'_>]) -> IoResult<usize> {
        let mut ways = self.lock();
        let way = &mut ways[self.end];
        if way.cut || way.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = self.line.capacity - way.bytes.len();
        let all = bytes.iter().flat_map(|slice| slice.iter());
        let before = way.bytes.len();
        way.bytes.extend(all.take(room.min(self.line.piece)));
        let count = way.bytes.len() - before;
        drop(ways);
        self.line.moved.notify_all();
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(count)
    }

    fn wait(&self, wanted: Ready, timeout: Duration) -> IoResult<Ready> {
        let vain = |ways: &mut [Way; 2]| {
            let ready = self.ready(ways);
            !(wanted.read && ready.read || wanted.write && ready.write)
        };
        let waited = self
            .line
            .moved
            .wait_timeout_while(self.lock(), timeout, vain);
        let (ways, _) = waited.expect("nobody panics here");
        Ok(self.ready(&ways))
    }

    fn end(&self) {
        self.lock()[self.end].ended = true;
        self.line.moved.notify_all();
    }

    fn cut(&self) {
        for way in self.lock().iter_mut() {
            way.cut = true;
        }
        self.line.moved.notify_all();
    }
}
