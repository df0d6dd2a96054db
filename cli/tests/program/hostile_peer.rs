//! A man in the middle of two real processes: whatever he does to the bytes, both end with one sentence.
//!
//! He can cut the connection at any byte, go silent, or write bytes of his own, in either direction, in the greetings and
//! in any of the session's streams: the online stream, the conversation, and the two refill streams.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Server, fails, run, xray};

/// What the bytes of a connection belong to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Greeting,
    Stream(u8),
}

const ONLINE: Part = Part::Stream(0);
const REFILL: [Part; 2] = [Part::Stream(1), Part::Stream(2)];
const CONTROL: Part = Part::Stream(3);

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
    part: Part,
    towards: Towards,
    at: usize,
    act: Act,
}

/// Passes the bytes of one direction on, but for the attack: the greeting, and then frames, of which those of kind 1 carry
/// as many bytes of a stream as they say.
fn pass(mut from: TcpStream, mut to: TcpStream, attack: Option<Attack>, end: &AtomicBool) {
    let mut run = || {
        let mut way = Way {
            from: &mut from,
            to: &mut to,
            attack,
            seen: 0,
            end,
        };
        way.carry(Part::Greeting, HELLO)?;
        loop {
            let mut header = [0; 8];
            way.from.read_exact(&mut header)?;
            way.to.write_all(&header)?;
            if header[0] == 1 {
                let length = u32::from_le_bytes(header[4..].try_into().expect("four bytes"));
                way.carry(Part::Stream(header[1]), length as usize)?;
            }
        }
    };
    let ended: std::io::Result<()> = run();
    drop(ended);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// One direction of a connection.
struct Way<'a> {
    from: &'a mut TcpStream,
    to: &'a mut TcpStream,
    attack: Option<Attack>,
    /// Bytes so far of the part that is attacked.
    seen: usize,
    end: &'a AtomicBool,
}

impl Way<'_> {
    /// Carries these bytes of a part; an error ends the connection.
    fn carry(&mut self, part: Part, length: usize) -> std::io::Result<()> {
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes)?;
        let Some(Attack { at, act, .. }) = self.attack.filter(|attack| attack.part == part) else {
            return self.to.write_all(&bytes);
        };
        let seen = self.seen;
        self.seen += length;
        match act {
            Act::Cut | Act::Stall if at < self.seen => {
                self.to.write_all(&bytes[..at.saturating_sub(seen)])?;
                while matches!(act, Act::Stall) && !self.end.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(ErrorKind::ConnectionAborted.into())
            }
            Act::Cut | Act::Stall => self.to.write_all(&bytes),
            Act::Write(own) => {
                for (place, byte) in (at..).zip(own) {
                    let place = place.checked_sub(seen).and_then(|k| bytes.get_mut(k));
                    if let Some(place) = place {
                        *place = *byte;
                    }
                }
                self.to.write_all(&bytes)
            }
        }
    }
}

/// Listens in the server's place.
fn relay(server: SocketAddr, attack: Attack, end: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(upstream) = TcpStream::connect(server) else {
                return;
            };
            for towards in [Towards::Server, Towards::Client] {
                let attack = Some(attack).filter(|attack| attack.towards == towards);
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
    let said = if attack.part == Part::Greeting {
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

/// Bytes of a greeting.
const HELLO: usize = 97;

#[test]
fn another_version() {
    let bytes = &[9, 0, 0, 0];
    for towards in [Towards::Server, Towards::Client] {
        let attack = Attack {
            part: Part::Greeting,
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
        part: Part::Greeting,
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
        part: CONTROL,
        towards: Towards::Client,
        at: 0,
        act: Act::Write(bytes),
    };
    fails(&under(attack).0, 1, "1152921504606846976");
    let attack = Attack {
        part: CONTROL,
        towards: Towards::Server,
        at: 0,
        act: Act::Write(bytes),
    };
    let (output, said) = under(attack);
    fails(&output, 1, "");
    assert!(said.contains("1152921504606846976"), "{said}");
}

#[test]
fn another_model_than_announced() {
    let attack = Attack {
        part: CONTROL,
        towards: Towards::Client,
        at: 8 + 12,
        act: Act::Write(b"X"),
    };
    fails(&under(attack).0, 1, "model");
}

#[test]
fn invalid_points_in_the_base_ot() {
    let noise = &[0xff; 64];
    for part in REFILL {
        for towards in [Towards::Server, Towards::Client] {
            let attack = Attack {
                part,
                towards,
                at: 5,
                act: Act::Write(noise),
            };
            fails(&under(attack).0, 1, "");
        }
    }
}

#[test]
fn a_connection_cut_in_any_phase() {
    for (part, places) in [
        (Part::Greeting, &[0, 11, HELLO - 1][..]),
        (ONLINE, &[0, 100, 200_000]),
        (CONTROL, &[1, 8, 25]),
        (REFILL[0], &[0, 50, 3_000]),
        (REFILL[1], &[10, 5_000]),
    ] {
        for &at in places {
            for towards in [Towards::Server, Towards::Client] {
                let (output, _) = under(Attack {
                    part,
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
    for (part, towards, at) in [
        (Part::Greeting, Towards::Client, 5),
        (ONLINE, Towards::Client, 50_000),
        (ONLINE, Towards::Server, 50_000),
        (CONTROL, Towards::Client, 30),
        (REFILL[0], Towards::Client, 40),
        (REFILL[1], Towards::Server, 500),
    ] {
        let (output, _) = under(Attack {
            part,
            towards,
            at,
            act: Act::Stall,
        });
        fails(&output, 1, "");
    }
}
