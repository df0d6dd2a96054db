//! The time by which certificates are valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::Error;

/// A machine that was never told the time begins with 1970. A certificate that is made then has expired when the clock is right.
const EARLIEST: Duration = Duration::from_secs(365 * 86_400);

/// The clock of the system, which tells no time before 1971; with one before 1970 the provider of TLS's library would panic.
#[derive(Debug)]
pub(crate) struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        unix(SystemTime::now()).ok()
    }
}

/// Now.
///
/// # Errors
/// [`Error::Clock`].
pub(crate) fn now() -> Result<SystemTime, Error> {
    let now = SystemTime::now();
    unix(now).map(|_| now)
}

fn unix(time: SystemTime) -> Result<UnixTime, Error> {
    let since = time.duration_since(UNIX_EPOCH).ok();
    let since = since.filter(|&since| since >= EARLIEST);
    since.map(UnixTime::since_unix_epoch).ok_or(Error::Clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1971_is_none() {
        let day = Duration::from_secs(86_400);
        for early in [UNIX_EPOCH - day, UNIX_EPOCH, UNIX_EPOCH + 364 * day] {
            assert!(matches!(unix(early), Err(Error::Clock)));
        }
        let later = unix(UNIX_EPOCH + EARLIEST).expect("a time");
        assert_eq!(later.as_secs(), EARLIEST.as_secs());
        assert!(now().is_ok() && Clock.current_time().is_some());
    }

    /// What TLS's library says then is no fault of the peer.
    #[test]
    fn the_error_names_the_clock() {
        let ours = crate::Identity::generate("clock")
            .expect("a key")
            .fingerprint();
        let error = Error::sorted(rustls::Error::FailedToGetCurrentTime, ours);
        assert!(matches!(error, Error::Clock), "{error}");
    }
}
