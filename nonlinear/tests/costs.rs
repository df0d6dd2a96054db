//! What a value costs: the figures that reports quote, exactly.

mod common;

use common::bits_per_value;
use nonlinear::{
    ChannelExtend, Chunked, Drelu, Millionaire, Quotient, Range, Relu, SignExtend, TruncFaithful,
    TruncReduce, ZeroExtend,
};
use ring_arith::Bits;
use sharing::{CotPrice, Rounds};

/// So many that rounding up to bytes does not show.
const N: usize = 1 << 10;
const WIDTHS: [u32; 3] = [16, 32, 64];

/// (online bits, with COTs at this price) per value, and rounds.
fn figures(rounds: &Rounds, price: u64) -> (f64, f64, usize) {
    (
        bits_per_value(rounds, N, 0),
        bits_per_value(rounds, N, price),
        rounds.len(),
    )
}

/// The same for every width where COTs cost nothing: bits and rounds.
fn free(rounds: impl Fn(Bits) -> Rounds) -> [(f64, usize); 3] {
    WIDTHS.map(|l| {
        let (bits, _, rounds) = figures(&rounds(Bits::of(l)), 0);
        (bits, rounds)
    })
}

/// The same for every width where a COT costs 32 bits.
fn dear(rounds: impl Fn(Bits) -> Rounds) -> [(f64, f64, usize); 3] {
    WIDTHS.map(|l| figures(&rounds(Bits::of(l)), 32))
}

#[test]
fn with_softspoken_ot_at_32_bits_a_cot() {
    let price = CotPrice::bits(32);
    assert_eq!(
        dear(|bits| Relu::new(bits, price).rounds(N)),
        [(145.0, 849.0, 6), (298.0, 1770.0, 7), (670.0, 3646.0, 8)]
    );
    assert_eq!(
        dear(|bits| Millionaire::new(bits, price).rounds(N)),
        [(97.0, 801.0, 5), (249.0, 1689.0, 6), (557.0, 3501.0, 7)]
    );
    assert_eq!(
        dear(|bits| Millionaire::leisurely(bits, price).rounds(N)),
        [(91.0, 731.0, 6), (181.0, 1525.0, 12), (379.0, 3067.0, 22)]
    );
    assert_eq!(
        dear(|bits| Drelu::new(bits, price).rounds(N)),
        [(111.0, 751.0, 5), (232.0, 1640.0, 6), (540.0, 3452.0, 7)]
    );
    assert_eq!(
        dear(|bits| TruncFaithful::new(bits, 12, price).rounds(N)),
        [(131.0, 867.0, 7), (303.0, 1807.0, 7), (647.0, 3687.0, 8)]
    );
    assert_eq!(
        dear(|bits| TruncReduce::new(bits, 12, true, price).rounds(N)),
        [(69.0, 581.0, 6), (85.0, 597.0, 6), (117.0, 629.0, 6)]
    );
}

#[test]
fn with_cots_that_cost_nothing() {
    let price = CotPrice::FREE;
    let comparison = free(|bits| Millionaire::new(bits, price).rounds(N));
    assert_eq!(comparison, [(87.0, 5), (189.0, 6), (395.0, 7)]);
    assert!(comparison[0].0 <= 88.0 && comparison[1].0 <= 190.0);
    let relu = free(|bits| Relu::new(bits, price).rounds(N));
    assert_eq!(relu, [(112.0, 6), (246.0, 7), (516.0, 8)]);
    assert!(relu[0].0 <= 115.0 && relu[1].0 <= 250.0);
    let reduction = free(|bits| TruncReduce::new(bits, 12, true, price).rounds(N));
    assert_eq!(reduction, [(65.0, 6), (81.0, 6), (113.0, 6)]);
    assert!(reduction[1].0 <= 82.0);
    assert_eq!(
        free(|bits| Millionaire::leisurely(bits, price).rounds(N)),
        [(61.0, 16), (125.0, 32), (253.0, 64)]
    );
    assert_eq!(
        free(|bits| Drelu::new(bits, price).rounds(N)),
        [(78.0, 5), (180.0, 6), (386.0, 7)]
    );
    assert_eq!(
        free(|bits| TruncFaithful::new(bits, 12, price).rounds(N)),
        [(114.0, 7), (234.0, 8), (474.0, 9)]
    );
}

#[test]
fn where_the_sign_is_known() {
    let known = |price| {
        move |bits| {
            let truncation = TruncFaithful::new(bits, 12, price).within(Range::Nonnegative);
            truncation.rounds(N)
        }
    };
    assert_eq!(
        dear(known(CotPrice::bits(32))),
        [(94.0, 638.0, 6), (110.0, 654.0, 6), (142.0, 686.0, 6)]
    );
    assert_eq!(
        free(known(CotPrice::FREE)),
        [(90.0, 6), (106.0, 6), (138.0, 6)]
    );
    let extension =
        SignExtend::new(Bits::of(16), Bits::of(28), CotPrice::bits(32)).within(Range::Half);
    assert_eq!(figures(&extension.rounds(N), 32), (13.0, 45.0, 1));
}

/// The quotient that is at most one too large: the low bits are dropped without a word, and come back as bits above.
#[test]
fn where_the_sign_is_known_and_the_last_bit_does_not_matter() {
    let price = CotPrice::FREE;
    let known = free(|bits| {
        let reduction = TruncReduce::new(bits, 12, false, price);
        let back = ZeroExtend::new(reduction.output_bits(), bits, price).known_nonnegative();
        reduction.rounds(N).then(back.rounds(N))
    });
    assert_eq!(known, [(13.0, 1); 3]);
    assert!(known[1].0 <= 14.0);
}

/// Activations of 16 bits, and accumulators of 28.
#[test]
fn a_rectifier_with_an_extension() {
    let (from, to) = (Bits::of(16), Bits::of(28));
    for (price, expected) in [(0, (125.0, 125.0, 7)), (32, (158.0, 894.0, 7))] {
        let relu = Relu::new(from, CotPrice::bits(price)).rounds(N);
        let extension = ChannelExtend::new(from, to, Chunked::new(N)).rounds(N);
        let both = figures(&relu.then(extension), price.into());
        assert_eq!(both, expected);
        assert!(price > 0 || both.0 <= 126.0);
    }
}

/// A truncate-and-reduce, and the rectifier of what it gives.
#[test]
fn a_quotient_with_rectifiers() {
    let price = CotPrice::FREE;
    let mut quotient = Quotient::new(Bits::of(26), 11, price);
    let (prompt, late) = (quotient.add(true, price), quotient.add(false, price));
    let rounds = quotient.rounds(N);
    let (bits, _, length) = figures(&rounds, 0);
    assert_eq!((bits, length), (82.0, 6));
    let more = [prompt, late].map(|number| {
        let number = number.expect("there is room");
        let rectifier = quotient.use_rounds(number, N);
        let both = figures(&rounds.clone().beside(rectifier), 0);
        (both.0 - bits, both.2)
    });
    assert_eq!(more, [(107.0, 7), (74.0, 20)]);
}
