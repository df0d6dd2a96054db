//! Peers that say what nobody should: a sentence that names them, and no harm.

use std::collections::BTreeMap;
use std::time::Duration;

use channel::{Channel, Connection, ONLINE, Role, Terms, Way};
use nets::PublicModel;
use serde_json::{Value, json};
use service::{Client, Error, Request};
use testkit::{Harm, Mangle, memory_pair_mangled};

use crate::common::{CLIENT_SEED, MODEL, SERVER, SERVER_SEED, line, run};

/// The stream of the conversation.
const CONTROL: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client that agrees with the server and then says these bytes.
fn client_that_says(bytes: &[u8]) -> Error {
    let (served, ()) = testkit::run_over(
        line(TIMEOUT).pair(),
        |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
        |connection| {
            let mut channel = agreed(&connection, &Request::default().terms());
            presented(&mut channel);
            // The server may hang up before it has all of it.
            let _ = channel.send(bytes);
            let _ = channel.flush();
            let _ = channel.recv(&mut [0; 64]);
        },
    );
    served.expect_err("no request")
}

/// A server that announces `announced`, presents `public`, and answers with `answer`.
fn server_that_says(announced: [u8; 32], public: &[u8], answer: &[u8]) -> Error {
    let ((), client) = testkit::run_over(
        line(TIMEOUT).pair(),
        |connection| {
            let terms = Terms {
                model: Some(announced),
                ..Request::default().terms()
            };
            let mut channel = agreed(&connection, &terms);
            let _ = channel.send(public);
            let _ = channel.flush();
            if channel.recv_frame(1 << 20).is_ok() {
                let _ = channel.send(answer);
                let _ = channel.flush();
            }
        },
        |connection| Client::over(connection, &Request::default(), CLIENT_SEED),
    );
    client.expect_err("no session")
}

/// Hears all that the server says before the request.
fn presented(channel: &mut Channel) {
    for part in ["the public part", "the extension"] {
        channel.recv_frame(1 << 20).expect(part);
    }
}

/// What a server says of the extension that it uses.
fn offer() -> Vec<u8> {
    let extension = service::EXTENSIONS[0];
    let parameters = extension
        .agreement()
        .into_iter()
        .collect::<BTreeMap<_, _>>();
    let offer = json!({"extension": extension.name(), "parameters": parameters});
    frame(offer.to_string().as_bytes())
}

/// The public part of the network, and what follows it.
fn presentation() -> Vec<u8> {
    [frame(&MODEL.public.to_json()), offer()].concat()
}

fn agreed(connection: &Connection, terms: &Terms) -> Channel {
    let mut channel = connection.open(CONTROL).expect("it opens");
    channel.agree(terms).expect("they agree");
    channel
}

/// A message with its length.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u64).to_le_bytes().to_vec();
    bytes.extend(message);
    bytes
}

fn is_misbehaviour(error: &Error, words: &str) {
    let Error::PeerMisbehaved { what } = error else {
        panic!("{error:?}");
    };
    assert!(error.is_peer_fault());
    assert!(what.contains(words), "{what}");
    assert!(
        what.chars().count() <= 200 && !what.contains('\n'),
        "{what}"
    );
}

#[test]
fn requests_that_are_none() {
    for request in [
        &b""[..],
        b"{",
        b"null",
        b"{}",
        br#"{"mode":"faithful"}"#,
        br#"{"mode":"faithful","images":1}"#,
        br#"{"mode":"faithful","images":1,"ahead":false}"#,
        br#"{"mode":"faithful","images":1,"ahead":false,"work":"rest"}"#,
        br#"{"mode":"faithful","images":1,"ahead":1,"work":"infer"}"#,
        br#"{"mode":"exact","images":1,"ahead":false,"work":"infer"}"#,
        br#"{"mode":"faithful","images":-1,"ahead":false,"work":"infer"}"#,
        br#"{"mode":"faithful","images":4294967296,"ahead":false,"work":"infer"}"#,
        br#"{"mode":"faithful","images":1,"ahead":false,"work":"infer","more":0}"#,
        &[0xff; 100],
        &[b'['; 4096],
    ] {
        let error = client_that_says(&frame(request));
        is_misbehaviour(&error, "the peer sent a malformed request");
    }
    for length in [4097, u64::MAX] {
        let error = client_that_says(&length.to_le_bytes());
        is_misbehaviour(&error, "at most 4096 are allowed");
    }
}

