//! Children of a session that run beside each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use channel::{Channel, Connection, Cost, Cots, FIRST_FORK};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::prg::Prg;
use crate::session::{Session, child};

/// Where a session stands: the one that was established, or a fork on a stream of its own.
pub(crate) enum Place {
    Root(Streams),
    Fork { stream: u32 },
}

/// The numbered streams of a session's forks, and where their randomness comes from.
pub(crate) struct Streams {
    connection: Connection,
    seed: Zeroizing<[u8; 32]>,
    /// Streams of forks that were joined, by number.
    idle: Vec<(u32, Channel)>,
    /// The next number that nobody has opened.
    fresh: u32,
    /// Forks made so far.
    forks: u64,
}

impl Streams {
    pub(crate) const fn new(connection: Connection, seed: Zeroizing<[u8; 32]>) -> Self {
        Self {
            connection,
            seed,
            idle: Vec::new(),
            fresh: FIRST_FORK,
            forks: 0,
        }
    }

    /// The idle stream with the least number, else a new one: a function of what was forked and
    /// joined before, so both parties take the same.
    fn take(&mut self) -> Result<(u32, Channel), Error> {
        if let Some(least) = (0..self.idle.len()).min_by_key(|&i| self.idle[i].0) {
            return Ok(self.idle.swap_remove(least));
        }
        let number = self.fresh;
        self.fresh = number.checked_add(1).ok_or(Error::TooManyForks)?;
        Ok((number, self.connection.open(number)?))
    }

    /// A generator no other fork of this session has.
    fn generator(&mut self) -> Prg {
        self.forks += 1;
        Prg::child(&self.seed, child::FORKS + self.forks)
    }
}

impl Session {
    /// Makes one child per entry of `needs`, which holds exactly so many COTs and speaks on a
    /// stream of its own, so that the children may run at the same time.
    ///
    /// Streams, COTs and generators are given out by the number of the child; what each child
    /// says does not depend on when or on which thread it runs. Both parties fork alike. Give the
    /// children back with [`Session::join`], which keeps their streams for the next fork. Until a
    /// child draws its COTs they lie in memory, 16 bytes each.
    ///
    /// # Errors
    /// When a stream cannot be opened or a pool cannot be refilled.
    ///
    /// # Panics
    /// On a session that is itself a fork.
    pub fn fork(&mut self, needs: &[Cots]) -> Result<Vec<Self>, Error> {
        self.attempt(|s| {
            let phase = s.online.ledger().current().name().to_owned();
            let (mut senders, mut receivers) = (Vec::new(), Vec::new());
            // Whichever end this is, the server-sends direction goes first.
            if s.role().is_server() {
                detach(needs, true, &mut senders, |n| s.sender.detach(n))?;
                detach(needs, false, &mut receivers, |n| s.receiver.detach(n))?;
            } else {
                detach(needs, true, &mut receivers, |n| s.receiver.detach(n))?;
                detach(needs, false, &mut senders, |n| s.sender.detach(n))?;
            }
            let Place::Root(streams) = &mut s.place else {
                panic!("a fork does not fork");
            };
            let mut children = Vec::with_capacity(needs.len());
            for (sender, receiver) in senders.into_iter().zip(receivers) {
                let (stream, mut online) = streams.take()?;
                online.enter_phase(phase.clone());
                let place = Place::Fork { stream };
                let rng = streams.generator();
                children.push(Self::assemble(
                    online,
                    (sender, receiver),
                    rng,
                    s.price,
                    place,
                ));
            }
            let handed = needs.iter().fold(Cots::default(), |sum, &n| sum.plus(n));
            s.meter.hand_out(handed);
            Ok(children)
        })
    }

    /// Takes children of [`Session::fork`] back: what they spent counts as spent here, side by
    /// side, after everything before. Both parties join the same children.
    ///
    /// # Errors
    /// [`Error::Dead`] if one of them is dead, which kills this session too.
    ///
    /// # Panics
    /// When a child is no fork.
    pub fn join(&mut self, children: Vec<Self>) -> Result<(), Error> {
        self.attempt(|s| {
            let mut beside = Cost::none();
            for child in children {
                if child.dead {
                    return Err(Error::Dead);
                }
                beside = beside.beside(child.measured());
                let (Place::Fork { stream }, Place::Root(streams)) = (&child.place, &mut s.place)
                else {
                    panic!("only forks join, and only what was established takes them back");
                };
                streams.idle.push((*stream, child.online));
            }
            s.meter.place(&mut s.online, beside);
            Ok(())
        })
    }

    /// Runs `step` on every item, each in a child of its own, on up to `threads` threads of the
    /// operating system, and returns the results in the order of the items.
    ///
    /// `needs[i]` is what item `i` draws, by its protocol's `cost`. Neither the wire nor the
    /// results depend on `threads`, which the parties choose each for itself; but a party with
    /// many threads waits on the item that a party with few has not yet begun, so an item should
    /// take less than the time-out. With one thread everything runs on the caller's.
    ///
    /// The threads wait on sockets: they are threads of their own, not a compute pool's.
    ///
    /// # Errors
    /// The error of the first item that failed; the session is then dead.
    ///
    /// # Panics
    /// When `items` and `needs` differ in length, on a session that is itself a fork, and when
    /// `step` panics.
    pub fn scatter<T, R, E>(
        &mut self,
        items: Vec<T>,
        needs: &[Cots],
        threads: usize,
        step: impl Fn(&mut Self, T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E>
    where
        T: Send,
        R: Send,
        E: From<Error> + Send,
    {
        assert_eq!(items.len(), needs.len(), "one need per item");
        self.attempt(|s| {
            let children = s.fork(needs)?;
            let jobs = children.into_iter().zip(items).enumerate();
            let jobs = Mutex::new(jobs);
            let failed = AtomicBool::new(false);
            // Items are begun in order, so the least unfinished one always has a thread on
            // both sides, whatever their numbers of threads.
            let work = || {
                let mut done = Vec::new();
                while !failed.load(Ordering::Relaxed) {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((number, (mut child, item))) = next else {
                        break;
                    };
                    let result = child.attempt(|c| step(c, item));
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    done.push((number, child, result));
                }
                done
            };
            let mut done = match threads.min(needs.len()) {
                0 | 1 => work(),
                threads => thread::scope(|scope| {
                    let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                    let joined = workers.into_iter().map(|w| w.join());
                    joined
                        .flat_map(|d| d.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                        .collect()
                }),
            };
            done.sort_unstable_by_key(|&(number, ..)| number);
            let mut results = Vec::with_capacity(done.len());
            let mut back = Vec::with_capacity(done.len());
            for (_, child, result) in done {
                results.push(result?);
                back.push(child);
            }
            s.join(back)?;
            Ok(results)
        })
    }
}

/// One child of a pool per need, in the direction asked for.
fn detach<End>(
    needs: &[Cots],
    server_sends: bool,
    ends: &mut Vec<End>,
    mut split: impl FnMut(usize) -> Result<End, ot::Error>,
) -> Result<(), Error> {
    for need in needs {
        let n = if server_sends {
            need.server_sends
        } else {
            need.client_sends
        };
        let n = usize::try_from(n).map_err(|_| Error::TooManyCots { wanted: n })?;
        ends.push(split(n)?);
    }
    Ok(())
}
