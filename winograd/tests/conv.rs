//! The protocol and the clear form against the direct convolution.

use channel::Cost;
use linear::{ConvSpec, clear::conv2d};
use ndarray::Array4;
use proptest::prelude::*;
use rand_core::Rng;
use ring_arith::Bits;
use testkit::{elements, reconstruct, rng, run_sessions, share};
use winograd::{Tile, WinogradConv, clear};

fn image(spec: &ConvSpec, values: Vec<u64>) -> Array4<u64> {
    let [c, h, w] = spec.input_shape();
    Array4::from_shape_vec((1, c, h, w), values).expect("the length fits")
}

fn flat(x: &Array4<u64>) -> Vec<u64> {
    x.iter().copied().collect()
}

fn weights(spec: &ConvSpec, bits: Bits, rng: &mut impl Rng) -> Array4<i32> {
    let values = testkit::weights(spec.weight_len(), bits, rng);
    Array4::from_shape_vec(spec.weight_shape(), values).expect("the length fits")
}

/// Runs both parties on random data, checks the result and the cost, and returns the cost.
fn check(conv: &WinogradConv, seed: u64) -> Cost {
    let (spec, ring) = (*conv.spec(), conv.ring());
    let mut rng = rng(seed);
    let weights = weights(&spec, conv.weight_bits(), &mut rng);
    // Shares in the ring without the guard bits do as well.
    let shared = [ring, conv.bits()][usize::from(seed % 2 == 1)];
    let x = elements(spec.input_len(), shared, &mut rng);
    let (xs, xc) = share(&x, shared, &mut rng);
    let (xs, xc) = (image(&spec, xs), image(&spec, xc));
    let (ys, yc, measured) = run_sessions(
        seed,
        |s| {
            conv.run_server(s, weights.view(), xs.view())
                .expect("the server succeeds")
        },
        |s| conv.run_client(s, xc.view()).expect("the client succeeds"),
    );
    let (ys, yc) = (flat(&ys), flat(&yc));
    assert!(
        ys.iter().chain(&yc).all(|&y| y <= ring.mask()),
        "canonical shares"
    );
    let direct = conv2d(&spec, ring, weights.view(), image(&spec, x).view());
    let scaled: Vec<u64> = direct
        .iter()
        .map(|y| ring.reduce(y << conv.guard_bits()))
        .collect();
    assert_eq!(reconstruct(&ys, &yc, ring), scaled, "{conv:?}");
    assert_eq!(measured, conv.cost());
    measured
}

fn any_spec(tile: Tile) -> impl Strategy<Value = ConvSpec> {
    let padding = [0usize..6, 0..6, 0..6, 0..6];
    let shape = (1usize..4, 1usize..4, 1usize..4, 1usize..12, 1usize..12);
    (shape, padding).prop_filter_map("fits", move |((g, c, m, h, w), padding)| {
        ConvSpec::new([g * c, g * m], [h, w], tile.kernel(), [1, 1], padding, g).ok()
    })
}

