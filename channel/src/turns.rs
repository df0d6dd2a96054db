//! The waiting line: the urgent first, and then by turns.
//!
//! Within each of the two classes, origins stand in a ring, each with its callers in the order in which they came. An origin that is
//! new, or was served, goes to the end of the ring, so that nobody waits for more than one caller of each of the others,
//! however many those have. Origins with sessions at hand let those with fewer pass.

use std::collections::HashMap;
use std::collections::vec_deque::{Iter, VecDeque};
use std::time::{Duration, Instant};

use crate::origin::Origin;
use crate::seats::Seats;

/// A session that has lasted longer than the mean is taken to end within this part of it.
const OVERDUE: u32 = 8;

/// Callers who wait.
pub(crate) struct Turns<T> {
    /// The urgent, and the others.
    classes: [Ring<T>; 2],
}

type Ring<T> = VecDeque<Party<T>>;

/// The callers of one origin in one class; at least one.
struct Party<T> {
    origin: Origin,
    /// How many sessions the origin may have, as was said last.
    most: usize,
    callers: VecDeque<T>,
}

/// What somebody in line may expect, if nobody else comes and all sessions last as long as those before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Callers who are served before.
    pub(crate) ahead: usize,
    /// Until he is served; unknown where it is unknown how long sessions last.
    pub(crate) wait: Option<Duration>,
    /// There is a place for him already.
    pub(crate) now: bool,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        let classes = [VecDeque::new(), VecDeque::new()];
        Self { classes }
    }
}

/// Of parties that have so many sessions and may have so many: the first of those that have fewest, and may have more.
fn first(parties: impl Iterator<Item = (usize, usize)>) -> Option<usize> {
    let ready = parties.enumerate().filter(|(_, (has, most))| has < most);
    let (place, _) = ready.min_by_key(|(_, (has, _))| *has)?;
    Some(place)
}

impl<T> Turns<T> {
    const fn class(urgent: bool) -> usize {
        if urgent { 0 } else { 1 }
    }

    /// Callers of a class.
    pub(crate) fn count(&self, urgent: bool) -> usize {
        let class = self.classes[Self::class(urgent)].iter();
        class.map(|party| party.callers.len()).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.count(true) + self.count(false)
    }

    pub(crate) fn push(&mut self, urgent: bool, origin: Origin, most: usize, caller: T) {
        let class = &mut self.classes[Self::class(urgent)];
        let most = most.max(1);
        match class.iter_mut().find(|party| party.origin == origin) {
            Some(party) => {
                party.most = most;
                party.callers.push_back(caller);
            }
            None => class.push_back(Party {
                origin,
                most,
                callers: [caller].into(),
            }),
        }
    }

    /// The next who may be served, if there is any.
    pub(crate) fn next(&mut self, seats: &Seats) -> Option<T> {
        self.classes.iter_mut().find_map(|class| {
            let parties = class.iter();
            let place = first(parties.map(|party| (seats.of(party.origin), party.most)))?;
            let mut party = class.remove(place)?;
            let caller = party.callers.pop_front();
            if !party.callers.is_empty() {
                class.push_back(party);
            }
            caller
        })
    }

    /// Makes room for one more of this class and origin, if there is anybody who has to give way: to an urgent one the last of
    /// the others, else the last of the origin that has most in the class, if those are at least two more than `origin` has.
    pub(crate) fn make_room(&mut self, urgent: bool, origin: Origin) -> Option<T> {
        let (class, more_than) = if urgent && self.count(false) > 0 {
            (Self::class(false), 0)
        } else {
            let class = Self::class(urgent);
            let mut parties = self.classes[class].iter();
            let own = parties.find(|party| party.origin == origin);
            (class, own.map_or(0, |party| party.callers.len()) + 1)
        };
        let class = &mut self.classes[class];
        let parties = class.iter().enumerate();
        let (place, _) = parties.max_by_key(|(_, party)| party.callers.len())?;
        if class[place].callers.len() <= more_than {
            return None;
        }
        let gone = class[place].callers.pop_back();
        class.retain(|party| !party.callers.is_empty());
        gone
    }

