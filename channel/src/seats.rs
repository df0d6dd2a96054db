//! The places among the sessions: who has how many, since when, and how long sessions last.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::origin::Origin;

/// The mean length of sessions goes by about the last so many.
const REMEMBERED: u32 = 16;

/// Those who have places.
#[derive(Default)]
pub(crate) struct Seats {
    /// When each session of an origin began. No list is empty.
    taken: HashMap<Origin, Vec<Instant>>,
    total: usize,
    /// Over those that have ended, and how many those are, up to [`REMEMBERED`].
    mean: Duration,
    ended: u32,
}

impl Seats {
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How many an origin has.
    pub(crate) fn of(&self, origin: Origin) -> usize {
        self.taken.get(&origin).map_or(0, Vec::len)
    }

    /// All of them, the longest first.
    pub(crate) fn by_age(&self) -> Vec<(Instant, Origin)> {
        let taken = self.taken.iter();
        let mut all: Vec<_> = taken
            .flat_map(|(&origin, began)| began.iter().map(move |&at| (at, origin)))
            .collect();
        all.sort_unstable_by_key(|&(began, _)| began);
        all
    }

    pub(crate) fn take(&mut self, origin: Origin, now: Instant) {
        self.taken.entry(origin).or_default().push(now);
        self.total += 1;
    }

    /// One that was taken at a moment comes free. Whether it was a session's: others say nothing about how long those last.
    pub(crate) fn free(&mut self, origin: Origin, taken: Instant, session: bool, now: Instant) {
        let of_origin = self.taken.get_mut(&origin).expect("it was taken");
        let place = of_origin.iter().position(|&at| at == taken);
        of_origin.swap_remove(place.expect("it was taken"));
        if of_origin.is_empty() {
            self.taken.remove(&origin);
        }
        self.total -= 1;
        if session {
            let lasted = now.saturating_duration_since(taken);
            // Of the first few all count alike, later the last ones more.
            self.ended = (self.ended + 1).min(REMEMBERED);
            let before = self.mean.saturating_mul(self.ended - 1);
            self.mean = before.saturating_add(lasted) / self.ended;
        }
    }

    /// How long sessions last; unknown before one has ended.
    pub(crate) fn mean(&self) -> Option<Duration> {
        (self.ended > 0).then_some(self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ONE: Origin = Origin::Identity([1; 32]);

    #[test]
    fn sessions_alone_say_how_long_sessions_last() {
        let start = Instant::now();
        let mut seats = Seats::default();
        for second in [0, 0, 1] {
            seats.take(ONE, start + second * SECOND);
        }
        assert_eq!((seats.of(ONE), seats.total(), seats.mean()), (3, 3, None));
        seats.free(ONE, start, false, start + SECOND);
        assert_eq!((seats.of(ONE), seats.total(), seats.mean()), (2, 2, None));
        seats.free(ONE, start, true, start + 3 * SECOND);
        assert_eq!(seats.mean(), Some(3 * SECOND));
        assert_eq!(seats.by_age(), [(start + SECOND, ONE)]);
        seats.free(ONE, start + SECOND, true, start + 6 * SECOND);
        assert_eq!(seats.mean(), Some(4 * SECOND));
        assert_eq!((seats.of(ONE), seats.total()), (0, 0));
    }

    #[test]
    fn the_mean_follows_the_last_sessions() {
        let start = Instant::now();
        let mut seats = Seats::default();
        let mut last = |seconds: u32| {
            seats.take(ONE, start);
            seats.free(ONE, start, true, start + seconds * SECOND);
            seats.mean().expect("some").as_secs_f64()
        };
        for (seconds, mean) in [(2, 2.0), (4, 3.0), (9, 5.0)] {
            assert!((last(seconds) - mean).abs() < 1e-6);
        }
        for _ in 0..200 {
            last(100);
        }
        assert!((last(100) - 100.0).abs() < 0.1);
    }
}
