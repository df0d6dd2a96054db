//! Many clients at once and few places: all get what they came for, and none much later than the others.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Error as ChannelError, Listener};
use identity::{ClientTrust, Identity, ServerTrust, Tls};
use service::{Client, Request};

use crate::common::{CLIENT_SEED, MODEL, SERVER, SERVER_SEED, clear, picture};

/// Clients, and how many sessions each has, one after the other.
const CLIENTS: u8 = 8;
const SESSIONS: u8 = 4;

#[test]
fn eight_clients_at_two_places_are_served_alike() {
    let own = Identity::generate("a server").expect("a key");
    let trust = ServerTrust::Pinned(own.fingerprint());
    let guard = Tls::server(&own, &ClientTrust::Any).expect("a server");
    let config = Config {
        guard: Some(Arc::new(guard)),
        max_sessions: 2,
        ..Config::default()
    };
    let listener = Listener::bind("127.0.0.1:0", config).expect("a port");
    let (address, handle) = (listener.local_addr(), listener.handle());
    let mut took: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                match listener.accept(SERVER.terms(), [1; 16]) {
                    Ok(connection) => {
                        let serve =
                            move || SERVER.serve(&connection, SERVER_SEED, &mut |_| {}).is_ok();
                        scope.spawn(move || assert!(serve(), "a session fails"));
                    }
                    Err(ChannelError::ListenerClosed) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let own = Identity::generate("a client").expect("a key");
                let config = Config {
                    guard: Some(Arc::new(Tls::client(&own, &trust).expect("a client"))),
                    ..Config::default()
                };
                scope.spawn(move || {
                    let expected = clear(&MODEL, number);
                    let begun = Instant::now();
                    for session in 0..SESSIONS {
                        let seed = [number ^ session << 4 ^ CLIENT_SEED[0]; 32];
                        let dialled = Client::dial(address, &config, &Request::default(), seed);
                        let mut client = dialled.expect("a session");
                        let found = client.infer(&picture(number), &mut |_| {});
                        assert_eq!(found.expect("it infers").views, expected);
                    }
                    begun.elapsed()
                })
            })
            .collect();
        let clients = clients.into_iter().map(thread::ScopedJoinHandle::join);
        let took: Result<Vec<_>, _> = clients.collect();
        handle.close();
        took.expect("every client is served")
    });
    took.sort_unstable();
    let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
    assert!(slowest <= 3 * median, "{took:?}");
}
