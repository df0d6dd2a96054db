//! Whatever is changed on the line of a pool, the sender notices before it uses anything.
//!
//! A changed correction changes the challenge too, and what was sent is right for another one: it passes
//! with a probability of about 2^-128, which no run of these tests will see.

use std::sync::Arc;

use channel::{Connection, Memory, REFILL_CLIENT_SENDS, REFILL_SERVER_SENDS, Relay, Role, Way};
use ot::{
    Error, Extension, RcotReceiver, RcotSender, SoftSpoken, SoftSpokenReceiver, SoftSpokenSender,
};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::BitVec;

const BATCH: usize = SoftSpoken::BATCH;

/// Refills that a test runs, if nothing stops it.
const REFILLS: u64 = 3;

/// Changes bits of what one party says.
struct Altered {
    way: Way,
    /// Positions in the stream, and what is added to the byte there.
    places: Vec<(u64, u8)>,
}

impl Relay for Altered {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        for (at, mask) in self.places.iter().filter(|_| way == self.way) {
            let at = at
                .checked_sub(offset)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
                *byte ^= mask;
            }
        }
        bytes.len()
    }
}

/// How a party's run ended: batches that it got, and the error that ended it.
type End = (u64, Option<Error>);

/// Runs both ends of a pool in which `sender` sends, over a line that alters what `from` says on it at these
/// places: how it ended for the sender and for the receiver.
fn run(k: u32, sender: Role, from: Role, places: Vec<(u64, u8)>) -> (End, End) {
    let stream = match sender {
        Role::Server => REFILL_SERVER_SENDS,
        Role::Client => REFILL_CLIENT_SENDS,
    };
    let way = Way { stream, from };
    let line = Memory {
        capacity: 1 << 12,
        relay: Some(Arc::new(Altered { way, places })),
        ..Memory::default()
    };
    let party = |connection: Connection| {
        let chan = connection.open(stream).expect("the stream opens");
        let (id, sends) = (connection.session_id(), connection.role() == sender);
        let rng = &mut ChaCha20Rng::seed_from_u64(u64::from(sends));
        if sends {
            match SoftSpokenSender::setup(chan, k, &id, rng) {
                Ok(mut pool) => send(&mut pool),
                Err(error) => (0, Some(error)),
            }
        } else {
            match SoftSpokenReceiver::setup(chan, k, &id, rng) {
                Ok(mut pool) => receive(&mut pool),
                Err(error) => (0, Some(error)),
            }
        }
    };
    let (server, client) = line.pair();
    let (server, client) = std::thread::scope(|scope| {
        let server = scope.spawn(move || party(server));
        let client = party(client);
        (server.join().expect("the server does not panic"), client)
    });
    match sender {
        Role::Server => (server, client),
        Role::Client => (client, server),
    }
}

fn send(pool: &mut SoftSpokenSender) -> End {
    for batch in 0..REFILLS {
        let mut q = vec![7; BATCH];
        if let Err(error) = pool.draw(&mut q) {
            assert!(q.iter().all(|&q| q == 7), "nothing is handed out");
            assert_eq!(pool.drawn(), batch * BATCH as u64);
            // For good.
            for _ in 0..3 {
                assert!(matches!(pool.draw(&mut [0]), Err(Error::Channel(_))));
            }
            return (batch, Some(error));
        }
    }
    (REFILLS, None)
}

/// Goes on until it hears that the line is cut, if it is.
fn receive(pool: &mut SoftSpokenReceiver) -> End {
    for batch in 0..REFILLS + 3 {
        let drawn = pool.draw(&mut BitVec::zeros(BATCH), &mut vec![0; BATCH]);
        if let Err(error) = drawn {
            return (batch, Some(error));
        }
    }
    (REFILLS + 3, None)
}

