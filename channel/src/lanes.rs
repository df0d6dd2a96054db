//! The lanes of one session, and the streams on them: stream s travels on lane s mod lanes.

use std::io::{Error as IoError, Result as IoResult};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::duplex::Duplex;
use crate::frame::{FIRST_WINDOW, MAX_STREAMS};
use crate::handshake::Answer;
use crate::leave::Leave;
use crate::listener::Seat;
use crate::mux::Mux;
use crate::wire::Wire;
use crate::{Error, Progress, keeper};

/// All lanes of a session. A lane may come later than the session.
pub(crate) struct Lanes {
    state: Mutex<State>,
    arrived: Condvar,
    keep_alive: Duration,
    progress: Arc<Progress>,
    /// At a server over TCP.
    seat: Option<Arc<Seat>>,
}

struct State {
    places: Vec<Place>,
    cut: bool,
}

/// Where a lane is, or will be.
enum Place {
    Free,
    Promised,
    Taken(Lane),
}

/// A lane in use. It ends, when nobody uses it any more, after what was sent is delivered.
struct Lane(Arc<Mux>);

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.bell.ring_out();
    }
}

impl Lanes {
    pub(crate) fn new(
        count: usize,
        keep_alive: Duration,
        progress: Arc<Progress>,
        seat: Option<Arc<Seat>>,
    ) -> Self {
        let places = (0..count).map(|_| Place::Free).collect();
        Self {
            state: Mutex::new(State { places, cut: false }),
            arrived: Condvar::new(),
            keep_alive,
            progress,
            seat,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a lane is welcome: there is a place for it.
    pub(crate) fn announce(&self, lane: usize) -> Answer {
        match self.lock().places.get_mut(lane) {
            Some(place @ Place::Free) => {
                *place = Place::Promised;
                Answer::Welcome
            }
            Some(_) | None => Answer::UnexpectedLane,
        }
    }

    /// A lane that was welcome does not come.
    pub(crate) fn renounce(&self, lane: usize) {
        self.lock().places[lane] = Place::Free;
    }

    /// Whether there is a place without a lane.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.lock();
        let mut places = state.places.iter();
        places.any(|place| !matches!(place, Place::Taken(_)))
    }

    /// Puts a lane in its place. Its wire has begun.
    pub(crate) fn put(&self, lane: usize, wire: Box<dyn Wire>) -> IoResult<()> {
        let mux = Arc::new(Mux::new(wire, Arc::clone(&self.progress)));
        keeper::keep(Arc::clone(&mux), self.keep_alive, self.seat.clone())?;
        let mut state = self.lock();
        if state.cut {
            mux.cut();
        }
        state.places[lane] = Place::Taken(Lane(mux));
        drop(state);
        self.arrived.notify_all();
        Ok(())
    }

    /// A stream, as soon as its lane is there.
    pub(crate) fn open(
        self: &Arc<Self>,
        stream: u32,
        timeout: Duration,
    ) -> Result<Box<dyn Duplex>, Error> {
        if stream >= MAX_STREAMS {
            return Err(Error::NoStream { stream });
        }
        let stream = usize::try_from(stream).expect("small");
        let state = self.lock();
        let lane = stream % state.places.len();
        let missing = |state: &mut State| !matches!(state.places[lane], Place::Taken(_));
        let (state, _) = self
            .arrived
            .wait_timeout_while(state, timeout, missing)
            .unwrap_or_else(PoisonError::into_inner);
        let Place::Taken(Lane(mux)) = &state.places[lane] else {
            return Err(Error::Timeout {
                phase: format!("opening stream {stream}"),
                after: timeout,
            });
        };
        mux.open(stream);
        Ok(Box::new(Stream {
            mux: Arc::clone(mux),
            stream,
            lanes: Arc::clone(self),
            timeout: AtomicU64::new(u64::MAX),
        }))
    }

    /// What is alive until the last lane has ended.
    pub(crate) fn ends(&self) -> Vec<Weak<Mux>> {
        let state = self.lock();
        let taken = state.places.iter().filter_map(|place| match place {
            Place::Taken(Lane(mux)) => Some(Arc::downgrade(mux)),
            Place::Free | Place::Promised => None,
        });
        taken.collect()
    }

    /// Tells the peer on each lane why this party leaves, and has so much time for it.
    pub(crate) fn leave(&self, why: Leave, within: Duration) {
        let mut state = self.lock();
        state.cut = true;
        for place in &state.places {
            if let Place::Taken(Lane(mux)) = place {
                mux.leave(why, within);
            }
        }
    }

    /// Whether the peer is gone from all of them, or has had its time for that.
    pub(crate) fn has_left(&self) -> bool {
        let state = self.lock();
        state.places.iter().all(|place| match place {
            Place::Taken(Lane(mux)) => mux.leaving().is_none_or(|until| until <= Instant::now()),
            Place::Free | Place::Promised => true,
        })
    }

    /// Ends all lanes at once, also those that are still to come.
    fn cut(&self) {
        let mut state = self.lock();
        state.cut = true;
        for place in &state.places {
            if let Place::Taken(Lane(mux)) = place {
                mux.cut_unless_leaving();
                mux.bell.ring_out();
            }
        }
    }
}

/// One stream on its lane.
struct Stream {
    mux: Arc<Mux>,
    stream: usize,
    lanes: Arc<Lanes>,
    /// In nanoseconds.
    timeout: AtomicU64,
}

impl Stream {
    fn until(&self) -> IoResult<Instant> {
        let timeout = Duration::from_nanos(self.timeout.load(Ordering::Relaxed));
        let until = Instant::now().checked_add(timeout);
        until.ok_or_else(|| IoError::other("the time-out is too long"))
    }
}

impl Duplex for Stream {
    fn set_timeout(&self, timeout: Duration) -> IoResult<()> {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.timeout.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    fn read(&self, out: &mut [u8]) -> IoResult<usize> {
        self.mux.read(self.stream, out, self.until()?)
    }

    fn write(&self, bytes: &[u8]) -> IoResult<usize> {
        self.mux.write(self.stream, bytes, self.until()?)
    }

    fn exchange(&self, send: &[u8], recv: &mut [u8]) -> IoResult<(usize, usize)> {
        self.mux.exchange(self.stream, send, recv, self.until()?)
    }

    fn room(&self) -> usize {
        FIRST_WINDOW
    }

    fn end(&self) {
        self.mux.end(self.stream);
    }

    /// What breaks one stream breaks the session, and the peer hears of it wherever it waits.
    fn cut(&self) {
        self.lanes.cut();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.mux.stop_listening(self.stream);
    }
}
