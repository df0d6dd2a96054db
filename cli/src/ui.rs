//! Standard output and standard error: results on the one, progress and messages on the other. Nothing is printed elsewhere,
//! so that here every character that a terminal would obey is escaped.

mod bar;
mod colour;
mod queue;

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::Arc;

use channel::Progress;
use serde::Serialize;

use crate::csv;
use crate::failure::{Failure, Outcome};
use crate::plain;
use crate::report::Report;

pub(crate) use bar::{Bar, Steps};
pub(crate) use colour::Colour;
pub(crate) use queue::Queue;

/// How this run talks to its user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
    /// Notes go to the log.
    logged: bool,
}

impl Ui {
    pub(crate) const fn new(json: bool, quiet: bool) -> Self {
        let logged = false;
        Self {
            json,
            quiet,
            logged,
        }
    }

    /// The same where notes go to the log, whose lines are objects.
    pub(crate) const fn logged(self) -> Self {
        let logged = true;
        Self { logged, ..self }
    }

    pub(crate) const fn is_quiet(self) -> bool {
        self.quiet
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A result, as JSON or as a table.
    pub(crate) fn result(self, report: &Report) -> Outcome<()> {
        if self.json {
            self.json_line(report)
        } else {
            self.text(&report.table())
        }
    }

    /// One JSON object on a line of its own.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn json_line(self, value: &impl Serialize) -> Outcome<()> {
        let text = serde_json::to_string(value).map_err(Failure::run)?;
        print(&(plain::line(&text) + "\n"))
    }

    /// A row of a table as CSV.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn csv(self, cells: &[csv::Cell<'_>]) -> Outcome<()> {
        print(&csv::line(cells))
    }

    /// A text that another program reads, and that is ours to the last character.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn own(self, text: &str) -> Outcome<()> {
        print(text)
    }

    /// Text for people, left out under `--json`.
    pub(crate) fn text(self, text: &str) -> Outcome<()> {
        if self.json {
            Ok(())
        } else {
            print(&plain::lines(text))
        }
    }

    /// A line of text that begins with a marked word; in colour on a terminal, unless NO_COLOR forbids it.
    pub(crate) fn marked(self, word: &str, colour: Colour, rest: &str) -> Outcome<()> {
        if self.json {
            return Ok(());
        }
        let (word, rest) = (plain::line(word), plain::line(rest));
        let word = colour.paint(&word, std::io::stdout().is_terminal());
        print(&format!("{word}{rest}\n"))
    }

    /// A note on standard error about what is going on; left out under `--quiet`.
    pub(crate) fn note(self, message: &str) {
        if self.logged {
            tracing::info!("{message}");
        } else if !self.quiet {
            say(&plain::for_people(message), (Colour::Odd, "WARNING:"));
        }
    }

    /// Says on standard error why the run ends. That nobody reads the results any more is no error of the run.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn error(self, failure: &Failure) {
        if !matches!(failure, Failure::ClosedPipe) {
            say(&format!("blindray: {failure}"), (Colour::Bad, "blindray:"));
        }
    }

    /// A progress bar on standard error over the bytes that a phase will take.
    pub(crate) fn progress(self, planned: u64, traffic: Arc<Progress>) -> Bar {
        Bar::new(planned, traffic, self.draws())
    }

    /// A progress bar of work that moves no bytes, on standard error.
    pub(crate) fn steps(self) -> Steps {
        Steps::new(self.draws())
    }

    /// What is said to a user whose client waits in line.
    pub(crate) fn queue(self) -> Queue {
        Queue::new(self)
    }

    /// Whether lines may be drawn over: standard error is a terminal.
    fn draws(self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }
}

fn print(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::run(format!("cannot write the result: {error}")),
    })
}

/// A line on standard error, whose first word may have a colour. Where it is closed, the run goes on.
fn say(line: &str, (colour, word): (Colour, &str)) {
    let mut line = plain::line(line);
    if let Some(rest) = line.strip_prefix(word) {
        line = colour.paint(word, std::io::stderr().is_terminal()) + rest;
    }
    let _ = writeln!(std::io::stderr(), "{line}");
}
