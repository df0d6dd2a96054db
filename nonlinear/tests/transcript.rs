//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use channel::Role;
use nonlinear::{
    ArgMax, ChannelExtend, ChannelSigns, Chunked, Clip, Drelu, Error, HardSwish, MaxPool,
    Millionaire, Pool2d, Quotient, Quotients, Range, Relu, SignExtend, SignedRelu,
    SplitMillionaire, TruncFaithful, TruncReduce, ZeroExtend,
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
        ["66bd0de78cf68f1b", "9419a278d13a6ecf"],
    ),
    (
        "millionaire, digits of one bit",
        |s, x| {
            run(s, async |p| {
                Millionaire::with_digits(&[1; 19]).run(p, x).await
            })
        },
        ["fc10e6fb02d69c57", "fe062b03f7fd8868"],
    ),
    (
        "millionaire, leisurely",
        |s, x| {
            run(s, async |p| {
                Millionaire::leisurely(BITS, PRICE).run(p, x).await
            })
        },
        ["fc3fe3941886d645", "8494292e1076a81f"],
    ),
    (
        "millionaire, leisurely, free COTs",
        |s, x| {
            run(s, async |p| {
                Millionaire::leisurely(BITS, CotPrice::FREE).run(p, x).await
            })
        },
        ["655ef62a49f930f6", "58e64031bdf2392d"],
    ),
    (
        "split millionaire",
        |s, x| {
            run(s, async |p| {
                SplitMillionaire::new(BITS, 7, PRICE).run(p, x).await
            })
        },
        ["0645baf06e7d56f0", "29b4e3fcc944f933"],
    ),
    (
        "drelu",
        |s, x| run(s, async |p| Drelu::new(BITS, PRICE).run(p, x).await),
        ["28a668e110ab8d29", "a2b047f32203585f"],
    ),
    (
        "drelu, free COTs",
        |s, x| {
            run(s, async |p| {
                Drelu::new(BITS, CotPrice::FREE).run(p, x).await
            })
        },
        ["005cd4f546821535", "cd1fd7b5c731c512"],
    ),
    (
        "relu",
        |s, x| run(s, async |p| Relu::new(BITS, PRICE).run(p, x).await),
        ["a75f1a281e1fd79d", "aedf4be1c13795be"],
    ),
    (
        "clip",
        |s, x| run(s, async |p| Clip::new(BITS, 1000, PRICE).run(p, x).await),
        ["f5152dba36379ae6", "6067f1ee92f26a0b"],
    ),
    (
        "signed relu",
        signed_relu,
        ["1a4346d2063ea0f0", "96bc115d5cbc4872"],
    ),
    (
        "hard-swish",
        hard_swish,
        ["1c1ca7240988a451", "fcd7ed726ae5eec4"],
    ),
    (
        "max-pool",
        max_pool,
        ["8119bc9a1f9e7859", "0725cddce321452f"],
    ),
    (
        "arg-max",
        |s, x| run(s, async |p| ArgMax::new(14, BITS, PRICE).run(p, x).await),
        ["a64a97e114ffc747", "954d17ccc68fa628"],
    ),
    (
        "faithful truncation",
        |s, x| {
            run(s, async |p| {
                TruncFaithful::new(BITS, 7, PRICE).run(p, x).await
            })
        },
        ["5192194f0641b97e", "c794e1b9aa92043c"],
    ),
    (
        "faithful truncation, known sign",
        |s, x| {
            let protocol = TruncFaithful::new(BITS, 7, PRICE).within(Range::Nonnegative);
            run(s, async |p| protocol.run(p, x).await)
        },
        ["fc09d384022af921", "f7cc2d453892dd34"],
    ),
    (
        "truncate-and-reduce",
        |s, x| {
            run(s, async |p| {
                TruncReduce::new(BITS, 7, true, PRICE).run(p, x).await
            })
        },
        ["82205ec7893689a6", "57ee35dbe84c1460"],
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
        ["fde903bda3ad4af6", "a866ad29b4e788a5"],
    ),
    (
        "zero-extension, known sign",
        |s, x| {
            let protocol = ZeroExtend::new(BITS, WIDE, PRICE).known_nonnegative();
            run(s, async |p| protocol.run(p, x).await)
        },
        ["7fbd1487f44b47c8", "b5b2a47fe81df7c9"],
    ),
    (
        "sign-extension",
        |s, x| {
            run(s, async |p| {
                SignExtend::new(BITS, WIDE, PRICE).run(p, x).await
            })
        },
        ["4b0ec92f6b39b6bd", "556885260034a7b8"],
    ),
    (
        "sign-extension, half range",
        |s, x| {
            let protocol = SignExtend::new(BITS, WIDE, PRICE).within(Range::Half);
            run(s, async |p| protocol.run(p, x).await)
        },
        ["1e2b53425a7b6daa", "b5b2a47fe81df7c9"],
    ),
    (
        "extension of channels",
        channel_extend,
        ["9d834196f247f239", "9e23c43e9ab07dd2"],
    ),
    (
        "quotient",
        quotient,
        ["4433ca101f0e7a73", "887f748114505679"],
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
    assert_eq!(found, ["090eda62a8449b3d", "8052a67ac2a2ce63"]);
}
