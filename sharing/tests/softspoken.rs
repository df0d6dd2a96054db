//! The real thing: SoftSpokenOT behind every protocol.

mod common;

use channel::{Connection, Cost, Role};
use common::{clear, own, share, share_bits, values};
use ot::SoftSpoken;
use ring_arith::{BitVec, Bits, slices};
use sharing::ideal::mux;
use sharing::{And, B2a, Extension, Input, Mul, Mux, Reveal, Session, default_extension};
use testkit::{bits, rng, run_2pc, run_tcp};

const BITS: Bits = Bits::of(21);
const N: usize = 1000;

/// The client speaks and then draws, the server hears and then draws: the client's words must be out
/// before it waits for the refill.
#[test]
fn nothing_stays_in_the_buffer_while_the_pools_refill() {
    let party = |connection: Connection| {
        let seed = [if connection.role().is_server() { 7 } else { 8 }; 32];
        let mut s = Session::establish(&connection, seed, default_extension())?;
        let input = Input {
            owner: Role::Client,
            bits: BITS,
        };
        let reveal = Reveal {
            to: Role::Server,
            bits: BITS,
        };
        let mine = (!s.role().is_server()).then_some(&[5][..]);
        s.run(async |party| {
            let x = input.run(party, mine, 1).await?;
            let x = Mul { bits: BITS }.run(party, &x, &x).await?;
            reveal.run(party, &x).await
        })
    };
    let (server, client) = run_2pc(party, party);
    assert_eq!(server.expect("an honest run succeeds"), Some(vec![25]));
    assert_eq!(client.expect("an honest run succeeds"), None);
}

/// x·b + b + (b AND b), twice.
fn party(connection: &Connection, k: u32) -> Vec<u64> {
    let seed = [if connection.role().is_server() { 7 } else { 8 }; 32];
    let mut s = Session::establish(connection, seed, &SoftSpoken::new(k)).expect("set-up succeeds");
    assert_eq!(s.cot_price(), SoftSpoken::new(k).price());
    assert!(s.refill_ledgers().iter().all(Option::is_some));
    let rng = &mut rng(1);
    let (b, x) = (bits(N, rng), values(rng, N, BITS));
    let (bs, xs) = (share_bits(rng, &b), share(rng, &x, BITS));
    let (b, x): (&BitVec, &[u64]) = (own(s.role(), &bs), own(s.role(), &xs));
    let (mux, b2a) = (Mux { bits: BITS }, B2a { bits: BITS });
    let work = |s: &mut Session| {
        s.run(async |party| {
            let squared = async {
                let squared = And.run(party, b, b).await?;
                b2a.run(party, &squared).await
            };
            let both = party.both(mux.run(party, b, x), b2a.run(party, b));
            let ((mut sum, bit), squared) = party.both(both, squared).await?;
            slices::add_assign(BITS, &mut sum, &bit);
            slices::add_assign(BITS, &mut sum, &squared);
            Ok::<_, sharing::Error>(sum)
        })
    };
    let joined = mux.rounds(N).beside(b2a.rounds(N));
    let rounds = joined.beside(And.rounds(N).then(b2a.rounds(N)));
    let cost = rounds.cost();
    assert_eq!(cost.flights(), 2);
    let mut all = work(&mut s).expect("an honest run succeeds");
    assert_eq!(s.measured(), cost);
    s.mark();
    s.reserve(cost.cots);
    all.extend(work(&mut s).expect("an honest run succeeds"));
    assert_eq!(s.measured(), cost);
    assert_ne!(s.measured(), Cost::none());
    all
}

fn check(shares: &[Vec<u64>; 2]) {
    let rng = &mut rng(1);
    let (b, x) = (bits(N, rng), values(rng, N, BITS));
    let twice = b.iter().map(|b| 2 * u64::from(b)).collect::<Vec<_>>();
    let expected = slices::add(BITS, &mux(&b, &x), &twice);
    assert_eq!(clear(shares, BITS), expected.repeat(2));
}

#[test]
fn over_pipes() {
    for k in [1, 4] {
        check(&run_2pc(|c| party(&c, k), |c| party(&c, k)).into());
    }
}

#[test]
fn over_tcp() {
    check(&run_tcp(|c| party(&c, 5), |c| party(&c, 5)).into());
}

#[test]
#[should_panic(expected = "k is from 1 to 8")]
fn k_has_bounds() {
    let _ = SoftSpoken::new(9);
}
