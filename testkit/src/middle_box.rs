//! What sits between two parties in the field: forwarders, balancers, firewalls.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Forwards TCP connections to servers, as a box on the way would, until it is dropped; then it cuts those that are left.
#[derive(Debug)]
pub struct MiddleBox {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    /// Whether nothing passes for now.
    held: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

/// What a box does with the connections that pass.
struct Rules {
    /// By turns.
    servers: Vec<SocketAddr>,
    /// How many connections pass in all.
    most: usize,
    /// A connection that carries nothing for so long is cut.
    idle: Option<Duration>,
}

impl MiddleBox {
    /// Carries one connection, and refuses any other, as a tunnel of one channel does.
    #[must_use]
    pub fn single(server: SocketAddr) -> Self {
        Self::start(Rules {
            servers: vec![server],
            most: 1,
            idle: None,
        })
    }

    /// Sends each connection to the next of the servers, by turns.
    #[must_use]
    pub fn balancer(servers: &[SocketAddr]) -> Self {
        Self::start(Rules {
            servers: servers.to_vec(),
            most: usize::MAX,
            idle: None,
        })
    }

    /// Cuts connections on which nothing passes in either direction for so long.
    #[must_use]
    pub fn firewall(server: SocketAddr, idle: Duration) -> Self {
        Self::start(Rules {
            servers: vec![server],
            most: usize::MAX,
            idle: Some(idle),
        })
    }

    /// Lets nothing pass until it is called again with `false`: connections are taken and stay, and nobody hears of anything.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let this = Self {
            address: listener.local_addr().expect("it is bound"),
            over: Arc::default(),
            held: Arc::default(),
            sockets: Arc::default(),
        };
        let (over, sockets) = (Arc::clone(&this.over), Arc::clone(&this.sockets));
        let held = Arc::clone(&this.held);
        thread::spawn(move || {
            for server in rules.servers.iter().cycle().take(rules.most) {
                let Ok((client, _)) = listener.accept() else {
                    return;
                };
                if over.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever cannot be carried is hung up on.
                if let Ok(server) = TcpStream::connect(server) {
                    carry(client, server, rules.idle, &held, &sockets);
                }
            }
            // The listener goes, and with it the port: nobody else gets in.
        });
        this
    }
}

impl Drop for MiddleBox {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.hold(false);
        // It waits for a connection, unless it has carried all it carries.
        drop(TcpStream::connect(self.address));
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.drain(..) {
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

/// Carries what is said on both ends, in two threads.
fn carry(
    client: TcpStream,
    server: TcpStream,
    idle: Option<Duration>,
    held: &Arc<AtomicBool>,
    sockets: &Mutex<Vec<TcpStream>>,
) {
    let begin = Instant::now();
    // When something passed last, in milliseconds from the begin.
    let last = Arc::new(AtomicU64::new(0));
    let copies = [&client, &server].map(|socket| socket.try_clone().expect("a descriptor"));
    let kept = [&client, &server].map(|socket| socket.try_clone().expect("a descriptor"));
    sockets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(kept);
    let [client_too, server_too] = copies;
    for (from, to) in [(client, server_too), (server, client_too)] {
        let (last, held) = (Arc::clone(&last), Arc::clone(held));
        drop(to.set_nodelay(true));
        thread::spawn(move || pass(&from, &to, idle, begin, &last, &held));
    }
}

fn pass(
    mut from: &TcpStream,
    mut to: &TcpStream,
    idle: Option<Duration>,
    begin: Instant,
    last: &AtomicU64,
    held: &AtomicBool,
) {
    let now = || u64::try_from(begin.elapsed().as_millis()).expect("not for ever");
    from.set_read_timeout(idle.map(|idle| idle / 10))
        .expect("a socket");
    let mut piece = vec![0; 64 << 10];
    loop {
        match from.read(&mut piece) {
            Ok(0) => {
                drop(to.shutdown(Shutdown::Write));
                return;
            }
            Ok(count) => {
                last.store(now(), Ordering::Relaxed);
                while held.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(10));
                }
                if to.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let silent = now().saturating_sub(last.load(Ordering::Relaxed));
                if idle.is_some_and(|idle| Duration::from_millis(silent) >= idle) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    for socket in [from, to] {
        drop(socket.shutdown(Shutdown::Both));
    }
}
