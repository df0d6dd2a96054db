//! What a client has used, and whether it may use more: the arithmetic that all stores share.

use std::fmt;
use std::time::Duration;

use super::StoreError;
use crate::words::counted;

/// The minutes of the window of what is counted by the hour.
const WINDOW: u64 = 60;
/// The first byte of an account's bytes.
const VERSION: u8 = 1;

/// What a client is about to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct Charge {
    /// Images.
    pub images: u64,
    /// Sessions.
    pub sessions: u64,
    /// Bytes in both directions.
    pub bytes: u64,
}

/// What a client may use; `None` is without limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct Quota {
    /// Images in any sixty minutes.
    pub images_per_hour: Option<u64>,
    /// Images in all.
    pub images: Option<u64>,
    /// Sessions in any sixty minutes.
    pub sessions_per_hour: Option<u64>,
    /// Bytes in all, in both directions.
    pub bytes: Option<u64>,
}

impl Quota {
    /// Whether it limits anything.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// What one of the limits of a [`Quota`] counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(clippy::exhaustive_enums, reason = "one for each field of a quota")]
pub enum QuotaKind {
    /// [`Quota::images_per_hour`].
    ImagesPerHour,
    /// [`Quota::images`].
    Images,
    /// [`Quota::sessions_per_hour`].
    SessionsPerHour,
    /// [`Quota::bytes`].
    Bytes,
}

/// The answer to a charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Verdict {
    /// It is within the quota, and charged.
    Charged,
    /// It is not, and nothing was charged.
    Refused(Refusal),
}

/// Why a charge is not within a quota. Its text is for the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores of others write it out")]
pub struct Refusal {
    /// The limit that it exceeds.
    pub kind: QuotaKind,
    /// What this limit allows.
    pub allowed: u64,
    /// What of it is used.
    pub used: u64,
    /// What was asked for.
    pub wanted: u64,
    /// After which time the same charge would be allowed, if nothing else is charged; `None`: waiting does not help.
    pub wait: Option<Duration>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            allowed,
            used,
            wanted,
            wait,
        } = self;
        let (thing, each) = match kind {
            QuotaKind::ImagesPerHour => ("image", " an hour"),
            QuotaKind::Images => ("image", ""),
            QuotaKind::SessionsPerHour => ("session", " an hour"),
            QuotaKind::Bytes => ("byte", ""),
        };
        let quota = counted(*allowed, thing);
        let are = if *used == 1 { "is" } else { "are" };
        write!(
            f,
            "the quota is {quota}{each}, {used} {are} used, and this would take {wanted}; "
        )?;
        match wait {
            Some(wait) => {
                let minutes = counted(wait.as_secs().div_ceil(60), "minute");
                write!(f, "come again in {minutes}")
            }
            None if wanted <= allowed => write!(f, "ask the operator for more"),
            None => write!(f, "ask for fewer"),
        }
    }
}

/// What a client has used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "stores of others write it out")]
pub struct Usage {
    /// Images in all.
    pub images: u64,
    /// Images of the last sixty minutes.
    pub images_this_hour: u64,
    /// Sessions in all.
    pub sessions: u64,
    /// Sessions of the last sixty minutes.
    pub sessions_this_hour: u64,
    /// Bytes in all.
    pub bytes: u64,
}

/// What a client has used, in a form that stores keep: totals, and the charges of the last sixty minutes by the minute.
///
/// Minutes are counted whole, so that a window is of 60 to 61 minutes: never more than the quota in any hour.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    images: u64,
    sessions: u64,
    bytes: u64,
    /// In ascending order of minutes, at most [`WINDOW`] + 1.
    minutes: Vec<Minute>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Minute {
    /// Unix seconds by 60.
    number: u64,
    images: u64,
    sessions: u64,
}

