use sharing::CotPrice;
use testkit::{rng, run_sessions};

use super::*;
use crate::choices::Layout;
use crate::form::Pace;
use crate::kernel::leaf::LeafKind;

/// Compares every x with every y and, where a carry comes in, either carry, which is there before exchange number `late`.
fn check(form: &Form, late: usize) {
    let (bits, carried) = (form.bits(), !form.has_start());
    let all = 1_u64 << bits;
    let lanes =
        (0..all * all).flat_map(|i| (0..=u64::from(carried)).map(move |c| (i / all, i % all, c)));
    let lanes: Vec<_> = lanes.collect();
    let n = lanes.len();
    let carries = BitVec::from_fn(n, |i| lanes[i].2 == 1);
    let shares = testkit::share_bits(&carries, &mut rng(3));
    let mut layout = Layout::default();
    // Beside another one, which has the first pads.
    layout.add(&Form::balanced(&[1]), 0).expect("there is room");
    let place = layout.add(form, 0).expect("there is room");
    let party = async |party: &Party<'_>, own: &[u64], share: &BitVec| {
        let choices = layout.fix(party, own).await?;
        let carry = Later::new();
        let arrives = async {
            if carried {
                party.pause(1 + late).await?;
                carry.set(share.clone());
            }
            Ok(())
        };
        let compared = run(party, form, &choices, place, own, carried.then_some(&carry));
        let ((), result) = party.both::<_, _, Error>(arrives, compared).await?;
        Ok::<_, Error>((result, party.round()))
    };
    let x: Vec<u64> = lanes.iter().map(|lane| lane.0).collect();
    let y: Vec<u64> = lanes.iter().map(|lane| lane.1).collect();
    let (server, client, cost) = run_sessions(
        late as u64,
        |s| {
            s.run(async |p| party(p, &x, &shares.0).await)
                .expect("it runs")
        },
        |s| {
            s.run(async |p| party(p, &y, &shares.1).await)
                .expect("it runs")
        },
    );
    let result = testkit::reconstruct_bits(&server.0, &client.0);
    for (i, &(x, y, carry)) in lanes.iter().enumerate() {
        let expected = x > y || x == y && carry == 1;
        assert_eq!(
            result.bit(i),
            expected,
            "{x} > {y}, carry {carry}, {form:?}"
        );
    }
    let expected = layout.rounds(n).then(rounds(form, n, late));
    assert_eq!(cost, expected.cost(), "{form:?}");
    assert_eq!(
        [server.1, client.1],
        [expected.len() as u64; 2],
        "{form:?}, {late}"
    );
}

#[test]
fn every_form_of_few_bits() {
    for bits in 1..=4 {
        for form in Form::every(bits, false) {
            check(&form, 0);
        }
    }
}

#[test]
fn every_form_into_which_a_carry_comes() {
    for bits in 1..=3 {
        for form in Form::every(bits, true) {
            for late in [0, 1, 2, 4] {
                check(&form, late);
            }
        }
    }
}

#[test]
fn the_forms_of_every_price() {
    for bits in 4..=6 {
        for price in [0, 1, 4, 8, 32, 128].map(CotPrice::bits) {
            for pace in [Pace::Prompt, Pace::Leisurely] {
                check(&Form::new(bits, pace, price), 0);
                check(&Form::carried(bits, pace, price), 2);
            }
        }
    }
}

/// What the server says of a digit of a direct step, message after message. Enumerates in the lanes all that the client does not know: the pads of the message that it has not, and the server's bit that
/// it has not.
fn said(width: u32, x: u64, y: u64, choice: bool, carry: bool, known: u64) -> Vec<BitVec> {
    let kind = LeafKind {
        width,
        equality: true,
    };
    let unknown = kind.greater_bits() + kind.equal_bits() + 1;
    let n = 1 << unknown;
    let mut free = (0..unknown).map(|k| BitVec::from_fn(n, |lane| lane >> k & 1 == 1));
    let mut free = || free.next().expect("as many as there are messages");
    let mut known = (0..unknown).map(|k| BitVec::from_fn(n, |_| known >> k & 1 == 1));
    let mut known = || known.next().expect("as many as there are messages");
    let pads = (0..width).map(|j| {
        let chosen = y >> j & 1;
        let pads = [0, 1].map(|b| {
            let pad = |_| if b == chosen { known() } else { free() };
            (0..kind.pad_bits(j)).map(pad).collect()
        });
        Pads(pads.into())
    });
    let pads = pads.collect();
    let random = [false, true].map(|b| if b == choice { known() } else { free() });
    let constant = |bit: bool| BitVec::from_fn(n, |_| bit);
    let own: Vec<BitVec> = (0..width).map(|j| constant(x >> j & 1 == 1)).collect();
    let leaf = Leaf {
        kind,
        n,
        own: &own,
        pads,
    };
    let mut line = Line::Server(BitSink::default());
    let step = leaf.step(&mut line, random);
    step.leaf.greater_or(&mut line, Some(&constant(carry)));
    let bytes = line.said();
    let mut source = BitSource::new(&bytes);
    let message = |_| BitVec::from_words(n, source.take(n));
    (0..unknown).map(message).collect()
}

/// Whatever x and the server's share of the carry are, and whatever the client has: all that the server says of a direct step is
/// uniform, both messages together.
#[test]
fn what_the_client_hears_of_a_direct_step_is_uniform() {
    for width in 1..=3 {
        let values = 1 << width;
        for x in 0..values {
            for y in 0..values {
                for (choice, carry) in [(false, false), (false, true), (true, false), (true, true)]
                {
                    let messages = said(width, x, y, choice, carry, 0x9E37 + 77 * x);
                    let n = messages[0].len();
                    let mut seen = vec![false; n];
                    for lane in 0..n {
                        let bits = messages.iter().enumerate();
                        let view =
                            bits.fold(0, |view, (k, m)| view | usize::from(m.bit(lane)) << k);
                        assert!(!std::mem::replace(&mut seen[view], true), "each once");
                    }
                }
            }
        }
    }
}

/// Whatever the client's share of the carry is, the bit that it opens is as random as its choice.
#[test]
fn what_the_server_hears_of_a_direct_step_is_uniform() {
    let choices = BitVec::from_fn(2, |lane| lane == 1);
    for carry in [false, true] {
        for ahead in 0..4_u8 {
            let kind = LeafKind {
                width: 1,
                equality: true,
            };
            let own = [BitVec::zeros(2)];
            let leaf = Leaf {
                kind,
                n: 2,
                own: &own,
                pads: vec![Pads(vec![vec![BitVec::zeros(2)]])],
            };
            let mut line = Line::Client(BitSource::new(&[ahead]));
            let step = leaf.step(&mut line, [choices.clone(), BitVec::zeros(2)]);
            let opened = step.opening(&BitVec::from_fn(2, |_| carry));
            assert!(opened.bit(0) != opened.bit(1));
        }
    }
}
