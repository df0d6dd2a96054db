//! Connections from those who want no findings.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use channel::{Config, Guard, connect};
use service::Request;

/// How many silent ones stay at the same time, more than a server lets greet.
const STAYING: usize = 40;
/// Between two bytes of one who drips.
const DRIP: Duration = Duration::from_millis(100);
/// The stream on which parties talk before the protocols.
const CONTROL: u32 = 3;

pub(crate) struct Strangers {
    server: SocketAddr,
    /// For those who begin a session.
    config: Config,
    /// What a client says first.
    greeting: Vec<u8>,
}

impl Strangers {
    /// They know as much as a client with this guard.
    pub(crate) fn new(server: SocketAddr, guard: Option<Arc<dyn Guard>>) -> Self {
        let config = Config {
            guard,
            ..Config::default()
        };
        Self {
            server,
            greeting: greeting(&config),
            config,
        }
    }

    /// So many come, of each kind in turn, evenly until `over` or at once after that. Those who stay go at the end.
    pub(crate) fn come(&self, count: usize, over: &dyn Fn() -> bool) {
        let mut staying = Vec::new();
        thread::scope(|scope| {
            for number in 0..count {
                match number % 6 {
                    0 => staying.push(self.call()),
                    1 => self.say(&vec![0xA5; 4096]),
                    2 => self.say(&self.greeting[..self.greeting.len() / 2]),
                    3 => drop(scope.spawn(|| self.drip())),
                    4 => self.leave_in_the_greeting(),
                    _ => self.leave_in_the_set_up(),
                }
                if staying.len() > STAYING {
                    drop(staying.remove(0));
                }
                if !over() {
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
    }

    fn call(&self) -> TcpStream {
        TcpStream::connect(self.server).expect("the server listens")
    }

    /// Says something and goes. The server may hang up before it has all of it.
    fn say(&self, bytes: &[u8]) {
        let _ = self.call().write_all(bytes);
    }

    /// One byte after the other, until the server has had enough.
    fn drip(&self) {
        let mut stream = self.call();
        for byte in &self.greeting {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(DRIP);
        }
        panic!("a greeting of {} bytes dripped in", self.greeting.len());
    }

    /// A session that begins, and no request.
    fn leave_in_the_greeting(&self) {
        let terms = Request::default().terms();
        let connection = connect(self.server, &terms, &self.config, [3; 16]);
        let connection = connection.expect("the server listens");
        let mut control = connection.open(CONTROL).expect("it opens");
        control.recv_frame(1 << 20).expect("the public part");
    }

    /// A request, and no protocol: the server is left in the midst of its set-up.
    fn leave_in_the_set_up(&self) {
        let terms = Request::default().terms();
        let connection = connect(self.server, &terms, &self.config, [3; 16]);
        let connection = connection.expect("the server listens");
        let mut control = connection.open(CONTROL).expect("it opens");
        control.recv_frame(1 << 20).expect("the public part");
        control.recv_frame(1 << 12).expect("the extension");
        let request = br#"{"mode":"faithful","images":1,"ahead":false,"work":"infer"}"#;
        control.send_frame(request).expect("it listens");
        control.flush().expect("it listens");
        control.recv_frame(100).expect("an answer");
    }
}

/// The bytes that a client sends before it has heard anything.
fn greeting(config: &Config) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let config = Config {
        handshake_timeout: Duration::from_millis(200),
        ..config.clone()
    };
    let client = thread::spawn(move || {
        connect(address, &Request::default().terms(), &config, [3; 16]).is_ok()
    });
    let (mut stream, _) = listener.accept().expect("a client");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it hangs up");
    assert!(!client.join().expect("no panic"), "nobody answered");
    bytes
}
