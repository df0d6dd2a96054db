//! Flights of which those that are repeated are stored once.

use super::Segment;

/// A flight, or flights that follow each other again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    One(Segment),
    /// At least one flight, at least twice.
    Loop {
        body: Box<[Self]>,
        times: u64,
    },
}

/// The first flight.
pub(super) fn first(parts: &[Part]) -> Option<Segment> {
    match parts.first()? {
        Part::One(segment) => Some(*segment),
        Part::Loop { body, .. } => first(body),
    }
}

/// The last flight.
pub(super) fn last(parts: &[Part]) -> Option<Segment> {
    match parts.last()? {
        Part::One(segment) => Some(*segment),
        Part::Loop { body, .. } => last(body),
    }
}

/// Takes the first flight off parts that have one.
pub(super) fn pop_first(parts: &mut Vec<Part>) -> Segment {
    loop {
        match parts.remove(0) {
            Part::One(segment) => return segment,
            Part::Loop { body, times } => {
                let mut unrolled = body.to_vec();
                push_loop(&mut unrolled, body, times - 1);
                parts.splice(0..0, unrolled);
            }
        }
    }
}

/// Takes the last flight off parts that have one.
pub(super) fn pop_last(parts: &mut Vec<Part>) -> Segment {
    loop {
        match parts.pop().expect("there is a flight") {
            Part::One(segment) => return segment,
            Part::Loop { body, times } => {
                push_loop(parts, body.clone(), times - 1);
                parts.extend(body);
            }
        }
    }
}

/// The same parts `times` times. Where the end of one is one flight with the beginning of the next,
/// f M l becomes f M (l+f M) … (l+f M) l.
pub(super) fn repeat(mut parts: Vec<Part>, times: u64) -> Vec<Part> {
    let seam = first(&parts).zip(last(&parts));
    let Some((head, tail)) = seam.filter(|_| times > 0) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    if !head.continues(tail) {
        push_loop(&mut all, parts.into(), times);
        return all;
    }
    if let [Part::One(only)] = parts[..] {
        return vec![Part::One(only.times(times))];
    }
    pop_first(&mut parts);
    pop_last(&mut parts);
    let middle = parts;
    all.push(Part::One(head));
    all.extend_from_slice(&middle);
    let mut body = vec![Part::One(tail.plus(head))];
    body.extend(middle);
    push_loop(&mut all, body.into(), times - 1);
    all.push(Part::One(tail));
    all
}

/// The sum of `of` over all flights.
pub(super) fn total(parts: &[Part], of: &impl Fn(Segment) -> u64) -> u64 {
    let part = |part: &Part| match part {
        Part::One(segment) => of(*segment),
        Part::Loop { body, times } => times * total(body, of),
    };
    parts.iter().map(part).sum()
}

fn push_loop(parts: &mut Vec<Part>, body: Box<[Part]>, times: u64) {
    match times {
        0 => {}
        1 => parts.extend(body),
        _ => parts.push(Part::Loop { body, times }),
    }
}

/// The flights of a [`Cost`](crate::Cost) in order.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    stack: Vec<Level<'a>>,
}

/// Parts that are being read.
#[derive(Clone, Debug)]
struct Level<'a> {
    parts: &'a [Part],
    /// The next one to read.
    next: usize,
    /// How often they will be read again.
    again: u64,
}

impl<'a> Segments<'a> {
    pub(super) fn new(parts: &'a [Part]) -> Self {
        let mut this = Self { stack: Vec::new() };
        this.enter(parts, 0);
        this
    }

    fn enter(&mut self, parts: &'a [Part], again: u64) {
        self.stack.push(Level {
            parts,
            next: 0,
            again,
        });
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        loop {
            let level = self.stack.last_mut()?;
            let part = level.parts.get(level.next);
            level.next += 1;
            match part {
                Some(Part::One(segment)) => return Some(*segment),
                Some(Part::Loop { body, times }) => self.enter(body, times - 1),
                None if level.again > 0 => {
                    level.again -= 1;
                    level.next = 0;
                }
                None => {
                    self.stack.pop();
                }
            }
        }
    }
}
