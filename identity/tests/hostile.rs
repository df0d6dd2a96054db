//! Peers that do not play by the rules, before TLS and within it: each is refused in time and by name, and the server goes
//! on serving.

mod lines;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Error as ChannelError, Guard, Listener, ONLINE, Role, Terms, connect};
use identity::{ClientTrust, Error, Identity, ServerTrust, Tls};

use lines::{line, shake};

/// How long a handshake may take here.
const ALLOWED: Duration = Duration::from_millis(700);

fn terms() -> Terms {
    Terms {
        version: 8,
        parameters: [1; 32],
        model: None,
    }
}

fn config(guard: Option<Tls>) -> Config {
    Config {
        timeout: Duration::from_secs(5),
        handshake_timeout: ALLOWED,
        guard: guard.map(|guard| Arc::new(guard) as Arc<dyn Guard>),
        ..Config::default()
    }
}

struct Place {
    listener: Listener,
    address: SocketAddr,
    server: Identity,
}

fn place(limits: Config) -> Place {
    let server = Identity::generate("a server").expect("a key");
    let guard = Tls::server(&server, &ClientTrust::Any).expect("a server");
    let config = Config {
        guard: Some(Arc::new(guard)),
        ..limits
    };
    let listener = Listener::bind("127.0.0.1:0", config).expect("bind");
    let address = listener.local_addr();
    Place {
        listener,
        address,
        server,
    }
}

impl Place {
    fn client(&self) -> Config {
        let own = Identity::generate("a client").expect("a key");
        let trust = ServerTrust::Pinned(self.server.fingerprint());
        Config {
            // The machine of the test may be busy.
            handshake_timeout: Duration::from_secs(10),
            ..config(Some(Tls::client(&own, &trust).expect("a client")))
        }
    }

    fn next(&self) -> ChannelError {
        self.listener
            .accept(&terms(), [1; 16])
            .expect_err("nobody good")
    }

    /// A good client is served.
    fn serves(&self) {
        let client = self.client();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                loop {
                    match self.listener.accept(&terms(), [1; 16]) {
                        Ok(connection) => break connection,
                        Err(ChannelError::ListenerClosed) => panic!("closed"),
                        Err(_) => {}
                    }
                }
            });
            let client = connect(self.address, &terms(), &client, [2; 16]).expect("served");
            let server = server.join().expect("no panic");
            client
                .open(ONLINE)
                .expect("open")
                .send_u64(5)
                .expect("sent");
            let heard = server.open(ONLINE).expect("open").recv_u64();
            assert_eq!(heard.expect("heard"), 5);
        });
    }
}

/// The first bytes that a client of TLS 1.3 says.
fn client_hello() -> Vec<u8> {
    let (at_server, at_client) = line(1 << 16, 1 << 16);
    let shared = at_server.shared();
    let (_, client) = lines::friends();
    let _ = client.pass(Role::Client, Box::new(at_client), Duration::from_millis(50));
    shared.take(1)
}

