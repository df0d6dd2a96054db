//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use channel::Role;
use nonlinear::{
    ArgMax, ChannelSigns, Chunked, Clip, Digits, Drelu, Error, HardSwish, MaxPool, Millionaire,
    Pool2d, Range, Relu, SignExtend, SignedRelu, SplitMillionaire, TruncFaithful, TruncReduce,
    ZeroExtend,
};
use ring_arith::Bits;
use sharing::{CotPrice, Session};
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
        |s, x| Millionaire::new(BITS, PRICE).run(s, x).map(drop),
        ["5334a3447efdbd67", "8be9bf2dd829fbf2"],
    ),
    (
        "millionaire, digits of one bit",
        |s, x| {
            let digits = Digits::uniform(19, 1);
            Millionaire::with_digits(digits).run(s, x).map(drop)
        },
        ["baca1ef0960ae930", "77ce7f4fa56016f3"],
    ),
    (
        "split millionaire",
        |s, x| SplitMillionaire::new(BITS, 7, PRICE).run(s, x).map(drop),
        ["2bc768e27c7e1a76", "f4bf10bb1bec01d7"],
    ),
    (
        "drelu",
        |s, x| Drelu::new(BITS, PRICE).run(s, x).map(drop),
        ["438e041c817a955d", "5768af6edfdb9728"],
    ),
    (
        "drelu, free COTs",
        |s, x| Drelu::new(BITS, CotPrice::FREE).run(s, x).map(drop),
        ["29233efda9b98d1c", "c7127a82951a3b25"],
    ),
    (
        "relu",
        |s, x| Relu::new(BITS, PRICE).run(s, x).map(drop),
        ["ca14f889f2ad27db", "3e0df7c42528d207"],
    ),
    (
        "clip",
        |s, x| Clip::new(BITS, 1000, PRICE).run(s, x).map(drop),
        ["3369640a2dd589b6", "5bee47921a90d261"],
    ),
    (
        "signed relu",
        signed_relu,
        ["12c17898daf93b8c", "eb9d2ade4e95898d"],
    ),
    (
        "hard-swish",
        hard_swish,
        ["9cbbbae6a7d8ff7e", "1dce3b189690c1ef"],
    ),
    (
        "max-pool",
        max_pool,
        ["e18822ccc187867b", "e138e5945a8cecb2"],
    ),
    (
        "arg-max",
        |s, x| ArgMax::new(14, BITS, PRICE).run(s, x).map(drop),
        ["94694f2ed2075e4d", "77ad08002f4bd381"],
    ),
    (
        "faithful truncation",
        |s, x| TruncFaithful::new(BITS, 7, PRICE).run(s, x).map(drop),
        ["979dd7c0c386cf9d", "6748c9d9afb3e524"],
    ),
    (
        "faithful truncation, known sign",
        |s, x| {
            let protocol = TruncFaithful::new(BITS, 7, PRICE).within(Range::Nonnegative);
            protocol.run(s, x).map(drop)
        },
        ["5c5bc5d96e35d266", "11f50e39ca9df300"],
    ),
    (
        "truncate-and-reduce",
        |s, x| TruncReduce::new(BITS, 7, true, PRICE).run(s, x).map(drop),
        ["577fa6cd9ad12544", "a48f1e929c9af6fb"],
    ),
    (
        "truncate-and-reduce, local",
        |s, x| TruncReduce::new(BITS, 7, false, PRICE).run(s, x).map(drop),
        ["af1349b9f5f9a1a6", "af1349b9f5f9a1a6"],
    ),
    (
        "zero-extension",
        |s, x| ZeroExtend::new(BITS, WIDE, PRICE).run(s, x).map(drop),
        ["526e713272c8c6b3", "178edec49da70b11"],
    ),
    (
        "zero-extension, known sign",
        |s, x| {
            let protocol = ZeroExtend::new(BITS, WIDE, PRICE).known_nonnegative();
            protocol.run(s, x).map(drop)
        },
        ["059e843d0e36f9e9", "b5b2a47fe81df7c9"],
    ),
    (
        "sign-extension",
        |s, x| SignExtend::new(BITS, WIDE, PRICE).run(s, x).map(drop),
        ["9061dd172e8bbaf0", "c35e02dacf6bd7dc"],
    ),
    (
        "sign-extension, half range",
        |s, x| {
            let protocol = SignExtend::new(BITS, WIDE, PRICE).within(Range::Half);
            protocol.run(s, x).map(drop)
        },
        ["869c65cc7784a322", "b5b2a47fe81df7c9"],
    ),
];

fn signed_relu(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let channels = ChannelSigns {
        signs: &[1, -1, 1],
        shifts: &[0, 5, -7],
    };
    let channels = s.role().is_server().then_some(channels);
    let protocol = SignedRelu::new(BITS, Chunked::new(50), PRICE);
    protocol.run(s, x, channels).map(drop)
}

fn max_pool(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let window = Pool2d::new(6, 7, [3, 3], [2, 2], [1; 4])?;
    MaxPool::new(window, BITS, PRICE).run(s, x).map(drop)
}

fn hard_swish(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let protocol = HardSwish::new(BITS, 6, 9, Bits::of(40), PRICE).expect("it fits");
    protocol.run(s, x).map(drop)
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
        |s, x| Millionaire::new(BITS, PRICE).run(s, x).map(drop),
        2100,
    );
    assert_eq!(found, ["d71eca2d26d2ac35", "3f9196f8a177683c"]);
}