impl Account {
    /// Charges it, if the quota allows all of it.
    pub fn charge(&mut self, charge: &Charge, quota: &Quota, now: u64) -> Verdict {
        self.settle(now);
        let Charge {
            images,
            sessions,
            bytes,
        } = *charge;
        let recent =
            |of: fn(&Minute) -> u64| self.minutes.iter().map(of).fold(0, u64::saturating_add);
        let of_images: fn(&Minute) -> u64 = |minute| minute.images;
        let of_sessions: fn(&Minute) -> u64 = |minute| minute.sessions;
        // Limits in all come first: no waiting helps.
        let in_all = [
            (QuotaKind::Images, quota.images, self.images, images),
            (QuotaKind::Bytes, quota.bytes, self.bytes, bytes),
        ];
        let hourly = [
            (
                QuotaKind::ImagesPerHour,
                quota.images_per_hour,
                of_images,
                images,
            ),
            (
                QuotaKind::SessionsPerHour,
                quota.sessions_per_hour,
                of_sessions,
                sessions,
            ),
        ];
        let refusal = |kind, allowed: Option<u64>, used: u64, wanted: u64| {
            let allowed = allowed?;
            // What costs nothing is always allowed.
            let exceeded = wanted > 0 && used.checked_add(wanted).is_none_or(|sum| sum > allowed);
            exceeded.then_some(Refusal {
                kind,
                allowed,
                used,
                wanted,
                wait: None,
            })
        };
        for (kind, allowed, used, wanted) in in_all {
            if let Some(refused) = refusal(kind, allowed, used, wanted) {
                return Verdict::Refused(refused);
            }
        }
        let refused = hourly
            .into_iter()
            .filter_map(|(kind, allowed, of, wanted)| {
                let mut refused = refusal(kind, allowed, recent(of), wanted)?;
                refused.wait = self.wait(&refused, of, now);
                Some(refused)
            });
        // The one to wait for longest; no waiting at all is longest.
        let longest = refused.max_by_key(|refused| refused.wait.unwrap_or(Duration::MAX));
        if let Some(refused) = longest {
            return Verdict::Refused(refused);
        }
        self.images = self.images.saturating_add(images);
        self.sessions = self.sessions.saturating_add(sessions);
        self.bytes = self.bytes.saturating_add(bytes);
        let number = now / 60;
        match self.minutes.last_mut() {
            Some(last) if last.number == number => {
                last.images = last.images.saturating_add(images);
                last.sessions = last.sessions.saturating_add(sessions);
            }
            _ => self.minutes.push(Minute {
                number,
                images,
                sessions,
            }),
        }
        Verdict::Charged
    }

    /// What was used.
    #[must_use]
    pub fn usage(&self, now: u64) -> Usage {
        let mut settled = self.clone();
        settled.settle(now);
        let recent =
            |of: fn(&Minute) -> u64| settled.minutes.iter().map(of).fold(0, u64::saturating_add);
        Usage {
            images: self.images,
            images_this_hour: recent(|minute| minute.images),
            sessions: self.sessions,
            sessions_this_hour: recent(|minute| minute.sessions),
            bytes: self.bytes,
        }
    }

    /// Forgets minutes that are over. Those that lie ahead, after a clock was set back, count as this one: for an hour more,
    /// and not for as long as the clock was wrong.
    fn settle(&mut self, now: u64) {
        let number = now / 60;
        self.minutes
            .retain(|minute| minute.number.saturating_add(WINDOW) >= number);
        let mut ahead = Minute {
            number,
            images: 0,
            sessions: 0,
        };
        while let Some(last) = self.minutes.pop_if(|last| last.number >= number) {
            ahead.images = ahead.images.saturating_add(last.images);
            ahead.sessions = ahead.sessions.saturating_add(last.sessions);
        }
        if (ahead.images, ahead.sessions) != (0, 0) {
            self.minutes.push(ahead);
        }
    }

    /// How long until enough minutes are over; `None` if that never suffices.
    fn wait(&self, refused: &Refusal, of: fn(&Minute) -> u64, now: u64) -> Option<Duration> {
        let mut used = refused.used;
        for minute in &self.minutes {
            used = used.saturating_sub(of(minute));
            if used.saturating_add(refused.wanted) <= refused.allowed {
                let over = (minute.number + WINDOW + 1).saturating_mul(60);
                return Some(Duration::from_secs(over.saturating_sub(now)));
            }
        }
        None
    }

