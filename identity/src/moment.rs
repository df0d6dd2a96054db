//! Moments, for people.

use std::fmt;
use std::time::Duration;

use rcgen::date_time_ymd;

/// The last second that has a date here.
const LAST: u64 = 253_402_300_799;

/// A moment in Unix seconds, shown as `2026-11-30 09:00:00 UTC`; all after the year 9999 are the last of that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a number with a meaning")]
pub struct Moment(pub u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = date_time_ymd(1970, 1, 1) + Duration::from_secs(self.0.min(LAST));
        let (month, day) = (u8::from(at.month()), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        write!(
            f,
            "{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC",
            at.year()
        )
    }
}

/// Behind what has ended or begins at a moment, if it is known.
pub(crate) struct At(pub(crate) &'static str, pub(crate) Option<Moment>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(word, moment) = self;
        moment.map_or(Ok(()), |moment| write!(f, " {word} {moment}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_796_000_501, "2026-11-30 01:01:41 UTC"),
            (u64::MAX, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(Moment(seconds).to_string(), expected);
        }
    }
}
