//! Forks: the same wire and the same results for any number of threads.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use channel::{Connection, Cost, Cots, FIRST_FORK, Memory, Relay, Role, Way};
use common::{own, share, share_bits, values};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits, slices};
use sharing::ideal::mux;
use sharing::{And, Error, Input, Mux, Open, Session};
use testkit::{bits, ideal_session, rng, run_2pc, run_over};

const BITS: Bits = Bits::of(17);

/// Everything that passes, way by way.
#[derive(Default)]
struct Tape(Mutex<BTreeMap<(u32, bool), Vec<u8>>>);

impl Relay for Tape {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ways.entry((way.stream, way.from.is_server()))
            .or_default()
            .extend_from_slice(bytes);
        bytes.len()
    }
}

/// Choices, values and their shares, one entry per item.
struct Item {
    choice: BitVec,
    value: Vec<u64>,
    choices: [BitVec; 2],
    values: [Vec<u64>; 2],
}

fn items(sizes: &[usize]) -> Vec<Item> {
    let rng = &mut rng(0);
    let item = |&n: &usize| {
        let choice = bits(n, rng);
        let value = values(rng, n, BITS);
        Item {
            choices: share_bits(rng, &choice),
            values: share(rng, &value, BITS),
            choice,
            value,
        }
    };
    sizes.iter().map(item).collect()
}

/// A mux, and an input that draws on the child's generator.
fn item_cost(n: usize) -> Cost {
    let input = Input {
        owner: Role::Server,
        bits: BITS,
    };
    Mux { bits: BITS }.cost(n).then(input.cost(n))
}

fn party(s: &mut Session, items: &[Item], threads: usize) -> Result<Vec<Vec<u64>>, Error> {
    let costs = items.iter().map(|i| item_cost(i.value.len()));
    let needs: Vec<Cots> = costs.map(|c| c.cots).collect();
    let input = Input {
        owner: Role::Server,
        bits: BITS,
    };
    s.scatter(items.iter().collect(), &needs, threads, |s, item: &Item| {
        let (choice, value): (&BitVec, &[u64]) = (own(s, &item.choices), own(s, &item.values));
        let mut out = Mux { bits: BITS }.run(s, choice, value)?;
        let public = vec![0; value.len()];
        let zero = input.run(s, s.role().is_server().then_some(&public), public.len())?;
        slices::add_assign(BITS, &mut out, &zero);
        Ok(out)
    })
}

type Transcript = BTreeMap<(u32, bool), Vec<u8>>;

/// Two scatters with something between, on `threads` threads at either party.
fn run(sizes: &[usize], threads: [usize; 2]) -> (Transcript, [Vec<Vec<u64>>; 4]) {
    let tape = Arc::new(Tape::default());
    let memory = Memory {
        capacity: 256,
        relay: Some(Arc::clone(&tape) as Arc<dyn Relay>),
        ..Memory::default()
    };
    let items = items(sizes);
    let end = |connection: Connection| {
        let mut s = ideal_session(&connection, 1);
        let threads = threads[usize::from(!connection.role().is_server())];
        let first = party(&mut s, &items, threads).expect("an honest run succeeds");
        let bits = BitVec::zeros(10);
        And.run(&mut s, &bits, &bits)
            .expect("an honest run succeeds");
        let again = &items[..items.len() / 2];
        let second = party(&mut s, again, threads).expect("an honest run succeeds");

        let beside = |items: &[Item]| {
            let costs = items.iter().map(|i| item_cost(i.value.len()));
            costs.fold(Cost::none(), Cost::beside)
        };
        let predicted = beside(&items).then(And.cost(10)).then(beside(again));
        assert_eq!(s.measured(), predicted);
        s.mark();
        assert_eq!(s.measured(), Cost::none());
        Open { bits: BITS }
            .run(&mut s, &[1])
            .expect("an honest run succeeds");
        assert_eq!(s.measured(), Open { bits: BITS }.cost(1));
        (first, second)
    };
    let (server, client) = run_over(memory.pair(), end, end);
    let transcript = std::mem::take(&mut *tape.0.lock().unwrap_or_else(PoisonError::into_inner));
    (transcript, [server.0, client.0, server.1, client.1])
}

#[test]
fn thread_counts_change_neither_wire_nor_results() {
    let sizes = [5, 0, 1000, 64, 1, 300, 7];
    let (wire, results) = run(&sizes, [1, 1]);
    let streams: Vec<u32> = wire.keys().map(|&(stream, _)| stream).collect();
    // The empty item says nothing; the second round uses the first one's streams again.
    assert_eq!(streams.first(), Some(&0));
    assert_eq!(streams.last(), Some(&(FIRST_FORK + 6)));
    for (i, item) in items(&sizes).iter().enumerate() {
        let sum = slices::add(BITS, &results[0][i], &results[1][i]);
        assert_eq!(sum, mux(&item.choice, &item.value));
    }
    for threads in [[1, 4], [2, 1], [2, 2], [4, 2], [100, 0]] {
        let (other_wire, other_results) = run(&sizes, threads);
        assert!(wire == other_wire, "{threads:?} threads changed the wire");
        assert!(
            results == other_results,
            "{threads:?} threads changed a result"
        );
    }
}

#[test]
fn nothing_scattered_is_nothing_said() {
    let (wire, results) = run(&[], [2, 2]);
    assert_eq!(wire.len(), 2, "the online stream, both ways");
    assert!(results.iter().all(Vec::is_empty));
}

#[test]
fn a_failing_item_kills_the_session() {
    let end = |connection: Connection| {
        let mut s = ideal_session(&connection, 1);
        let needs = [Cots {
            server_sends: 9,
            client_sends: 9,
        }; 3];
        let bits = BitVec::zeros(10);
        // The second child has nine COTs and needs ten.
        let sizes = vec![9, 10, 9];
        let outcome = s.scatter(sizes, &needs, 2, |s, n| {
            let bits = bits.slice(0, n);
            And.run(s, &bits, &bits)
        });
        assert!(outcome.is_err());
        assert!(s.is_dead());
        assert!(matches!(And.run(&mut s, &bits, &bits), Err(Error::Dead)));
        assert!(matches!(s.fork(&[]), Err(Error::Dead)));
    };
    run_2pc(end, end);
}

#[test]
#[should_panic(expected = "a fork does not fork")]
fn forks_do_not_fork() {
    let (server, client) = channel::memory_pair(256);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            ideal_session(&client, 1)
                .fork(&[Cots::default()])
                .map(|_| ())
        });
        let mut parent = ideal_session(&server, 1);
        let mut children = parent.fork(&[Cots::default()]).expect("the stream opens");
        let _ = children[0].fork(&[Cots::default()]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_sizes_and_threads(
        sizes in prop::collection::vec(0_usize..200, 0..6),
        here in 0_usize..5,
        there in 0_usize..5,
    ) {
        let (wire, results) = run(&sizes, [1, 1]);
        let (other_wire, other_results) = run(&sizes, [here, there]);
        prop_assert!(wire == other_wire);
        prop_assert!(results == other_results);
    }
}
