//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use channel::Role;
use nonlinear::{
    ArgMax, ChannelExtend, ChannelSigns, Chunked, Clip, Curve, Drelu, Error, HardSwish, MaxPool,
    Millionaire, Pieces, Pool2d, Quotient, Quotients, Range, Relu, SignExtend, SignedRelu,
    SplitMillionaire, Symmetry, TruncFaithful, TruncReduce, ZeroExtend,
};
use ring_arith::Bits;
use sharing::{CotPrice, Party, Session};
use testkit::{Transcript, elements, rng, run_sessions_over};

const BITS: Bits = Bits::of(19);
const WIDE: Bits = Bits::of(30);
const PRICE: CotPrice = CotPrice::bits(32);
/// Six rows, seven columns, three channels.
const N: usize = 126;

type Protocol = fn(&mut Session, &[u64]) -> Result<(), Error>;

/// Name, protocol, and the first digits of the digest of what the server and the client said.
const BASELINE: &[(&str, Protocol, [&str; 2])] = &[
    (
        "millionaire",
        |s, x| run(s, async |p| Millionaire::new(BITS, PRICE).run(p, x).await),
        ["7ed48795d84497e8", "4a785c3559c5dece"],
    ),
    (
        "millionaire, digits of one bit",
        |s, x| {
            run(s, async |p| {
                Millionaire::with_digits(&[1; 19]).run(p, x).await
            })
        },
        ["baca1ef0960ae930", "77ce7f4fa56016f3"],
    ),
    (
        "millionaire, leisurely",
        |s, x| {
            run(s, async |p| {
                Millionaire::leisurely(BITS, PRICE).run(p, x).await
            })
        },
        ["d3b5bb3a099d6a21", "d314d61b30da9d92"],
    ),
    (
        "millionaire, leisurely, free COTs",
        |s, x| {
            run(s, async |p| {
                Millionaire::leisurely(BITS, CotPrice::FREE).run(p, x).await
            })
        },
        ["d7ac2c8a91e2a199", "6e110d110b345eaa"],
    ),
    (
        "split millionaire",
        |s, x| {
            run(s, async |p| {
                SplitMillionaire::new(BITS, 7, PRICE).run(p, x).await
            })
        },
        ["8466bd887a424602", "7f938806a2118519"],
    ),
    (
        "drelu",
        |s, x| run(s, async |p| Drelu::new(BITS, PRICE).run(p, x).await),
        ["d7cc6f28addedfe9", "248ee05bf4a0da80"],
    ),
    (
        "drelu, free COTs",
        |s, x| {
            run(s, async |p| {
                Drelu::new(BITS, CotPrice::FREE).run(p, x).await
            })
        },
        ["87d8c6c2df329db4", "cb2c8fec5aa9f466"],
    ),
    (
        "relu",
        |s, x| run(s, async |p| Relu::new(BITS, PRICE).run(p, x).await),
        ["53053647eb645e60", "7459ba058f5c534a"],
    ),
    (
        "clip",
        |s, x| run(s, async |p| Clip::new(BITS, 1000, PRICE).run(p, x).await),
        ["e72993b13bc7c1dd", "b7bf98d68d040485"],
    ),
    (
        "signed relu",
        signed_relu,
        ["499b9f5202ba06ec", "29052dcb9162ed65"],
    ),
    ("curve", curve, ["f5799adbf4a97897", "3ba98449c307e239"]),
    (
        "hard-swish",
        hard_swish,
        ["55e3e6c15f79c90a", "85697d3615538aa7"],
    ),
    (
        "max-pool",
        max_pool,
        ["7b8d481a794d2bba", "358ae964550cf0e0"],
    ),
    (
        "arg-max",
        |s, x| run(s, async |p| ArgMax::new(14, BITS, PRICE).run(p, x).await),
        ["906564803a07daf3", "c126931781268568"],
    ),
    (
        "faithful truncation",
        |s, x| {
            run(s, async |p| {
                TruncFaithful::new(BITS, 7, PRICE).run(p, x).await
            })
        },
        ["e701b7899dd87e49", "878c8e6a76a71122"],
    ),
    (
        "faithful truncation, known sign",
        |s, x| {
            let protocol = TruncFaithful::new(BITS, 7, PRICE).within(Range::Nonnegative);
            run(s, async |p| protocol.run(p, x).await)
        },
        ["46fb4df7efcd1dbd", "8862718024a2cbca"],
    ),
    (
        "truncate-and-reduce",
        |s, x| {
            run(s, async |p| {
                TruncReduce::new(BITS, 7, true, PRICE).run(p, x).await
            })
        },
        ["70bb5848d4c4b6d9", "d6e39a583ba3f2ad"],
    ),
    (
        "truncate-and-reduce, local",
        |s, x| {
            run(s, async |p| {
                TruncReduce::new(BITS, 7, false, PRICE).run(p, x).await
            })
        },
        ["af1349b9f5f9a1a6", "af1349b9f5f9a1a6"],
    ),
    (
        "zero-extension",
        |s, x| {
            run(s, async |p| {
                ZeroExtend::new(BITS, WIDE, PRICE).run(p, x).await
            })
        },
        ["f102092a773ebbab", "7c37739b1ce386dd"],
    ),
    (
        "zero-extension, known sign",
        |s, x| {
            let protocol = ZeroExtend::new(BITS, WIDE, PRICE).known_nonnegative();
            run(s, async |p| protocol.run(p, x).await)
        },
        ["178b60a7e8a5ffdb", "b5b2a47fe81df7c9"],
    ),
    (
        "sign-extension",
        |s, x| {
            run(s, async |p| {
                SignExtend::new(BITS, WIDE, PRICE).run(p, x).await
            })
        },
        ["fc9a1c0933d3dadc", "9e137b9ec0c97376"],
    ),
    (
        "sign-extension, half range",
        |s, x| {
            let protocol = SignExtend::new(BITS, WIDE, PRICE).within(Range::Half);
            run(s, async |p| protocol.run(p, x).await)
        },
        ["0666060359fb954c", "b5b2a47fe81df7c9"],
    ),
    (
        "extension of channels",
        channel_extend,
        ["742032d7b625a4b7", "9e23c43e9ab07dd2"],
    ),
    (
        "quotient",
        quotient,
        ["2063a9f35b133450", "28b4ff781879f2c5"],
    ),
];

