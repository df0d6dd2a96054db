//! What the tiles save, by the cost functions and measured; and what is refused.

use linear::{Conv2d, ConvSpec};
use ndarray::Array4;
use ring_arith::Bits;
use testkit::{elements, rng, run_sessions};
use winograd::{Error, Tile, WinogradConv, clear};

fn spec(channels: [usize; 2], size: usize, kernel: usize, groups: usize) -> ConvSpec {
    let padding = [kernel / 2; 4];
    ConvSpec::new(channels, [size; 2], [kernel; 2], [1, 1], padding, groups).expect("possible")
}

fn conv(spec: ConvSpec, tile: Tile, w: u32, l: u32) -> WinogradConv {
    WinogradConv::new(spec, tile, Bits::of(w), Bits::of(l)).expect("possible")
}

fn direct(spec: ConvSpec, w: u32, l: u32) -> Conv2d {
    Conv2d {
        spec,
        weight_bits: Bits::of(w),
        bits: Bits::of(l),
    }
}

/// How many times less than the direct convolution.
fn saving(spec: ConvSpec, tile: Tile, w: u32, l: u32) -> f64 {
    let bytes = direct(spec, w, l).cost().expect("countable").bytes();
    bytes as f64 / conv(spec, tile, w, l).cost().bytes() as f64
}

#[test]
fn the_layer_of_densenet_saves_two_and_a_half_times() {
    let saving = saving(spec([128, 32], 56, 3, 1), Tile::F4x4_3x3, 8, 28);
    assert!(saving >= 2.5, "{saving}");
}

#[test]
fn savings_are_those_of_the_design() {
    // Without padding and with tiles that fit, as multiplication bits.
    let saving = |tile: Tile, w: u32, l: u32| {
        let [k, _] = tile.kernel();
        let spec = ConvSpec::new([4, 4], [12 + k - 1; 2], [k, k], [1, 1], [0; 4], 1);
        let spec = spec.expect("possible");
        let bits = spec.macs() * (0..w).map(|j| u64::from(l - j)).sum::<u64>();
        bits as f64 / conv(spec, tile, w, l).multiplication_bits() as f64
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 0.01, "{a} is not {b}");
    near(saving(Tile::F4x4_3x3, 8, 24), 2.61);
    near(saving(Tile::F4x4_3x3, 12, 32), 2.94);
    near(saving(Tile::F2x2_3x3, 8, 24), 1.80);
    near(saving(Tile::F2x2_3x3, 12, 32), 1.93);
    near(saving(Tile::F2x2_5x5, 8, 24), 1.63);
    near(saving(Tile::F2x2_5x5, 12, 32), 1.89);
}

#[test]
fn edges_cost_their_own_products_only() {
    // Two tiles and two outputs: (6 + 6 + 4)² products instead of 18².
    let conv = conv(spec([3, 5], 10, 3, 1), Tile::F4x4_3x3, 8, 24);
    assert_eq!(conv.multiplications(), 3 * 5 * 16 * 16);
}

#[test]
fn a_real_run_saves_what_was_predicted() {
    let (w, l) = (8, 28);
    // Enough channels for more than one part of the image.
    let spec = spec([24, 8], 28, 3, 1);
    let weights = Array4::from_shape_fn(spec.weight_shape(), |(o, c, r, s)| {
        i32::try_from((o * 53 + c * 31 + r * 17 + s * 7) % 256).expect("small") - 128
    });
    let image = |seed, bits| {
        let x = elements(spec.input_len(), bits, &mut rng(seed));
        Array4::from_shape_vec((1, 24, 28, 28), x).expect("fits")
    };
    let direct = direct(spec, w, l);
    let (xs, xc) = (image(1, direct.bits), image(2, direct.bits));
    let (.., plain) = run_sessions(
        1,
        |s| {
            direct
                .run_server(s, weights.view(), xs.view())
                .expect("runs")
        },
        |s| direct.run_client(s, xc.view()).expect("runs"),
    );
    let conv = conv(spec, Tile::F4x4_3x3, w, l);
    let (xs, xc) = (image(1, conv.ring()), image(2, conv.ring()));
    let (ys, yc, fast) = run_sessions(
        1,
        |s| conv.run_server(s, weights.view(), xs.view()).expect("runs"),
        |s| conv.run_client(s, xc.view()).expect("runs"),
    );
    assert_eq!(fast, conv.cost());
    let saving = plain.bytes() as f64 / fast.bytes() as f64;
    assert!(saving >= 2.5, "{saving}");
    let y = (ys + yc).mapv(|y| conv.ring().reduce(y) >> conv.guard_bits());
    let x = xs + xc;
    let expected = linear::clear::conv2d(&spec, conv.bits(), weights.view(), x.view());
    assert_eq!(y, expected);
}

