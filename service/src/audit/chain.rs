//! Lines and their hashes: how they are written, and how a log is verified.

use std::fmt::Write;
use std::io::{self, BufRead, Read};

use channel::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error as ThisError;

use super::event::{AuditEvent, digits, hex};

/// No line is longer, its line feed included.
pub(super) const MAX_LINE: usize = 1 << 16;

/// No log has more lines.
const MOST: u64 = 1 << 62;

/// What stands before the first line of all.
const NOTHING: Digest = [0; 32];

/// Number and hash of a line. The hash holds all that came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "two facts about a line")]
pub struct AuditLink {
    /// Its number in the log, counted from 0 over all its files.
    pub number: u64,
    /// The SHA-256 of the line with its line feed.
    pub hash: Digest,
}

/// What holds a line, around its event.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    #[serde(serialize_with = "hex")]
    previous: Digest,
    time: String,
    #[serde(flatten)]
    event: &'a AuditEvent<'a>,
}

/// The same as it is read, whatever the event is.
#[derive(Deserialize)]
struct Envelope<'a> {
    seq: u64,
    previous: &'a str,
    #[serde(rename = "time")]
    _time: &'a str,
    #[serde(rename = "event")]
    _event: &'a str,
}

/// The line after `last`, with its line feed.
pub(super) fn line(
    last: Option<AuditLink>,
    now: u64,
    event: &AuditEvent<'_>,
) -> (Vec<u8>, AuditLink) {
    let number = last.map_or(0, |last| last.number + 1);
    let line = Line {
        seq: number,
        previous: last.map_or(NOTHING, |last| last.hash),
        time: time(now),
        event,
    };
    let mut line = serde_json::to_vec(&line).expect("an event has no value that JSON lacks");
    line.push(b'\n');
    debug_assert!(line.len() <= MAX_LINE, "texts are clipped");
    let hash = Sha256::digest(&line).into();
    (line, AuditLink { number, hash })
}

/// A line, its line feed included, as it was read.
pub(super) fn read(line: &[u8]) -> Option<(AuditLink, Digest)> {
    let envelope: Envelope<'_> = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
    // Nobody lives to write more lines, and the next number exists.
    if envelope.seq > MOST {
        return None;
    }
    let previous = digest(envelope.previous)?;
    let hash = Sha256::digest(line).into();
    Some((
        AuditLink {
            number: envelope.seq,
            hash,
        },
        previous,
    ))
}

/// 64 hexadecimal digits, as lines have them: lower case.
fn digest(text: &str) -> Option<Digest> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut digest = [0; 32];
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in digest.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(digest)
}

/// Unix seconds as `2026-11-30T09:00:00Z`, in the calendar that all use today.
fn time(seconds: u64) -> String {
    const DAY: u64 = 24 * 3600;
    // Years begin in March here, so that the day that some years have is their last, and come in groups of 400.
    let days = seconds / DAY + 719_468;
    let (group, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = match month {
        0..10 => (month + 3, 0),
        _ => (month - 9, 1),
    };
    let year = 400 * group + year + next;
    let second = seconds % DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = String::new();
    write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    )
    .expect("a string takes all");
    text
}

/// The first line that is wrong.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Broken {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// A line is none of an audit log.
    #[error("line {line} is no line of an audit log: it was changed")]
    NoLine {
        /// Which line of the file, counted from 1.
        line: u64,
    },
    /// The last line has no end.
    #[error(
        "line {line} has no end: a crash, or somebody who has cut it off; the program puts it aside when it opens the log again"
    )]
    Torn {
        /// Which line of the file.
        line: u64,
    },
    /// Numbers do not follow each other.
    #[error(
        "line {line} is entry {found}, and entry {expected} should be there: entries are missing, or out of order"
    )]
    Misplaced {
        /// Which line of the file.
        line: u64,
        /// The entry that should be there.
        expected: u64,
        /// The one that is there.
        found: u64,
    },
    /// A line is not the one that the next line knows.
    #[error(
        "entry {entry} was changed: the entry after it, in line {line}, has another hash of it"
    )]
    Changed {
        /// Which line of the file knows better.
        line: u64,
        /// The entry that was changed.
        entry: u64,
    },
    /// The first line of all says that there was one before.
    #[error("entry 0 was changed: it names an entry before it")]
    Beginning,
    /// The log was to be there from its first line on.
    #[error(
        "line 1 is entry {found}, and the log begins with entry 0: what came before was cut off, or is in a file that was not given"
    )]
    NotFromStart {
        /// The entry that is there.
        found: u64,
    },
    /// The log was to go on from another one.
    #[error(
        "line 1 is entry {found}, and does not go on from the hash that was named, but from {}: entries between them are missing, or it is another log", digits(.from)
    )]
    GoesOnElsewhere {
        /// The entry that is there.
        found: u64,
        /// The hash that it goes on from.
        from: Digest,
    },
}

