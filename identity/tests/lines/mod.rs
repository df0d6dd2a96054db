//! A line in memory under TLS that holds few bytes, moves them in small pieces, and harms them where a test wants it.
#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Result as IoResult};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use channel::{Error, Guard, Guarded, Ready, Role, Wire};
use identity::{ClientTrust, Identity, ServerTrust, Tls};

/// One end; the other has the same state and the other number.
pub(crate) struct Line {
    shared: Arc<Shared>,
    end: usize,
}

/// Sees the bytes of both ends as they pass: which end wrote them, and where they are in what it wrote.
type Harm = Box<dyn Fn(usize, usize, &mut u8) + Send + Sync>;

pub(crate) struct Shared {
    ways: Mutex<[Way; 2]>,
    moved: Condvar,
    capacity: usize,
    /// The most bytes that one call moves.
    piece: usize,
    harm: Mutex<Option<Harm>>,
}

#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    written: usize,
    ended: bool,
    cut: bool,
}

/// Both ends.
pub(crate) fn line(capacity: usize, piece: usize) -> (Line, Line) {
    let shared = Arc::new(Shared {
        ways: Mutex::default(),
        moved: Condvar::new(),
        capacity,
        piece,
        harm: Mutex::default(),
    });
    let end = |end| Line {
        shared: Arc::clone(&shared),
        end,
    };
    (end(0), end(1))
}

impl Shared {
    /// Harms bytes from now on.
    pub(crate) fn harm(&self, harm: impl Fn(usize, usize, &mut u8) + Send + Sync + 'static) {
        *self.harm.lock().expect("no panic") = Some(Box::new(harm));
    }

    /// Ends one end's way without a word of TLS.
    pub(crate) fn truncate(&self, end: usize) {
        self.ways.lock().expect("no panic")[end].ended = true;
        self.moved.notify_all();
    }

    /// Takes what an end has written out of the line.
    pub(crate) fn take(&self, end: usize) -> Vec<u8> {
        let mut ways = self.ways.lock().expect("no panic");
        ways[end].bytes.drain(..).collect()
    }

    /// Puts bytes into the line as if an end had written them.
    pub(crate) fn put(&self, end: usize, bytes: &[u8]) {
        self.ways.lock().expect("no panic")[end].bytes.extend(bytes);
        self.moved.notify_all();
    }

    /// Whether an end has said that no more will come.
    pub(crate) fn has_ended(&self, end: usize) -> bool {
        self.ways.lock().expect("no panic")[end].ended
    }

    /// Whether both ends have let go of the line.
    pub(crate) fn is_over(&self) -> bool {
        let ways = self.ways.lock().expect("no panic");
        ways.iter().all(|way| way.ended || way.cut)
    }

    /// How many bytes an end has written so far.
    pub(crate) fn written(&self, end: usize) -> usize {
        self.ways.lock().expect("no panic")[end].written
    }
}

impl Line {
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn lock(&self) -> MutexGuard<'_, [Way; 2]> {
        self.shared.ways.lock().expect("nobody panics here")
    }

    fn ready(&self, ways: &[Way; 2]) -> Ready {
        let (ours, theirs) = (&ways[self.end], &ways[1 - self.end]);
        Ready {
            read: theirs.cut || theirs.ended || !theirs.bytes.is_empty(),
            write: ours.cut || ours.bytes.len() < self.shared.capacity,
        }
    }
}

