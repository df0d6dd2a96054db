//! Means and pools, and what counts in them.

mod common;

use common::{Attr, File};

fn image(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| f32::from(u16::try_from(i).expect("small")))
        .collect()
}

#[test]
fn means_and_pools() {
    let mean = |axes: &[i64]| {
        File::new(&[1, 2, 2, 2])
            .ints("a", axes)
            .node("ReduceMean", "x a", "y", &[])
    };
    assert_eq!(mean(&[-1, 2]).opset(18).run(&image(8)), [1.5, 5.5]);
    assert_eq!(mean(&[1]).opset(18).run(&image(8)), [2.0, 3.0, 4.0, 5.0]);
    assert_eq!(mean(&[]).opset(18).run(&image(8)), [3.5]);
    let pool = |op: &str, more: &[Attr<'_>]| {
        let mut attributes = vec![
            Attr::Ints("kernel_shape", &[2, 2]),
            Attr::Ints("strides", &[2, 2]),
        ];
        attributes.extend(more);
        File::new(&[1, 1, 3, 3]).node(op, "x", "y", &attributes)
    };
    let up = [Attr::Int("ceil_mode", 1)];
    assert_eq!(pool("MaxPool", &[]).run(&image(9)), [4.0]);
    assert_eq!(pool("MaxPool", &up).run(&image(9)), [4.0, 5.0, 7.0, 8.0]);
    // What the last windows lack is not counted, nor is padding unless the node says so.
    let cut = [2.0, 3.5, 6.5, 8.0];
    assert_eq!(pool("AveragePool", &up).run(&image(9)), cut);
    let same = [Attr::Text("auto_pad", "SAME_UPPER")];
    assert_eq!(pool("AveragePool", &same).run(&image(9)), cut);
    let before = [Attr::Ints("pads", &[1, 1, 0, 0])];
    assert_eq!(
        pool("AveragePool", &before).run(&image(9)),
        [0.0, 1.5, 4.5, 6.0]
    );
    let same = [
        Attr::Text("auto_pad", "SAME_UPPER"),
        Attr::Int("count_include_pad", 1),
    ];
    assert_eq!(
        pool("AveragePool", &same).run(&image(9)),
        [2.0, 1.75, 3.25, 2.0]
    );
    let same = [Attr::Text("auto_pad", "SAME_LOWER")];
    assert_eq!(pool("MaxPool", &same).run(&image(9)), [0.0, 2.0, 6.0, 8.0]);
    assert!(
        pool("AveragePool", &[Attr::Ints("dilations", &[2, 1])])
            .error()
            .contains("dilation")
    );
}

#[test]
fn padding_is_counted_or_not() {
    let pool = |more: &[Attr<'_>]| {
        let mut attributes = vec![Attr::Ints("kernel_shape", &[2, 2])];
        attributes.extend(more);
        File::new(&[1, 1, 2, 2])
            .ints("p", &[0, 0, 1, 0, 0, 0, 0, 0])
            .node("Pad", "x p", "q", &[])
            .node("AveragePool", "q", "y", &attributes)
    };
    // Zeros of a Pad count always.
    assert_eq!(pool(&[]).run(&image(4)), [0.25, 1.5]);
    let below = Attr::Ints("pads", &[0, 0, 1, 0]);
    let counted = [below, Attr::Int("count_include_pad", 1)];
    assert_eq!(pool(&counted).run(&image(4)), [0.25, 1.5, 1.25]);
    let up = [Attr::Ints("strides", &[2, 2]), Attr::Int("ceil_mode", 1)];
    assert_eq!(pool(&[below]).run(&image(4)), [0.25, 1.5, 2.5]);
    assert_eq!(pool(&up).run(&image(4)), [0.25, 2.5]);
    let up = [counted[1], Attr::Ints("pads", &[1; 4]), up[0], up[1]];
    let own = [&[Attr::Ints("kernel_shape", &[3, 3])], &up[..]].concat();
    let own = File::new(&[1, 1, 4, 4]).node("AveragePool", "x", "y", &own);
    // The values of PyTorch.
    let expected = [10., 24., 10., 51., 90., 33., 25., 42., 15.];
    let counts = [9., 9., 6., 9., 9., 6., 6., 6., 4.];
    let found = own.run(&image(16));
    let expected = expected.iter().zip(counts).map(|(sum, count)| sum / count);
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-5),
        "{found:?}"
    );
}

