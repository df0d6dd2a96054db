//! A man in the middle of two real processes: whatever he does to the bytes, both end with one sentence.
//!
//! He can cut a connection at any byte, go silent, or write bytes of his own, in any direction of any
//! of the session's connections: the online stream, the greetings, and the two refill streams.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Server, fails, run, xray};

/// The session's connections in the order in which the client makes them.
const ONLINE: usize = 0;
const CONTROL: usize = 1;
const REFILL: [usize; 2] = [2, 3];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Towards {
    Server,
    Client,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Cut,
    Stall,
    Write(&'static [u8]),
}

#[derive(Clone, Copy, Debug)]
struct Attack {
    connection: usize,
    towards: Towards,
    at: usize,
    act: Act,
}

/// Passes bytes on from one socket to the other, but for the attack.
fn pass(mut from: TcpStream, mut to: TcpStream, attack: Option<(usize, Act)>, end: &AtomicBool) {
    let mut seen = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        // In small steps up to the place of the attack, so that nothing beyond it slips through.
        let most = match attack {
            Some((at, _)) if seen < at => buffer.len().min(at - seen),
            _ => buffer.len(),
        };
        let Ok(n @ 1..) = from.read(&mut buffer[..most]) else {
            break;
        };
        let bytes = &mut buffer[..n];
        if let Some((at, act)) = attack
            && seen + n > at
        {
            match act {
                Act::Cut => break,
                Act::Stall => {
                    while !end.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    break;
                }
                Act::Write(own) => {
                    for (k, byte) in own.iter().enumerate() {
                        if let Some(place) = (at + k).checked_sub(seen)
                            && place < n
                        {
                            bytes[place] = *byte;
                        }
                    }
                }
            }
        }
        seen += n;
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Listens in the server's place.
fn relay(server: SocketAddr, attack: Attack, end: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let Ok(client) = client else { return };
            let Ok(upstream) = TcpStream::connect(server) else {
                return;
            };
            for towards in [Towards::Server, Towards::Client] {
                let mine = attack.connection == number && attack.towards == towards;
                let attack = mine.then_some((attack.at, attack.act));
                let ends = (
                    client.try_clone().expect("a socket"),
                    upstream.try_clone().expect("a socket"),
                );
                let (from, to) = match towards {
                    Towards::Server => ends,
                    Towards::Client => (ends.1, ends.0),
                };
                let end = Arc::clone(&end);
                std::thread::spawn(move || pass(from, to, attack, &end));
            }
        }
    });
    address
}

/// What the client says, and what the server said about it.
fn under(attack: Attack) -> (Output, String) {
    let mut server = Server::start(&["--model", "chestnet", "--sessions", "1", "--timeout", "2"]);
    let end = Arc::new(AtomicBool::new(false));
    let address = relay(server.address, attack, Arc::clone(&end)).to_string();
    let image = xray();
    let input = image.to_str().expect("UTF-8");
    let output = run(&[
        "infer",
        "--json",
        "--connect",
        &address,
        "--timeout",
        "2",
        "--input",
        input,
    ]);
    // A session that never began leaves the server waiting for another; one that did ends with it.
    let said = if attack.connection == ONLINE && attack.at < HELLO {
        server.stop().1
    } else {
        let (code, said) = server.wait();
        assert_eq!(code, Some(1), "{attack:?}: {said}");
        said
    };
    end.store(true, Ordering::Relaxed);
    assert!(!said.contains("panicked"), "{attack:?}: {said}");
    (output, said)
}

/// Bytes of a session's greeting.
const HELLO: usize = 96;
/// Bytes of the answer to a further stream's greeting.
const ANSWER: usize = 16;

#[test]
fn another_version() {
    let bytes = &[9, 0, 0, 0];
    for towards in [Towards::Server, Towards::Client] {
        let attack = Attack {
            connection: ONLINE,
            towards,
            at: 8,
            act: Act::Write(bytes),
        };
        let (output, _) = under(attack);
        fails(
            &output,
            1,
            if towards == Towards::Client {
                "version 9"
            } else {
                ""
            },
        );
    }
}

#[test]
fn other_parameters() {
    let attack = Attack {
        connection: ONLINE,
        towards: Towards::Client,
        at: 20,
        act: Act::Write(b"other"),
    };
    fails(&under(attack).0, 1, "parameters");
}

#[test]
fn a_length_of_2_to_the_60() {
    let bytes = &[0, 0, 0, 0, 0, 0, 0, 0x10];
    let attack = Attack {
        connection: CONTROL,
        towards: Towards::Client,
        at: ANSWER,
        act: Act::Write(bytes),
    };
    fails(&under(attack).0, 1, "1152921504606846976");
    let attack = Attack {
        connection: CONTROL,
        towards: Towards::Server,
        at: 35,
        act: Act::Write(bytes),
    };
    let (output, said) = under(attack);
    fails(&output, 1, "");
    assert!(said.contains("1152921504606846976"), "{said}");
}

#[test]
fn another_model_than_announced() {
    let attack = Attack {
        connection: CONTROL,
        towards: Towards::Client,
        at: ANSWER + 8 + 12,
        act: Act::Write(b"X"),
    };
    fails(&under(attack).0, 1, "model");
}

#[test]
fn invalid_points_in_the_base_ot() {
    let noise = &[0xff; 64];
    for connection in REFILL {
        for towards in [Towards::Server, Towards::Client] {
            let attack = Attack {
                connection,
                towards,
                at: 40,
                act: Act::Write(noise),
            };
            fails(&under(attack).0, 1, "");
        }
    }
}

#[test]
fn a_connection_cut_in_any_phase() {
    for (connection, places) in [
        (
            ONLINE,
            &[0, 11, HELLO - 1, HELLO + 100, HELLO + 200_000][..],
        ),
        (CONTROL, &[1, 20, 60]),
        (REFILL[0], &[0, 50, 3_000]),
        (REFILL[1], &[10, 5_000]),
    ] {
        for &at in places {
            for towards in [Towards::Server, Towards::Client] {
                let (output, _) = under(Attack {
                    connection,
                    towards,
                    at,
                    act: Act::Cut,
                });
                fails(&output, 1, "");
            }
        }
    }
}

#[test]
fn a_peer_that_stalls_in_any_phase() {
    for (connection, towards, at) in [
        (ONLINE, Towards::Client, 5),
        (ONLINE, Towards::Client, HELLO + 50_000),
        (ONLINE, Towards::Server, HELLO + 50_000),
        (CONTROL, Towards::Client, 30),
        (REFILL[0], Towards::Client, 40),
        (REFILL[1], Towards::Server, 500),
    ] {
        let (output, _) = under(Attack {
            connection,
            towards,
            at,
            act: Act::Stall,
        });
        fails(&output, 1, "");
    }
}
