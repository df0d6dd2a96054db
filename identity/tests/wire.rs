//! The stream under TLS over a line in memory: whatever the pieces, the bytes are the same, and whatever happens below, it is
//! noticed.

mod lines;

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::time::{Duration, Instant};

use channel::{Config, Connection, GuardError, Guarded, ONLINE, Ready, Role, Wire};
use identity::Error;
use proptest::collection::vec;
use proptest::prelude::*;

use lines::{Shared, line, read_all, read_some, shaken, write_all};

/// Bytes that are not all alike.
fn some(count: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 | 1;
    let step = |_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(11);
        state.to_be_bytes()[0]
    };
    (0..count).map(step).collect()
}

proptest! {
    // 96 handshakes, each with up to 200 kB both ways.
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Both ends write and read at once, each in a thread of its own.
    #[test]
    fn whatever_the_pieces_the_bytes_are_the_same(
        capacity in prop_oneof![1_usize..70_000, 1_usize..50],
        piece in prop_oneof![1_usize..40_000, 1_usize..50],
        lengths in [0_usize..200_000, 0_usize..200_000],
        writes in vec(1_usize..100_000, 1..5),
        reads in vec(1_usize..100_000, 1..5),
    ) {
        // A byte at a time is for short messages.
        let slow = capacity.min(piece) < 64;
        let lengths = lengths.map(|length| if slow { length % 3000 } else { length });
        let lines = line(capacity, piece);
        let shared = lines.0.shared();
        let (server, client) = shaken(lines);
        prop_assert_eq!(server.binding, client.binding);
        let sent = [some(lengths[0], capacity), some(lengths[1], piece)];
        let ends = [&server, &client];
        let heard = std::thread::scope(|scope| {
            let writers = [0, 1].map(|end: usize| {
                let (wire, bytes, writes) = (&ends[end].wire, &sent[end], &writes);
                let shared = &shared;
                scope.spawn(move || {
                    write_all(&**wire, bytes, writes).expect("written");
                    wire.end();
                    wait_for_the_end(&**wire, shared, end, NOTHING);
                })
            });
            let readers = [0, 1].map(|end: usize| {
                let (wire, reads) = (&ends[end].wire, &reads);
                scope.spawn(move || read_all(&**wire, reads).expect("a good end"))
            });
            for writer in writers {
                writer.join().expect("no panic");
            }
            readers.map(|reader| reader.join().expect("no panic"))
        });
        prop_assert!(heard[0] == sent[1]);
        prop_assert!(heard[1] == sent[0]);
    }
}

const NOTHING: Ready = Ready {
    read: false,
    write: false,
};

/// Waits for something, or for nothing, until all that an end had to say is in the line, its end included.
fn wait_for_the_end(wire: &dyn Wire, shared: &Shared, end: usize, wanted: Ready) {
    let begun = Instant::now();
    while !shared.has_ended(end) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it stays owed");
        wire.wait(wanted, Duration::from_millis(1)).expect("a wait");
    }
}

/// Both ends have something to write at once, and the line holds less.
#[test]
fn a_line_that_holds_a_byte_is_enough_for_a_handshake() {
    for capacity in [1, 2, 5, 6, 100] {
        let (server, client) = shaken(line(capacity, capacity));
        assert_eq!(server.binding, client.binding);
    }
}