/// Rounded up, the last window may begin in what a Pad put behind the image. The values are those of ONNX Runtime.
#[test]
fn windows_that_begin_behind_the_image() {
    let pool = |op: &str, side: i64, value: f32, pad: &[i64; 2], more: &[Attr<'_>]| {
        let mut attributes = vec![Attr::Int("ceil_mode", 1)];
        attributes.extend(more);
        File::new(&[1, 1, 1, side])
            .ints("p", &[0, 0, 0, pad[0], 0, 0, 0, pad[1]])
            .floats("v", &[], &[value])
            .node("Pad", "x p v", "q", &[])
            .node(op, "q", "y", &attributes)
    };
    let three = Attr::Ints("kernel_shape", &[1, 3]);
    let four = Attr::Ints("strides", &[1, 4]);
    let around = Attr::Ints("pads", &[0, 1, 0, 1]);
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    for (counted, first) in [(0, [1.5, 0.5]), (1, [1.0, 1.0 / 3.0])] {
        let count = Attr::Int("count_include_pad", counted);
        let mean = |side: i64, pad: &[i64; 2], more: &[Attr<'_>]| {
            let more = [&[three, count], more].concat();
            let sides = usize::try_from(side).expect("small");
            pool("AveragePool", side, 0.0, pad, &more).run(&image[..sides])
        };
        assert_eq!(mean(7, &[0, 2], &[four]), [2.0, 6.0, 0.0]);
        assert_eq!(mean(8, &[0, 2], &[four]), [2.0, 6.0, 0.0]);
        assert_eq!(mean(6, &[0, 2], &[four, around]), [first[0], 5.0, 0.0]);
        assert_eq!(mean(6, &[1, 2], &[four, around]), [first[1], 4.0, 0.0]);
        let (two, after) = (
            Attr::Ints("strides", &[1, 2]),
            Attr::Ints("pads", &[0, 0, 0, 1]),
        );
        assert_eq!(mean(6, &[0, 2], &[two, after]), [2.0, 4.0, 11.0 / 3.0, 0.0]);
    }
    // There the largest value is whatever the Pad has, in ONNX Runtime now one number and now another.
    let two = Attr::Ints("kernel_shape", &[1, 2]);
    let gaps = [
        two,
        Attr::Ints("strides", &[1, 2]),
        Attr::Ints("dilations", &[1, 2]),
    ];
    for (side, more) in [(7, &[three, four][..]), (8, &[three, four]), (4, &gaps)] {
        let file = pool("MaxPool", side, f32::NEG_INFINITY, &[0, 2], more);
        let error = file.error();
        assert!(error.contains("of nothing but padding"), "{error}");
    }
    let more = [three, Attr::Ints("strides", &[1, 3])];
    let file = pool("MaxPool", 7, f32::NEG_INFINITY, &[0, 1], &more);
    assert_eq!(file.run(&image[..7]), [3.0, 6.0, 7.0]);
}

#[test]
fn padding_as_wide_as_the_window_is_refused() {
    for op in ["MaxPool", "AveragePool"] {
        let attributes = [
            Attr::Ints("kernel_shape", &[1, 2]),
            Attr::Ints("pads", &[0, 0, 0, 2]),
        ];
        let file = File::new(&[1, 1, 1, 4]).node(op, "x", "y", &attributes);
        let error = file.error();
        assert!(error.contains("padding as wide as its window"), "{error}");
    }
}