    /// Drops those who do not stay; how many they are.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) -> usize {
        let before = self.len();
        for class in &mut self.classes {
            for party in &mut *class {
                party.callers.retain(&mut stays);
            }
            class.retain(|party| !party.callers.is_empty());
        }
        before - self.len()
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        let classes = std::mem::take(self).classes;
        classes
            .into_iter()
            .flatten()
            .flat_map(|party| party.callers)
    }

    /// Everybody in the order in which they are served: what would happen at so many places, if sessions ended one by one, the longest
    /// first, and all were of the mean length.
    pub(crate) fn forecast(&self, seats: &Seats, places: usize, now: Instant) -> Vec<(&T, Place)> {
        // Any length gives the same order.
        let length = seats.mean().unwrap_or(Duration::from_secs(1));
        let end = |began: Instant| {
            let lasted = now.saturating_duration_since(began);
            length.saturating_sub(lasted).max(length / OVERDUE)
        };
        let running = seats.by_age().into_iter();
        let mut running: VecDeque<_> = running.map(|(began, of)| (end(began), of)).collect();
        let mut has = HashMap::<Origin, usize>::new();
        for &(_, origin) in &running {
            *has.entry(origin).or_default() += 1;
        }
        type Waits<'a, T> = (&'a Party<T>, Iter<'a, T>);
        let mut rings = self.classes.each_ref().map(|class| {
            let waits = class.iter().map(|party| (party, party.callers.iter()));
            waits.collect::<VecDeque<Waits<'_, T>>>()
        });
        let mut order = Vec::with_capacity(self.len());
        let (mut wait, mut now) = (Duration::ZERO, true);
        while rings.iter().any(|ring| !ring.is_empty()) {
            let next = rings.iter_mut().find_map(|ring| {
                let sessions = |origin| has.get(&origin).copied().unwrap_or(0);
                let waits = ring.iter();
                let place = first(waits.map(|(party, _)| (sessions(party.origin), party.most)))?;
                Some((ring, place))
            });
            let Some((ring, place)) = next.filter(|_| running.len() < places) else {
                let Some((ended, origin)) = running.pop_front() else {
                    // There is no place at all.
                    break;
                };
                (wait, now) = (ended, false);
                *has.entry(origin).or_default() -= 1;
                continue;
            };
            let Some((party, mut callers)) = ring.remove(place) else {
                break;
            };
            let Some(caller) = callers.next() else {
                continue;
            };
            let place = Place {
                ahead: order.len(),
                wait: seats.mean().map(|_| wait),
                now,
            };
            order.push((caller, place));
            if callers.len() > 0 {
                ring.push_back((party, callers));
            }
            running.push_back((wait.saturating_add(length), party.origin));
            *has.entry(party.origin).or_default() += 1;
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    /// As many sessions as there are.
    const MANY: usize = usize::MAX;

    fn origin(name: &str) -> Origin {
        let mut key = [0; 32];
        key[..name.len()].copy_from_slice(name.as_bytes());
        Origin::Identity(key)
    }

    /// "a3" is the third caller of a, "!a" an urgent one; those before the bar have sessions at hand.
    fn line(callers: &str, most: usize) -> (Seats, Turns<&str>) {
        let (mut seats, mut turns) = (Seats::default(), Turns::default());
        let (at_hand, waiting) = callers.split_once('|').unwrap_or(("", callers));
        let start = Instant::now();
        for name in at_hand.split_whitespace() {
            seats.take(origin(name), start);
        }
        for name in waiting.split_whitespace() {
            let urgent = name.starts_with('!');
            let party = &name.trim_start_matches('!')[..1];
            turns.push(urgent, origin(party), most, name);
        }
        (seats, turns)
    }

    /// In which order they are served where there is one place.
    fn served(callers: &str) -> String {
        let (seats, mut turns) = line(callers, MANY);
        let forecast = turns.forecast(&seats, 1, Instant::now());
        let told: Vec<_> = forecast.iter().map(|(caller, _)| **caller).collect();
        let mut order = Vec::new();
        while let Some(caller) = turns.next(&Seats::default()) {
            order.push(caller);
        }
        // Everybody was told the truth.
        assert_eq!(told, order, "{callers}");
        order.join(" ")
    }

    #[test]
    fn origins_take_turns_however_many_callers_they_have() {
        assert_eq!(served("a1 a2 a3 b1 c1 b2"), "a1 b1 c1 a2 b2 a3");
        assert_eq!(served("a1 a2 a3"), "a1 a2 a3");
        assert_eq!(served(""), "");
    }

    #[test]
    fn the_urgent_come_first_and_take_turns_among_themselves() {
        assert_eq!(served("a1 b1 !b2 !b3 !c1 a2"), "!b2 !c1 !b3 a1 b1 a2");
    }

    #[test]
    fn who_is_served_goes_to_the_end_and_so_does_who_comes() {
        let (seats, mut turns) = line("a1 a2 b1", MANY);
        assert_eq!(turns.next(&seats), Some("a1"));
        turns.push(false, origin("c"), MANY, "c1");
        turns.push(false, origin("b"), MANY, "b2");
        let rest: Vec<_> = std::iter::from_fn(|| turns.next(&seats)).collect();
        assert_eq!(rest, ["b1", "a2", "c1", "b2"]);
    }

    #[test]
    fn who_has_fewer_sessions_comes_first() {
        let (seats, mut turns) = line("a a b | a1 b1 c1 c2", MANY);
        assert_eq!(turns.next(&seats), Some("c1"));
        // The urgent come first all the same.
        turns.push(true, origin("a"), MANY, "!a2");
        assert_eq!(turns.next(&seats), Some("!a2"));
    }

    #[test]
    fn who_has_all_his_sessions_lets_others_pass() {
        let (mut seats, mut turns) = line("a | !a1 a2 b1 b2", 1);
        assert_eq!(turns.next(&seats), Some("b1"));
        seats.take(origin("b"), Instant::now());
        assert_eq!(turns.next(&seats), None);
        let (at, of) = seats.by_age()[0];
        seats.free(of, at, true, at + SECOND);
        assert_eq!(turns.next(&seats), Some("!a1"));
        // Nobody may have none at all.
        let (seats, mut turns) = line("a1", 0);
        assert_eq!(turns.next(&seats), Some("a1"));
    }

    #[test]
    fn a_full_line_makes_room_for_those_who_have_less_of_it() {
        let (_, mut turns) = line("a1 a2 b1 a3", MANY);
        assert_eq!(turns.make_room(false, origin("a")), None);
        assert_eq!(turns.make_room(false, origin("c")), Some("a3"));
        turns.push(false, origin("c"), MANY, "c1");
        assert_eq!(turns.make_room(false, origin("c")), None);
        assert_eq!(turns.make_room(false, origin("d")), Some("a2"));
        assert_eq!(turns.make_room(false, origin("e")), None);
        // For the urgent anybody who is not makes room, the last of those with most first.
        let mut gone: Vec<_> = std::iter::from_fn(|| turns.make_room(true, origin("a"))).collect();
        gone.sort_unstable();
        assert_eq!(gone, ["a1", "b1", "c1"]);
        let (_, mut turns) = line("!a1 !a2 !a3", MANY);
        assert_eq!(turns.make_room(false, origin("b")), None);
        assert_eq!(turns.make_room(true, origin("b")), Some("!a3"));
    }

    #[test]
    fn who_leaves_is_gone() {
        let (seats, mut turns) = line("a1 b1 !c1 a2", MANY);
        assert_eq!(turns.retain(|caller| !caller.contains('1')), 3);
        assert_eq!((turns.len(), turns.count(true)), (1, 0));
        assert_eq!(turns.next(&seats), Some("a2"));
        let (_, mut turns) = line("a1 b1 !c1 a2", MANY);
        assert_eq!(turns.drain().count(), 4);
        assert_eq!(turns.len(), 0);
    }

    /// What each is told, in seconds, where sessions last ten.
    fn told(
        began: &[(&str, u32)],
        callers: &'static str,
        most: usize,
        places: usize,
    ) -> Vec<(&'static str, u64)> {
        let start = Instant::now();
        let (mut seats, turns) = line(callers, most);
        seats.take(origin("x"), start);
        seats.free(origin("x"), start, true, start + 10 * SECOND);
        for &(name, second) in began {
            seats.take(origin(name), start + second * SECOND);
        }
        let forecast = turns.forecast(&seats, places, start + 8 * SECOND);
        let told = |(caller, place): (&&'static str, Place)| {
            let wait = place.wait.expect("known");
            assert_eq!(place.now, wait.is_zero());
            (*caller, wait.as_secs())
        };
        forecast.into_iter().map(told).collect()
    }

    #[test]
    fn places_come_free_in_the_order_in_which_they_were_taken() {
        // They end at 10, 13 and 16, and it is 8.
        let began = [("x", 0), ("y", 6), ("z", 3)];
        let waits = told(&began, "a1 b1 c1 a2 !d1", MANY, 3);
        assert_eq!(
            waits,
            [("!d1", 2), ("a1", 5), ("b1", 8), ("c1", 12), ("a2", 15)]
        );
        // One place more is free at once.
        assert_eq!(told(&began, "a1 b1", MANY, 4), [("a1", 0), ("b1", 2)]);
        // One that may have no more sessions waits for an end of its own, and lets others pass.
        let waits = told(&[("a", 0), ("b", 6)], "b1 a1 a2 c1", 1, 3);
        assert_eq!(waits, [("c1", 0), ("a1", 2), ("b1", 8), ("a2", 12)]);
        // No places, nobody served; and nobody knows how long sessions last before one has ended.
        assert_eq!(told(&began, "a1", MANY, 0), []);
        let (seats, turns) = line("a | a1", MANY);
        let forecast = turns.forecast(&seats, 1, Instant::now());
        assert_eq!(forecast[0].1.wait, None);
        assert!(!forecast[0].1.now);
    }

    #[test]
    fn an_overdue_session_may_end_soon_and_that_is_not_at_once() {
        let start = Instant::now();
        let (mut seats, turns) = line("a1 a2", MANY);
        seats.take(origin("x"), start);
        seats.free(origin("x"), start, true, start + 16 * SECOND);
        seats.take(origin("x"), start);
        let forecast = turns.forecast(&seats, 1, start + 100 * SECOND);
        let waits: Vec<_> = forecast.iter().map(|(_, place)| place.wait).collect();
        assert_eq!(waits, [Some(2 * SECOND), Some(18 * SECOND)]);
    }
}
