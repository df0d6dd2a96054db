//! Progress on the last line of a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use channel::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};

use crate::interrupt;
use crate::text::bytes;

/// Time between two updates of the byte counter on the screen.
const TICK: Duration = Duration::from_millis(150);

/// What stands on the last line of the screen, if anything.
static SHOWN: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// A line of a form, which goes when the process is asked to end: what the shell prints next has a line of its own.
pub(super) fn line(steps: Option<u64>, form: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(form).expect("the template is well formed"));
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
    interrupt::before_end(|| {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = shown.and_then(|bar| bar.upgrade()) {
            bar.finish_and_clear();
        }
    });
    bar
}

/// A progress bar. A thread of its own updates the byte count while a long layer runs.
pub(crate) struct Bar {
    bar: ProgressBar,
    done: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl Bar {
    /// Of so many layers; one that is not shown does nothing.
    pub(super) fn new(layers: u64, traffic: Arc<Progress>, shown: bool) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if !shown {
            let (bar, ticker) = (ProgressBar::hidden(), None);
            return Self { bar, done, ticker };
        }
        let form = "{prefix}{bar:30} {pos}/{len} layers  {elapsed} gone, {eta} left  {msg}";
        let bar = line(Some(layers), form);
        let (ticking, is_done) = (bar.clone(), Arc::clone(&done));
        let ticker = std::thread::spawn(move || {
            while !is_done.load(Ordering::Relaxed) {
                let moved = traffic.sent() + traffic.received();
                ticking.set_message(bytes(moved));
                ticking.tick();
                std::thread::park_timeout(TICK);
            }
        });
        let ticker = Some(ticker);
        Self { bar, done, ticker }
    }

    /// Moves the bar on: this many of so many layers are done, ahead of the image or with it.
    pub(crate) fn reach(&self, (done, layers): (u64, u64), ahead: bool) {
        self.bar.set_prefix(if ahead { "ahead: " } else { "" });
        self.bar.set_length(layers);
        self.bar.set_position(done);
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

/// A progress bar of work that moves no bytes.
pub(crate) struct Steps(ProgressBar);

impl Steps {
    /// One that is not shown does nothing.
    pub(super) fn new(shown: bool) -> Self {
        let form = "{bar:30} {percent} %  {elapsed} gone, {eta} left";
        Self(match shown {
            true => line(Some(1), form),
            false => ProgressBar::hidden(),
        })
    }

    /// Moves the bar on: this many of so many steps are done.
    pub(crate) fn reach(&self, done: u64, steps: u64) {
        self.0.set_length(steps);
        self.0.set_position(done);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