#[test]
fn models_that_cannot_be() {
    let digest = MODEL.public.digest();
    for public in [&b""[..], b"{}", b"not JSON", &[0xff; 100]] {
        let error = server_that_says(digest, &frame(public), b"");
        is_misbehaviour(&error, "the server's model is unusable");
    }
    let error = server_that_says(digest, &u64::MAX.to_le_bytes(), b"");
    is_misbehaviour(&error, "at most 16777216 are allowed");
    let mut other = MODEL.public.clone();
    other.name = "another".into();
    let error = server_that_says(digest, &frame(&other.to_json()), b"");
    is_misbehaviour(&error, "another model than it had announced");
}

#[test]
fn a_model_by_an_algorithm_that_nobody_has() {
    let mut json = serde_json::to_value(&MODEL.public).expect("JSON");
    assert!(name_algorithm(&mut json), "{json}");
    let public = serde_json::to_vec(&json).expect("JSON");
    let public = PublicModel::from_json(&public).expect("the name is not checked there");
    let public_part = [frame(&public.to_json()), offer()].concat();
    let error = server_that_says(public.digest(), &public_part, b"");
    is_misbehaviour(&error, "the server's model cannot be computed");
}

/// Puts an unknown algorithm into every linear operator; whether there was one.
fn name_algorithm(value: &mut Value) -> bool {
    match value {
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |found, v| name_algorithm(v) | found),
        Value::Object(fields) if fields.contains_key("weight_bits") => {
            let magic = json!({"name": "magic", "guard_bits": 0});
            fields.insert("by".into(), magic);
            true
        }
        Value::Object(fields) => fields
            .values_mut()
            .fold(false, |found, v| name_algorithm(v) | found),
        _ => false,
    }
}

#[test]
fn extensions_that_are_none() {
    let (public, digest) = (frame(&MODEL.public.to_json()), MODEL.public.digest());
    let says = |offer: &[u8]| server_that_says(digest, &[&public, offer].concat(), b"");
    for offer in [
        &b""[..],
        b"1",
        br#"{"extension":"softspoken"}"#,
        br#"{"extension":"softspoken","parameters":{"softspoken k":-4}}"#,
        br#"{"extension":"softspoken","parameters":{},"more":0}"#,
        &[0xff; 100],
    ] {
        is_misbehaviour(&says(&frame(offer)), "the peer sent a malformed extension");
    }
    is_misbehaviour(&says(&5000_u64.to_le_bytes()), "at most 4096 are allowed");
    let long = format!(
        r#"{{"extension":"\u001b[31m{}","parameters":{{}}}}"#,
        "x".repeat(1000)
    );
    let Error::OtherExtension { offered, .. } = says(&frame(long.as_bytes())) else {
        panic!("nobody knows it");
    };
    assert!(offered.starts_with("[31mxx"), "{offered}");
    assert_eq!(offered.chars().count(), 200);
}

