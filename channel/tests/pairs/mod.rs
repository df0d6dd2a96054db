//! Pairs of connections, in memory and over TCP.

use std::thread;

use channel::{Channel, Config, Connection, Listener, Terms, connect, memory_pair};

pub(crate) fn terms() -> Terms {
    Terms {
        version: 7,
        parameters: [1; 32],
        model: None,
    }
}

pub(crate) fn tcp_pair() -> (Connection, Connection) {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).expect("bind");
    let address = listener.local_addr();
    let client = thread::spawn(move || connect(address, &terms(), &Config::default(), [2; 16]));
    let server = listener.accept(&terms(), [1; 16]).expect("accept");
    (server, client.join().expect("no panic").expect("connect"))
}

pub(crate) fn every_kind() -> Vec<(Connection, Connection)> {
    vec![
        memory_pair(1),
        memory_pair(7),
        memory_pair(1 << 16),
        tcp_pair(),
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
