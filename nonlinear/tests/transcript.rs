//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use channel::Role;
use nonlinear::{
    ArgMax, ChannelSigns, Chunked, Clip, Digits, Drelu, Error, HardSwish, MaxPool, Millionaire,
    Pool2d, Range, Relu, SignExtend, SignedRelu, SplitMillionaire, TruncFaithful, TruncReduce,
    ZeroExtend,
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
        ["ae4ade8537855259", "5322571ffc7dd8ae"],
    ),
    (
        "millionaire, digits of one bit",
        |s, x| {
            let digits = Digits::uniform(19, 1);
            run(s, async |p| {
                Millionaire::with_digits(digits).run(p, x).await
            })
        },
        ["fc10e6fb02d69c57", "fe062b03f7fd8868"],
    ),
    (
        "split millionaire",
        |s, x| {
            run(s, async |p| {
                SplitMillionaire::new(BITS, 7, PRICE).run(p, x).await
            })
        },
        ["6016d61b3d9274aa", "2e3f9b0278d28929"],
    ),
    (
        "drelu",
        |s, x| run(s, async |p| Drelu::new(BITS, PRICE).run(p, x).await),
        ["7048209f4f9806ca", "61552b1f86db7afe"],
    ),
    (
        "drelu, free COTs",
        |s, x| {
            run(s, async |p| {
                Drelu::new(BITS, CotPrice::FREE).run(p, x).await
            })
        },
        ["6e0e5319c6016f11", "06ea41685b07197a"],
    ),
    (
        "relu",
        |s, x| run(s, async |p| Relu::new(BITS, PRICE).run(p, x).await),
        ["39671506b0184135", "b65bd493cbc318a1"],
    ),
    (
        "clip",
        |s, x| run(s, async |p| Clip::new(BITS, 1000, PRICE).run(p, x).await),
        ["fd055be14de9b7a4", "9dd3188aa3b61b31"],
    ),
    (
        "signed relu",
        signed_relu,
        ["8beed180c5e5b593", "11f3f56365a7a99f"],
    ),
    (
        "hard-swish",
        hard_swish,
        ["7b83c4f4e8c0f679", "7c5285fd4bec5160"],
    ),
    (
        "max-pool",
        max_pool,
        ["19289c02c6e8bc12", "e1fd96aa52463f14"],
    ),
    (
        "arg-max",
        |s, x| run(s, async |p| ArgMax::new(14, BITS, PRICE).run(p, x).await),
        ["5c40c898b6238431", "e1fd0a757bf00808"],
    ),
    (
        "faithful truncation",
        |s, x| {
            run(s, async |p| {
                TruncFaithful::new(BITS, 7, PRICE).run(p, x).await
            })
        },
        ["fa3f215c95db99e6", "dfcd8c1dab891ac1"],
    ),
    (
        "faithful truncation, known sign",
        |s, x| {
            let protocol = TruncFaithful::new(BITS, 7, PRICE).within(Range::Nonnegative);
            run(s, async |p| protocol.run(p, x).await)
        },
        ["b834aa1d3759cdf3", "b4c426afb51e2a91"],
    ),
    (
        "truncate-and-reduce",
        |s, x| {
            run(s, async |p| {
                TruncReduce::new(BITS, 7, true, PRICE).run(p, x).await
            })
        },
        ["626ca1d7cdc45ad2", "5faaec81ad607ea2"],
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
        ["4449b7d90ba069cb", "574ffdee2a56a090"],
    ),
    (
        "zero-extension, known sign",
        |s, x| {
            let protocol = ZeroExtend::new(BITS, WIDE, PRICE).known_nonnegative();
            run(s, async |p| protocol.run(p, x).await)
        },
        ["779fe11157ca9436", "b5b2a47fe81df7c9"],
    ),
    (
        "sign-extension",
        |s, x| {
            run(s, async |p| {
                SignExtend::new(BITS, WIDE, PRICE).run(p, x).await
            })
        },
        ["2ca5553ea25a864a", "5abc7de5496298a7"],
    ),
    (
        "sign-extension, half range",
        |s, x| {
            let protocol = SignExtend::new(BITS, WIDE, PRICE).within(Range::Half);
            run(s, async |p| protocol.run(p, x).await)
        },
        ["54736dda8f2466a6", "b5b2a47fe81df7c9"],
    ),
];

fn run<T>(
    s: &mut Session,
    protocol: impl AsyncFnOnce(&Party<'_>) -> Result<T, Error>,
) -> Result<(), Error> {
    s.run(protocol).map(drop)
}

fn signed_relu(s: &mut Session, x: &[u64]) -> Result<(), Error> {
    let channels = ChannelSigns {
        signs: &[1, -1, 1],
        shifts: &[0, 5, -7],
    };
    let channels = s.role().is_server().then_some(channels);
    let protocol = SignedRelu::new(BITS, Chunked::new(50), PRICE);
    run(s, async |p| protocol.run(p, x, channels).await)
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
    assert_eq!(found, ["931b79588e588541", "4ae48ac4dd106f69"]);
}
