//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

mod common;

use channel::Role;
use common::values;
use ring_arith::Bits;
use sharing::{And, AndLevel, B2a, Error, Input, Mul, Mux, Open, OpenBits, ScaleRows, Session};
use testkit::{Transcript, bits, rng, run_sessions_over};

fn everything(s: &mut Session) -> Result<(), Error> {
    let ring = Bits::of(19);
    let rng = &mut rng(if s.role().is_server() { 1 } else { 2 });
    let (b, x) = (bits(130, rng), values(rng, 130, ring));
    let input = Input {
        owner: Role::Client,
        bits: ring,
    };
    let z = input.run(s, (!s.role().is_server()).then_some(&x), 130)?;
    Open { bits: ring }.run(s, &z)?;
    And.run(s, &b, &b)?;
    let (_, pairs) = AndLevel.run(s, &[], &[(&b, &b, &b)])?;
    OpenBits.run(s, &pairs[0].0)?;
    let z = B2a { bits: ring }.run(s, &b)?;
    Open { bits: ring }.run(s, &z)?;
    let z = Mux { bits: ring }.run(s, &b, &x)?;
    let z = Mul { bits: ring }.run(s, &z, &x)?;
    let z = ScaleRows {
        bits: ring,
        scalar_bits: ring,
        width: 13,
    }
    .run(s, &z[..10], &z)?;
    Open { bits: ring }.run(s, &z)?;
    Ok(())
}

#[test]
fn the_wire_is_the_one_of_the_baseline() {
    let transcript = Transcript::new();
    let (server, client, _) = run_sessions_over(&transcript.line(), 1, everything, everything);
    assert!(server.is_ok() && client.is_ok());
    let digests = [Role::Server, Role::Client].map(|role| transcript.digest(role));
    let baseline = [
        "fab9aadbb361f3eb633369f3f17789b9cf3c609cbdad39fe867570f4e91f4d0c",
        "103db6cf1db08d9916b2339df958cd90465b57234d6c47f7828dc5dd831a817b",
    ];
    assert_eq!(digests, baseline);
}
