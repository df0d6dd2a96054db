//! What goes wrong below TLS and before it, between two real processes: whoever finds it says so within its time, and the server
//! goes on serving.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base64ct::{Base64, Encoding};
use identity::Identity;

use crate::identities::{Party, said};
use crate::support::{Server, fails, text};

/// The time-out of both parties, in seconds.
const TIMEOUT: &str = "3";
/// Whatever happens, it is over by then: some time-outs, and a machine that is busy.
const OVER: Duration = Duration::from_secs(40);

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    /// A bit of one byte is another.
    Flip,
    /// From this byte on nothing passes any more, in either direction, and nobody is told: a cable was pulled.
    Silence,
    /// From this byte on each takes a tenth of a second.
    Drip,
    /// Both ends hear that the other has gone, as of TCP.
    Cut,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    at: usize,
    to_server: bool,
    act: Act,
}

/// Where to find somebody who sits in the middle of one connection.
fn between(server: SocketAddr, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        let client = listener.accept().expect("a client").0;
        let server = TcpStream::connect(server).expect("the server listens");
        let dead = Arc::new(AtomicBool::new(false));
        for to_server in [true, false] {
            let [client, server] = [&client, &server].map(|end| {
                end.set_nodelay(true).expect("a socket");
                end.try_clone().expect("a handle")
            });
            let (from, to) = match to_server {
                true => (client, server),
                false => (server, client),
            };
            let here = (fault.to_server == to_server).then_some(fault);
            let dead = Arc::clone(&dead);
            std::thread::spawn(move || pass(&from, &to, here, &dead));
        }
    });
    address
}

/// Passes bytes on until one end hangs up.
fn pass(mut from: &TcpStream, mut to: &TcpStream, fault: Option<Fault>, dead: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    let mut seen = 0;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut rest = &mut buffer[..read];
        let mut size = read;
        if let Some(Fault { at, act, .. }) = fault
            && at < seen + read
        {
            let before = at.saturating_sub(seen);
            match act {
                Act::Flip if at >= seen => rest[before] ^= 1,
                Act::Flip => {}
                Act::Drip => size = 1,
                Act::Silence | Act::Cut => rest = &mut rest[..before],
            }
        }
        seen += read;
        if dead.load(Ordering::SeqCst) {
            // What comes from now on gets lost.
            continue;
        }
        for piece in rest.chunks(size) {
            if size == 1 {
                std::thread::sleep(Duration::from_millis(100));
            }
            if to.write_all(piece).is_err() {
                break;
            }
        }
        if rest.len() < read {
            if fault.is_some_and(|fault| fault.act == Act::Cut) {
                break;
            }
            dead.store(true, Ordering::SeqCst);
        }
    }
    if !dead.load(Ordering::SeqCst) {
        drop(to.shutdown(Shutdown::Both));
        drop(from.shutdown(Shutdown::Both));
    }
}

/// A party that serves itself, under limits that are soon over.
fn place() -> (Party, Server) {
    let party = Party::new();
    let server = party.serve(&["--timeout", TIMEOUT, "--least-rate", "10MB"]);
    (party, server)
}

/// What a client of the server says that meets a fault, and within which time; afterwards another one is served.
fn meet(party: &Party, server: &Server, fault: Fault, timeout: &str) -> Output {
    // The server's notes about strangers are one a second at most.
    std::thread::sleep(Duration::from_millis(1100));
    let between = between(server.address, fault).to_string();
    let begun = Instant::now();
    let output = party.infer(&between, &["--timeout", timeout]);
    assert!(begun.elapsed() < OVER, "{fault:?}: {:?}", begun.elapsed());
    assert_ne!(
        output.status.code(),
        Some(0),
        "{fault:?}: {}",
        said(&output)
    );
    serves(party, server);
    output
}

fn serves(party: &Party, server: &Server) {
    let good = party.infer(&server.connect(), &[]);
    assert!(good.status.success(), "{}", said(&good));
}

/// Bytes of the handshake of TLS, of the greetings, of what is prepared, and of an image.
const PHASES: [usize; 6] = [0, 150, 600, 1000, 60_000, 1_000_000];

