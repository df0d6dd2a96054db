//! Ctrl-C, and what else asks a process to end: SIGTERM, SIGHUP, a closed console.
//!
//! A command that does nothing here ends at once, by the system's own doing.

#[cfg(unix)]
use std::fs::read_to_string;
use std::fs::{remove_dir_all, remove_file};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use channel::{Leave, Leaver};

use crate::failure::{Failure, Outcome};

/// The exit code of a process that was asked to end, as shells have it for Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Where there are no signals: has `act` done at the first request, after which the command comes to its end by itself. The second one ends the process,
/// even where `act` waits for a terminal that takes no text.
#[cfg(not(unix))]
pub(crate) fn first(act: impl FnOnce() + Send + 'static) -> Outcome<()> {
    let mut act = Some(act);
    let handler = move || match act.take() {
        Some(act) => drop(thread::spawn(act)),
        None => exit(INTERRUPTED),
    };
    ctrlc::set_handler(handler).map_err(Failure::run)
}

/// Ends the process at once, as a second request does, with the exit code that shells have for a signal.
#[cfg(unix)]
pub(crate) fn end(signal: i32) -> ! {
    exit(128 + signal)
}

/// The same after so long.
#[cfg(unix)]
pub(crate) fn end_after(moment: Duration, signal: i32) {
    let end = move || {
        thread::sleep(moment);
        end(signal);
    };
    drop(thread::spawn(end));
}

/// What is done at a request before the process ends, if it takes no longer than this.
const MOMENT: Duration = Duration::from_millis(300);
static CLEANING: Mutex<Vec<fn()>> = Mutex::new(Vec::new());
static SESSION: Mutex<Option<Leaver>> = Mutex::new(None);
/// Whether that is being done.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Has `clean` done at a request, if it takes no longer than a moment, and then ends the process as if nobody had been in its way. It stays for the
/// rest of the process.
pub(crate) fn before_end(clean: fn()) {
    let mut cleaning = CLEANING.lock().unwrap_or_else(PoisonError::into_inner);
    cleaning.push(clean);
    drop(cleaning);
    listen();
}

/// Has the other end of this session told at a request, if it takes no longer than a moment, and then ends the process. The last call counts.
pub(crate) fn say_goodbye(session: Leaver) {
    *SESSION.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    listen();
}

/// Waits for the end of the process, if it was asked for: a command whose session is left on that account fails, and that is nothing to be said.
pub(crate) fn wait_for_end() {
    while ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    // Without a handler the process ends all the same.
    ONCE.call_once(|| drop(on_request()));
}

/// Does what there is to do.
fn clean() {
    ENDING.store(true, Ordering::SeqCst);
    let (done, is_done) = mpsc::channel::<()>();
    let also_done = done.clone();
    thread::spawn(move || {
        let cleaning = CLEANING.lock().unwrap_or_else(PoisonError::into_inner);
        cleaning.iter().for_each(|clean| clean());
        drop(done);
    });
    thread::spawn(move || {
        let session = SESSION
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(session) = session {
            session.leave(Leave::Stopped, MOMENT);
        }
        drop(also_done);
    });
    let _ = is_done.recv_timeout(MOMENT);
}

/// At a signal the process ends by that signal, so that whoever waits for it knows which one it was: 130 in a shell for Ctrl-C, 143 for SIGTERM.
#[cfg(unix)]
fn on_request() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let all = [SIGHUP, SIGINT, SIGTERM];
    let mut signals = Signals::new(all.into_iter().filter(|&signal| !is_ignored(signal)))?;
    let wait = move || {
        let Some(signal) = signals.forever().next() else {
            return;
        };
        clean();
        let _ = emulate_default_handler(signal);
        exit(INTERRUPTED);
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map(drop)
}

/// Whether whoever started this process wants it to go on at a signal, as `nohup` does; where the system does not tell, nobody does.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
fn on_request() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        clean();
        exit(INTERRUPTED);
    })
}

/// What is removed if the process is asked to end: files and folders that are not whole yet, or for this process alone.
static SCRAP: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file or a folder that does not outlive a request to end, as long as there is this value.
#[derive(Debug)]
pub(crate) struct Scrap(PathBuf);

impl Scrap {
    pub(crate) fn new(path: &Path) -> Self {
        static ONCE: Once = Once::new();
        let mut all = SCRAP.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(path.to_owned());
        drop(all);
        ONCE.call_once(|| {
            before_end(|| {
                let all = SCRAP.lock().unwrap_or_else(PoisonError::into_inner);
                for path in all.iter() {
                    let _ = match path.is_dir() {
                        true => remove_dir_all(path),
                        false => remove_file(path),
                    };
                }
            });
        });
        Self(path.to_owned())
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        let mut all = SCRAP.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|path| *path != self.0);
    }
}

/// Has a file that has grown as far as it may (`ulimit -f`) be an error of the write, as a full disk is. The signal that comes with it would end the
/// process without a word.
pub(crate) fn outlive_file_limits() {
    // A handler and not the order to ignore it: programs that this one starts would inherit that.
    #[cfg(unix)]
    {
        use std::sync::Arc;
        // Where it is not set, the process ends as others do.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    }
}

/// Ends the process when its standard input ends. A process that holds the other end of that pipe, and dies of whatever cause,
/// takes this one with it: the operating system closes the pipe.
pub(crate) fn end_with_stdin() -> Outcome<()> {
    let watch = || {
        // Whatever comes is of no matter, and an error is an end too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        exit(INTERRUPTED);
    };
    let thread = thread::Builder::new().name("lifeline".into());
    thread.spawn(watch).map(drop).map_err(Failure::run)
}
