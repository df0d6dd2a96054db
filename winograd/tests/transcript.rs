//! The wire of every tile, by digest: if this fails the wire has changed, and the change belongs into
//! the changelog under "Wire".

use linear::{ConvSpec, LinearLayer, LinearShape};
use ring_arith::Bits;
use testkit::linear_transcript;
use winograd::Tile;

/// A layer with whole tiles and smaller ones at its edges.
fn layer(tile: Tile, groups: usize, bits: u32) -> LinearLayer {
    let spec = ConvSpec::new([3, 6], [11, 9], tile.kernel(), [1, 1], [1, 2, 0, 1], groups);
    LinearLayer {
        shape: LinearShape::Conv(spec.expect("possible")),
        weight_bits: Bits::of(8),
        bits: Bits::of(bits),
    }
}

#[test]
fn the_wire_is_the_one_of_the_baseline() {
    // In rings below a word, on both sides of it, and above.
    let tasks = [
        (Tile::F2x2_3x3, 1, 24),
        (Tile::F4x4_3x3, 1, 24),
        (Tile::F4x4_3x3, 3, 30),
        (Tile::F2x2_5x5, 3, 40),
    ];
    let baseline = [
        [
            "856fb66d60fa5e0ef9984fa188ad5ec37447f29ad3b3896d01d5b68c702900e8",
            "095d1ec3efe1ff71b2e09f3097a2b298021cbc3e35e8677eb3ace8c5021b1597",
        ],
        [
            "6051c6607473b2a78e975be5a47cd26bd112ee12f8ec14821f00876fbbd9baf4",
            "5848650d3108903440d0e37d283ca00ca76938d8a5c050e484ebce799239ba3a",
        ],
        [
            "28466f4dc2503c9e58f1fe46b4c70914ff064708b302c191f9a0bfe0e61326cd",
            "238c7da7a0ee8d5b488b085c38081a159f58a6ea82a423c955a1a7d900af7ffc",
        ],
        [
            "a08d284880f67f13c71e53d3e22d4c24015256e08cb267aed9a11f0f96959b6c",
            "20e32e22190e5fb1ff8b83db6520f0e00bc21ea3617e04b51b4e9d28f4f9f84d",
        ],
    ];
    assert_eq!(tasks.len(), baseline.len());
    for ((tile, groups, bits), digests) in tasks.into_iter().zip(baseline) {
        let layer = layer(tile, groups, bits);
        assert_eq!(
            linear_transcript(&tile, &layer),
            digests,
            "{tile}, {layer:?}"
        );
    }
}
