//! What asks a running server to stop or to read its files again.

#[cfg(unix)]
use std::io::IsTerminal;
use std::sync::mpsc::{Sender, channel};
#[cfg(unix)]
use std::time::Duration;

use crate::failure::Outcome;
use crate::interrupt;

/// How long clients may take to hear that they are cut.
#[cfg(unix)]
const MOMENT: Duration = Duration::from_secs(2);

/// What a server is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// SIGTERM or Ctrl-C.
    Stop,
    /// A second one, with its number: the process ends as soon as its clients know, and in a moment at most.
    #[cfg(unix)]
    Cut(i32),
    /// SIGHUP.
    Reload,
    /// Nothing more: it has ended.
    End,
}

/// Sends what is asked for, from now on until the process ends.
#[cfg(unix)]
pub(super) fn listen(to: Sender<Wanted>) -> Outcome<()> {
    use crate::failure::Failure;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    // Where a person sits at a terminal, it says that the terminal is gone.
    let reloads = !std::io::stdin().is_terminal();
    let signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]);
    let mut signals = signals.map_err(Failure::run)?;
    let (mut stopping, mut cutting) = (false, false);
    let forward = move || {
        for signal in signals.forever() {
            if signal == SIGHUP && reloads {
                // Whoever does not hear it is ending.
                let _ = to.send(Wanted::Reload);
            } else if !std::mem::replace(&mut stopping, true) {
                let _ = to.send(Wanted::Stop);
            } else if to.send(Wanted::Cut(signal)).is_err() || std::mem::replace(&mut cutting, true)
            {
                interrupt::end(signal);
            } else {
                // Whoever is to cut may wait for a terminal that takes no text.
                interrupt::end_after(MOMENT, signal);
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(forward).map(drop).map_err(Failure::run)
}

/// The same where there are no signals but Ctrl-C.
#[cfg(not(unix))]
pub(super) fn listen(to: Sender<Wanted>) -> Outcome<()> {
    interrupt::first(move || {
        let _ = to.send(Wanted::Stop);
    })
}

/// Where [`listen`] sends to, with a second sender.
pub(super) fn queue() -> Outcome<(Sender<Wanted>, std::sync::mpsc::Receiver<Wanted>)> {
    let (to, from) = channel();
    listen(to.clone())?;
    Ok((to, from))
}
