//! Progress on the last line of a terminal.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use channel::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};

use crate::interrupt;
use crate::text::grouped;

/// Time between two updates of the screen.
const TICK: Duration = Duration::from_millis(150);

/// What stands on the last line of the screen, if anything.
static SHOWN: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// A line of a form, which goes when the process is asked to end: what the shell prints next has a line of its own.
pub(super) fn line(steps: Option<u64>, form: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(form).expect("the template is well formed"));
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        interrupt::before_end(|| {
            let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(bar) = shown.and_then(|bar| bar.upgrade()) {
                bar.finish_and_clear();
            }
        });
    });
    bar
}

/// The phase, its layers, and which of them have begun last.
struct Place {
    phase: String,
    begun: RangeInclusive<u64>,
    layers: u64,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            phase: String::new(),
            begun: 0..=0,
            layers: 0,
        }
    }
}

/// What a bar shows, said by the party's thread and shown by another one.
struct Told {
    traffic: Arc<Progress>,
    /// Bytes that had passed when the bar began.
    before: u64,
    /// Bytes to come, as planned.
    planned: AtomicU64,
    begin: Instant,
    place: Mutex<Place>,
}

impl Told {
    fn moved(&self) -> u64 {
        payload(&self.traffic)
            .saturating_sub(self.before)
            .min(self.planned())
    }

    fn planned(&self) -> u64 {
        self.planned.load(Ordering::Relaxed)
    }

    fn text(&self) -> String {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        text(&place, self.moved(), self.planned(), self.begin.elapsed())
    }
}

/// Bytes that the protocols have said: how many there are of frames depends on time.
fn payload(traffic: &Progress) -> u64 {
    let all = traffic.sent() + traffic.received();
    all.saturating_sub(traffic.framing_sent() + traffic.framing_received())
}

/// What matters most comes first: a narrow terminal cuts off the rest.
fn text(place: &Place, moved: u64, planned: u64, gone: Duration) -> String {
    if place.layers == 0 {
        return "sets up".to_owned();
    }
    let left = match moved {
        0 => "?".to_owned(),
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "a time for people")]
            let rest = (planned - moved) as f64 / moved as f64;
            format!("{:.0}", gone.as_secs_f64() * rest)
        }
    };
    let Place {
        phase,
        begun,
        layers,
    } = place;
    let begun = match begun.start() == begun.end() {
        true => format!("layer {}", begun.end()),
        false => format!("layers {} to {}", begun.start(), begun.end()),
    };
    format!(
        "{phase}, {left} s left, {begun} of {layers}, {} of {} B",
        grouped(moved),
        grouped(planned)
    )
}

/// A progress bar over the bytes of a phase. A thread of its own updates it while a long layer runs.
pub(crate) struct Bar {
    bar: ProgressBar,
    told: Option<Arc<Told>>,
    done: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl Bar {
    /// Over so many bytes; one that is not shown does nothing.
    pub(super) fn new(planned: u64, traffic: Arc<Progress>, shown: bool) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if !shown {
            let (bar, told, ticker) = (ProgressBar::hidden(), None, None);
            return Self {
                bar,
                told,
                done,
                ticker,
            };
        }
        let told = Arc::new(Told {
            before: payload(&traffic),
            traffic,
            planned: AtomicU64::new(planned),
            begin: Instant::now(),
            place: Mutex::default(),
        });
        let bar = line(Some(planned), "{bar:12} {wide_msg}");
        let (ticking, is_done, tell) = (bar.clone(), Arc::clone(&done), Arc::clone(&told));
        let ticker = std::thread::spawn(move || {
            while !is_done.load(Ordering::Relaxed) {
                ticking.set_length(tell.planned());
                ticking.set_position(tell.moved());
                ticking.set_message(tell.text());
                ticking.tick();
                std::thread::park_timeout(TICK);
            }
        });
        let (told, ticker) = (Some(told), Some(ticker));
        Self {
            bar,
            told,
            done,
            ticker,
        }
    }

    /// Says how many bytes there will be, where that was not known before.
    pub(crate) fn plan(&self, planned: u64) {
        if let Some(told) = &self.told {
            told.planned.store(planned, Ordering::Relaxed);
        }
    }

    /// Says where the party is: in which phase, and which of how many layers begin, counted from 1.
    pub(crate) fn reach(&self, phase: &str, begun: RangeInclusive<u64>, layers: u64) {
        let Some(told) = &self.told else { return };
        let mut place = told.place.lock().unwrap_or_else(PoisonError::into_inner);
        // Layers run side by side, and one may begin after others that come later. A phase ahead may come once more.
        let one = begun.start() == begun.end();
        if one && place.phase == phase && place.begun.end() >= begun.end() {
            return;
        }
        let phase = phase.to_owned();
        *place = Place {
            phase,
            begun,
            layers,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_has_passed() {
        let gone = Duration::from_secs(3);
        let place = Place {
            phase: "ahead".into(),
            begun: 3..=3,
            layers: 57,
        };
        let said = text(&place, 1_000_000, 5_000_000, gone);
        assert_eq!(
            said,
            "ahead, 12 s left, layer 3 of 57, 1,000,000 of 5,000,000 B"
        );
        let several = Place {
            begun: 4..=57,
            ..place
        };
        let said = text(&several, 0, 5, gone);
        assert_eq!(said, "ahead, ? s left, layers 4 to 57 of 57, 0 of 5 B");
        assert_eq!(text(&Place::default(), 0, 0, gone), "sets up");
        let place = several;
        assert!(text(&place, 0, 5, gone).contains(" ? s left"));
        assert!(text(&place, 5, 5, gone).contains(" 0 s left"));
    }
}
