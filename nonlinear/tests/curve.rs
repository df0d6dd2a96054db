//! Functions given by tables.

mod common;

use common::{
    LENGTHS, PRICES, Shares, bits_per_value, edge_shares, every_share, random_shares, run_signed,
    values,
};
use nonlinear::{Curve, HardSwish, Pieces, Symmetry, TruncReduce, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::{CotPrice, Rounds};
use testkit::rng;

const SYMMETRIES: [Symmetry; 3] = [Symmetry::None, Symmetry::Even, Symmetry::Odd];

fn check(spec: &Curve, bits: Bits, inputs: &Shares) {
    let n = inputs.0.len();
    let result = run_signed(
        inputs,
        spec.output_bits(),
        &spec.rounds(n),
        async |party, x| spec.run(party, x).await,
    );
    let expected: Vec<i64> = values(inputs, bits)
        .into_iter()
        .map(|x| clear::curve(spec, x))
        .collect();
    assert_eq!(result, expected, "{spec:?}");
}

/// Numbers of some bits that follow from the seed.
fn numbers(count: usize, bits: u32, seed: u64) -> Vec<i64> {
    let mut rng = rng(seed);
    let bits = Bits::of(bits);
    let numbers = testkit::elements(count, bits, &mut rng);
    numbers.into_iter().map(|x| bits.to_signed(x)).collect()
}

/// What a function of pieces is made of, for tests.
#[derive(Clone, Copy, Debug)]
struct Shape {
    symmetry: Symmetry,
    low: i64,
    width: u32,
    places: u32,
    fraction: u32,
    shift: u32,
    ramp: Option<u32>,
}

impl Shape {
    fn pieces(self, value_bits: u32, slope_bits: u32, seed: u64) -> Pieces {
        Pieces {
            low: self.low,
            width: self.width,
            symmetry: self.symmetry,
            values: numbers(1 << self.places, value_bits, seed),
            slopes: numbers(1 << self.places, slope_bits, seed + 1),
            fraction: self.fraction,
            ramp: self.ramp,
            shift: self.shift,
        }
    }
}

#[test]
fn every_secret_and_every_share() {
    let mut seen = 0;
    for l in 2..=5 {
        let (bits, inputs) = (Bits::of(l), every_share(Bits::of(l)));
        for symmetry in SYMMETRIES {
            for (width, places) in [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3)] {
                for low in [0, -2, -4, -8, -16] {
                    for (output, ramp) in [(1, None), (3, Some(1)), (7, Some(0)), (9, None)] {
                        let shape = Shape {
                            symmetry,
                            low,
                            width,
                            places,
                            fraction: 1,
                            shift: 3,
                            ramp,
                        };
                        let pieces = shape.pieces(4, 3, u64::from(l));
                        let price = CotPrice::bits(32);
                        if let Some(spec) = Curve::new(bits, pieces, Bits::of(output), price) {
                            check(&spec, bits, &inputs);
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 150, "{seen}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = Shape {
        symmetry: Symmetry::None,
        low: -16,
        width: 2,
        places: 3,
        fraction: 1,
        shift: 3,
        ramp: Some(0),
    };
    let good = shape.pieces(4, 4, 1);
    let fits = |pieces: Pieces, bits, output| {
        Curve::new(Bits::of(bits), pieces, Bits::of(output), CotPrice::FREE).is_some()
    };
    assert!(fits(good.clone(), 8, 10) && fits(good.clone(), 5, 61));
    assert!(!fits(good.clone(), 4, 10), "pieces beyond the ring");
    assert!(!fits(good.clone(), 8, 62), "no room for the sum");
    type Change = fn(&mut Pieces);
    let changes: [(&str, Change); 12] = [
        ("slopes are missing", |p| p.slopes.truncate(7)),
        ("no power of two", |p| {
            p.slopes.truncate(7);
            p.values.truncate(7);
        }),
        ("one piece", |p| {
            p.slopes.truncate(1);
            p.values.truncate(1);
        }),
        ("no piece", |p| {
            p.slopes.clear();
            p.values.clear();
        }),
        ("too many pieces", |p| {
            p.values = vec![0; 256];
            p.slopes = vec![0; 256];
        }),
        ("pieces of width 1", |p| p.width = 0),
        ("no multiple of the width", |p| p.low = -15),
        ("zero is above the pieces", |p| p.low = -36),
        ("zero is below the pieces", |p| p.low = 4),
        ("symmetric and not at 0", |p| p.symmetry = Symmetry::Even),
        ("more fraction than shift", |p| p.fraction = 3),
        ("large numbers", |p| p.values[2] = i64::MAX),
    ];
    for (why, change) in changes {
        let mut pieces = good.clone();
        change(&mut pieces);
        assert!(!fits(pieces, 8, 10), "{why}");
    }
    for (ramp, width) in [(13, 2), (u32::MAX, 2), (0, u32::MAX), (0, 62)] {
        let pieces = Pieces {
            ramp: Some(ramp),
            width,
            low: 0,
            ..good.clone()
        };
        assert!(!fits(pieces, 8, 10), "{ramp}, {width}");
    }
}

#[test]
fn lengths_at_which_packing_turns() {
    let bits = Bits::of(13);
    for n in LENGTHS {
        for symmetry in SYMMETRIES {
            let shape = Shape {
                symmetry,
                low: 0,
                width: 6,
                places: 5,
                fraction: 2,
                shift: 7,
                ramp: Some(9),
            };
            let pieces = shape.pieces(9, 6, 3);
            let spec = Curve::new(bits, pieces, Bits::of(12), CotPrice::bits(32));
            check(
                &spec.expect("it fits"),
                bits,
                &random_shares(bits, n, n as u64),
            );
        }
    }
}

/// As import makes it of a SiLU: 64 pieces of an eighth, 10 fractional bits in and out.
fn silu() -> Curve {
    let slopes = (0..64).map(|i| if i < 20 { -64 + 4 * i } else { 13 - i % 14 });
    let pieces = Pieces {
        low: 0,
        width: 7,
        symmetry: Symmetry::Even,
        values: (0..64).map(|i| -(i * 570 / 63)).collect(),
        slopes: slopes.collect(),
        fraction: 1,
        ramp: Some(8),
        shift: 8,
    };
    Curve::new(Bits::of(16), pieces, Bits::of(16), CotPrice::bits(0)).expect("it fits")
}

/// Beside hard-swish with its truncation.
#[test]
fn its_cost_per_value() {
    let n = 1 << 10;
    let figure = |rounds: &Rounds| {
        let free = bits_per_value(rounds, n, 0);
        (free, bits_per_value(rounds, n, 32), rounds.len())
    };
    assert_eq!(figure(&silu().rounds(n)), (634.0, 3514.0, 15));
    let (bits, price) = (Bits::of(16), CotPrice::bits(0));
    let swish = HardSwish::new(bits, 10, 12, Bits::of(38), price).expect("it fits");
    let cut = TruncReduce::new(Bits::of(38), 22, true, price);
    assert_eq!(
        figure(&swish.rounds(n).then(cut.rounds(n))),
        (775.0, 3687.0, 16)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rings(
        l in 2_u32..=64, s in 0_usize..3, width in 1_u32..=60, places in 1_u32..=7, low in 0_i64..=128,
        fraction in 0_u32..8, more in 1_u32..=30, ramp in proptest::option::of(0_u32..40),
        output in 1_u32..=64, sizes in (1_u32..=30, 1_u32..=30), p in 0_usize..4, seed: u64,
    ) {
        let symmetry = SYMMETRIES[s];
        let top = if symmetry == Symmetry::None { l } else { l - 1 };
        let places = places.min(top.saturating_sub(1)).max(1);
        let width = width.min(top.saturating_sub(places));
        let low = if symmetry == Symmetry::None { -(low.min(1 << places) << width) } else { 0 };
        let shift = fraction + more;
        let output = output.min(64 - shift);
        let ramp = ramp.map(|ramp| (ramp % (output + shift)).max(shift.saturating_sub(l)));
        let shape = Shape { symmetry, low, width, places, fraction, shift, ramp };
        let pieces = shape.pieces(sizes.0, sizes.1, seed);
        let bits = Bits::of(l);
        let spec = Curve::new(bits, pieces, Bits::of(output), CotPrice::bits(PRICES[p]));
        prop_assume!(spec.is_some());
        check(&spec.expect("it fits"), bits, &edge_shares(bits, 130, &mut rng(seed)));
    }
}