#[test]
fn answers_that_are_none() {
    let (public, digest) = (presentation(), MODEL.public.digest());
    for answer in [
        &b""[..],
        b"1",
        br#""yes""#,
        br#"{"refused":1}"#,
        br#"{"other":""}"#,
    ] {
        let error = server_that_says(digest, &public, &frame(answer));
        is_misbehaviour(&error, "the peer sent a malformed answer");
    }
    let error = server_that_says(digest, &public, &5000_u64.to_le_bytes());
    is_misbehaviour(&error, "at most 4096 are allowed");
    let long = format!(r#"{{"refused":"\u001b[31m{}"}}"#, "no ".repeat(1000));
    let Error::Refused { reason } = server_that_says(digest, &public, &frame(long.as_bytes()))
    else {
        panic!("it is refused");
    };
    assert!(reason.starts_with("[31mno no"), "{reason}");
    assert_eq!(reason.chars().count(), 200);
}

/// Every byte comes, or is taken, well within the time-out; all of them together are not.
#[test]
fn clients_that_drip_lose_their_place() {
    const PATIENCE: Duration = Duration::from_millis(500);
    let pause = || std::thread::sleep(PATIENCE / 20);
    let drip = |channel: &mut Channel, bytes: &[u8]| {
        for byte in bytes.iter().chain(std::iter::repeat(&b' ')) {
            if channel
                .send(&[*byte])
                .and_then(|()| channel.flush())
                .is_err()
            {
                return;
            }
            pause();
        }
    };
    let terms = Request::default().terms();
    let clients: [&(dyn Fn(&Connection) + Sync); 3] = [
        // The greeting.
        &|connection| {
            let mut channel = connection.open(CONTROL).expect("it opens");
            drip(&mut channel, b"BLINDRAY\x03\0\0\0\x01\x51\0");
        },
        // The request.
        &|connection| {
            let mut channel = agreed(connection, &terms);
            presented(&mut channel);
            drip(&mut channel, &4096_u64.to_le_bytes());
        },
        // The public part, which the line does not hold.
        &|connection| {
            let mut channel = agreed(connection, &terms);
            while channel.recv(&mut [0; 16]).is_ok() {
                pause();
            }
        },
    ];
    let narrow = channel::Memory {
        capacity: 16,
        ..line(PATIENCE)
    };
    for client in clients {
        let begin = std::time::Instant::now();
        let (served, ()) = testkit::run_over(
            narrow.pair(),
            |connection| {
                let served = SERVER.serve(&connection, SERVER_SEED, &mut |_| {});
                (served.expect_err("no request"), begin.elapsed())
            },
            |connection| client(&connection),
        );
        let (error, took) = served;
        let timeout = matches!(
            error,
            Error::Transport(channel::Error::Timeout {
                after: PATIENCE,
                ..
            })
        );
        assert!(timeout, "{error:?}");
        assert!(took >= PATIENCE && took < 5 * PATIENCE, "{took:?}");
    }
}

/// Whatever byte of the conversation is flipped, both parties come to an end, and no wrong findings come
/// of what the parties say there.
#[test]
fn flipped_bytes_of_the_conversation() {
    let expected = {
        let ends = line(TIMEOUT).pair();
        let findings = run(&SERVER, &Request::default(), ends).1;
        findings.expect("it infers")[0].views.clone()
    };
    let public = 98 + presentation().len() as u64;
    let said_by_client = (0..98 + 8 + 30).step_by(3);
    let said_by_server = (0..105)
        .step_by(5)
        .chain((106..public + 8 + 10).step_by(97));
    let harm = Harm::Flip(0x20);
    let ways = said_by_client
        .map(|at| (Role::Client, at))
        .chain(said_by_server.map(|at| (Role::Server, at)));
    let mut failed = 0;
    for (from, at) in ways {
        let way = Way {
            stream: CONTROL,
            from,
        };
        let ends = memory_pair_mangled(Mangle { way, at, harm }, Duration::from_millis(300));
        match run(&SERVER, &Request::default(), ends) {
            // A letter of the client's JSON may be of no matter.
            (Ok(_), Ok(findings)) => assert_eq!(findings[0].views, expected, "{from} {at}"),
            (served, findings) => {
                assert!(findings.is_err() || served.is_err());
                failed += 1;
            }
        }
    }
    assert!(failed > 60, "{failed}");
}

/// As SECURITY.md says: bits that are flipped in the protocols end in an error or in findings, in time, but nobody
/// promises that these are right. Keeping others from changing what passes is up to the transport.
#[test]
fn flipped_bytes_of_the_protocols() {
    let expected = {
        let ends = line(TIMEOUT).pair();
        let (served, findings) = run(&SERVER, &Request::default(), ends);
        let bytes = served.expect("it serves").comm.server_to_client_bytes;
        (bytes, findings.expect("it infers")[0].views.clone())
    };
    let (bytes, views) = expected;
    let (harm, way) = (
        Harm::Flip(1),
        Way {
            stream: ONLINE,
            from: Role::Server,
        },
    );
    let mut wrong = 0;
    for at in (0..bytes).step_by(bytes.div_ceil(20).try_into().expect("few")) {
        let ends = memory_pair_mangled(Mangle { way, at, harm }, Duration::from_secs(1));
        let begin = std::time::Instant::now();
        if let (Ok(_), Ok(findings)) = run(&SERVER, &Request::default(), ends) {
            wrong += usize::from(findings[0].views != views);
        }
        assert!(begin.elapsed() < TIMEOUT, "{at}");
    }
    assert!(
        wrong > 0,
        "a line that is changed is noticed: say so in SECURITY.md"
    );
}
