//! A listener, and what it takes to be served by it.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use channel::{Config, Connection, Error, Listener, ONLINE, Terms, connect};

pub(crate) fn terms() -> Terms {
    Terms {
        version: 8,
        parameters: [1; 32],
        model: None,
    }
}

/// For tests in which nobody is slow.
pub(crate) fn config() -> Config {
    Config::default()
}

/// For tests in which somebody is.
pub(crate) fn hasty() -> Config {
    let timeout = Duration::from_millis(300);
    Config {
        timeout,
        handshake_timeout: timeout,
        ..config()
    }
}

/// A greeting as it should be: written out here, so that a change of the wire shows.
pub(crate) fn greeting(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"BLINDRAY".to_vec();
    bytes.extend(8_u32.to_le_bytes());
    bytes.push(kind);
    bytes.extend(u16::try_from(body.len()).expect("short").to_le_bytes());
    bytes.extend(body);
    bytes
}

pub(crate) fn listener(config: Config) -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0", config).expect("bind");
    let address = listener.local_addr();
    (listener, address)
}

/// Both ends of a good session.
pub(crate) fn good(listener: &Listener, address: SocketAddr) -> (Connection, Connection) {
    thread::scope(|scope| {
        let client = scope.spawn(move || connect(address, &terms(), &config(), [2; 16]));
        let server = listener
            .accept(&terms(), [1; 16])
            .expect("a good client is served");
        (
            server,
            client
                .join()
                .expect("no panic")
                .expect("a good server is found"),
        )
    })
}

/// Accepts the next good client, whatever else comes before.
pub(crate) fn accepting(listener: &Listener) -> impl FnOnce() -> Connection + Send {
    || {
        loop {
            match listener.accept(&terms(), [1; 16]) {
                Ok(connection) => break connection,
                Err(Error::ListenerClosed) => panic!("closed"),
                Err(_) => {}
            }
        }
    }
}

/// A good client gets through, talks, and leaves.
pub(crate) fn serves(listener: &Listener, address: SocketAddr) {
    thread::scope(|scope| {
        let server = scope.spawn(accepting(listener));
        let client = connect(address, &terms(), &config(), [2; 16]).expect("it is served");
        let server = server.join().expect("no panic");
        for stream in [ONLINE, 3] {
            let mut channel = client.open(stream).expect("open");
            channel.send_u64(5).expect("send");
            channel.flush().expect("flush");
            let heard = server.open(stream).expect("open").recv_u64();
            assert_eq!(heard.expect("recv"), 5);
        }
    });
}

/// Says `bytes` to the address; dropping the result hangs up.
pub(crate) fn say(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connect");
    // The other side may hang up before everything is said.
    drop(stream.write_all(bytes));
    stream
}
