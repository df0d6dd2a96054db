//! Ctrl-C, and what else asks a process to end: SIGTERM, SIGHUP, a closed console.
//!
//! A command that does nothing here ends at once, by the system's own doing.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError, mpsc};
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

/// Ends the process at once, as a second request does.
#[cfg(unix)]
pub(crate) fn end() -> ! {
    exit(INTERRUPTED)
}

/// The same after so long.
#[cfg(unix)]
pub(crate) fn end_after(moment: Duration) {
    let end = move || {
        thread::sleep(moment);
        end();
    };
    drop(thread::spawn(end));
}

/// What is done at a request before the process ends, if it takes no longer than this.
const MOMENT: Duration = Duration::from_millis(300);
static CLEAN: OnceLock<fn()> = OnceLock::new();
static SESSION: Mutex<Option<Leaver>> = Mutex::new(None);
/// Whether that is being done.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Has `clean` done at a request, if it takes no longer than a moment, and then ends the process. Only the first call counts.
pub(crate) fn before_end(clean: fn()) {
    CLEAN.get_or_init(|| clean);
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
    ONCE.call_once(|| {
        let handler = move || {
            ENDING.store(true, Ordering::SeqCst);
            let (done, is_done) = mpsc::channel::<()>();
            let also_done = done.clone();
            thread::spawn(move || {
                if let Some(clean) = CLEAN.get() {
                    clean();
                }
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
            exit(INTERRUPTED);
        };
        // Without a handler the process ends all the same.
        let _ = ctrlc::set_handler(handler);
    });
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
