//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

mod common;

use channel::Role;
use common::values;
use ring_arith::Bits;
use sharing::{
    And, AndLevel, B2a, BitProducts, Error, Factors, Input, Mul, Mux, Open, OpenBits, Party,
    ScaleRows, Session,
};
use testkit::{Transcript, bits, rng, run_sessions_over};

async fn everything(party: &Party<'_>) -> Result<(), Error> {
    let ring = Bits::of(19);
    let server = party.role().is_server();
    let rng = &mut rng(if server { 1 } else { 2 });
    let (b, x) = (bits(130, rng), values(rng, 130, ring));
    let input = Input {
        owner: Role::Client,
        bits: ring,
    };
    let z = input.run(party, (!server).then_some(&x), 130).await?;
    Open { bits: ring }.run(party, &z).await?;
    And.run(party, &b, &b).await?;
    let (_, pairs) = AndLevel.run(party, &[], &[(&b, &b, &b)]).await?;
    OpenBits.run(party, &pairs[0].0).await?;
    let z = B2a { bits: ring }.run(party, &b).await?;
    Open { bits: ring }.run(party, &z).await?;
    let z = Mux { bits: ring }.run(party, &b, &x).await?;
    let z = Mul { bits: ring }.run(party, &z, &x).await?;
    let rows = ScaleRows {
        bits: ring,
        scalar_bits: ring,
        width: 13,
    };
    let z = party.alone(|s| rows.run(s, &z[..10], &z))?;
    Open { bits: ring }.run(party, &z).await?;
    for sender in [Role::Server, Role::Client] {
        let products = BitProducts { sender, bits: ring };
        let own = if party.role() == sender {
            Factors::Numbers(&x)
        } else {
            Factors::Bits(&b)
        };
        let z = products.run(party, own).await?;
        Open { bits: ring }.run(party, &z).await?;
    }
    // Joined, they share their messages.
    let (b2a, mux) = (B2a { bits: ring }, Mux { bits: ring });
    party
        .both(b2a.run(party, &b), mux.run(party, &b, &x))
        .await?;
    Ok(())
}

#[test]
fn the_wire_is_the_one_of_the_baseline() {
    let end = |s: &mut Session| s.run(everything);
    let transcript = Transcript::new();
    let (server, client, _) = run_sessions_over(&transcript.line(), 1, end, end);
    assert!(server.is_ok() && client.is_ok());
    let digests = [Role::Server, Role::Client].map(|role| transcript.digest(role));
    let baseline = [
        "1f5dbc1fbdfe3b13e5c813e4177250c82fb685520b8f51be7ff9b6cc5b4651c1",
        "77f0af56ff544e70cee79f87464a4e7f485a623c3dac5e2580c4a40393ab5811",
    ];
    assert_eq!(digests, baseline);
}
