//! Standard output and standard error: results on the one, progress and messages on the other. Nothing is printed elsewhere,
//! so that here every character that a terminal would obey is escaped.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use channel::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::report::Report;
use crate::text::bytes;
use crate::{interrupt, plain};

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
            self.text(&report.table())
        }
    }

    /// One JSON object on a line of its own.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn json_line(self, value: &impl Serialize) -> Outcome<()> {
        let text = serde_json::to_string(value).map_err(Failure::run)?;
        print(&(plain::line(&text) + "\n"))
    }

    /// Text for people, left out under `--json`.
    pub(crate) fn text(self, text: &str) -> Outcome<()> {
        if self.json {
            Ok(())
        } else {
            print(&plain::lines(text))
        }
    }

    /// A note on standard error about what is going on; left out under `--quiet`.
    pub(crate) fn note(self, message: &str) {
        if !self.quiet {
            say(message);
        }
    }

    /// Says on standard error why the run ends. That nobody reads the results any more is no error of the run.
    #[expect(clippy::unused_self, reason = "reads as the other outputs do")]
    pub(crate) fn error(self, failure: &Failure) {
        if !matches!(failure, Failure::ClosedPipe) {
            say(&format!("blindray: {failure}"));
        }
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
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::run(format!("cannot write the result: {error}")),
    })
}

/// A line on standard error. Where it is closed, the run goes on.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", plain::line(line));
}

/// The bar on the screen, if there is one.
static SHOWN: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// Takes the bar off the screen, so that what the shell prints next has a line of its own.
fn clear_shown() {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = shown.and_then(|bar| bar.upgrade()) {
        bar.finish_and_clear();
    }
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
        if !hidden {
            *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
            interrupt::before_end(clear_shown);
        }
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