#[test]
fn whoever_is_silent_or_slow_is_hung_up_on_in_time() {
    let place = place(config(None));
    let hello = client_hello();
    assert!(hello.len() > 100);
    for (said, drip) in [
        (0, false),
        (1, false),
        (60, false),
        (hello.len(), false),
        (hello.len(), true),
    ] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(place.address).expect("connect");
        if drip {
            for byte in &hello {
                if stream.write_all(&[*byte]).is_err() || begun.elapsed() > 4 * ALLOWED {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        } else {
            stream.write_all(&hello[..said]).expect("written");
        }
        let error = place.next();
        assert!(
            matches!(error, ChannelError::Timeout { .. }),
            "{said}: {error:?}"
        );
        assert!(begun.elapsed() >= ALLOWED);
        assert!(
            begun.elapsed() < ALLOWED + Duration::from_secs(4),
            "{:?}",
            begun.elapsed()
        );
        // It was hung up on.
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("set");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    place.serves();
}

#[test]
fn whoever_is_slow_within_tls_is_hung_up_on_in_time() {
    let place = place(config(None));
    let own = Identity::generate("slow").expect("a key");
    let trust = ServerTrust::Pinned(place.server.fingerprint());
    let guard = Tls::client(&own, &trust).expect("a client");
    for piece in [&b""[..], b"BLIND", b"BLINDRAY\x07\0\0\0\x01\x52\0"] {
        let begun = Instant::now();
        let socket = TcpStream::connect(place.address).expect("connect");
        channel::Wire::begin(&socket).expect("begun");
        let line = guard
            .pass(Role::Client, Box::new(socket), Duration::from_secs(5))
            .expect("through TLS");
        lines::write_all(&*line.wire, piece, &[1]).expect("written");
        let error = place.next();
        assert!(matches!(error, ChannelError::Timeout { .. }), "{error:?}");
        assert!(begun.elapsed() < ALLOWED + Duration::from_secs(4));
    }
    place.serves();
}

#[test]
fn whoever_hangs_up_within_the_handshake_is_an_error_of_its_own() {
    let place = place(config(None));
    let hello = client_hello();
    for said in [0, 1, hello.len() / 2, hello.len()] {
        let mut stream = TcpStream::connect(place.address).expect("connect");
        stream.write_all(&hello[..said]).expect("written");
        drop(stream);
        let error = place.next();
        assert!(
            matches!(error, ChannelError::Closed { .. }),
            "{said}: {error:?}"
        );
    }
    place.serves();
}

#[test]
fn garbage_is_not_tls() {
    let place = place(config(None));
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        &[0; 100],
        &[0xff; 100],
        &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3],
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(place.address).expect("connect");
        stream.write_all(bytes).expect("written");
        let error = place.next();
        let found = Error::within(&error).unwrap_or_else(|| panic!("{error:?}"));
        assert!(
            matches!(found, Error::NoTls | Error::Broken { .. }),
            "{found:?}"
        );
    }
    place.serves();
}

#[test]
fn a_plain_client_and_a_server_with_tls_both_know_why() {
    let place = place(config(None));
    let plain = Config {
        guard: None,
        ..place.client()
    };
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(place.address, &terms(), &plain, [2; 16]));
        let error = place.next();
        assert!(
            matches!(Error::within(&error), Some(Error::NoTls)),
            "{error:?}"
        );
        let error = client.join().expect("no panic").expect_err("no session");
        assert!(matches!(error, ChannelError::SpeaksTls), "{error:?}");
    });
    place.serves();
}

#[test]
fn a_plain_server_and_a_client_with_tls_both_know_why() {
    let listener = Listener::bind("127.0.0.1:0", config(None)).expect("bind");
    let address = listener.local_addr();
    let (_, client) = lines::friends();
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(address, &terms(), &config(Some(client)), [2; 16]));
        let error = listener.accept(&terms(), [1; 16]).expect_err("no session");
        assert!(matches!(error, ChannelError::SpeaksTls), "{error:?}");
        let error = client.join().expect("no panic").expect_err("no session");
        assert!(matches!(error, ChannelError::Closed { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .contains("TLS, which the peer may not speak"),
            "{error}"
        );
    });
    // One that answers, and not in TLS.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("bound");
    let (_, client) = lines::friends();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("one");
            stream
                .write_all(b"220 mail.example ESMTP\r\n")
                .expect("written");
            let _ = stream.read(&mut [0; 1000]);
        });
        let error = connect(address, &terms(), &config(Some(client)), [2; 16]);
        let error = error.expect_err("no session");
        assert!(
            matches!(Error::within(&error), Some(Error::NoTls)),
            "{error:?}"
        );
    });
}

/// Of `supported_versions`: its number, its length, and what it offers.
const VERSIONS: [u8; 7] = [0, 43, 0, 3, 2, 3, 4];

