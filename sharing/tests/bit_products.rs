//! Products of one party's numbers with the other party's bits.

mod common;

use channel::{Cost, Role};
use common::{LENGTHS, check_fresh, check_masks, clear, run, values};
use proptest::prelude::*;
use ring_arith::{BitVec, Bits};
use sharing::ideal::mux;
use sharing::{BitProducts, Error, Factors, Party, Rounds};
use testkit::{bits, rng};

const SENDERS: [Role; 2] = [Role::Server, Role::Client];

/// This party's end, with the factor that is its own.
async fn products(
    party: &Party<'_>,
    protocol: BitProducts,
    numbers: &[u64],
    bits: &BitVec,
) -> Result<Vec<u64>, Error> {
    let own = if party.role() == protocol.sender {
        Factors::Numbers(numbers)
    } else {
        Factors::Bits(bits)
    };
    protocol.run(party, own).await
}

fn check(protocol: BitProducts, numbers: &[u64], bits: &BitVec) {
    let shares = run(&protocol.rounds(bits.len()), async |party| {
        products(party, protocol, numbers, bits).await
    });
    let reduced: Vec<u64> = numbers.iter().map(|&x| protocol.bits.reduce(x)).collect();
    assert_eq!(clear(&shares, protocol.bits), mux(bits, &reduced));
}

fn check_random(sender: Role, ring: Bits, n: usize, seed: u64) {
    let rng = &mut rng(seed);
    // Bits above the ring, which are ignored.
    let numbers = values(rng, n, Bits::of(64));
    let protocol = BitProducts { sender, bits: ring };
    check(protocol, &numbers, &bits(n, rng));
}

/// Every number with every bit, many times, so that it meets every random bit.
#[test]
fn every_number_and_bit() {
    for (sender, l) in SENDERS
        .into_iter()
        .flat_map(|s| (1..=4).map(move |l| (s, l)))
    {
        let n = 64_usize << l;
        let numbers: Vec<u64> = (0..n as u64).map(|case| case / 2 % (1 << l)).collect();
        let bits = BitVec::from_fn(n, |case| case % 2 == 1);
        let protocol = BitProducts {
            sender,
            bits: Bits::of(l),
        };
        check(protocol, &numbers, &bits);
    }
}

#[test]
fn every_width_and_the_lengths_at_which_packing_turns() {
    for sender in SENDERS {
        for l in 1..=64 {
            check_random(sender, Bits::of(l), 65, u64::from(l));
        }
        for n in LENGTHS {
            check_random(sender, Bits::of(13), n, n as u64);
        }
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let of = |sender| BitProducts {
        sender,
        bits: Bits::of(3),
    };
    // Nine products of three bits each from the sender, two bytes of masked bits to it.
    let server = Rounds::exchange(2, 4).with_cots(9, 0);
    assert_eq!(of(Role::Server).rounds(9), server);
    let client = Rounds::exchange(4, 2).with_cots(0, 9);
    assert_eq!(of(Role::Client).rounds(9), client);
    assert_eq!(of(Role::Server).rounds(0).cost(), Cost::none());
}

#[test]
fn the_masks_are_balanced_and_fresh() {
    let bits = Bits::of(1);
    for sender in SENDERS {
        let protocol = BitProducts { sender, bits };
        check_masks(&[sender.peer()], async |party, b| {
            products(party, protocol, &vec![1; b.len()], b).await
        });
    }
}

#[test]
fn the_shares_are_fresh() {
    let bits = Bits::of(5);
    for (sender, bit) in SENDERS.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let protocol = BitProducts { sender, bits };
        check_fresh(bits, &protocol.rounds(4096), async |party| {
            let b = BitVec::from_fn(4096, |_| bit);
            products(party, protocol, &[5; 4096], &b).await
        });
    }
}

/// Both parties bring the same: one of them is wrong.
fn brings(sender: Role, factors: Factors<'_>) {
    let bits = Bits::of(3);
    let protocol = BitProducts { sender, bits };
    let _ = run(&Rounds::none(), async |party| {
        if (party.role() == sender) == matches!(factors, Factors::Bits(_)) {
            return protocol.run(party, factors).await;
        }
        Ok(Vec::new())
    });
}

#[test]
#[should_panic(expected = "the sender has the numbers")]
fn numbers_of_the_receiver_are_our_own_bug() {
    brings(Role::Server, Factors::Numbers(&[1]));
}

#[test]
#[should_panic(expected = "the sender has the numbers")]
fn bits_of_the_sender_are_our_own_bug() {
    brings(Role::Client, Factors::Bits(&BitVec::zeros(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..300, server: bool, seed: u64) {
        let sender = if server { Role::Server } else { Role::Client };
        check_random(sender, Bits::of(l), n, seed);
    }
}