#[test]
fn two_flights_whatever_the_rings() {
    // With 28 bits the rings of the positions are on both sides of a word.
    for l in [24, 26, 28, 40] {
        let cost = conv(spec([2, 2], 8, 3, 1), Tile::F4x4_3x3, 8, l).cost();
        assert_eq!(cost.flights(), 2, "l = {l}");
    }
}

/// Why a tile refuses a convolution with gaps under its kernel.
fn dilated(tile: Tile, dilation: [usize; 2]) -> Option<Error> {
    let spec = spec([1, 1], 16, 3, 1).dilated(dilation).expect("possible");
    WinogradConv::new(spec, tile, Bits::of(8), Bits::of(24)).err()
}

#[test]
fn what_cannot_be_is_refused_with_advice() {
    let refused = |kernel, stride, tile, w, l| {
        let spec = ConvSpec::new([1, 1], [8, 8], kernel, stride, [0; 4], 1).expect("possible");
        let error = WinogradConv::new(spec, tile, Bits::of(w), Bits::of(l));
        error.expect_err("must be refused")
    };
    let error = refused([5, 5], [1, 1], Tile::F4x4_3x3, 8, 24);
    assert!(matches!(error, Error::Kernel { kernel: [5, 5], .. }));
    assert!(error.to_string().contains("F(2x2, 5x5)"), "{error}");
    let error = refused([1, 3], [1, 1], Tile::F4x4_3x3, 8, 24);
    assert!(matches!(error, Error::Kernel { kernel: [1, 3], .. }));
    assert!(error.to_string().contains("direct"), "{error}");
    let error = refused([3, 3], [2, 1], Tile::F2x2_3x3, 8, 24);
    assert!(matches!(error, Error::Stride { stride: [2, 1], .. }));
    assert!(error.to_string().contains("direct"), "{error}");
    for dilation in (1..4).flat_map(|down| (1..4).map(move |right| [down, right])) {
        let error = dilated(Tile::F2x2_3x3, dilation);
        let [down, right] = dilation;
        if dilation == [1, 1] {
            assert!(error.is_none(), "{error:?}");
            continue;
        }
        let error = error.expect("must be refused");
        assert!(matches!(error, Error::Dilation { dilation: d, .. } if d == dilation));
        let text = error.to_string();
        assert!(text.contains(&format!("not {down} x {right}")), "{text}");
        assert!(text.contains("direct"), "{text}");
    }
    let error = refused([3, 3], [1, 1], Tile::F4x4_3x3, 8, 60);
    assert!(matches!(error, Error::Guard { bits: 60, .. }));
    assert!(error.to_string().contains("F(2x2, 3x3)"), "{error}");
    let error = refused([3, 3], [1, 1], Tile::F2x2_3x3, 8, 63);
    assert!(matches!(error, Error::Guard { bits: 63, .. }));
    let error = refused([3, 3], [1, 1], Tile::F4x4_3x3, 27, 32);
    assert!(matches!(error, Error::WeightBits { bits: 27, .. }));
    assert!(error.to_string().contains("26"), "{error}");
}

#[test]
fn weights_beyond_their_width_are_refused() {
    let spec = spec([1, 1], 4, 3, 1);
    let conv = conv(spec, Tile::F2x2_3x3, 8, 24);
    let mut weights = Array4::zeros((1, 1, 3, 3));
    weights[(0, 0, 1, 0)] = 128;
    let error = conv.prepare(weights.view()).expect_err("must be refused");
    let inner = matches!(
        error,
        Error::Linear(linear::Error::WeightRange { index: 3, bits: 8 })
    );
    assert!(inner, "{error}");
    weights[(0, 0, 1, 0)] = -128;
    let filters = conv.prepare(weights.view()).expect("in range");
    assert!(!format!("{filters:?}").contains("128"));
    weights[(0, 0, 1, 0)] = i32::MIN;
    let x = Array4::zeros((1, 1, 4, 4));
    let error = clear::conv2d(&spec, Tile::F2x2_3x3, Bits::of(9), weights.view(), x.view());
    assert!(matches!(error, Err(Error::WeightBits { bits: 32, .. })));
}
