//! What a user sees while a server is busy with others.

use std::time::{Duration, Instant};

use channel::Waiting;
use indicatif::ProgressBar;

use super::{Ui, bar};

/// The least time between two notes.
const PAUSE: Duration = Duration::from_millis(900);

/// A client's place in line: on a terminal one line that changes, elsewhere a note at every change.
pub(crate) struct Queue {
    ui: Ui,
    line: Option<ProgressBar>,
    ahead: Option<u32>,
    /// The place that was noted last, and when.
    noted: Option<(u32, Instant)>,
}

impl Queue {
    pub(super) const fn new(ui: Ui) -> Self {
        Self {
            ui,
            line: None,
            ahead: None,
            noted: None,
        }
    }

    /// Where in line this client is.
    pub(crate) fn reach(&mut self, place: &Waiting) {
        let ahead = place.ahead;
        let waiting = said(ahead, place.wait);
        if self.ui.draws() {
            let line = self
                .line
                .get_or_insert_with(|| bar::line(None, "{spinner} {elapsed} gone  {wide_msg}"));
            line.set_message(waiting);
            line.tick();
        } else if self
            .noted
            .is_none_or(|(place, at)| place != ahead && at.elapsed() >= PAUSE)
        {
            // What is left out now is said at the server's next word, if it still holds.
            self.ui.note(&waiting);
            self.noted = Some((ahead, Instant::now()));
        }
        self.ahead = Some(ahead);
    }

    /// How many clients came before this one at last; none if it did not have to wait.
    pub(crate) const fn ahead(&self) -> Option<u32> {
        self.ahead
    }
}

/// A place and the time until its turn, in words.
fn said(ahead: u32, wait: Option<Duration>) -> String {
    let place = match ahead {
        0 => "you are next".to_owned(),
        _ => format!("{ahead} before you"),
    };
    let wait = wait.map_or_else(
        || "nobody knows yet for how long".to_owned(),
        |wait| match wait.as_secs() {
            seconds @ ..100 => format!("about {seconds} s"),
            seconds @ ..6000 => format!("about {} min", seconds.div_ceil(60)),
            seconds => format!("about {} h", seconds.div_ceil(3600)),
        },
    );
    format!("waiting: {place}, {wait}")
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_round_and_never_too_short() {
        let wait = |seconds| said(2, Some(Duration::from_secs(seconds)));
        assert_eq!(wait(7), "waiting: 2 before you, about 7 s");
        assert_eq!(wait(99), "waiting: 2 before you, about 99 s");
        assert_eq!(wait(121), "waiting: 2 before you, about 3 min");
        assert_eq!(wait(6001), "waiting: 2 before you, about 2 h");
        assert_eq!(
            said(0, None),
            "waiting: you are next, nobody knows yet for how long"
        );
    }
}
