//! Pairs of connections, in memory and over TCP.
#![allow(dead_code, reason = "no test uses all of them")]

#[path = "../wires/mod.rs"]
pub(crate) mod wires;

use std::thread;

use channel::{Channel, Config, Connection, Listener, Terms, connect, memory_pair};
use wires::multiplexed;

pub(crate) fn terms() -> Terms {
    Terms {
        version: 7,
        parameters: [1; 32],
        model: None,
    }
}

pub(crate) fn tcp_pair() -> (Connection, Connection) {
    tcp_pair_over(1)
}

/// A session over so many TCP connections.
pub(crate) fn tcp_pair_over(connections: u8) -> (Connection, Connection) {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).expect("bind");
    let address = listener.local_addr();
    let config = Config {
        connections,
        ..Config::default()
    };
    let client = thread::spawn(move || connect(address, &terms(), &config, [2; 16]));
    let server = listener.accept(&terms(), [1; 16]).expect("accept");
    (server, client.join().expect("no panic").expect("connect"))
}

pub(crate) fn every_kind() -> Vec<(Connection, Connection)> {
    vec![
        memory_pair(1),
        memory_pair(7),
        memory_pair(1 << 16),
        multiplexed(1, 1),
        multiplexed(1000, 13),
        tcp_pair(),
        tcp_pair_over(3),
    ]
}

/// Runs both parties on stream `stream` and returns what they returned.
pub(crate) fn on_stream<R: Send, S: Send>(
    (server, client): &(Connection, Connection),
    stream: u32,
    at_server: impl FnOnce(&mut Channel) -> R + Send,
    at_client: impl FnOnce(&mut Channel) -> S + Send,
) -> (R, S) {
    thread::scope(|scope| {
        let server = scope.spawn(|| at_server(&mut server.open(stream).expect("open")));
        let client = scope.spawn(|| at_client(&mut client.open(stream).expect("open")));
        (
            server.join().expect("server"),
            client.join().expect("client"),
        )
    })
}
