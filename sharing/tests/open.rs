//! Input and reveal, arithmetic and boolean.

mod common;

use channel::Role;
use common::{LENGTHS, clear, own, run, share, share_bits, values};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::{Input, Open, OpenBits, Reveal, RevealBits, Rounds, input_bits};
use testkit::{bits, rng};

fn check(bits: Bits, n: usize, seed: u64) {
    let rng = &mut rng(seed);
    let x = values(rng, n, bits);
    let shares = share(rng, &x, bits);
    for owner in [Role::Server, Role::Client] {
        let input = Input { owner, bits };
        let shared = run(&input.rounds(n), async |party| {
            let own = (party.role() == owner).then_some(&x[..]);
            input.run(party, own, n).await
        });
        assert_eq!(clear(&shared, bits), x);

        let reveal = Reveal { to: owner, bits };
        let opened = run(&reveal.rounds(n), async |party| {
            reveal.run(party, own(party.role(), &shared)).await
        });
        for (role, opened) in [Role::Server, Role::Client].into_iter().zip(opened) {
            assert_eq!(opened, (role == owner).then_some(x.clone()));
        }
    }
    let open = Open { bits };
    let opened = run(&open.rounds(n), async |party| {
        open.run(party, own(party.role(), &shares)).await
    });
    assert_eq!(opened, [x.clone(), x]);
}

#[test]
fn every_width() {
    for l in 1..=64 {
        check(Bits::of(l), 5, 0);
    }
}

#[test]
fn bits_of_every_length() {
    for n in LENGTHS {
        let rng = &mut rng(n as u64);
        let x = bits(n, rng);
        let shares = share_bits(rng, &x);
        let opened = run(&OpenBits.rounds(n), async |party| {
            OpenBits.run(party, own(party.role(), &shares)).await
        });
        assert_eq!(opened, [x.clone(), x.clone()]);
        for to in [Role::Server, Role::Client] {
            let reveal = RevealBits { to };
            let opened = run(&reveal.rounds(n), async |party| {
                reveal.run(party, own(party.role(), &shares)).await
            });
            assert_eq!(opened[usize::from(to == Role::Client)], Some(x.clone()));
            assert_eq!(opened[usize::from(to == Role::Server)], None);
        }
        let [server, client] = [Role::Server, Role::Client]
            .map(|role| input_bits(role, Role::Client, (!role.is_server()).then_some(&x), n));
        assert_eq!(server.xor(&client), x);
    }
}

#[test]
fn costs_are_what_the_documentation_says() {
    let bits = Bits::of(13);
    let (to, owner) = (Role::Client, Role::Client);
    assert_eq!(Reveal { to, bits }.rounds(9), Rounds::to_client(15));
    assert_eq!(RevealBits { to }.rounds(9), Rounds::to_client(2));
    assert_eq!(Open { bits }.rounds(9), Rounds::exchange(15, 15));
    assert_eq!(OpenBits.rounds(9), Rounds::exchange(2, 2));
    assert_eq!(Input { owner, bits }.rounds(9), Rounds::to_server(32));
    assert_eq!(Input { owner, bits }.rounds(0), Rounds::none());
}

/// What the other party holds of an input is not the trivial share.
#[test]
fn an_input_is_masked() {
    let input = Input {
        owner: Role::Client,
        bits: Bits::of(64),
    };
    let [server, _] = run(&input.rounds(8), async |party| {
        let own = (!party.role().is_server()).then_some(&[0; 8][..]);
        input.run(party, own, 8).await
    });
    assert!(server.iter().all(|&share| share != 0));
    assert_eq!(input.local(Role::Server, None, 2), [0, 0]);
    assert_eq!(input.local(Role::Client, Some(&[7, 8]), 2), [7, 8]);
}

#[test]
#[should_panic(expected = "the owner alone has the values")]
fn an_input_has_one_owner() {
    let input = Input {
        owner: Role::Client,
        bits: Bits::of(8),
    };
    let _ = input.local(Role::Server, Some(&[1]), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_width_and_length(l in 1_u32..=64, n in 0_usize..300, seed: u64) {
        check(Bits::of(l), n, seed);
    }
}