#[test]
fn nothing_older_than_tls_1_3_is_taken() {
    // Somebody between makes the client's greeting one of TLS 1.2: its versions are an extension that nobody knows.
    let place = place(config(None));
    let mut hello = client_hello();
    let at = hello.windows(7).position(|window| window == VERSIONS);
    let at = at.expect("it offers TLS 1.3 and nothing else");
    hello[at..at + 2].copy_from_slice(&[0xfa, 0xfa]);
    let mut stream = TcpStream::connect(place.address).expect("connect");
    stream.write_all(&hello).expect("written");
    let error = place.next();
    assert!(
        matches!(Error::within(&error), Some(Error::Downgrade)),
        "{error:?}"
    );
    let mut alert = [0; 7];
    stream.read_exact(&mut alert).expect("an alert");
    assert_eq!(
        (alert[0], alert[5], alert[6]),
        (21, 2, 70),
        "fatal, protocol_version"
    );
    place.serves();

    // A server that chooses TLS 1.2: no extension says otherwise.
    let (at_server, at_client) = line(1 << 16, 1 << 16);
    let shared = at_server.shared();
    let (_, client) = lines::friends();
    let mut answer = vec![3, 3];
    answer.extend([7; 32]);
    // No session, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    answer.extend([0, 0xc0, 0x2b, 0]);
    let length = u8::try_from(answer.len()).expect("short");
    let body = [&[2, 0, 0, length][..], &answer].concat();
    let length = u8::try_from(body.len()).expect("short");
    shared.put(0, &[&[22, 3, 3, 0, length][..], &body].concat());
    let error = client.pass(Role::Client, Box::new(at_client), ALLOWED);
    let error = error.expect_err("TLS 1.2");
    assert!(
        matches!(Error::within(&error), Some(Error::Downgrade)),
        "{error:?}"
    );
}

#[test]
fn a_byte_that_is_flipped_in_the_handshake_ends_it() {
    // As many bytes as each end says in its handshake.
    let lines = line(1 << 16, 1 << 16);
    let shared = lines.0.shared();
    let (server, client) = lines::shaken(lines);
    let lengths = [shared.written(0), shared.written(1)];
    drop((server, client));
    for (end, length) in lengths.into_iter().enumerate() {
        for place in (0..length).step_by(37).chain([length - 1]) {
            let lines = line(1 << 16, 1 << 16);
            let shared = lines.0.shared();
            shared.harm(move |who, at, byte| *byte ^= u8::from((who, at) == (end, place)) << 3);
            let friends = lines::friends();
            let brief = Brief(friends.0);
            let briefly = Brief(friends.1);
            let (server, client) = shake((&brief, &briefly), lines);
            // A client is done before the server has seen its certificate.
            let server_fails = server.is_err();
            let client_fails = client.is_err();
            let bindings = || {
                let binding =
                    |guarded: Result<channel::Guarded, _>| guarded.ok().map(|g| g.binding);
                (binding(server), binding(client))
            };
            // Kinds and versions of records are not looked at.
            let harmless = !server_fails && !client_fails && {
                let (server, client) = bindings();
                server == client
            };
            assert!(
                server_fails || client_fails || harmless,
                "end {end}, byte {place}"
            );
        }
    }
}

/// With less time: a length that says too much is waited for.
#[derive(Debug)]
struct Brief(Tls);

impl Guard for Brief {
    fn pass(
        &self,
        role: Role,
        wire: Box<dyn channel::Wire>,
        _: Duration,
    ) -> Result<channel::Guarded, ChannelError> {
        self.0.pass(role, wire, Duration::from_millis(400))
    }
}

#[test]
fn strangers_push_out_strangers_and_no_client() {
    let limits = Config {
        max_pending: 4,
        max_pending_per_address: 4,
        handshake_timeout: Duration::from_secs(20),
        ..config(None)
    };
    let place = place(limits);
    let hello = client_hello();
    let strangers: Vec<_> = (0..12)
        .map(|number| {
            let mut stream = TcpStream::connect(place.address).expect("connect");
            if number % 2 == 0 {
                stream.write_all(&hello).expect("written");
            }
            stream
        })
        .collect();
    let begun = Instant::now();
    place.serves();
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    drop(strangers);
}

#[test]
fn a_guard_that_is_for_the_other_role_says_so() {
    let (server, client) = lines::friends();
    for (guard, role) in [(server, Role::Client), (client, Role::Server)] {
        let (one, _other) = line(10, 10);
        let error = guard
            .pass(role, Box::new(one), ALLOWED)
            .expect_err("the other role");
        assert!(matches!(Error::within(&error), Some(Error::OtherRole)));
    }
}
