//! Standard output and standard error: results on the one, progress and messages on the other.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use channel::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::report::Report;
use crate::text::bytes;

/// Time between two updates of the byte counter on the screen.
const TICK: Duration = Duration::from_millis(150);

/// How this run talks to its user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
}

impl Ui {
    pub(crate) const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A result, as JSON or as a table.
    pub(crate) fn result(self, report: &Report) -> Outcome<()> {
        if self.json {
            self.json_line(report)
        } else {
            print(&report.table())
        }
    }

    /// One JSON object on a line of its own.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn json_line(self, value: &impl Serialize) -> Outcome<()> {
        let text = serde_json::to_string(value).map_err(Failure::run)?;
        print(&(text + "\n"))
    }

    /// Text for people, left out under `--json`.
    pub(crate) fn text(self, text: &str) -> Outcome<()> {
        if self.json { Ok(()) } else { print(text) }
    }

    /// A note on standard error about what is going on; left out under `--quiet`.
    pub(crate) fn note(self, message: &str) {
        if !self.quiet {
            // A closed standard error must not end the run.
            let _ = writeln!(std::io::stderr(), "{message}");
        }
    }

    /// Says on standard error why the run ends.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn error(self, failure: &Failure) {
        let _ = writeln!(std::io::stderr(), "blindray: {failure}");
    }

    /// A progress bar over `layers` steps on standard error, with the bytes moved so far.
    pub(crate) fn progress(self, layers: u64, traffic: Arc<Progress>) -> Bar {
        Bar::new(
            layers,
            traffic,
            self.quiet || !std::io::stderr().is_terminal(),
        )
    }
}

fn print(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Failure::run(format!("cannot write the result: {e}")))
}

/// A progress bar. A thread of its own updates the byte count while a long layer runs.
pub(crate) struct Bar {
    bar: ProgressBar,
    done: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl Bar {
    fn new(layers: u64, traffic: Arc<Progress>, hidden: bool) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(layers),
            if hidden {
                ProgressDrawTarget::hidden()
            } else {
                ProgressDrawTarget::stderr()
            },
        );
        let style = ProgressStyle::with_template(
            "{bar:30} {pos}/{len} layers  {elapsed} gone, {eta} left  {msg}",
        )
        .expect("the template is well formed");
        bar.set_style(style);
        let done = Arc::new(AtomicBool::new(false));
        let ticker = (!hidden).then(|| {
            let (bar, done) = (bar.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let moved = traffic.sent() + traffic.received();
                    bar.set_message(bytes(moved));
                    bar.tick();
                    std::thread::park_timeout(TICK);
                }
            })
        });
        Self { bar, done, ticker }
    }

    /// Moves the bar on: this many layers are done.
    pub(crate) fn reach(&self, layers: u64) {
        self.bar.set_position(layers);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
        self.bar.finish_and_clear();
    }
}
