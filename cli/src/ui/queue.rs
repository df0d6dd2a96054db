//! What a user sees while a server is busy with others.

use std::time::{Duration, Instant};

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

    /// So many clients come before this one.
    pub(crate) fn reach(&mut self, ahead: u32) {
        let waiting = match ahead {
            0 => "waiting: you are next".to_owned(),
            _ => format!("waiting: {ahead} before you"),
        };
        if self.ui.draws() {
            let line = self
                .line
                .get_or_insert_with(|| bar::line(None, "{spinner} {msg}  {elapsed} gone"));
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

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
