//! A quotient and its rectifiers, for all values and all shares of small rings.

mod common;

use channel::Role;
use nonlinear::{ChannelSigns, Quotient, Quotients};
use ring_arith::Bits;
use sharing::{CotPrice, Party};
use testkit::run_sessions;

/// What rectifiers there are: the shift, whether negative values are kept, whether it is a prompt one.
type Rectifiers = Vec<(i64, bool, bool)>;

fn check(bits: u32, shift: u32, rectifiers: &Rectifiers, price: CotPrice, x: &[[u64; 2]]) {
    let ring = Bits::of(bits);
    let mut protocol = Quotient::new(ring, shift, price);
    for &(_, _, prompt) in rectifiers {
        protocol.add(prompt, price).expect("there is room");
    }
    let out = protocol.output_bits();
    // Two extensions beside them.
    let wide = [1, 5].map(|more| Bits::new(out.get() + more));
    let wide = wide.into_iter().flatten();
    let mut fits = |to: &Bits| protocol.add_extension(*to, price).is_some();
    let wide: Vec<Bits> = wide.filter(|to| fits(to)).collect();
    let n = x.len();
    let party = async |party: &Party<'_>, own: Vec<u64>| {
        let server = party.role() == Role::Server;
        let state = Quotients::default();
        let quotient = protocol.run(party, &own, &state);
        let each = rectifiers
            .iter()
            .enumerate()
            .map(async |(i, &(add, negative, _))| {
                let signs = [if negative { -1 } else { 1 }];
                let shifts = [add];
                let channels = ChannelSigns {
                    signs: &signs,
                    shifts: &shifts,
                };
                protocol
                    .rectify(party, i, &state, server.then_some(channels))
                    .await
            });
        let extensions = rectifiers.len()..rectifiers.len() + wide.len();
        let extensions = extensions.map(|i| protocol.extend(party, i, &state));
        let uses = party.both(party.all(each), party.all(extensions));
        let outcome = party.both(quotient, uses).await?;
        Ok::<_, nonlinear::Error>((outcome, party.round()))
    };
    let own = |role: usize| x.iter().map(|shares| shares[role]).collect::<Vec<u64>>();
    let (server, client, cost) = run_sessions(
        3,
        |s| s.run(async |p| party(p, own(0)).await).expect("it runs"),
        |s| s.run(async |p| party(p, own(1)).await).expect("it runs"),
    );
    let predicted = (0..rectifiers.len() + wide.len())
        .map(|i| protocol.use_rounds(i, n))
        .fold(protocol.rounds(n), sharing::Rounds::beside);
    assert_eq!(cost, predicted.cost());
    assert_eq!(
        (server.1, client.1),
        (predicted.len() as u64, predicted.len() as u64)
    );
    let (quotient_s, (all_s, wide_s)) = server.0;
    let (quotient_c, (all_c, wide_c)) = client.0;
    for (i, [s, c]) in x.iter().enumerate() {
        let value = ring.to_signed(s.wrapping_add(*c)) >> shift;
        let found = out.to_signed(quotient_s[i].wrapping_add(quotient_c[i]));
        assert_eq!(found, value, "{s} + {c} mod 2^{bits} >> {shift}");
        for ((to, s), c) in wide.iter().zip(&wide_s).zip(&wide_c) {
            let found = to.to_signed(s[i].wrapping_add(c[i]));
            assert_eq!(found, value, "in {to} bits");
        }
        for (j, &(add, negative, _)) in rectifiers.iter().enumerate() {
            let y = out.to_signed((value + add).cast_unsigned());
            let expected = if (y >= 0) == negative { 0 } else { y };
            let found = out.to_signed(all_s[j][i].wrapping_add(all_c[j][i]));
            assert_eq!(
                found, expected,
                "{value} + {add}, {negative}, {bits} bits, {shift}"
            );
        }
    }
}

fn all_shares(bits: u32) -> Vec<[u64; 2]> {
    let all = 1_u64 << bits;
    (0..all * all).map(|i| [i / all, i % all]).collect()
}

#[test]
fn every_value_and_every_share() {
    let rectifiers = vec![
        (0, false, true),
        (0, true, false),
        (3, false, false),
        (-3, true, true),
        (1, true, false),
    ];
    for price in [CotPrice::FREE, CotPrice::bits(32)] {
        check(6, 2, &rectifiers, price, &[]);
        for (bits, shift) in [(1, 0), (2, 1), (5, 0), (6, 2), (7, 3), (7, 6), (7, 5)] {
            check(bits, shift, &rectifiers, price, &all_shares(bits));
        }
    }
}

#[test]
fn wide_rings() {
    let mut rng = testkit::rng(5);
    for (bits, shift) in [(26, 11), (32, 12), (64, 20), (64, 0), (15, 0)] {
        let x: Vec<[u64; 2]> = (0..700)
            .map(|_| {
                let x = testkit::elements(2, Bits::of(bits), &mut rng);
                [x[0], x[1]]
            })
            .collect();
        let rectifiers = vec![(-700, false, true), (4000, true, false), (0, true, false)];
        check(bits, shift, &rectifiers, CotPrice::FREE, &x);
    }
}

/// As many rectifiers as a dense block has, one of them prompt.
#[test]
fn many_rectifiers_of_one_value() {
    let late = |i: i64| ((i * 37) % 23 - 11, i % 3 == 0, false);
    for (count, price) in [(25, 0), (40, 0), (25, 1), (15, 32)] {
        let mut rectifiers: Rectifiers = (1..count).map(late).collect();
        rectifiers.insert(0, (5, false, true));
        let price = CotPrice::bits(price);
        check(6, 2, &rectifiers, price, &all_shares(6));
        check(5, 0, &rectifiers, price, &all_shares(5));
    }
}

/// A random OT has 128 bits: as many rectifiers of the cheapest kind, and fewer where digits are wider.
#[test]
fn the_choices_have_room_for_so_many() {
    let room = |prompt, price| {
        let price = CotPrice::bits(price);
        let mut quotient = Quotient::new(Bits::of(26), 11, price);
        let added = (0..).take_while(|_| quotient.add(prompt, price).is_some());
        added.count()
    };
    let rooms = [(false, 0), (false, 32), (true, 0), (true, 32)];
    assert_eq!(
        rooms.map(|(prompt, price)| room(prompt, price)),
        [128, 18, 42, 8]
    );
}
