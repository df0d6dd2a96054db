//! What every way to compute a linear layer promises, held for the two of this crate.

use linear::{ClientChooses, ConvSpec, Direct, LinearAlgorithm, LinearLayer, LinearShape, RingLwe};
use proptest::prelude::*;
use ring_arith::Bits;
use testkit::{any_linear_layer, check_linear, check_linear_real};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn direct_takes_every_layer(layer in any_linear_layer(), seed: u64) {
        check_linear(&Direct, &layer, seed).expect("every layer is possible");
    }

    #[test]
    fn client_chooses_takes_fully_connected_layers(layer in any_linear_layer(), seed: u64) {
        let connected = matches!(layer.shape, LinearShape::FullyConnected { .. });
        let outcome = check_linear(&ClientChooses, &layer, seed);
        prop_assert_eq!(outcome.is_ok(), connected, "{:?}", outcome);
    }
}

/// Rings and weights as ring-LWE takes them, and some beyond.
fn any_narrow_layer() -> impl Strategy<Value = LinearLayer> {
    let widths = (1_u32..16, 1_u32..44);
    (any_linear_layer(), widths).prop_map(|(layer, (weight_bits, bits))| LinearLayer {
        weight_bits: Bits::of(weight_bits),
        bits: Bits::of(bits),
        ..layer
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ring_lwe_takes_narrow_layers(layer in any_narrow_layer(), packed: bool, seed: u64) {
        let outcome = check_linear(&RingLwe { packed }, &layer, seed);
        let narrow = layer.bits.get() <= 40 && layer.bits.get() + layer.weight_bits.get() <= 50;
        prop_assert!(outcome.is_ok() || !narrow, "{:?}", outcome);
        prop_assert!(outcome.is_err() || layer.bits.get() <= 40, "{:?}", outcome);
    }
}

fn layer(shape: LinearShape) -> LinearLayer {
    LinearLayer {
        shape,
        weight_bits: Bits::of(6),
        bits: Bits::of(22),
    }
}

#[test]
fn with_real_correlations() {
    let spec = ConvSpec::new([3, 4], [8, 8], [3, 3], [2, 2], [1; 4], 1).expect("possible");
    check_linear_real(&Direct, &layer(LinearShape::Conv(spec)), 3);
    let connected = LinearShape::FullyConnected {
        inputs: 9,
        outputs: 5,
    };
    check_linear_real(&ClientChooses, &layer(connected), 4);
}

#[test]
fn layers_beyond_this_machine_are_refused() {
    let half = 1 << (usize::BITS / 2);
    let huge = LinearShape::FullyConnected {
        inputs: half,
        outputs: half,
    };
    for algorithm in [&Direct as &dyn LinearAlgorithm, &ClientChooses] {
        check_linear(algorithm, &layer(huge), 1).expect_err("too large");
    }
}
