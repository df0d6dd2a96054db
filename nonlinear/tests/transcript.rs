//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use channel::Role;
use nonlinear::{
    ArgMax, ChannelExtend, ChannelSigns, Chunked, Clip, Digits, Drelu, Error, HardSwish, MaxPool,
    Millionaire, Pool2d, Range, Relu, SignExtend, SignedRelu, SplitMillionaire, TruncFaithful,
    TruncReduce, ZeroExtend,
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
        ["ae4ade8537855259", "5322571ffc7dd8ae"],
    ),
    (
        "millionaire, digits of one bit",
        |s, x| {
            let digits = Digits::uniform(19, 1);
            Millionaire::with_digits(digits).run(s, x).map(drop)
        },
        ["fc10e6fb02d69c57", "fe062b03f7fd8868"],
    ),
    (
        "split millionaire",
        |s, x| SplitMillionaire::new(BITS, 7, PRICE).run(s, x).map(drop),
        ["6016d61b3d9274aa", "2e3f9b0278d28929"],
    ),
    (
        "drelu",
        |s, x| Drelu::new(BITS, PRICE).run(s, x).map(drop),
        ["7048209f4f9806ca", "61552b1f86db7afe"],
    ),
    (
        "drelu, free COTs",
        |s, x| Drelu::new(BITS, CotPrice::FREE).run(s, x).map(drop),
        ["6e0e5319c6016f11", "06ea41685b07197a"],
    ),
    (
        "relu",
        |s, x| Relu::new(BITS, PRICE).run(s, x).map(drop),
        ["e84647b1f94bfc66", "0667599493884775"],
    ),
    (
        "clip",
        |s, x| Clip::new(BITS, 1000, PRICE).run(s, x).map(drop),
        ["df98ba0d2a4fc241", "92289239d7b2216c"],
    ),
    (
        "signed relu",
        signed_relu,
        ["6d295e192d7339fc", "6bd7ba614661b657"],
    ),
    (
        "hard-swish",
        hard_swish,
        ["7a8f7ab6d97652df", "0ecda23c08f0720f"],
    ),
    (
        "max-pool",
        max_pool,
        ["c554f82bba3b1e88", "32dd38fc10d1d00d"],
    ),
    (
        "arg-max",
        |s, x| ArgMax::new(14, BITS, PRICE).run(s, x).map(drop),
        ["160880e8efcefc63", "1a005846dab2cf27"],
    ),
    (
        "faithful truncation",
        |s, x| TruncFaithful::new(BITS, 7, PRICE).run(s, x).map(drop),
        ["3c7b26502c1cd1a6", "a867d17730b2622f"],
    ),
    (
        "faithful truncation, known sign",
        |s, x| {
            let protocol = TruncFaithful::new(BITS, 7, PRICE).within(Range::Nonnegative);
            protocol.run(s, x).map(drop)
        },
        ["15622118939603a7", "b9658484b3f86a17"],
    ),
    (
        "truncate-and-reduce",
        |s, x| TruncReduce::new(BITS, 7, true, PRICE).run(s, x).map(drop),
        ["f01825974196c50d", "c8c8383ea5ecba84"],
    ),
    (
        "truncate-and-reduce, local",
        |s, x| TruncReduce::new(BITS, 7, false, PRICE).run(s, x).map(drop),
        ["af1349b9f5f9a1a6", "af1349b9f5f9a1a6"],
    ),
    (
        "zero-extension",
        |s, x| ZeroExtend::new(BITS, WIDE, PRICE).run(s, x).map(drop),
        ["5f03b231e5d0c220", "2305172c661a7ffb"],
    ),
    (
        "zero-extension, known sign",
        |s, x| {
            let protocol = ZeroExtend::new(BITS, WIDE, PRICE).known_nonnegative();
            protocol.run(s, x).map(drop)
        },
        ["779fe11157ca9436", "b5b2a47fe81df7c9"],
    ),
    (
        "sign-extension",
        |s, x| SignExtend::new(BITS, WIDE, PRICE).run(s, x).map(drop),
        ["c088ecb8e16327ea", "2327b0c185d03ab7"],
    ),
    (
        "sign-extension, half range",
        |s, x| {
            let protocol = SignExtend::new(BITS, WIDE, PRICE).within(Range::Half);
            protocol.run(s, x).map(drop)
        },
        ["54736dda8f2466a6", "b5b2a47fe81df7c9"],
    ),
    (
        "sign-extension of channels",
        channel_extend,
        ["dba0b895cbe5464d", "9e23c43e9ab07dd2"],
    ),
];

const CHANNELS: ChannelSigns<'_> = ChannelSigns {
    signs: &[1, -1, 1],
    shifts: &[0, 5, -7],
};

fn signed_relu(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let channels = s.role().is_server().then_some(CHANNELS);
    let protocol = SignedRelu::new(BITS, Chunked::new(50), PRICE);
    protocol.run(s, x, channels).map(drop)
}

fn channel_extend(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let channels = s.role().is_server().then_some(CHANNELS);
    let protocol = ChannelExtend::new(BITS, WIDE, Chunked::new(50));
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
    assert_eq!(found, ["931b79588e588541", "4ae48ac4dd106f69"]);
}
