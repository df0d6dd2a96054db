//! What a value costs: the figures that reports quote, exactly.

mod common;

use channel::Cost;
use common::bits_per_value;
use nonlinear::{Drelu, Millionaire, Range, Relu, SignExtend, TruncFaithful, TruncReduce};
use ring_arith::Bits;
use sharing::CotPrice;

/// So many that rounding up to bytes does not show.
const N: usize = 1 << 10;

/// (online bits, with COTs at this price) per value.
fn figures(cost: &Cost, price: u64) -> (f64, f64) {
    (bits_per_value(cost, N, 0), bits_per_value(cost, N, price))
}

#[test]
fn with_softspoken_ot_at_32_bits_a_cot() {
    let relu = |l| figures(&Relu::new(Bits::of(l), CotPrice::bits(32)).cost(N), 32);
    assert_eq!(relu(16), (149.0, 885.0));
    assert_eq!(relu(32), (335.0, 1839.0));
    assert_eq!(relu(64), (709.0, 3749.0));
    let comparison = |l| {
        figures(
            &Millionaire::new(Bits::of(l), CotPrice::bits(32)).cost(N),
            32,
        )
    };
    assert_eq!(comparison(16), (132.0, 836.0));
    assert_eq!(comparison(32), (286.0, 1758.0));
    assert_eq!(comparison(64), (596.0, 3604.0));
    let sign = |l| figures(&Drelu::new(Bits::of(l), CotPrice::bits(32)).cost(N), 32);
    assert_eq!(sign(16), (115.0, 787.0));
    assert_eq!(sign(32), (269.0, 1709.0));
    assert_eq!(sign(64), (579.0, 3555.0));
    let truncation = |l| {
        figures(
            &TruncFaithful::new(Bits::of(l), 12, CotPrice::bits(32)).cost(N),
            32,
        )
    };
    assert_eq!(truncation(16), (158.0, 926.0));
    assert_eq!(truncation(32), (328.0, 1864.0));
    assert_eq!(truncation(64), (670.0, 3742.0));
    let reduction = |l| {
        figures(
            &TruncReduce::new(Bits::of(l), 12, true, CotPrice::bits(32)).cost(N),
            32,
        )
    };
    assert_eq!(reduction(16), (97.0, 641.0));
    assert_eq!(reduction(32), (113.0, 657.0));
    assert_eq!(reduction(64), (145.0, 689.0));
}

#[test]
fn with_cots_that_cost_nothing() {
    let comparison = |l| figures(&Millionaire::new(Bits::of(l), CotPrice::bits(0)).cost(N), 0).0;
    assert_eq!([16, 32, 64].map(comparison), [90.0, 192.0, 398.0]);
    let relu = |l| figures(&Relu::new(Bits::of(l), CotPrice::bits(0)).cost(N), 0).0;
    assert_eq!([16, 32, 64].map(relu), [116.0, 250.0, 520.0]);
    let reduction = |l| {
        figures(
            &TruncReduce::new(Bits::of(l), 12, true, CotPrice::bits(0)).cost(N),
            0,
        )
        .0
    };
    assert_eq!([16, 32, 64].map(reduction), [68.0, 84.0, 116.0]);
    let sign = |l| figures(&Drelu::new(Bits::of(l), CotPrice::bits(0)).cost(N), 0).0;
    assert_eq!([16, 32, 64].map(sign), [82.0, 184.0, 390.0]);
    let truncation = |l| {
        figures(
            &TruncFaithful::new(Bits::of(l), 12, CotPrice::bits(0)).cost(N),
            0,
        )
        .0
    };
    assert_eq!([16, 32, 64].map(truncation), [116.0, 234.0, 472.0]);
}

#[test]
fn where_the_sign_is_known() {
    let known = |l, price: u32| {
        let truncation =
            TruncFaithful::new(Bits::of(l), 12, CotPrice::bits(price)).within(Range::Nonnegative);
        figures(&truncation.cost(N), price.into())
    };
    assert_eq!(known(16, 32), (122.0, 698.0));
    assert_eq!(known(32, 32), (138.0, 714.0));
    assert_eq!(known(64, 32), (170.0, 746.0));
    assert_eq!([16, 32, 64].map(|l| known(l, 0).0), [93.0, 109.0, 141.0]);
    let extension =
        SignExtend::new(Bits::of(16), Bits::of(28), CotPrice::bits(32)).within(Range::Half);
    assert_eq!(figures(&extension.cost(N), 32), (13.0, 45.0));
}