fn any_layer() -> impl Strategy<Value = (Tile, ConvSpec)> {
    (0usize..3).prop_flat_map(|t| any_spec(Tile::ALL[t]).prop_map(move |spec| (Tile::ALL[t], spec)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn clear_equals_direct((tile, spec) in any_layer(), l in 1u32..=62, seed: u64) {
        let l = Bits::of(l.min(64 - tile.guard_bits()));
        let ring = Bits::of(l.get() + tile.guard_bits());
        let mut rng = rng(seed);
        let weights = weights(&spec, Bits::of(tile.max_weight_bits()), &mut rng);
        let x = image(&spec, elements(spec.input_len(), Bits::of(64), &mut rng));
        let y = clear::conv2d(&spec, tile, l, weights.view(), x.view()).expect("possible");
        let direct = conv2d(&spec, ring, weights.view(), x.view());
        prop_assert_eq!(&y, &direct.mapv(|y| ring.reduce(y << tile.guard_bits())));
        // What the truncation leaves.
        let direct = conv2d(&spec, l, weights.view(), x.view());
        prop_assert_eq!(y.mapv(|y| y >> tile.guard_bits()), direct);
    }
}

/// Both sides are bilinear, so equality on all pairs of units is equality everywhere.
#[test]
fn the_algorithm_is_the_convolution() {
    let l = Bits::of(58);
    for tile in Tile::ALL {
        let [k, _] = tile.kernel();
        let sizes = (1..=6).flat_map(|h| [1, 2, 5].map(|w| [h, w]));
        for input in sizes.chain([[9, 9]]) {
            let padding = [1, k - 1, k / 2, k - 1];
            let Ok(spec) = ConvSpec::new([1, 1], input, [k, k], [1, 1], padding, 1) else {
                continue;
            };
            let ring = Bits::of(l.get() + tile.guard_bits());
            for unit in 0..k * k {
                let mut weights = Array4::zeros((1, 1, k, k));
                weights[(0, 0, unit / k, unit % k)] = 1;
                for pixel in 0..spec.input_len() {
                    let mut x = vec![0; spec.input_len()];
                    x[pixel] = 1;
                    let x = image(&spec, x);
                    let y = clear::conv2d(&spec, tile, l, weights.view(), x.view());
                    let direct = conv2d(&spec, ring, weights.view(), x.view());
                    let scaled = direct.mapv(|y| y << tile.guard_bits());
                    assert_eq!(y.expect("possible"), scaled, "{tile} {input:?}");
                }
            }
        }
    }
}

/// Every share of every pixel value with every weight, a channel each.
#[test]
fn all_shares_of_a_tiny_ring() {
    let (l, w) = (Bits::of(2), Bits::of(2));
    for tile in [Tile::F2x2_3x3, Tile::F4x4_3x3] {
        let ring = Bits::of(l.get() + tile.guard_bits());
        // One input pixel that meets one weight; all of the ring with the smaller tile.
        let values: Vec<u64> = match tile {
            Tile::F2x2_3x3 => (0..=ring.mask()).collect(),
            _ => testkit::edges(ring),
        };
        let n = values.len();
        let channels = n * n * 4;
        let spec =
            ConvSpec::new([channels; 2], [1, 1], [3, 3], [1, 1], [1; 4], channels).expect("fits");
        let conv = WinogradConv::new(spec, tile, w, l).expect("possible");
        let xs = image(&spec, (0..channels).map(|c| values[c / 4 % n]).collect());
        let xc = image(&spec, (0..channels).map(|c| values[c / 4 / n]).collect());
        let weights = Array4::from_shape_fn(spec.weight_shape(), |(c, _, r, s)| {
            // The neighbours of the weight that counts must not matter.
            let which = if (r, s) == (1, 1) { c } else { c + r + 2 * s };
            i32::try_from(which % 4).expect("small") - 2
        });
        let (ys, yc, cost) = run_sessions(
            1,
            |s| conv.run_server(s, weights.view(), xs.view()).expect("runs"),
            |s| conv.run_client(s, xc.view()).expect("runs"),
        );
        let y = (ys + yc).mapv(|y| ring.reduce(y) >> tile.guard_bits());
        let x = xs + xc;
        assert_eq!(y, conv2d(&spec, l, weights.view(), x.view()));
        assert_eq!(cost, conv.cost());
    }
}

#[test]
fn the_usual_layers() {
    let layers = [
        // Channels, input, kernel, padding, groups.
        ([8, 6], [10, 10], 3, 1, 1),
        ([16, 16], [8, 8], 3, 1, 1),
        ([8, 8], [9, 9], 3, 1, 8),
        ([8, 8], [7, 7], 5, 2, 8),
        ([8, 4], [7, 11], 3, 0, 2),
        ([2, 3], [12, 8], 5, 2, 1),
    ];
    for (seed, (channels, input, kernel, padding, groups)) in (1..).zip(layers) {
        let kernel = [kernel; 2];
        let spec = ConvSpec::new(channels, input, kernel, [1, 1], [padding; 4], groups);
        let spec = spec.expect("a usual layer");
        for tile in Tile::for_kernel(kernel) {
            for (w, l) in [(8, 24), (12, 32), (10, 37)] {
                let conv = WinogradConv::new(spec, tile, Bits::of(w), Bits::of(l));
                check(&conv.expect("possible"), seed);
            }
        }
    }
}
