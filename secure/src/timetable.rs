//! When the layers of a run speak.

use std::collections::BTreeMap;

use channel::{Cost, Segment};
use linear::Timing;

/// The rounds of a run: every node begins as soon as what it needs is there, as [`crate::run::Run`] lets it.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    /// For each node the round before which it begins, and the one before which its result is there.
    times: Vec<(usize, usize)>,
    rounds: Vec<Segment>,
    /// What is said before a round by nodes that speak by themselves.
    alone: BTreeMap<usize, Cost>,
    /// The correlations of all rounds.
    drawn: Cost,
}

impl Timetable {
    /// Adds the next node, which needs the results of some others; `in_turn`, it needs all before it to have ended. A node without a timing
    /// is local: each party computes it by itself, between two rounds.
    pub(crate) fn add(&mut self, needs: &[usize], timing: Option<Timing>, in_turn: bool) {
        let begin = if in_turn {
            self.times.last().map(|&(_, end)| end)
        } else {
            needs.iter().map(|&need| self.times[need].1).max()
        };
        let begin = begin.unwrap_or(0);
        let mut end = begin;
        match timing {
            None => {}
            Some(Timing::Alone(cost)) => self.alone.entry(begin).or_default().extend([cost]),
            Some(Timing::Rounds(rounds)) => {
                end += rounds.len();
                if self.rounds.len() < end {
                    self.rounds.resize(end, Segment::default());
                }
                for (sum, said) in self.rounds[begin..].iter_mut().zip(rounds.segments()) {
                    sum.to_server += said.to_server;
                    sum.to_client += said.to_client;
                }
                self.drawn.cots = self.drawn.cots.plus(rounds.cots);
            }
        }
        self.times.push((begin, end));
    }

    /// The number of rounds.
    pub(crate) const fn len(&self) -> usize {
        self.rounds.len()
    }

    /// For each node by how many rounds it could end later without delaying the last one. `needs` are those of each node.
    pub(crate) fn slack(&self, needs: &[Vec<usize>]) -> Vec<usize> {
        let mut latest = vec![self.rounds.len(); self.times.len()];
        for (node, needs) in needs.iter().enumerate().rev() {
            let (begin, end) = self.times[node];
            let begin = latest[node] - (end - begin);
            for &need in needs {
                latest[need] = latest[need].min(begin);
            }
        }
        let times = latest.iter().zip(&self.times);
        times.map(|(latest, (_, end))| latest - end).collect()
    }

    /// The most values that are kept at a time, given how many each node takes from its begin until all that need it have ended.
    pub(crate) fn most_kept(&self, needs: &[Vec<usize>], takes: impl Fn(usize) -> u64) -> u64 {
        let mut last: Vec<usize> = self.times.iter().map(|&(_, end)| end).collect();
        for (node, needs) in needs.iter().enumerate() {
            for &need in needs {
                last[need] = last[need].max(self.times[node].1);
            }
        }
        let mut changes = vec![(0_u64, 0_u64); self.rounds.len() + 2];
        for (node, &(begin, _)) in self.times.iter().enumerate() {
            changes[begin].0 += takes(node);
            changes[last[node] + 1].1 += takes(node);
        }
        let kept = changes.iter().scan(0, |kept, (more, less)| {
            *kept = *kept + more - less;
            Some(*kept)
        });
        kept.max().unwrap_or(0)
    }

    /// What all of it costs.
    pub(crate) fn cost(mut self) -> Cost {
        let mut cost = self.drawn;
        for (number, round) in self.rounds.iter().enumerate() {
            cost.extend(self.alone.remove(&number));
            cost.extend([Cost::exchange(round.to_server, round.to_client)]);
        }
        cost.extend(self.alone.into_values());
        cost
    }
}

#[cfg(test)]
mod tests {
    use sharing::Rounds;

    use super::*;

    #[test]
    fn branches_share_their_rounds_and_the_longer_one_decides() {
        let mut timetable = Timetable::default();
        timetable.add(&[], None, false);
        let short = Rounds::to_server(1).with_cots(1, 0);
        let long = Rounds::to_server(10).then(Rounds::to_client(20));
        timetable.add(&[0], Some(Timing::Rounds(short)), false);
        let long = long.with_cots(0, 2);
        timetable.add(&[0], Some(Timing::Rounds(long)), false);
        // Alone after the short branch, before the second round of the long one.
        let alone = Timing::Alone(Cost::to_server(100));
        timetable.add(&[1], Some(alone), false);
        let last = Timing::Rounds(Rounds::exchange(5, 5));
        timetable.add(&[3, 2], Some(last), false);
        let expected = Cost::to_server(111)
            .then(Cost::to_client(20))
            .then(Cost::exchange(5, 5))
            .with_cots(1, 2);
        let needs = [vec![], vec![0], vec![0], vec![1], vec![3, 2]];
        assert_eq!(timetable.slack(&needs), [0, 1, 0, 1, 0]);
        // Before the last round, in which the longer branch ends as well: all but the shorter one.
        assert_eq!(timetable.most_kept(&needs, |node| 1 << node), 0b11101);
        assert_eq!(timetable.cost(), expected);
    }
}
