//! Products of one party's numbers with the other party's bits.

mod common;

use channel::{Cost, Role};
use common::{LENGTHS, clear, run, values};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::mux;
use sharing::{BitProducts, Rounds};
use testkit::{bits, rng};

/// A vector of numbers, one of bits, and the ring of their products.
type Part = (Vec<u64>, BitVec, Bits);

fn check(sender: Role, parts: &[Part]) {
    let protocol = BitProducts { sender };
    let shapes: Vec<_> = parts.iter().map(|part| (part.0.len(), part.2)).collect();
    let [server, client] = run(&protocol.rounds(&shapes), async |party| {
        if party.role() == sender {
            let numbers: Vec<_> = parts.iter().map(|part| (&part.0[..], part.2)).collect();
            return protocol.run_sender(party, &numbers).await;
        }
        let bits: Vec<_> = parts.iter().map(|part| (&part.1, part.2)).collect();
        protocol.run_receiver(party, &bits).await
    });
    assert_eq!((server.len(), client.len()), (parts.len(), parts.len()));
    for (shares, (numbers, bits, ring)) in server.into_iter().zip(client).zip(parts) {
        let reduced: Vec<u64> = numbers.iter().map(|&x| ring.reduce(x)).collect();
        assert_eq!(clear(&shares.into(), *ring), mux(bits, &reduced));
    }
}

fn random(ring: Bits, n: usize, seed: u64) -> Part {
    let rng = &mut rng(seed);
    // Bits above the ring, which are ignored.
    let numbers = values(rng, n, Bits::of(64));
    (numbers, bits(n, rng), ring)
}

#[test]
fn every_number_and_bit() {
    let parts: Vec<Part> = (1..=4_u32)
        .map(|l| {
            let n = 16_usize << l;
            let numbers = (0..n as u64).map(|case| case / 2 % (1 << l)).collect();
            (
                numbers,
                BitVec::from_fn(n, |case| case % 2 == 1),
                Bits::of(l),
            )
        })
        .collect();
    for sender in [Role::Server, Role::Client] {
        check(sender, &parts);
        check(sender, &[]);
    }
}

#[test]
fn every_width_and_the_lengths_at_which_packing_turns() {
    for sender in [Role::Server, Role::Client] {
        let widths = (1..=64).map(|l| random(Bits::of(l), 5, u64::from(l)));
        check(sender, &widths.collect::<Vec<_>>());
        let lengths = LENGTHS.map(|n| random(Bits::of(13), n, n as u64));
        check(sender, &lengths);
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let parts = [(9, Bits::of(3)), (2, Bits::of(17))];
    let of = |sender| BitProducts { sender }.rounds(&parts);
    let server = Rounds::to_server(2).then(Rounds::to_client(4 + 5));
    assert_eq!(of(Role::Server), server.with_cots(11, 0));
    let client = Rounds::to_client(2).then(Rounds::to_server(4 + 5));
    assert_eq!(of(Role::Client), client.with_cots(0, 11));
    let sender = Role::Server;
    assert_eq!(BitProducts { sender }.rounds(&[]).cost(), Cost::none());
}

#[test]
#[should_panic(expected = "the sender has the numbers")]
fn a_receiver_with_numbers_is_our_own_bug() {
    let protocol = BitProducts {
        sender: Role::Server,
    };
    run(&Rounds::none(), async |party| {
        if party.role().is_server() {
            return Ok(Vec::new());
        }
        protocol.run_sender(party, &[(&[1], Bits::of(3))]).await
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_parts(
        shapes in prop::collection::vec((0_usize..200, 1_u32..=64), 0..5),
        server: bool,
        seed: u64,
    ) {
        let parts = (seed..=u64::MAX).zip(shapes);
        let parts: Vec<_> = parts.map(|(seed, (n, l))| random(Bits::of(l), n, seed)).collect();
        check(if server { Role::Server } else { Role::Client }, &parts);
    }
}
