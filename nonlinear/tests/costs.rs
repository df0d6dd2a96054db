//! What a value costs: the figures that reports quote, exactly.

mod common;

use common::bits_per_value;
use nonlinear::{Drelu, Millionaire, Range, Relu, SignExtend, TruncFaithful, TruncReduce};
use ring_arith::Bits;
use sharing::{CotPrice, Rounds};

/// So many that rounding up to bytes does not show.
const N: usize = 1 << 10;

/// (online bits, with COTs at this price) per value.
fn figures(rounds: &Rounds, price: u64) -> (f64, f64) {
    (
        bits_per_value(rounds, N, 0),
        bits_per_value(rounds, N, price),
    )
}

#[test]
fn with_softspoken_ot_at_32_bits_a_cot() {
    let relu = |l| figures(&Relu::new(Bits::of(l), CotPrice::bits(32)).rounds(N), 32);
    assert_eq!(relu(16), (149.0, 885.0));
    assert_eq!(relu(32), (335.0, 1839.0));
    assert_eq!(relu(64), (709.0, 3749.0));
    let comparison = |l| {
        figures(
            &Millionaire::new(Bits::of(l), CotPrice::bits(32)).rounds(N),
            32,
        )
    };
    assert_eq!(comparison(16), (132.0, 836.0));
    assert_eq!(comparison(32), (286.0, 1758.0));
    assert_eq!(comparison(64), (596.0, 3604.0));
    let sign = |l| figures(&Drelu::new(Bits::of(l), CotPrice::bits(32)).rounds(N), 32);
    assert_eq!(sign(16), (115.0, 787.0));
    assert_eq!(sign(32), (269.0, 1709.0));
    assert_eq!(sign(64), (579.0, 3555.0));
    let truncation = |l| {
        figures(
            &TruncFaithful::new(Bits::of(l), 12, CotPrice::bits(32)).rounds(N),
            32,
        )
    };
    assert_eq!(truncation(16), (160.0, 928.0));
    assert_eq!(truncation(32), (330.0, 1866.0));
    assert_eq!(truncation(64), (672.0, 3744.0));
    let reduction = |l| {
        figures(
            &TruncReduce::new(Bits::of(l), 12, true, CotPrice::bits(32)).rounds(N),
            32,
        )
    };
    assert_eq!(reduction(16), (98.0, 642.0));
    assert_eq!(reduction(32), (114.0, 658.0));
    assert_eq!(reduction(64), (146.0, 690.0));
}

#[test]
fn with_cots_that_cost_nothing() {
    let comparison = |l| {
        figures(
            &Millionaire::new(Bits::of(l), CotPrice::bits(0)).rounds(N),
            0,
        )
        .0
    };
    assert_eq!([16, 32, 64].map(comparison), [90.0, 192.0, 398.0]);
    let relu = |l| figures(&Relu::new(Bits::of(l), CotPrice::bits(0)).rounds(N), 0).0;
    assert_eq!([16, 32, 64].map(relu), [116.0, 250.0, 520.0]);
    let reduction = |l| {
        figures(
            &TruncReduce::new(Bits::of(l), 12, true, CotPrice::bits(0)).rounds(N),
            0,
        )
        .0
    };
    assert_eq!([16, 32, 64].map(reduction), [69.0, 85.0, 117.0]);
    let sign = |l| figures(&Drelu::new(Bits::of(l), CotPrice::bits(0)).rounds(N), 0).0;
    assert_eq!([16, 32, 64].map(sign), [82.0, 184.0, 390.0]);
    let truncation = |l| {
        figures(
            &TruncFaithful::new(Bits::of(l), 12, CotPrice::bits(0)).rounds(N),
            0,
        )
        .0
    };
    assert_eq!([16, 32, 64].map(truncation), [118.0, 236.0, 474.0]);
}

#[test]
fn where_the_sign_is_known() {
    let known = |l, price: u32| {
        let truncation =
            TruncFaithful::new(Bits::of(l), 12, CotPrice::bits(price)).within(Range::Nonnegative);
        figures(&truncation.rounds(N), price.into())
    };
    assert_eq!(known(16, 32), (123.0, 699.0));
    assert_eq!(known(32, 32), (139.0, 715.0));
    assert_eq!(known(64, 32), (171.0, 747.0));
    assert_eq!([16, 32, 64].map(|l| known(l, 0).0), [94.0, 110.0, 142.0]);
    let extension =
        SignExtend::new(Bits::of(16), Bits::of(28), CotPrice::bits(32)).within(Range::Half);
    assert_eq!(figures(&extension.rounds(N), 32), (13.0, 45.0));
}
