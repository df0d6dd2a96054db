//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

mod common;

use channel::Role;
use common::values;
use ring_arith::Bits;
use sharing::{
    And, AndEach, AndLevel, B2a, BitProducts, Error, Factors, Input, Mul, Mux, Open, OpenBits,
    Party, RandomBits, ScaleRows, Session,
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
        "1fa200d50498152bef23b1f8a3221f0abcdb51a375ba413ff835322ec4d9e0b2",
        "d82aa9db85891c89197b282e2fe6b2c4410b66c73667b0e5bc9b5dd051cd89c6",
    ];
    assert_eq!(digests, baseline);
}

/// What is made before the numbers are there that it is for.
async fn ahead(party: &Party<'_>) -> Result<(), Error> {
    let ring = Bits::of(7);
    let drawn = RandomBits::draw(party, 130, ring)?;
    let own = drawn.bits().clone();
    let twice = [own.clone(), own.clone()];
    let products = AndEach.run(party, &own, &twice);
    let (products, numbers) = party.both(products, drawn.numbers(party)).await?;
    OpenBits.run(party, &products[1]).await?;
    Open { bits: ring }.run(party, &numbers).await?;
    Ok(())
}

#[test]
fn the_wire_ahead_is_the_one_of_the_baseline() {
    let end = |s: &mut Session| s.run(ahead);
    let transcript = Transcript::new();
    let (server, client, _) = run_sessions_over(&transcript.line(), 1, end, end);
    assert!(server.is_ok() && client.is_ok());
    let digests = [Role::Server, Role::Client].map(|role| transcript.digest(role));
    let baseline = [
        "0eb082c0260434d350f65340b49316682f1501a6ee846e1b0a7f6c41f9330a57",
        "24118aaf7aed79688b20fc445096a1057624b81a38482eddfa2e724e70b081f5",
    ];
    assert_eq!(digests, baseline);
}
