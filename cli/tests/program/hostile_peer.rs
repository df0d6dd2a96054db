//! A man in the middle of two real processes that encrypt nothing: whatever he does to the bytes, both end with one sentence.
//!
//! He can cut the connection at any byte, go silent, or write bytes of his own, in either direction of the greeting, of any of
//! the streams that share the connection, and of the headers of their frames.

use std::collections::BTreeMap;
use std::io::{Read, Result as IoResult, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Server, fails, run, xray};

/// What bytes of a connection belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Greeting,
    /// The headers of all frames.
    Headers,
    /// What a stream carries.
    Stream(u8),
}

const ONLINE: Place = Place::Stream(0);
const REFILL: [Place; 2] = [Place::Stream(1), Place::Stream(2)];
const CONTROL: Place = Place::Stream(3);

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
    place: Place,
    towards: Towards,
    /// How many bytes of the place pass before.
    at: usize,
    act: Act,
}

/// One direction of the connection.
struct Passage {
    from: TcpStream,
    to: TcpStream,
    attack: Option<Attack>,
    seen: BTreeMap<Place, usize>,
    end: Arc<AtomicBool>,
}

impl Passage {
    /// Passes on the greeting and then frames, until somebody hangs up or the attack ends it.
    fn run(mut self) {
        let _ = self.pass();
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
    }

    fn pass(&mut self) -> IoResult<()> {
        // Magic, version, kind, and the length of what follows.
        let mut prefix = self.take(15)?;
        let length = u16::from_le_bytes([prefix[13], prefix[14]]);
        prefix.extend(self.take(length.into())?);
        self.put(Place::Greeting, prefix)?;
        loop {
            let header = self.take(8)?;
            let (kind, stream) = (header[0], header[1]);
            let length = header
                .last_chunk()
                .map_or(0, |&bytes| u32::from_le_bytes(bytes));
            self.put(Place::Headers, header)?;
            if kind == 1 {
                let payload = self.take(length as usize)?;
                self.put(Place::Stream(stream), payload)?;
            }
        }
    }

    fn take(&mut self, length: usize) -> IoResult<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn put(&mut self, place: Place, mut bytes: Vec<u8>) -> IoResult<()> {
        let seen = self.seen.entry(place).or_default();
        let begin = *seen;
        *seen += bytes.len();
        let here = begin..*seen;
        if let Some(Attack { at, act, .. }) = self.attack.filter(|attack| attack.place == place) {
            match act {
                Act::Write(own) => {
                    for (place, byte) in (at..).zip(own).filter(|(place, _)| here.contains(place)) {
                        bytes[place - begin] = *byte;
                    }
                }
                Act::Cut | Act::Stall if here.contains(&at) => {
                    self.to.write_all(&bytes[..at - begin])?;
                    while matches!(act, Act::Stall) && !self.end.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    return Err(std::io::ErrorKind::ConnectionAborted.into());
                }
                Act::Cut | Act::Stall => {}
            }
        }
        self.to.write_all(&bytes)
    }
}

/// Listens in the server's place.
fn relay(server: SocketAddr, attack: Attack, end: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let upstream = TcpStream::connect(server).expect("the server listens");
        for towards in [Towards::Server, Towards::Client] {
            let [client, upstream] = [&client, &upstream].map(|socket| {
                socket.set_nodelay(true).expect("a socket");
                socket.try_clone().expect("a socket")
            });
            let (from, to) = match towards {
                Towards::Server => (client, upstream),
                Towards::Client => (upstream, client),
            };
            let passage = Passage {
                from,
                to,
                attack: (attack.towards == towards).then_some(attack),
                seen: BTreeMap::new(),
                end: Arc::clone(&end),
            };
            std::thread::spawn(move || passage.run());
        }
    });
    address
}

/// What the client says, and what the server said about it.
fn under(attack: Attack) -> (Output, String) {
    let mut server = Server::start(&[
        "--model",
        "chestnet",
        "--sessions",
        "1",
        "--timeout",
        "2",
        "--insecure",
    ]);
    let end = Arc::new(AtomicBool::new(false));
    let address = relay(server.address, attack, Arc::clone(&end)).to_string();
    let image = xray();
    let input = image.to_str().expect("UTF-8");
    let output = run(&[
        "infer",
        "--insecure",
        "--json",
        "--connect",
        &address,
        "--timeout",
        "2",
        "--input",
        input,
    ]);
    // A session that never began leaves the server waiting for another; one that did ends with it.
    let said = if attack.place == Place::Greeting {
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

#[test]
fn another_version() {
    const OTHER: u32 = service::WIRE_VERSION + 1;
    let bytes = const { &OTHER.to_le_bytes() };
    let told = format!("version {OTHER}");
    for towards in [Towards::Server, Towards::Client] {
        let attack = Attack {
            place: Place::Greeting,
            towards,
            at: 8,
            act: Act::Write(bytes),
        };
        let (output, _) = under(attack);
        fails(
            &output,
            1,
            if towards == Towards::Client {
                told.as_str()
            } else {
                ""
            },
        );
    }
}

#[test]
fn other_parameters() {
    let attack = Attack {
        place: Place::Greeting,
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
        place: CONTROL,
        towards: Towards::Client,
        at: 0,
        act: Act::Write(bytes),
    };
    fails(&under(attack).0, 1, "1152921504606846976");
    let attack = Attack {
        place: CONTROL,
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
        place: CONTROL,
        towards: Towards::Client,
        at: 8 + 12,
        act: Act::Write(b"X"),
    };
    fails(&under(attack).0, 1, "model");
}

/// A frame of no kind, and one longer than any is.
#[test]
fn frames_that_are_none() {
    for (at, bytes) in [(0, &[9][..]), (7, &[0x10])] {
        for towards in [Towards::Server, Towards::Client] {
            let attack = Attack {
                place: Place::Headers,
                towards,
                at,
                act: Act::Write(bytes),
            };
            let (output, said) = under(attack);
            fails(&output, 1, "");
            let both = said + &String::from_utf8_lossy(&output.stderr);
            assert!(both.contains("the peer sent a "), "{attack:?}: {both}");
        }
    }
}

#[test]
fn invalid_points_in_the_base_ot() {
    let noise = &[0xff; 64];
    for place in REFILL {
        for towards in [Towards::Server, Towards::Client] {
            let attack = Attack {
                place,
                towards,
                at: 8,
                act: Act::Write(noise),
            };
            fails(&under(attack).0, 1, "");
        }
    }
}

#[test]
fn a_connection_cut_in_any_phase() {
    for (place, bytes) in [
        (Place::Greeting, &[0, 11, 90][..]),
        (Place::Headers, &[0, 5, 100]),
        (ONLINE, &[0, 100, 200_000]),
        (CONTROL, &[0, 5, 25]),
        (REFILL[0], &[0, 20, 3_000]),
        (REFILL[1], &[0, 3_000]),
    ] {
        for &at in bytes {
            for towards in [Towards::Server, Towards::Client] {
                let (output, _) = under(Attack {
                    place,
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
    for (place, towards, at) in [
        (Place::Greeting, Towards::Client, 5),
        (ONLINE, Towards::Client, 50_000),
        (ONLINE, Towards::Server, 50_000),
        (CONTROL, Towards::Client, 30),
        (REFILL[0], Towards::Client, 40),
        (REFILL[1], Towards::Server, 500),
    ] {
        let (output, _) = under(Attack {
            place,
            towards,
            at,
            act: Act::Stall,
        });
        fails(&output, 1, "");
    }
}
