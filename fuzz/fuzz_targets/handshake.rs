//! The first bytes of a connection, at both ends: an error, or a connection on which what follows is heard or refused, in
//! time; and the listener serves on.
#![no_main]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use channel::{Config, Connection, Error, Listener, ONLINE, Terms, connect};
use libfuzzer_sys::fuzz_target;

const TERMS: Terms = Terms {
    version: 1,
    parameters: [1; 32],
    model: None,
};

fn config() -> Config {
    let timeout = Duration::from_secs(5);
    Config {
        timeout,
        handshake_timeout: timeout,
        ..Config::default()
    }
}

/// A server that takes whoever comes, one after the other. A caller that has hung up before its turn is never met: so it does not wait for
/// the caller of a run, but goes on through all of them.
static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = Listener::bind("127.0.0.1:0", config()).expect("bind");
    let address = listener.local_addr();
    std::thread::spawn(move || {
        loop {
            hear_out(listener.accept(&TERMS, [1; 16]));
        }
    });
    address
});

static IMPOSTOR: LazyLock<TcpListener> =
    LazyLock::new(|| TcpListener::bind("127.0.0.1:0").expect("bind"));

/// Says the bytes to the address and hears what comes, until the other end hangs up.
fn call(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("connect");
    drop(stream.write_all(bytes));
    drop(stream.shutdown(Shutdown::Write));
    drop(stream.read_to_end(&mut Vec::new()));
}

/// What comes on a connection, to its end.
fn hear_out(connection: Result<Connection, Error>) {
    let channel = connection.and_then(|connection| connection.open(ONLINE));
    if let Ok(mut channel) = channel {
        while channel.recv(&mut [0; 16]).is_ok() {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    call(*SERVER, bytes);
    if bytes.is_empty() {
        // A server that says nothing is greeted again, and this one answers once.
        return;
    }
    let address = IMPOSTOR.local_addr().expect("address");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = IMPOSTOR.accept().expect("accept");
            drop(stream.write_all(bytes));
            drop(stream.shutdown(Shutdown::Write));
            drop(stream.read_to_end(&mut Vec::new()));
        });
        hear_out(connect(address, &TERMS, &config(), [2; 16]));
    });
});