#[test]
fn a_bit_flipped_in_any_phase_ends_the_session_and_who_finds_it_says_so() {
    let (party, mut server) = place();
    // Also in the length of a record.
    for at in PHASES.into_iter().chain([4, 7]) {
        for to_server in [true, false] {
            let fault = Fault {
                at,
                to_server,
                act: Act::Flip,
            };
            let output = meet(&party, &server, fault, TIMEOUT);
            fails(&output, 1, "");
            if at >= 60_000 {
                let harm = "bytes were changed on their way";
                if to_server {
                    server.says(harm);
                } else {
                    fails(&output, 1, harm);
                }
            }
        }
    }
    let notes = server.stop().1;
    assert!(!notes.contains("panicked"), "{notes}");
}

/// The same fault in each phase, in either direction.
fn everywhere(act: Act) -> impl Iterator<Item = Fault> {
    let ways = move |at| [true, false].map(|to_server| Fault { at, to_server, act });
    PHASES.into_iter().flat_map(ways)
}

#[test]
fn a_line_that_goes_dead_in_any_phase_is_given_up_by_both_ends() {
    let (party, mut server) = place();
    for fault in everywhere(Act::Silence) {
        let output = meet(&party, &server, fault, TIMEOUT);
        fails(&output, 1, "nothing from the peer for");
        server.says("nothing from the peer for");
    }
}

/// The client is patient.
#[test]
fn bytes_that_drip_in_any_phase_are_not_waited_for() {
    let (party, mut server) = place();
    for at in [0, 600, 1000, 60_000] {
        let fault = Fault {
            at,
            to_server: true,
            act: Act::Drip,
        };
        let output = meet(&party, &server, fault, "30");
        fails(&output, 1, "");
        server.says("nothing from the peer for");
    }
}

#[test]
fn a_line_that_is_cut_without_goodbye_is_no_end() {
    let (party, mut server) = place();
    for fault in everywhere(Act::Cut) {
        let output = meet(&party, &server, fault, TIMEOUT);
        fails(&output, 1, "");
        server.says("the peer closed the connection");
    }
}

/// A client's greeting in TLS 1.2, from the standard: no extension says that it knows more.
fn tls_1_2() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    // No session; TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; no compression.
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // The curves secp256r1 and X25519, and ECDSA with SHA-256.
    let extensions = [0, 10, 0, 6, 0, 4, 0, 23, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, 18]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).expect("short");
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

#[test]
fn strangers_who_speak_something_else_are_named_and_answered() {
    let (party, mut server) = place();
    let no_tls = "handshake: the peer does not speak TLS";
    let old = "handshake: the peer does not offer TLS 1.3, and nothing older is taken";
    let http = b"GET / HTTP/1.1\r\nHost: model.example\r\n\r\n";
    for (bytes, cause) in [
        (&http[..], no_tls),
        (b"BLINDRAY\x08\0\0\0\x01", no_tls),
        (&[0; 200], ""),
        (&[0xff; 200], ""),
        (&tls_1_2(), old),
    ] {
        let mut stranger = TcpStream::connect(server.address).expect("it listens");
        let address = stranger.local_addr().expect("its address");
        stranger.write_all(bytes).expect("written");
        std::thread::sleep(Duration::from_millis(1100));
        server.says(&format!("a client was turned away: {address}: {cause}"));
        stranger
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("set");
        let mut answer = Vec::new();
        let _ = stranger.read_to_end(&mut answer);
        // An alert of TLS.
        assert_eq!(answer.first(), Some(&21), "{answer:?}");
        serves(&party, &server);
    }
}