/// Every dilated max-pool of a few sizes against its definition.
#[test]
fn maxima_under_windows_with_gaps() {
    let value = |r: usize, c: usize| {
        let hash = ((31 * r + 17 * c) * 2_654_435_761 % 4_294_967_296) >> 20;
        f32::from(u16::try_from(hash).expect("twelve bits")) - 2048.0
    };
    let (rows, columns) = (7, 5);
    let image: Vec<f32> = (0..rows)
        .flat_map(|r| (0..columns).map(move |c| value(r, c)))
        .collect();
    for (dilation, stride, pads) in [
        ([2, 2], [1, 1], [0; 4]),
        ([2, 1], [2, 1], [0; 4]),
        ([3, 2], [1, 2], [1, 1, 1, 1]),
        ([2, 2], [2, 2], [1, 0, 0, 1]),
    ] {
        for up in [0, 1] {
            let ints =
                |v: &[usize]| -> Vec<i64> { v.iter().map(|&v| v.cast_signed() as i64).collect() };
            let attributes = [ints(&dilation), ints(&stride), ints(&pads)];
            let file = File::new(&[1, 1, 7, 5]).node(
                "MaxPool",
                "x",
                "y",
                &[
                    Attr::Ints("kernel_shape", &[2, 2]),
                    Attr::Ints("dilations", &attributes[0]),
                    Attr::Ints("strides", &attributes[1]),
                    Attr::Ints("pads", &attributes[2]),
                    Attr::Int("ceil_mode", up),
                ],
            );
            let count = |i: usize, side: usize| {
                let room = side + pads[i] + pads[i + 2] - dilation[i] - 1;
                let more = (room.div_ceil(stride[i]) * stride[i] < side + pads[i]) && up == 1;
                if more {
                    room.div_ceil(stride[i]) + 1
                } else {
                    room / stride[i] + 1
                }
            };
            let mut expected = Vec::new();
            for r in 0..count(0, rows) {
                for c in 0..count(1, columns) {
                    let under = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter();
                    let under = under.filter_map(|(i, j)| {
                        let r = (r * stride[0] + i * dilation[0]).checked_sub(pads[0])?;
                        let c = (c * stride[1] + j * dilation[1]).checked_sub(pads[1])?;
                        (r < rows && c < columns).then(|| value(r, c))
                    });
                    expected.push(under.fold(f32::NEG_INFINITY, f32::max));
                }
            }
            assert_eq!(
                file.run(&image),
                expected,
                "{dilation:?} {stride:?} {pads:?} {up}"
            );
        }
    }
    // A window that meets nothing has no largest value.
    let far = File::new(&[1, 1, 2, 2]).node(
        "MaxPool",
        "x",
        "y",
        &[
            Attr::Ints("kernel_shape", &[2, 2]),
            Attr::Ints("dilations", &[4, 4]),
            Attr::Ints("pads", &[2, 2, 1, 1]),
        ],
    );
    let said = far.error();
    assert!(said.contains("MaxPool `y`"), "{said}");
}

/// ONNX Runtime has another size than the standard says.
#[test]
fn dilation_with_padding_that_is_not_told_is_refused() {
    let pool = |auto: &str| {
        let attributes = [
            Attr::Ints("kernel_shape", &[3, 3]),
            Attr::Ints("dilations", &[2, 2]),
            Attr::Text("auto_pad", auto),
        ];
        File::new(&[1, 1, 8, 8]).node("MaxPool", "x", "y", &attributes)
    };
    assert!(
        pool("SAME_LOWER")
            .error()
            .contains("with dilation and auto_pad")
    );
    assert_eq!(pool("VALID").run(&[1.0; 64]), [1.0; 16]);
}

/// ONNX Runtime leaves out as many at either end, TensorFlow at the end only.
#[test]
fn what_padding_to_the_same_size_leaves_out() {
    let pool = |op: &str, side: i64, stride: i64, auto: &str| {
        let attributes = [
            Attr::Ints("kernel_shape", &[1, 1]),
            Attr::Ints("strides", &[1, stride]),
            Attr::Text("auto_pad", auto),
        ];
        File::new(&[1, 1, 1, side]).node(op, "x", "y", &attributes)
    };
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    for op in ["MaxPool", "AveragePool"] {
        assert_eq!(pool(op, 6, 2, "SAME_UPPER").run(&image), [1.0, 3.0, 5.0]);
        assert_eq!(
            pool(op, 5, 2, "SAME_LOWER").run(&image[..5]),
            [1.0, 3.0, 5.0]
        );
        for (stride, auto) in [(2, "SAME_LOWER"), (3, "SAME_UPPER")] {
            let error = pool(op, 6, stride, auto).error();
            assert!(error.contains("leaves out rows or columns"), "{error}");
        }
    }
}
