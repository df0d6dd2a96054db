//! Both parties on threads of one process.

use std::time::Duration;

use channel::{Config, Connection, Listener, Memory, Terms, connect};

/// Bytes each direction of each stream holds: few, so that a protocol in which both parties send
/// before they receive hangs here and not only in production.
const CAPACITY: usize = 1 << 12;

/// Long enough for a slow machine; a hang ends in `Timeout`.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The in-memory line that tests run over.
pub(crate) fn line() -> Memory {
    Memory {
        capacity: CAPACITY,
        timeout: TIMEOUT,
        relay: None,
    }
}

/// Runs both parties, each on a thread of its own, over bounded in-memory lines and returns what
/// they returned.
///
/// # Panics
///
/// If a party panics, with that party's message.
pub fn run_2pc<R: Send, S: Send>(
    server: impl FnOnce(Connection) -> R + Send,
    client: impl FnOnce(Connection) -> S + Send,
) -> (R, S) {
    run_over(line().pair(), server, client)
}

/// As [`run_2pc`], over a given connection: the server's end and the client's.
///
/// # Panics
///
/// If a party panics, with that party's message.
pub fn run_over<R: Send, S: Send>(
    (at_server, at_client): (Connection, Connection),
    server: impl FnOnce(Connection) -> R + Send,
    client: impl FnOnce(Connection) -> S + Send,
) -> (R, S) {
    both(move || server(at_server), move || client(at_client))
}

/// As [`run_2pc`], over loopback TCP with a handshake.
///
/// # Panics
///
/// If a party panics or the handshake fails.
pub fn run_tcp<R: Send, S: Send>(
    server: impl FnOnce(Connection) -> R + Send,
    client: impl FnOnce(Connection) -> S + Send,
) -> (R, S) {
    let terms = Terms {
        version: 1,
        parameters: [0; 32],
        model: None,
    };
    let config = Config {
        timeout: TIMEOUT,
        ..Config::default()
    };
    let listener = Listener::bind("127.0.0.1:0", config.clone()).expect("loopback can be bound");
    let address = listener.local_addr();
    both(
        || {
            server(
                listener
                    .accept(&terms, [1; 16])
                    .expect("the handshake succeeds"),
            )
        },
        || client(connect(address, &terms, &config, [2; 16]).expect("the handshake succeeds")),
    )
}

/// Runs two closures at once; the panic of either goes on in the caller.
fn both<R: Send, S: Send>(
    server: impl FnOnce() -> R + Send,
    client: impl FnOnce() -> S + Send,
) -> (R, S) {
    std::thread::scope(|scope| {
        let server = scope.spawn(server);
        let client = scope.spawn(client);
        match (server.join(), client.join()) {
            (Ok(r), Ok(s)) => (r, s),
            (Err(panic), _) | (_, Err(panic)) => std::panic::resume_unwind(panic),
        }
    })
}