/// Bytes that a party says in the set-up.
fn set_up_bytes(k: u32, sender: Role, from: Role) -> u64 {
    let cost = SoftSpoken::new(k).setup_cost(sender);
    match from {
        Role::Server => cost.bytes_to_client(),
        Role::Client => cost.bytes_to_server(),
    }
}

/// Bytes of one refill.
fn refill_bytes(k: u32) -> u64 {
    SoftSpoken::new(k).refill_cost(1, Role::Server).bytes()
}

/// A run with altered refills ends at the first of them, on both sides.
fn check(k: u32, sender: Role, mut places: Vec<(u64, u8)>) {
    let first = places.iter().map(|(at, _)| at / refill_bytes(k)).min();
    let set_up = set_up_bytes(k, sender, sender.peer());
    places.iter_mut().for_each(|(at, _)| *at += set_up);
    let (sent, received) = run(k, sender, sender.peer(), places);
    assert_eq!(Some(sent.0), first);
    assert!(matches!(sent.1, Some(Error::Inconsistent)), "{:?}", sent.1);
    assert!(
        matches!(received.1, Some(Error::Channel(_))),
        "{received:?}"
    );
}

#[test]
fn an_honest_run_passes() {
    for (k, sender) in [(4, Role::Server), (3, Role::Client)] {
        let (sent, received) = run(k, sender, sender, Vec::new());
        assert!(sent.0 == REFILLS && sent.1.is_none());
        // The sender is gone after so many.
        assert!(received.0 >= REFILLS);
    }
}

/// A bit of every correction, in use or sacrificed; of the hash of the choices, and of the digest.
#[test]
fn every_group_and_message_counts() {
    let (used, row) = (BATCH as u64 / 8, (BATCH + 128) as u64 / 8);
    let places = [(0, 1), (used - 1, 128), (used, 2), (row - 1, 64)];
    for (group, (byte, mask)) in (0..31).zip(places.into_iter().cycle()) {
        check(4, Role::Server, vec![(group * row + byte, mask)]);
    }
    for byte in [0, 15, 16, 47] {
        check(4, Role::Client, vec![(31 * row + byte, 16)]);
    }
}

/// The attack that the check is there for: the choices of one group differ from those of all others.
#[test]
fn other_choices_in_the_first_group_are_noticed() {
    let row = (BATCH + 128) as u64 / 8;
    let all = (0..31).map(|group| (group * row + 5, 4)).collect();
    check(4, Role::Server, all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn altered_refills_are_noticed(
        k in prop_oneof![4 => Just(4_u32), 1 => 1..=8_u32],
        server_sends: bool,
        seeds in proptest::collection::vec((any::<u64>(), 1..=255_u8), 1..5),
    ) {
        let sender = if server_sends { Role::Server } else { Role::Client };
        let all = REFILLS * refill_bytes(k);
        let mut places: Vec<_> = seeds.into_iter().map(|(at, mask)| (at % all, mask)).collect();
        // Two changes of a byte might undo each other.
        places.sort_unstable();
        places.dedup_by_key(|(at, _)| *at);
        check(k, sender, places);
    }

    /// A point that is none is refused at once; all else makes two set-ups of one, whose challenges differ.
    #[test]
    fn altered_set_ups_are_noticed(
        server_sends: bool,
        by_sender: bool,
        at: u64,
        mask in 1..=255_u8,
    ) {
        let sender = if server_sends { Role::Server } else { Role::Client };
        let from = if by_sender { sender } else { sender.peer() };
        let at = at % set_up_bytes(4, sender, from);
        let (sent, received) = run(4, sender, from, vec![(at, mask)]);
        prop_assert_eq!(sent.0, 0);
        let (sent, received) = (sent.1, received.1);
        prop_assert!(received.is_some());
        let invalid = |error: &Option<Error>| matches!(error, Some(Error::InvalidPoint { .. }));
        if !invalid(&received) {
            prop_assert!(matches!(sent, Some(Error::Inconsistent)) || invalid(&sent), "{:?}", sent);
        }
    }
}
