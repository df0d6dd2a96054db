//! The layout against the definition of the layers, by integer polynomials.

use std::sync::Arc;

use proptest::prelude::*;
use ring_arith::Bits;

use super::geometry::Geometry;
use super::layout::{Layout, Tiling};
use crate::{ConvSpec, LinearLayer, LinearShape, clear};

/// Products of integer polynomials modulo X^N + 1.
fn add_product(sum: &mut [i64], weights: &[(usize, i32)], x: &[u64]) {
    let degree = sum.len();
    for &(exponent, weight) in weights {
        for (at, &x) in x.iter().enumerate() {
            let product = i64::from(weight) * i64::try_from(x).expect("small");
            match at + exponent {
                at if at < degree => sum[at] += product,
                at => sum[at - degree] -= product,
            }
        }
    }
}

/// The layer by the polynomials of its layout alone.
fn by_polynomials(
    layout: &Layout,
    degree: usize,
    weights: &[i32],
    x: &[u64],
    len: usize,
) -> Vec<i64> {
    let requests = layout.tiles() * layout.ciphertexts();
    let requests: Vec<Vec<u64>> = (0..requests)
        .map(|request| {
            let mut coefficients = vec![7; degree];
            layout.fill(request, x, &mut coefficients);
            coefficients
        })
        .collect();
    let taps = layout.taps();
    let positions = layout.geometry.positions();
    let mut y = vec![i64::MIN; len];
    for unit in 0..layout.units() {
        let (block, tile) = (unit / layout.tiles(), unit % layout.tiles());
        let mut sum = vec![0; degree];
        for (source, taps) in layout.sources(block).zip(&taps) {
            let terms: Vec<_> = layout.terms(block, taps, weights).collect();
            assert!(
                terms.iter().all(|&(exponent, _)| exponent < layout.span()),
                "{layout:?}"
            );
            add_product(
                &mut sum,
                &terms,
                &requests[tile * layout.ciphertexts() + source],
            );
        }
        layout.each_output(tile, |slot, position| {
            for (j, output) in layout.outputs(block).enumerate() {
                let slot = slot + j * layout.slots();
                assert!(slot * layout.lanes < degree);
                let at = slot * layout.lanes + layout.shift();
                let value = if at < degree {
                    sum[at]
                } else {
                    -sum[at - degree]
                };
                let place = &mut y[output * positions + position];
                assert_eq!(*place, i64::MIN, "an output comes once");
                *place = value;
            }
        });
    }
    y
}

fn check(shape: &LinearShape, layout: &Layout, degree: usize, seed: usize) {
    let number = |i: usize| (i * 7919 + seed) % 101;
    let x: Vec<u64> = (0..shape.input_len()).map(|i| number(i) as u64).collect();
    let weights: Vec<i32> = (0..shape.weight_len())
        .map(|i| i32::try_from(number(i * 31 + 5)).expect("small") - 50)
        .collect();
    // By the kernels of this crate, which tests compare with the definition.
    let layer = LinearLayer {
        shape: *shape,
        weight_bits: Bits::of(8),
        bits: Bits::of(64),
    };
    let expected = clear::layer(&layer, &weights, &x);
    let expected: Vec<i64> = expected.into_iter().map(u64::cast_signed).collect();
    assert!(
        layout.span() <= layout.used() && layout.used() <= degree,
        "{layout:?}"
    );
    let y = by_polynomials(layout, degree, &weights, &x, expected.len());
    assert_eq!(y, expected, "{layout:?}");
}

/// Some way to lay out a shape at this degree.
fn any_layout(shape: LinearShape, degree: usize) -> impl Strategy<Value = Option<Layout>> {
    let geometry = Arc::new(Geometry::new(&shape).expect("small"));
    (
        any::<bool>(),
        0_usize..5,
        0_usize..5,
        0_u32..5,
        any::<bool>(),
    )
        .prop_map(move |(runs, down, across, lanes, together)| {
            let [rows, columns] = geometry.axes.each_ref().map(|axis| axis.outputs);
            let tiling = if runs && geometry.is_pointwise() {
                Tiling::Runs((rows * columns).div_ceil(down * across + 1))
            } else {
                Tiling::Rectangles([rows.div_ceil(down.max(1)), columns.div_ceil(across.max(1))])
            };
            let lanes = 1 << lanes;
            let layout = Layout {
                geometry: Arc::clone(&geometry),
                tiling,
                lanes,
                together: 1,
            };
            let room = degree / layout.used();
            let most = layout.geometry.outputs().max(1);
            let together = if together { room.clamp(1, most) } else { 1 };
            (room > 0).then_some(Layout { together, ..layout })
        })
}

fn any_case() -> impl Strategy<Value = (LinearShape, usize, Layout)> {
    let connected = (0_usize..20, 1_usize..12)
        .prop_map(|(inputs, outputs)| LinearShape::FullyConnected { inputs, outputs });
    // The kit has another build of this crate.
    let conv = testkit::any_conv().prop_map(|spec| {
        let ([c, h, w], m) = (spec.input_shape(), spec.output_shape()[0]);
        let [kernel, stride] = [spec.kernel(), spec.stride()];
        let conv = ConvSpec::new(
            [c, m],
            [h, w],
            kernel,
            stride,
            spec.padding(),
            spec.groups(),
        );
        let conv = conv.and_then(|conv| conv.dilated(spec.dilation()));
        LinearShape::Conv(conv.expect("the same"))
    });
    let shape = prop_oneof![5 => conv, 1 => connected];
    let degree = prop_oneof![Just(128_usize), Just(256), Just(512)];
    (shape, degree)
        .prop_flat_map(|(shape, degree)| (Just(shape), Just(degree), any_layout(shape, degree)))
        .prop_filter_map("it fits", |(shape, degree, layout)| {
            Some((shape, degree, layout?))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn products_of_polynomials_are_the_layer((shape, degree, layout) in any_case(), seed in 0_usize..101) {
        check(&shape, &layout, degree, seed);
    }
}