/// A record is heard when all of it is there, and a peer may let it drip: whoever waits decides for how long.
#[test]
fn a_record_that_drips_in_is_waited_for_no_longer_than_was_asked() {
    let lines = line(1 << 20, 1 << 20);
    let shared = lines.0.shared();
    let (server, client) = shaken(lines);
    write_all(&*client.wire, &[7; 1000], &[1000]).expect("written");
    let record = shared.take(1);
    std::thread::scope(|scope| {
        let dripping = scope.spawn(|| {
            for byte in &record {
                shared.put(1, &[*byte]);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let allowed = Duration::from_millis(200);
        let mut heard = Vec::<u8>::new();
        while heard.len() < 1000 {
            let mut out = [0; 1000];
            let begun = Instant::now();
            match server.wire.read(&mut [IoSliceMut::new(&mut out)], allowed) {
                Ok(count) => heard.extend(&out[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(begun.elapsed() < 10 * allowed, "{:?}", begun.elapsed());
        }
        assert_eq!(heard, [7; 1000]);
        dripping.join().expect("no panic");
    });
}

/// The end found the line full, and nobody writes any more.
#[test]
fn whoever_waits_pays_what_is_owed() {
    for capacity in [1, 7, 50, 1000] {
        for wanted in 0..4 {
            let lines = line(capacity, capacity);
            let shared = lines.0.shared();
            let (server, client) = shaken(lines);
            let full = |wire: &dyn Wire| wire.try_write(&[IoSlice::new(&[1; 5000])]);
            let before = shared.written(1);
            let outcome = full(&*client.wire);
            assert_eq!(outcome.expect_err("full").kind(), ErrorKind::WouldBlock);
            assert_eq!(shared.written(1), before + capacity);
            client.wire.end();
            assert!(!shared.has_ended(1));
            std::thread::scope(|scope| {
                let client = &client.wire;
                let shared = &shared;
                let payer = scope.spawn(move || {
                    if wanted == 3 {
                        // Reads pay as well.
                        let heard = read_all(&**client, &[10]).expect("an end");
                        assert_eq!(heard, b"go on");
                    } else {
                        let (read, write) = (wanted == 1, wanted == 2);
                        wait_for_the_end(&**client, shared, 1, Ready { read, write });
                    }
                });
                assert_eq!(read_all(&*server.wire, &[300]).expect("an end"), [1; 5000]);
                if wanted == 3 {
                    write_all(&*server.wire, b"go on", &[5]).expect("written");
                    server.wire.end();
                    wait_for_the_end(&*server.wire, shared, 0, NOTHING);
                }
                payer.join().expect("no panic");
            });
        }
    }
}

fn reason(error: &std::io::Error) -> Option<&Error> {
    let found: &GuardError = error.get_ref()?.downcast_ref()?;
    found.reason()
}

#[test]
fn a_byte_that_is_flipped_anywhere_is_noticed_and_nothing_after_it_is_heard() {
    let message = some(5000, 7);
    for place in [0, 1, 2, 3, 4, 5, 20, 1000, 5010, 5021] {
        for bit in [0, 7] {
            let lines = line(1 << 20, 1 << 20);
            let shared = lines.0.shared();
            let (server, client) = shaken(lines);
            let begin = shared.written(1);
            shared.harm(move |end, at, byte| {
                if (end, at) == (1, begin + place) {
                    *byte ^= 1 << bit;
                }
            });
            write_all(&*client.wire, &message, &[5000]).expect("written");
            // A length that says more than comes is noticed when more comes, or when the line ends.
            let more = some(20_000, 1);
            write_all(&*client.wire, &more, &[20_000]).expect("written");
            let sent = [&message[..], &more].concat();
            shared.truncate(1);
            let (heard, outcome) = read_some(&*server.wire, &[70_000]);
            let error = outcome.expect_err("harmed");
            // The kind of a record and its version say nothing: they are as if they had not been changed. A length that
            // says too much is noticed when the line ends.
            let ended = error.kind() == ErrorKind::UnexpectedEof;
            match place {
                0..=2 if ended => assert!(heard == sent),
                3..=4 if ended => assert_eq!(heard, []),
                _ => {
                    assert_eq!(heard, [], "byte {place}, bit {bit}");
                    let harmed = matches!(reason(&error), Some(Error::Harmed));
                    assert!(harmed, "byte {place}, bit {bit}: {error:?}");
                }
            }
            // It stays dead.
            assert!(read_all(&*server.wire, &[100]).is_err());
            if reason(&error).is_some() {
                // The other end is told.
                let error = read_all(&*client.wire, &[100]).expect_err("an alert");
                assert!(reason(&error).is_some(), "{error:?}");
            }
        }
    }
}

#[test]
fn a_line_that_is_cut_short_is_no_end() {
    let lines = line(1 << 20, 1 << 20);
    let shared = lines.0.shared();
    let (server, client) = shaken(lines);
    write_all(&*client.wire, b"half of it", &[10]).expect("written");
    shared.truncate(1);
    let error = read_all(&*server.wire, &[100]).expect_err("no end");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);

    let (server, client) = shaken(line(1 << 20, 1 << 20));
    write_all(&*client.wire, b"all of it", &[9]).expect("written");
    client.wire.end();
    assert_eq!(
        read_all(&*server.wire, &[100]).expect("an end"),
        b"all of it"
    );
    // The other way is open still.
    write_all(&*server.wire, b"an answer", &[9]).expect("written");
    server.wire.end();
    assert_eq!(
        read_all(&*client.wire, &[100]).expect("an end"),
        b"an answer"
    );
}

#[test]
fn what_is_replayed_left_out_or_put_in_another_order_is_noticed() {
    // Records of the client's, as an attacker has them.
    for order in [&[0_u8, 0][..], &[1], &[1, 0], &[0, 2]] {
        let (at_server, at_client) = line(1 << 20, 1 << 20);
        let shared = at_server.shared();
        let (server, client) = shaken((at_server, at_client));
        let records = [0, 1, 2].map(|number: u8| {
            write_all(&*client.wire, &[number; 100], &[100]).expect("written");
            shared.take(1)
        });
        let mut good = 0;
        for &number in order {
            shared.put(1, &records[usize::from(number)]);
            let mut out = [0; 100];
            let outcome = server.wire.try_read(&mut [IoSliceMut::new(&mut out)]);
            if number == good {
                assert_eq!((outcome.expect("in order"), out), (100, [number; 100]));
                good += 1;
            } else {
                let error = outcome.expect_err("out of order");
                assert!(matches!(reason(&error), Some(Error::Harmed)), "{error:?}");
                break;
            }
        }
    }
}

#[test]
fn what_is_heard_before_the_harm_is_right_and_the_harm_is_not_waited_for() {
    for records in [1, 2, 5] {
        let lines = line(1 << 20, 1 << 20);
        let shared = lines.0.shared();
        let (server, client) = shaken(lines);
        let good = some(records * (16 << 10), records);
        write_all(&*client.wire, &good, &[good.len()]).expect("written");
        let begin = shared.written(1);
        shared.harm(move |end, at, byte| *byte ^= u8::from((end, at) == (1, begin + 50)));
        write_all(&*client.wire, &[2; 100], &[100]).expect("written");
        // No more comes.
        let begun = Instant::now();
        let (heard, outcome) = read_some(&*server.wire, &[200_000]);
        assert!(good.starts_with(&heard));
        assert!(
            heard.len() >= (records - 1) / 2 * (16 << 10),
            "{}",
            heard.len()
        );
        let error = outcome.expect_err("harmed");
        assert!(matches!(reason(&error), Some(Error::Harmed)), "{error:?}");
        let wanted = Ready {
            read: true,
            write: false,
        };
        let ready = server.wire.wait(wanted, Duration::from_secs(10));
        assert!(ready.expect("a wait").read && server.wire.has_ended());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn calls_do_not_wait_and_waiting_ends() {
    let (server, client) = shaken(line(2000, 2000));
    let (read, write) = (
        Ready {
            read: true,
            write: false,
        },
        Ready {
            read: false,
            write: true,
        },
    );
    let mut out = [0; 10];
    let begun = Instant::now();
    let error = server.wire.try_read(&mut [IoSliceMut::new(&mut out)]);
    assert_eq!(error.expect_err("nothing").kind(), ErrorKind::WouldBlock);
    let ready = server
        .wire
        .wait(read, Duration::from_millis(50))
        .expect("a wait");
    assert!(!ready.read);
    // Full: what was encrypted and did not leave counts only when it has.
    let message = vec![3; 100_000];
    let mut written = 0;
    loop {
        match client.wire.try_write(&[IoSlice::new(&message[written..])]) {
            Ok(count) => written += count,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert!(
        !client
            .wire
            .wait(write, Duration::from_millis(50))
            .expect("a wait")
            .write
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Both go on, and no byte is lost or doubled.
    let rest = &message[written..];
    let heard = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            write_all(&*client.wire, rest, &[usize::MAX]).expect("written");
            client.wire.end();
        });
        let heard = read_all(&*server.wire, &[300]).expect("an end");
        writer.join().expect("no panic");
        heard
    });
    assert_eq!(heard, message);
    assert!(server.wire.has_ended() && !client.wire.has_ended());
}

#[test]
fn what_has_ended_is_known_without_taking_anything() {
    let (server, client) = shaken(line(1 << 20, 1 << 20));
    assert!(!server.wire.has_ended());
    write_all(&*client.wire, b"early", &[5]).expect("written");
    client.wire.end();
    assert!(!server.wire.has_ended(), "there is something to read");
    assert_eq!(read_all(&*server.wire, &[3]).expect("an end"), b"early");
    assert!(server.wire.has_ended());
}

#[test]
fn a_session_of_many_streams_runs_over_it_and_names_the_harm() {
    let lines = line(30_000, 9_000);
    let shared = lines.0.shared();
    let (server, client) = shaken(lines);
    let config = Config {
        timeout: Duration::from_secs(10),
        ..Config::default()
    };
    let over = |role, guarded: Guarded| {
        let wire = Wrapped(guarded.wire);
        Connection::multiplex(role, [7; 16], "memory", &config, wire).expect("it starts")
    };
    let (server, client) = (over(Role::Server, server), over(Role::Client, client));
    let message = some(3_000_000, 3);
    std::thread::scope(|scope| {
        for stream in [ONLINE, 1, 2, 3] {
            let (server, client, message) = (&server, &client, &message);
            scope.spawn(move || {
                let mut channel = server.open(stream).expect("open");
                let mut heard = vec![0; message.len()];
                channel.exchange(message, &mut heard).expect("both ways");
                assert!(heard == *message);
            });
            scope.spawn(move || {
                let mut channel = client.open(stream).expect("open");
                let mut heard = vec![0; message.len()];
                channel.exchange(message, &mut heard).expect("both ways");
                assert!(heard == *message);
            });
        }
    });
    let (mut at_server, mut at_client) =
        (server.open(4).expect("open"), client.open(4).expect("open"));
    shared.harm(|end, at, byte| *byte ^= u8::from(end == 1 && at % 64 == 0));
    at_client.send(&message[..10_000]).expect("sent");
    at_client.flush().expect("flushed");
    let error = at_server.recv(&mut [0; 10_000]).expect_err("harmed");
    assert!(
        matches!(Error::within(&error), Some(Error::Harmed)),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("bytes were changed on their way")
    );
}

/// Both ends go while much is owed: answers of flow control, ends of streams and of TLS, on a line that is always full.
#[test]
fn a_session_comes_to_its_end_on_a_line_that_holds_next_to_nothing() {
    for capacity in [8, 1000] {
        let lines = line(capacity, capacity);
        let shared = lines.0.shared();
        let (server, client) = shaken(lines);
        let config = Config {
            keep_alive: Duration::from_millis(2),
            ..Config::default()
        };
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for (role, guarded) in [(Role::Server, server), (Role::Client, client)] {
                let config = &config;
                scope.spawn(move || {
                    let wire = Wrapped(guarded.wire);
                    let connection = Connection::multiplex(role, [7; 16], "memory", config, wire);
                    let connection = connection.expect("it starts");
                    for stream in 0..2 {
                        let mut channel = connection.open(stream).expect("open");
                        let (said, mut heard) = ([1; 500], [0; 500]);
                        channel.exchange(&said, &mut heard).expect("both ways");
                        assert_eq!(heard, said);
                    }
                });
            }
        });
        while !shared.is_over() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A boxed wire as one.
struct Wrapped(Box<dyn Wire>);

impl Wire for Wrapped {
    fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> std::io::Result<usize> {
        self.0.try_read(out)
    }

    fn try_write(&self, bytes: &[IoSlice<'_>]) -> std::io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn wait(&self, wanted: Ready, timeout: Duration) -> std::io::Result<Ready> {
        self.0.wait(wanted, timeout)
    }

    fn read(&self, out: &mut [IoSliceMut<'_>], timeout: Duration) -> std::io::Result<usize> {
        self.0.read(out, timeout)
    }

    fn end(&self) {
        self.0.end();
    }

    fn cut(&self) {
        self.0.cut();
    }
}

#[test]
fn each_line_has_a_binding_of_its_own() {
    let bindings: Vec<_> = (0..3)
        .map(|_| {
            let (server, client) = shaken(line(1 << 16, 1 << 16));
            assert_eq!(server.binding, client.binding);
            server.binding
        })
        .collect();
    assert!(bindings[0] != bindings[1] && bindings[1] != bindings[2] && bindings[0] != bindings[2]);
}