fn run<T>(
    s: &mut Session,
    protocol: impl AsyncFnOnce(&Party<'_>) -> Result<T, Error>,
) -> Result<(), Error> {
    s.run(protocol).map(drop)
}

const CHANNELS: ChannelSigns<'_> = ChannelSigns {
    signs: &[1, -1, 1],
    shifts: &[0, 5, -7],
};

fn signed_relu(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let channels = s.role().is_server().then_some(CHANNELS);
    let protocol = SignedRelu::new(BITS, Chunked::new(50), PRICE);
    run(s, async |p| protocol.run(p, x, channels).await)
}

fn channel_extend(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let channels = s.role().is_server().then_some(CHANNELS);
    let protocol = ChannelExtend::new(BITS, WIDE, Chunked::new(50));
    run(s, async |p| protocol.run(p, x, channels).await)
}

/// With a rectifier of either pace.
fn quotient(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let mut protocol = Quotient::new(BITS, 7, PRICE);
    let numbers = [true, false].map(|prompt| protocol.add(prompt, PRICE).expect("there is room"));
    run(s, async |p| {
        let quotients = Quotients::default();
        let channels = p.role().is_server().then_some(CHANNELS);
        let rectify = numbers.map(|number| protocol.rectify(p, number, &quotients, channels));
        p.both(protocol.run(p, x, &quotients), p.all(rectify)).await
    })
}

fn max_pool(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let window = Pool2d::new(6, 7, [3, 3], [2, 2], [1; 4])?;
    let protocol = MaxPool::new(window, BITS, PRICE);
    run(s, async |p| protocol.run(p, x).await)
}

fn curve(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let numbers = |factor: i64| (0..8).map(|i| factor * i - 9).collect();
    let pieces = Pieces {
        low: 0,
        width: 7,
        symmetry: Symmetry::Even,
        values: numbers(5),
        slopes: numbers(2),
        fraction: 1,
        ramp: Some(9),
        shift: 8,
    };
    let protocol = Curve::new(BITS, pieces, Bits::of(15), PRICE).expect("it fits");
    run(s, async |p| protocol.run(p, x).await)
}

fn hard_swish(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let protocol = HardSwish::new(BITS, 6, 9, Bits::of(40), PRICE).expect("it fits");
    run(s, async |p| protocol.run(p, x).await)
}

/// The digest of what either party says, under fixed seeds and with fixed inputs.
fn digests(protocol: Protocol, n: usize) -> [String; 2] {
    let transcript = Transcript::new();
    let party = |s: &mut Session| {
        let mut rng = rng(if s.role().is_server() { 1 } else { 2 });
        protocol(s, &elements(n, BITS, &mut rng)).expect("an honest run succeeds");
    };
    let ((), (), _) = run_sessions_over(&transcript.line(), 1, party, party);
    [Role::Server, Role::Client].map(|role| transcript.digest(role)[..16].to_owned())
}

#[test]
fn the_wire_is_the_one_of_the_baseline() {
    let found: Vec<_> = BASELINE
        .iter()
        .map(|&(name, protocol, _)| (name, digests(protocol, N)))
        .collect();
    let expected: Vec<_> = BASELINE
        .iter()
        .map(|&(name, _, digests)| (name, digests.map(str::to_owned)))
        .collect();
    assert_eq!(found, expected);
}

/// More values than the leaves of a comparison are computed for at a time.
#[test]
fn the_wire_of_many_comparisons_is_the_one_of_the_baseline() {
    let found = digests(
        |s, x| run(s, async |p| Millionaire::new(BITS, PRICE).run(p, x).await),
        2100,
    );
    assert_eq!(found, ["b1382a898d114dd4", "bd902d21e6404240"]);
}
