//! Hard-swish.

mod common;

use common::{
    LENGTHS, PRICES, Shares, bits_per_value, edge_shares, every_share, random_shares, run_signed,
    values,
};
use nonlinear::{HardSwish, clear};
use proptest::prelude::*;
use ring_arith::Bits;
use sharing::CotPrice;
use testkit::rng;

fn check(spec: &HardSwish, bits: Bits, inputs: &Shares) {
    let n = inputs.0.len();
    let result = run_signed(
        inputs,
        spec.output_bits(),
        &spec.rounds(n),
        async |party, h| spec.run(party, h).await,
    );
    let expected = clear::hard_swish(spec, &values(inputs, bits));
    assert_eq!(result, expected, "{spec:?}");
}

#[test]
fn every_secret_and_every_share() {
    for bits in (4..=6).map(Bits::of) {
        let inputs = every_share(bits);
        for (scale, fraction) in [(0, 2), (0, 5), (1, 2), (2, 3)] {
            for output in (1..=14).map(Bits::of) {
                let spec = HardSwish::new(bits, scale, fraction, output, CotPrice::bits(32));
                let fits = scale + 4 <= bits.get() && scale + fraction < output.get();
                assert_eq!(spec.is_some(), fits);
                if let Some(spec) = spec {
                    check(&spec, bits, &inputs);
                }
            }
        }
    }
}

#[test]
fn lengths_at_which_packing_turns() {
    let bits = Bits::of(13);
    for n in LENGTHS {
        let spec = HardSwish::new(bits, 6, 8, Bits::of(30), CotPrice::bits(32)).expect("it fits");
        check(&spec, bits, &random_shares(bits, n, n as u64));
    }
}

#[test]
fn it_is_hard_swish() {
    let (bits, scale, fraction) = (Bits::of(16), 10, 12);
    let spec =
        HardSwish::new(bits, scale, fraction, Bits::of(48), CotPrice::bits(32)).expect("it fits");
    let unit = f64::from(1 << scale);
    let x: Vec<i64> = (-20 << scale..20 << scale).step_by(37).collect();
    let h: Vec<i64> = x.iter().map(|x| x + (3 << scale)).collect();
    for (x, y) in x.iter().zip(clear::hard_swish(&spec, &h)) {
        let x = *x as f64 / unit;
        let exact = x * (x + 3.0).clamp(0.0, 6.0) / 6.0;
        let found = y as f64 / unit / unit / f64::from(1 << fraction);
        let bound = 6.0 / f64::from(1 << fraction);
        assert!((found - exact).abs() <= bound, "{x}: {found}, not {exact}");
    }
}

#[test]
fn its_cost_per_value() {
    let spec =
        HardSwish::new(Bits::of(16), 10, 12, Bits::of(38), CotPrice::bits(32)).expect("it fits");
    let n = 1 << 10;
    let figure = |price| bits_per_value(&spec.rounds(n), n, price);
    assert_eq!((figure(0), figure(32)), (666.0, 2074.0));
}

/// Two comparisons side by side, with and without direct steps.
#[test]
fn every_form_of_the_comparisons() {
    for bits in (4..=40).map(Bits::of) {
        for price in PRICES {
            let spec = HardSwish::new(bits, 0, 2, Bits::of(5), CotPrice::bits(price));
            let inputs = edge_shares(bits, 130, &mut rng(7));
            check(&spec.expect("it fits"), bits, &inputs);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_rings(l in 4_u32..=64, scale in 0_u32..=60, fraction in 2_u32..40, more in 1_u32..=64, p in 0_usize..4, seed: u64) {
        let scale = scale % (l - 3);
        let output = (scale + fraction + more).min(64);
        prop_assume!(scale + fraction < output);
        let bits = Bits::of(l);
        let spec = HardSwish::new(bits, scale, fraction, Bits::of(output), CotPrice::bits(PRICES[p])).expect("it fits");
        check(&spec, bits, &edge_shares(bits, 200, &mut rng(seed)));
    }
}