    /// As bytes for a store: at most 1.5 KiB.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let minutes = self.minutes.iter();
        let numbers = [self.images, self.sessions, self.bytes]
            .into_iter()
            .chain(minutes.flat_map(|minute| [minute.number, minute.images, minute.sessions]));
        let mut bytes = vec![VERSION];
        bytes.extend(numbers.flat_map(u64::to_le_bytes));
        bytes
    }

    /// The inverse of [`Account::to_bytes`].
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for bytes that are no account.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Unusable {
            what: "what it says of a client is damaged, or of another version".to_owned(),
        };
        let Some((&VERSION, numbers)) = bytes.split_first() else {
            return Err(damaged());
        };
        let (numbers, rest) = numbers.as_chunks();
        let numbers: Vec<u64> = numbers.iter().copied().map(u64::from_le_bytes).collect();
        let Some((&[images, sessions, bytes], minutes)) = numbers.split_first_chunk() else {
            return Err(damaged());
        };
        let (minutes, odd) = minutes.as_chunks();
        let minutes: Vec<Minute> = minutes
            .iter()
            .map(|&[number, images, sessions]| Minute {
                number,
                images,
                sessions,
            })
            .collect();
        let ascending = minutes.is_sorted_by(|a, b| a.number < b.number);
        let room = minutes.len() as u64 <= WINDOW + 1;
        if !(rest.is_empty() && odd.is_empty() && ascending && room) {
            return Err(damaged());
        }
        Ok(Self {
            images,
            sessions,
            bytes,
            minutes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Charge = Charge {
        images: 1,
        sessions: 1,
        bytes: 10,
    };

    fn hourly(images: u64) -> Quota {
        Quota {
            images_per_hour: Some(images),
            ..Quota::default()
        }
    }

    /// Against a list of all charges: never more than the quota in any hour, and a charge is allowed again when it was said to
    /// be, and not a minute before.
    #[test]
    fn no_hour_has_more_than_the_quota() {
        let quota = hourly(5);
        let (mut account, mut charged) = (Account::default(), Vec::<u64>::new());
        let mut state = 1u64;
        let mut now = 1_000_003;
        let mut refused = 0;
        for _ in 0..5000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            now += (state >> 33) % 900;
            match account.charge(&ONE, &quota, now) {
                Verdict::Charged => charged.push(now),
                Verdict::Refused(Refusal { used, wait, .. }) => {
                    assert_eq!(used, 5);
                    let wait = wait.expect("an hour passes").as_secs();
                    assert!((1..=61 * 60).contains(&wait), "{wait}");
                    let at = |time| account.clone().charge(&ONE, &quota, time);
                    assert_eq!(at(now + wait), Verdict::Charged);
                    assert_ne!(at(now + wait - 1), Verdict::Charged);
                    refused += 1;
                }
            }
            let within_the_hour = charged.iter().filter(|&&at| at + 3600 > now).count();
            assert!(within_the_hour <= 5);
            assert!(account.minutes.len() as u64 <= WINDOW + 1);
            let copy = Account::from_bytes(&account.to_bytes());
            assert_eq!(copy.as_ref(), Ok(&account));
        }
        assert!(refused > 100 && charged.len() > 1000);
        assert_eq!(account.usage(now).images, charged.len() as u64);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_longer_than_an_hour() {
        let quota = hourly(1);
        let mut account = Account::default();
        assert_eq!(account.charge(&ONE, &quota, 10_000_000), Verdict::Charged);
        let Verdict::Refused(refused) = account.charge(&ONE, &quota, 1000) else {
            panic!("charged twice within an hour");
        };
        let wait = refused.wait.expect("an hour passes").as_secs();
        assert!(wait <= 61 * 60);
        assert_eq!(account.charge(&ONE, &quota, 1000 + wait), Verdict::Charged);
    }

    #[test]
    fn what_no_waiting_helps_says_so() {
        let mut account = Account::default();
        let two = Charge { images: 2, ..ONE };
        let Verdict::Refused(refused) = account.charge(&two, &hourly(1), 0) else {
            panic!("charged beyond the quota");
        };
        assert_eq!((refused.wait, refused.wanted), (None, 2));
        assert!(refused.to_string().ends_with("ask for fewer"), "{refused}");
        let all = Quota {
            images: Some(2),
            images_per_hour: Some(1),
            ..Quota::default()
        };
        assert_eq!(account.charge(&ONE, &all, 0), Verdict::Charged);
        let Verdict::Refused(refused) = account.charge(&ONE, &all, 0) else {
            panic!("charged beyond the quota");
        };
        assert_eq!(refused.kind, QuotaKind::ImagesPerHour);
        assert!(
            refused.to_string().ends_with("come again in 61 minutes"),
            "{refused}"
        );
        assert_eq!(account.charge(&ONE, &all, 4000), Verdict::Charged);
        let Verdict::Refused(refused) = account.charge(&ONE, &all, 100_000) else {
            panic!("charged beyond the quota");
        };
        assert_eq!((refused.kind, refused.wait), (QuotaKind::Images, None));
        assert!(
            refused.to_string().ends_with("ask the operator for more"),
            "{refused}"
        );
    }

    #[test]
    fn damaged_accounts_are_refused() {
        let mut account = Account::default();
        assert_eq!(
            account.charge(&ONE, &Quota::default(), 60),
            Verdict::Charged
        );
        let good = account.to_bytes();
        for length in 0..good.len() {
            let whole = length == 1 + 3 * 8;
            assert_eq!(
                Account::from_bytes(&good[..length]).is_ok(),
                whole,
                "{length}"
            );
        }
        let mut other = good.clone();
        other[0] = 2;
        assert!(Account::from_bytes(&other).is_err());
        let twice = [&good[..], &good[25..]].concat();
        assert!(Account::from_bytes(&twice).is_err());
        let many = [vec![VERSION], vec![0; 24 * 63]].concat();
        assert!(Account::from_bytes(&many).is_err());
    }
}
