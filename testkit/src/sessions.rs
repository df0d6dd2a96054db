//! Both parties in sessions, with the cost that they measured.

use channel::{Connection, Cost, Memory, Role};
use sharing::{Extension, Session};

use crate::parties::{line, run_over};
use crate::random::seed;

/// This party's end of a session with ideal correlated OTs; the other end uses the same `number`.
///
/// # Panics
///
/// If the session cannot be opened.
#[must_use]
pub fn ideal_session(connection: &Connection, number: u64) -> Session {
    let own = seed(number ^ own_part(connection.role()));
    Session::ideal(connection, seed(number), own).expect("an ideal session opens")
}

/// Runs both parties of a protocol in a session with ideal correlated OTs, and returns what they
/// returned and what both of them measured: online traffic and correlations drawn.
///
/// Everything random comes from `number`, so two runs are the same bytes.
///
/// # Panics
///
/// If a party panics, or the parties measured different costs.
pub fn run_sessions<R: Send, S: Send>(
    number: u64,
    server: impl FnOnce(&mut Session) -> R + Send,
    client: impl FnOnce(&mut Session) -> S + Send,
) -> (R, S, Cost) {
    run_sessions_over(&line(), number, server, client)
}

/// As [`run_sessions`], over a given line: one with a [`crate::Transcript`] on it, say.
///
/// # Panics
///
/// If a party panics, or the parties measured different costs.
pub fn run_sessions_over<R: Send, S: Send>(
    memory: &Memory,
    number: u64,
    server: impl FnOnce(&mut Session) -> R + Send,
    client: impl FnOnce(&mut Session) -> S + Send,
) -> (R, S, Cost) {
    run(
        memory,
        |connection| ideal_session(connection, number),
        server,
        client,
    )
}

/// As [`run_sessions`], with the real set-up: base OTs and an OT extension in both directions.
///
/// # Panics
///
/// If a party panics, the set-up fails, or the parties measured different costs.
pub fn run_sessions_real<R: Send, S: Send>(
    number: u64,
    extension: &dyn Extension,
    server: impl FnOnce(&mut Session) -> R + Send,
    client: impl FnOnce(&mut Session) -> S + Send,
) -> (R, S, Cost) {
    let establish = |connection: &Connection| {
        let own = seed(number ^ own_part(connection.role()));
        Session::establish(connection, own, extension).expect("the set-up succeeds")
    };
    run(&line(), establish, server, client)
}

fn run<R: Send, S: Send>(
    memory: &Memory,
    open: impl Fn(&Connection) -> Session + Sync,
    server: impl FnOnce(&mut Session) -> R + Send,
    client: impl FnOnce(&mut Session) -> S + Send,
) -> (R, S, Cost) {
    let ((r, at_server), (s, at_client)) = run_over(
        memory.pair(),
        |connection| measured(open(&connection), server),
        |connection| measured(open(&connection), client),
    );
    assert_eq!(
        at_server, at_client,
        "the server and the client measured different costs"
    );
    (r, s, at_server)
}

fn measured<T>(mut session: Session, act: impl FnOnce(&mut Session) -> T) -> (T, Cost) {
    let value = act(&mut session);
    let cost = session.measured();
    (value, cost)
}

/// Sets the parties' own seeds apart from each other and from the shared one.
const fn own_part(role: Role) -> u64 {
    match role {
        Role::Server => 1 << 62,
        Role::Client => 2 << 62,
    }
}
