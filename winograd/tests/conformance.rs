//! What every way to compute a linear layer promises, held for the tiles.

use linear::{ConvSpec, LinearAlgorithm as _, LinearLayer, LinearShape};
use proptest::prelude::*;
use ring_arith::Bits;
use testkit::{any_conv, any_linear_layer, check_linear, check_linear_real};
use winograd::{Tile, WinogradConv};

fn any_tile() -> impl Strategy<Value = Tile> {
    prop::sample::select(Tile::ALL.to_vec())
}

/// A convolution like this one that a tile can do.
fn fitting(tile: Tile, spec: ConvSpec) -> Option<ConvSpec> {
    let [inputs, height, width] = spec.input_shape();
    let channels = [inputs, spec.output_shape()[0]];
    let (kernel, padding) = (tile.kernel(), spec.padding());
    ConvSpec::new(
        channels,
        [height, width],
        kernel,
        [1, 1],
        padding,
        spec.groups(),
    )
    .ok()
}

/// Tiles, and layers that they take.
fn any_task() -> impl Strategy<Value = (Tile, LinearLayer)> {
    (any_tile(), any_conv(), 1_u32..=32, 1_u32..=64).prop_filter_map(
        "the tile's kernel fits",
        |(tile, spec, weight_bits, bits)| {
            let shape = LinearShape::Conv(fitting(tile, spec)?);
            let weight_bits = Bits::of(weight_bits.min(tile.max_weight_bits()));
            let bits = Bits::of(bits.min(64 - tile.guard_bits()));
            let layer = LinearLayer {
                shape,
                weight_bits,
                bits,
            };
            Some((tile, layer))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn tiles_take_their_layers((tile, layer) in any_task(), seed: u64) {
        check_linear(&tile, &layer, seed).expect("the tile fits");
    }

    /// What the protocol itself cannot do is refused when it is planned, and nothing else is.
    #[test]
    fn tiles_refuse_other_layers(tile in any_tile(), layer in any_linear_layer(), seed: u64) {
        let possible = match layer.shape {
            LinearShape::Conv(spec) => {
                WinogradConv::new(spec, tile, layer.weight_bits, layer.bits).is_ok()
            }
            LinearShape::FullyConnected { .. } => false,
        };
        let outcome = check_linear(&tile, &layer, seed);
        prop_assert_eq!(outcome.is_ok(), possible, "{:?}", outcome);
    }
}

#[test]
fn with_real_correlations() {
    let spec = ConvSpec::new([3, 4], [9, 8], [3, 3], [1, 1], [1; 4], 1).expect("possible");
    let layer = LinearLayer {
        shape: LinearShape::Conv(spec),
        weight_bits: Bits::of(6),
        bits: Bits::of(22),
    };
    check_linear_real(&Tile::F4x4_3x3, &layer, 3);
}

/// Layers whose transforms would take all memory are refused before any is taken.
#[test]
fn too_large_layers_are_refused() {
    let layer = |channels, size| {
        let spec = ConvSpec::new(channels, [size; 2], [3; 2], [1; 2], [1; 4], 1);
        LinearLayer {
            shape: LinearShape::Conv(spec.expect("possible")),
            weight_bits: Bits::of(8),
            bits: Bits::of(24),
        }
    };
    let tile = Tile::F4x4_3x3;
    // Two images of 1365 x 1365 tiles of 36 values are the most.
    assert!(tile.plan(&layer([1, 1], 4 * 1365)).is_ok());
    for layer in [layer([1, 1], 4 * 1365 + 1), layer([1 << 17, 1], 4)] {
        let refusal = check_linear(&tile, &layer, 1).expect_err("too large");
        let short = refusal.short().expect("worth a word");
        assert_eq!(short, "the transforms of F(4x4, 3x3) are too large");
        assert!(
            refusal.to_string().ends_with("direct takes every layer"),
            "{refusal}"
        );
    }
}
