//! A peer that lies or vanishes: a typed error or other shares, never a panic or a hang.

mod common;

use std::time::Duration;

use channel::{Connection, Role, Way};
use common::{random_shares, run};
use nonlinear::{
    ArgMax, ChannelExtend, ChannelSigns, Chunked, Clip, Curve, Error, HardSwish, MaxPool,
    Millionaire, Pieces, Pool2d, Quotient, Quotients, Range, Relu, SignExtend, SignedRelu,
    Symmetry, TruncFaithful, TruncReduce,
};
use ring_arith::Bits;
use sharing::{CotPrice, Party, Rounds};
use testkit::{Harm, Mangle, ideal_session, memory_pair_mangled, run_over};

const BITS: Bits = Bits::of(14);
const N: usize = 36;

/// Every protocol once.
async fn everything(party: &Party<'_>, x: &[u64]) -> Result<(), Error> {
    let window = Pool2d::new(6, 6, [3, 3], [2, 2], [1; 4])?;
    Relu::new(BITS, CotPrice::bits(32)).run(party, x).await?;
    TruncFaithful::new(BITS, 5, CotPrice::bits(0))
        .run(party, x)
        .await?;
    TruncReduce::new(BITS, 5, true, CotPrice::bits(0))
        .run(party, x)
        .await?;
    SignExtend::new(BITS, Bits::of(20), CotPrice::bits(0))
        .run(party, x)
        .await?;
    SignExtend::new(BITS, Bits::of(20), CotPrice::bits(0))
        .within(Range::Half)
        .run(party, x)
        .await?;
    MaxPool::new(window, BITS, CotPrice::bits(32))
        .run(party, x)
        .await?;
    clip().run(party, x).await?;
    let channels = ChannelSigns {
        signs: &[1, -1, 1],
        shifts: &[0, 3, -3],
    };
    let channels = party.role().is_server().then_some(channels);
    signed_relu().run(party, x, channels).await?;
    channel_extend().run(party, x, channels).await?;
    leisurely().run(party, x).await?;
    let (quotient, quotients) = (quotient(), Quotients::default());
    let rectify = [0, 1].map(|number| quotient.rectify(party, number, &quotients, channels));
    party
        .both(quotient.run(party, x, &quotients), party.all(rectify))
        .await?;
    ArgMax::new(12, BITS, CotPrice::bits(32))
        .run(party, x)
        .await?;
    hard_swish().run(party, x).await?;
    curve().run(party, x).await?;
    Ok(())
}

/// With every part of its protocol.
fn hard_swish() -> HardSwish {
    HardSwish::new(BITS, 4, 3, Bits::of(30), CotPrice::bits(32)).expect("it fits")
}

/// With every part of its protocol.
fn curve() -> Curve {
    let numbers = |factor: i64| (0..8).map(|i| factor * i - 9).collect();
    let pieces = Pieces {
        low: 0,
        width: 5,
        symmetry: Symmetry::Odd,
        values: numbers(5),
        slopes: numbers(2),
        fraction: 1,
        ramp: Some(3),
        shift: 5,
    };
    Curve::new(BITS, pieces, Bits::of(20), CotPrice::bits(32)).expect("it fits")
}

fn clip() -> Clip {
    Clip::new(BITS, 100, CotPrice::bits(32))
}

/// In two chunks.
fn signed_relu() -> SignedRelu {
    SignedRelu::new(BITS, Chunked::new(20), CotPrice::bits(32))
}

fn channel_extend() -> ChannelExtend {
    ChannelExtend::new(BITS, Bits::of(20), Chunked::new(20))
}

/// In direct steps.
fn leisurely() -> Millionaire {
    Millionaire::leisurely(BITS, CotPrice::FREE)
}

/// With a prompt rectifier and one of direct steps.
fn quotient() -> Quotient {
    let mut quotient = Quotient::new(BITS, 5, CotPrice::FREE);
    for prompt in [true, false] {
        quotient.add(prompt, CotPrice::FREE).expect("there is room");
    }
    quotient
}

/// The rounds of [`everything`].
fn rounds() -> Rounds {
    let window = Pool2d::new(6, 6, [3, 3], [2, 2], [1; 4]).expect("a window");
    [
        Relu::new(BITS, CotPrice::bits(32)).rounds(N),
        TruncFaithful::new(BITS, 5, CotPrice::bits(0)).rounds(N),
        TruncReduce::new(BITS, 5, true, CotPrice::bits(0)).rounds(N),
        SignExtend::new(BITS, Bits::of(20), CotPrice::bits(0)).rounds(N),
        SignExtend::new(BITS, Bits::of(20), CotPrice::bits(0))
            .within(Range::Half)
            .rounds(N),
        MaxPool::new(window, BITS, CotPrice::bits(32)).rounds(1),
        clip().rounds(N),
        signed_relu().rounds(N),
        channel_extend().rounds(N),
        leisurely().rounds(N),
        quotient()
            .rounds(N)
            .beside(quotient().use_rounds(0, N))
            .beside(quotient().use_rounds(1, N)),
        ArgMax::new(12, BITS, CotPrice::bits(32)).rounds(3),
        hard_swish().rounds(N),
        curve().rounds(N),
    ]
    .into_iter()
    .fold(Rounds::none(), Rounds::then)
}

/// How many bytes a party says.
fn said(from: Role) -> u64 {
    match from {
        Role::Server => rounds().cost().bytes_to_client(),
        Role::Client => rounds().cost().bytes_to_server(),
    }
}

/// What both parties return over a line that does `harm` to byte `at` of what `from` says.
fn harmed(from: Role, at: u64, harm: Harm) -> [Result<(), Error>; 2] {
    let way = Way {
        stream: channel::ONLINE,
        from,
    };
    let inputs = random_shares(BITS, N, 1);
    let party = |connection: &Connection, x: &[u64]| {
        let mut s = ideal_session(connection, 2);
        let outcome = s.run(async |party| everything(party, x).await);
        if outcome.is_err() {
            let relu = Relu::new(BITS, CotPrice::bits(32));
            let again = s.run(async |party| relu.run(party, x).await);
            assert!(
                matches!(again, Err(Error::Sharing(sharing::Error::Dead))),
                "{again:?}"
            );
        }
        outcome
    };
    let (server, client) = run_over(
        memory_pair_mangled(Mangle { way, at, harm }, Duration::from_secs(5)),
        |connection| party(&connection, &inputs.0),
        |connection| party(&connection, &inputs.1),
    );
    [server, client]
}

#[test]
fn protocols_follow_each_other_in_one_session() {
    run(&random_shares(BITS, N, 1), &rounds(), everything);
}

#[test]
fn a_peer_that_vanishes_anywhere() {
    for from in [Role::Server, Role::Client] {
        let all = said(from);
        for at in (0..all).step_by(53).chain([all - 1]) {
            let [server, client] = harmed(from, at, Harm::Cut);
            let other = if from.is_server() { client } else { server };
            let typed = matches!(
                other,
                Err(Error::Sharing(
                    sharing::Error::Channel(_) | sharing::Error::Ot(_)
                ))
            );
            assert!(typed, "{other:?}");
        }
    }
}

/// Wrong bytes of the right length are wrong shares: semi-honest protocols cannot tell. They are
/// canonical, and nothing panics.
#[test]
fn a_peer_that_lies() {
    for from in [Role::Server, Role::Client] {
        let all = said(from);
        for at in (0..all).step_by(61) {
            let outcome = harmed(from, at, Harm::Flip(0xFF));
            assert!(outcome.iter().all(Result::is_ok), "{outcome:?}");
        }
    }
}