/// The lines of a log as they are read again, over all its files, the oldest first.
#[derive(Debug, Default)]
pub struct Chain {
    /// The hash that the first line must go on from.
    from: Option<Digest>,
    first: Option<u64>,
    last: Option<AuditLink>,
}

impl Chain {
    /// Nothing read so far. The first file may begin anywhere: what its first line says of the line before it is believed, so that nobody sees whether
    /// lines before it were cut off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for a log that must be there from its first line on.
    #[must_use]
    pub const fn from_start() -> Self {
        Self::after(NOTHING)
    }

    /// The same for a log that must go on from the line of this hash: the last one of a log that was verified before.
    #[must_use]
    pub const fn after(hash: Digest) -> Self {
        Self {
            from: Some(hash),
            first: None,
            last: None,
        }
    }

    /// Reads a file, and gives `each` line that fits to those before it.
    ///
    /// # Cost
    /// Time linear in the file, memory of one line.
    ///
    /// # Errors
    /// [`Broken`], for the first line that is wrong. What `each` was given before is right as far as later lines tell.
    pub fn read(
        &mut self,
        mut file: impl BufRead,
        each: &mut dyn FnMut(AuditLink, &[u8]),
    ) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let most = MAX_LINE as u64 + 1;
            if Read::take(&mut file, most).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            if bytes.len() > MAX_LINE {
                return Err(Broken::NoLine { line });
            }
            if !bytes.ends_with(b"\n") {
                return Err(Broken::Torn { line });
            }
            let (link, previous) = read(&bytes).ok_or(Broken::NoLine { line })?;
            self.follow(line, link, previous)?;
            each(link, &bytes);
        }
        Ok(())
    }

    fn follow(&mut self, line: u64, link: AuditLink, previous: Digest) -> Result<(), Broken> {
        match self.last {
            Some(last) => {
                let (expected, found) = (last.number + 1, link.number);
                if found != expected {
                    return Err(Broken::Misplaced {
                        line,
                        expected,
                        found,
                    });
                }
                if previous != last.hash {
                    return Err(Broken::Changed {
                        line,
                        entry: last.number,
                    });
                }
            }
            None if link.number == 0 && previous != NOTHING => return Err(Broken::Beginning),
            None => {
                let found = link.number;
                match self.from {
                    Some(NOTHING) if found > 0 => return Err(Broken::NotFromStart { found }),
                    Some(from) if from != previous => {
                        let from = previous;
                        return Err(Broken::GoesOnElsewhere { found, from });
                    }
                    _ => self.first = Some(found),
                }
            }
        }
        self.last = Some(link);
        Ok(())
    }

    /// The number of the first line: 0 if the log is there from its beginning. `None` if there was no line.
    #[must_use]
    pub const fn first(&self) -> Option<u64> {
        self.first
    }

    /// The last line.
    #[must_use]
    pub const fn last(&self) -> Option<AuditLink> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_796_000_501, "2026-11-30T01:01:41Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_107_456_000, "2100-02-28T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(time(seconds), expected);
        }
        // Nothing overflows.
        assert!(time(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let lengths = |year: u64| {
            let leap =
                year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            [
                31,
                if leap { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ]
        };
        let mut seconds = 0;
        for year in 1970..2410 {
            for (month, days) in (1..).zip(lengths(year)) {
                for day in 1..=days {
                    let expected = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                    assert_eq!(time(seconds), expected);
                    seconds += 24 * 3600;
                }
            }
        }
    }
}