/// Of a party whose clock is another's day: its certificate has expired, or is not valid yet.
#[test]
fn a_clock_that_jumped_is_named() {
    let now = SystemTime::now();
    let expired = (now - 10 * DAY, now - DAY, "has expired");
    let early = (now + DAY, now + 10 * DAY, "is not valid yet");
    for (from, until, cause) in [expired, early] {
        let odd = Identity::generate_for("odd", from, until).expect("a key");
        let (provider, hospital) = (Party::new(), Party::new());
        let (of_provider, file) = (provider.key(), hospital.file("odd.pem"));
        odd.save(Path::new(&file)).expect("saved");
        // The client's.
        let mut server = provider.serve(&["--any-client"]);
        let trust = ["--identity", &file, "--trust", &of_provider];
        let output = hospital.infer(&server.connect(), &trust);
        let (here, there) = match cause {
            "has expired" => (
                "refuses this client: its certificate has expired at 20",
                "has expired at 20",
            ),
            _ => (
                "refuses this client: its certificate is not valid before 20",
                "is not valid yet before 20",
            ),
        };
        fails(&output, 1, here);
        assert!(!said(&output).contains("serve --clients"));
        server.says(there);
        let good = hospital.infer(&server.connect(), &["--trust", &of_provider]);
        assert!(good.status.success(), "{}", said(&good));
        // The server's.
        let mut server = hospital.serve(&["--identity", &file, "--any-client"]);
        let fingerprint = odd.fingerprint().to_string();
        let output = provider.infer(&server.connect(), &["--trust", &fingerprint]);
        fails(&output, 1, cause);
        server.says("expired, or is not valid yet");
    }
}

/// An authority of a hospital.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new(party: &Party, file: &str) -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key).expect("a root");
        let root = pem("CERTIFICATE", issuer.der());
        std::fs::write(party.file(file), root).expect("written");
        Self(issuer)
    }

    /// Signs a key for a name, in a file of the party's.
    fn sign(&self, party: &Party, name: &str, file: &str) -> String {
        let params = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.0).expect("signed");
        let file = party.file(file);
        std::fs::write(
            &file,
            pem("PRIVATE KEY", &key.serialize_der()) + &pem("CERTIFICATE", signed.der()),
        )
        .expect("written");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, private).expect("set");
        file
    }
}

/// As files of keys and certificates have it.
fn pem(kind: &str, der: &[u8]) -> String {
    let digits = Base64::encode_string(der);
    let lines = digits.as_bytes().chunks(64);
    let lines: Vec<_> = lines
        .map(|line| str::from_utf8(line).expect("digits"))
        .collect();
    let digits = lines.join("\n");
    format!("-----BEGIN {kind}-----\n{digits}\n-----END {kind}-----\n")
}

#[test]
fn an_authority_vouches_for_both_and_for_no_other_name() {
    let (provider, hospital) = (Party::new(), Party::new());
    let ours = Authority::new(&provider, "root.pem");
    let theirs = Authority::new(&hospital, "root.pem");
    let (of_provider, of_hospital) = (provider.file("root.pem"), hospital.file("root.pem"));
    let local = ours.sign(&provider, "127.0.0.1", "local.pem");
    let serve = [
        "--client-ca",
        &of_hospital,
        "--client-names",
        "ward.example",
    ];
    let mut server = provider.serve(&[&["--identity", &local][..], &serve].concat());
    let [ward, other] =
        ["ward.example", "other.example"].map(|name| theirs.sign(&hospital, name, name));
    let self_made = hospital.file("self.pem");
    Identity::generate("ward.example")
        .expect("a key")
        .save(Path::new(&self_made))
        .expect("saved");
    let infer = |identity: &str, root: &str| {
        hospital.infer(
            &server.connect(),
            &["--identity", identity, "--server-ca", root],
        )
    };
    let served = infer(&ward, &of_provider);
    assert!(served.status.success(), "{}", said(&served));
    fails(&infer(&other, &of_provider), 1, "refuses this client");
    fails(&infer(&self_made, &of_provider), 1, "refuses this client");
    fails(
        &infer(&ward, &of_hospital),
        1,
        "not signed by the authority that is trusted",
    );
    let served = infer(&ward, &of_provider);
    assert!(served.status.success(), "{}", said(&served));
    server.says("(ward.example): 1 image in");
    // A server whose certificate is for another name.
    let elsewhere = ours.sign(&provider, "elsewhere.example", "elsewhere.pem");
    let server = provider.serve(&[&["--identity", &elsewhere][..], &serve].concat());
    let wrong = hospital.infer(
        &server.connect(),
        &[
            "--identity",
            &ward,
            "--server-ca",
            text(Path::new(&of_provider)),
        ],
    );
    fails(&wrong, 1, "the peer's certificate is not for 127.0.0.1");
}