impl Wire for Line {
    fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        let mut ways = self.lock();
        let way = &mut ways[1 - self.end];
        if way.bytes.is_empty() {
            return match way.ended || way.cut {
                true => Ok(0),
                false => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let room: usize = out.iter().map(|slice| slice.len()).sum();
        let count = way.bytes.len().min(self.shared.piece).min(room);
        let mut bytes = way.bytes.drain(..count);
        for to in out.iter_mut().flat_map(|slice| slice.iter_mut()) {
            let Some(byte) = bytes.next() else { break };
            *to = byte;
        }
        drop(bytes);
        drop(ways);
        self.shared.moved.notify_all();
        Ok(count)
    }

    fn try_write(&self, bytes: &[IoSlice<'_>]) -> IoResult<usize> {
        let mut ways = self.lock();
        let way = &mut ways[self.end];
        if way.cut || way.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = self.shared.capacity.saturating_sub(way.bytes.len());
        let all = bytes.iter().flat_map(|slice| slice.iter().copied());
        let harm = self.shared.harm.lock().expect("no panic");
        let mut count = 0;
        for mut byte in all.take(room.min(self.shared.piece)) {
            if let Some(harm) = &*harm {
                harm(self.end, way.written, &mut byte);
            }
            way.bytes.push_back(byte);
            way.written += 1;
            count += 1;
        }
        drop(harm);
        drop(ways);
        self.shared.moved.notify_all();
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(count)
    }

    fn wait(&self, wanted: Ready, timeout: Duration) -> IoResult<Ready> {
        let vain = |ways: &mut [Way; 2]| {
            let ready = self.ready(ways);
            !(wanted.read && ready.read || wanted.write && ready.write)
        };
        let waited = self
            .shared
            .moved
            .wait_timeout_while(self.lock(), timeout, vain);
        let (ways, _) = waited.expect("nobody panics here");
        Ok(self.ready(&ways))
    }

    fn end(&self) {
        self.lock()[self.end].ended = true;
        self.shared.moved.notify_all();
    }

    fn cut(&self) {
        for way in self.lock().iter_mut() {
            way.cut = true;
        }
        self.shared.moved.notify_all();
    }
}

/// How long a handshake may take in tests.
pub(crate) const ALLOWED: Duration = Duration::from_secs(10);

/// A server and a client that know each other.
pub(crate) fn friends() -> (Tls, Tls) {
    let server = Identity::generate("server").expect("a key");
    let client = Identity::generate("client").expect("a key");
    let trust = ServerTrust::Pinned(server.fingerprint());
    (
        Tls::server(&server, &ClientTrust::Any).expect("a server"),
        Tls::client(&client, &trust).expect("a client"),
    )
}

/// Both ends' handshakes, the server's first.
pub(crate) fn shake(
    (server, client): (&dyn Guard, &dyn Guard),
    (at_server, at_client): (Line, Line),
) -> (Result<Guarded, Error>, Result<Guarded, Error>) {
    std::thread::scope(|scope| {
        let client = scope.spawn(|| client.pass(Role::Client, Box::new(at_client), ALLOWED));
        let server = server.pass(Role::Server, Box::new(at_server), ALLOWED);
        (server, client.join().expect("no panic"))
    })
}

/// Both ends of a line that was made.
pub(crate) fn shaken(lines: (Line, Line)) -> (Guarded, Guarded) {
    let (server, client) = friends();
    let (server, client) = shake((&server, &client), lines);
    (server.expect("a server"), client.expect("a client"))
}

const WRITE: Ready = Ready {
    read: false,
    write: true,
};

/// Writes everything, in pieces of these sizes, again and again.
pub(crate) fn write_all(wire: &dyn Wire, bytes: &[u8], sizes: &[usize]) -> IoResult<()> {
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let piece = sizes.next().expect("a cycle").clamp(1, rest.len());
        let (mut now, later) = rest.split_at(piece);
        while !now.is_empty() {
            // In two slices, one of which may be empty.
            let (front, back) = now.split_at(now.len() / 3);
            match wire.try_write(&[IoSlice::new(front), IoSlice::new(back)]) {
                Ok(count) => now = &now[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wire.wait(WRITE, Duration::from_secs(10))?;
                }
                Err(error) => return Err(error),
            }
        }
        rest = later;
    }
    Ok(())
}

/// Reads until the end, in pieces of these sizes, again and again.
pub(crate) fn read_all(wire: &dyn Wire, sizes: &[usize]) -> IoResult<Vec<u8>> {
    let (all, outcome) = read_some(wire, sizes);
    outcome.map(|()| all)
}

/// The same, and what came before an error.
pub(crate) fn read_some(wire: &dyn Wire, sizes: &[usize]) -> (Vec<u8>, IoResult<()>) {
    let mut sizes = sizes.iter().copied().cycle();
    let mut all = Vec::new();
    loop {
        let mut piece = vec![0; sizes.next().expect("a cycle").max(1)];
        let (front, back) = piece.split_at_mut(1);
        let slices = &mut [IoSliceMut::new(front), IoSliceMut::new(back)];
        match wire.read(slices, Duration::from_secs(10)) {
            Ok(0) => return (all, Ok(())),
            Ok(count) => all.extend(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return (all, Err(error)),
        }
    }
}

/// A session that a test speaks byte by byte.
pub(crate) struct RawSession {
    pub(crate) id: [u8; 16],
    _line: Guarded,
}

fn raw(guard: &Tls, address: std::net::SocketAddr) -> Guarded {
    let socket = std::net::TcpStream::connect(address).expect("connect");
    Wire::begin(&socket).expect("begun");
    guard
        .pass(Role::Client, Box::new(socket), ALLOWED)
        .expect("it gets through")
}

/// A greeting, as it is on the wire.
fn greeting(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"BLINDRAY".to_vec();
    bytes.extend(8_u32.to_le_bytes());
    bytes.push(kind);
    bytes.extend(u16::try_from(body.len()).expect("short").to_le_bytes());
    bytes.extend(body);
    bytes
}

fn hear(wire: &dyn Wire, count: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let mut piece = vec![0; count - heard.len()];
        match wire.read(&mut [IoSliceMut::new(&mut piece)], ALLOWED) {
            Ok(0) => panic!("hung up after {heard:?}"),
            Ok(read) => heard.extend(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
    heard
}

/// A client's first connection, which says how many there are to be. The server is asked to accept it in this call.
pub(crate) fn raw_session(guard: &Tls, address: std::net::SocketAddr, lanes: u8) -> RawSession {
    let line = raw(guard, address);
    let body = [&[1; 32][..], &[0; 33], &[2; 16], &[lanes, 0]].concat();
    write_all(&*line.wire, &greeting(1, &body), &[200]).expect("written");
    // The id as both parties compute it, from what the server will say.
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026 channel session id");
    hasher.update(&[2; 16]);
    hasher.update(&[1; 16]);
    hasher.update(&8_u32.to_le_bytes());
    hasher.update(&[1; 32]);
    hasher.update(&[0; 33]);
    hasher.update(&line.binding);
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    RawSession { id, _line: line }
}

/// Brings a further connection to a session; what the server answers.
pub(crate) fn raw_lane(
    guard: &Tls,
    address: std::net::SocketAddr,
    session: [u8; 16],
    lane: u8,
) -> u8 {
    let line = raw(guard, address);
    let body = [&session[..], &[lane]].concat();
    write_all(&*line.wire, &greeting(2, &body), &[200]).expect("written");
    *hear(&*line.wire, 16).last().expect("a code")
}

/// As a file of keys and certificates has it.
pub(crate) fn pem(kind: &str, der: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    let digits = Base64::encode_string(der);
    let lines: Vec<_> = digits
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).expect("digits"))
        .collect();
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        lines.join("\n")
    )
}
