//! Activations, as operators and as exporters take them apart, and the gates made of them.

mod common;

use common::{Attr, File};

#[test]
fn clips_have_a_top() {
    let clip = |low: f32, high: f32| {
        File::new(&[1, 3])
            .floats("low", &[], &[low])
            .floats("high", &[], &[high])
            .node("Clip", "x low high", "y", &[])
    };
    assert_eq!(clip(0.0, 6.0).run(&[-1.0, 2.0, 7.0]), [0.0, 2.0, 6.0]);
    assert_eq!(clip(0.0, 1.5).ops(), ["clip"]);
    assert_eq!(clip(0.0, f32::INFINITY).ops(), ["relu"]);
    assert_eq!(clip(-1.0, 1.5).ops(), ["clamp"]);
    assert_eq!(clip(-1.0, 1.5).run(&[-3.0, 0.5, 2.0]), [-1.0, 0.5, 1.5]);
    let infinity = f32::INFINITY;
    assert_eq!(clip(1.0, infinity).run(&[-3.0, 0.5, 2.0]), [1.0, 1.0, 2.0]);
    assert_eq!(
        clip(-infinity, -1.0).run(&[-3.0, 0.5, 2.0]),
        [-3.0, -1.0, -1.0]
    );
    assert_eq!(clip(-infinity, infinity).ops(), [""; 0]);
    for (low, high) in [(0.0, 0.0), (0.0, -1.0)] {
        assert!(clip(low, high).error().starts_with("unsupported operators"));
    }
    assert_eq!(
        clip(0.0, f32::NAN).error(),
        "Clip `y`: its bound is no number"
    );
    let old = [Attr::Float("min", 0.0), Attr::Float("max", 6.0)];
    let old = File::new(&[1, 2]).opset(9).node("Clip", "x", "y", &old);
    assert_eq!(old.run(&[-3.0, 9.0]), [0.0, 6.0]);
}

#[test]
fn leaky_rectifiers_have_a_slope() {
    let file = || File::new(&[1, 2]);
    let usual = file().node("LeakyRelu", "x", "y", &[]);
    assert_eq!(usual.run(&[-2.0, 3.0]), [-0.02, 3.0]);
    let leaky = |slope| file().node("LeakyRelu", "x", "y", &[Attr::Float("alpha", slope)]);
    assert_eq!(leaky(0.25).ops(), ["leaky-relu"]);
    assert_eq!(leaky(0.25).run(&[-2.0, 3.0]), [-0.5, 3.0]);
    assert_eq!(leaky(-0.5).run(&[-2.0, 3.0]), [1.0, 3.0]);
    assert!(
        leaky(f32::NAN)
            .error()
            .contains("LeakyRelu `y` (its slope is NaN)")
    );
}

#[test]
fn slopes_are_of_channels() {
    let x = [-1.0, -2.0, 1.0, -4.0, -8.0, 2.0];
    let image = |dims: &[i64], slopes: &[f32]| {
        let file = File::new(&[1, 3, 1, 2]).floats("s", dims, slopes);
        file.node("PRelu", "x s", "y", &[])
    };
    let own = [0.5, -1.0, 0.25];
    for dims in [&[3, 1, 1][..], &[1, 3, 1, 1]] {
        assert_eq!(image(dims, &own).ops(), ["prelu"]);
        assert_eq!(image(dims, &own).run(&x), [-0.5, -1.0, 1.0, 4.0, -2.0, 2.0]);
    }
    for dims in [&[][..], &[1], &[1, 1, 1]] {
        let one = image(dims, &[0.5]).run(&x);
        assert_eq!(one, [-0.5, -1.0, 1.0, -2.0, -4.0, 2.0]);
    }
    // These are broadcast along columns, or differ from place to place.
    let columns = image(&[2], &[0.5, 2.0]).run(&x);
    assert_eq!(columns, [-0.5, -4.0, 1.0, -8.0, -4.0, 2.0]);
    let each = image(&[3, 1, 2], &[1., 2., 3., 4., 5., 6.]).run(&x);
    assert_eq!(each, [-1.0, -4.0, 1.0, -16.0, -40.0, 2.0]);
    for dims in [&[3][..], &[3, 1], &[3, 1, 1, 1]] {
        let error = image(dims, &own).error();
        assert!(error.starts_with("PRelu `y`: "), "{error}");
    }
    let vector = File::new(&[1, 3]).floats("s", &[3], &own);
    let vector = vector.node("PRelu", "x s", "y", &[]);
    assert_eq!(vector.run(&[-1.0, -1.0, -1.0]), [-0.5, 1.0, -0.25]);
}

/// A file on these values, with the constants of the forms below.
fn on(dims: &[i64]) -> File {
    File::new(dims)
        .floats("0", &[], &[0.0])
        .floats("1", &[], &[1.0])
        .floats("3", &[], &[3.0])
        .floats("6", &[1], &[6.0])
        .floats("sixth", &[], &[1.0 / 6.0])
        .floats("minus", &[], &[-1.0])
}

const X: [f32; 6] = [-4.0, -3.0, -1.5, 0.0, 1.5, 5.0];
const SIGMOID: [f32; 6] = [0.0, 0.0, 0.25, 0.5, 0.75, 1.0];
const SWISH: [f32; 6] = [0.0, 0.0, -0.375, 0.0, 1.125, 5.0];

/// The operations and the values on X.
fn becomes(file: impl Fn(File) -> File, ops: &[&str], expected: &[f32]) {
    assert_eq!(file(on(&[1, 1, 2, 3])).ops(), ops);
    let found = file(on(&[1, 1, 2, 3])).run(&X);
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(found.iter().zip(expected).all(near), "{ops:?}: {found:?}");
}

#[test]
fn hard_sigmoids_have_a_sixth() {
    let sigmoid = |alpha: f32, beta: f32| {
        let attributes = [Attr::Float("alpha", alpha), Attr::Float("beta", beta)];
        move |f: File| f.node("HardSigmoid", "x", "y", &attributes)
    };
    for alpha in [1.0 / 6.0, 0.166_667] {
        becomes(sigmoid(alpha, 0.5), &["hard-sigmoid"], &SIGMOID);
    }
    for (alpha, beta) in [(0.2, 0.5), (0.166_6, 0.5), (1.0 / 6.0, 0.6)] {
        let expected = X.map(|v| (alpha * v + beta).clamp(0.0, 1.0));
        becomes(sigmoid(alpha, beta), &["batch-norm", "clip"], &expected);
    }
    for (alpha, beta) in [(f32::NAN, 0.5), (1.0 / 6.0, f32::NAN), (f32::INFINITY, 0.5)] {
        let error = sigmoid(alpha, beta)(on(&[1, 2])).error();
        assert!(error.contains("HardSigmoid `y` (by what is no finite number)"));
    }
}

#[test]
fn hard_sigmoids_are_found() {
    let ramp = |f: File| {
        f.node("Add", "x 3", "a", &[])
            .node("Clip", "a 0 6", "c", &[])
    };
    becomes(
        |f| ramp(f).node("Div", "c 6", "y", &[]),
        &["hard-sigmoid"],
        &SIGMOID,
    );
    becomes(
        |f| ramp(f).node("Mul", "sixth c", "y", &[]),
        &["hard-sigmoid"],
        &SIGMOID,
    );
    let first = |f: File| f.node("Add", "3 x", "a", &[]).node("Div", "a 6", "d", &[]);
    becomes(
        |f| first(f).node("Clip", "d 0 1", "y", &[]),
        &["hard-sigmoid"],
        &SIGMOID,
    );
    // The clip alone is six times as much.
    let six = SIGMOID.map(|v| 6.0 * v);
    let clip = |f: File| ramp(f).node("Identity", "c", "y", &[]);
    becomes(clip, &["hard-sigmoid", "batch-norm"], &six);
    // Others are a shift and a clip.
    let shifted = |f: File| {
        f.node("Add", "x 1", "a", &[])
            .node("Clip", "a 0 6", "y", &[])
    };
    becomes(
        shifted,
        &["batch-norm", "clip"],
        &X.map(|v| (v + 1.0).clamp(0.0, 6.0)),
    );
    let lower = |f: File| {
        f.node("Add", "x 3", "a", &[])
            .node("Clip", "a 0 1", "y", &[])
    };
    becomes(
        lower,
        &["batch-norm", "clip"],
        &X.map(|v| (v + 3.0).clamp(0.0, 1.0)),
    );
    let falling = |f: File| {
        f.node("Add", "x 3", "a", &[])
            .node("Mul", "a minus", "m", &[])
            .node("Clip", "m 0 6", "y", &[])
    };
    becomes(
        falling,
        &["batch-norm", "clip"],
        &X.map(|v| (-v - 3.0).clamp(0.0, 6.0)),
    );
    let ramp = |f: File| f.node("Add", "x 3", "a", &[]).node("Mul", "a 6", "y", &[]);
    becomes(ramp, &["batch-norm"], &X.map(|v| (v + 3.0) * 6.0));
}

#[test]
fn hard_swishes_are_found() {
    let ramp = |f: File| {
        f.node("Add", "x 3", "a", &[])
            .node("Clip", "a 0 6", "c", &[])
    };
    let found = &["hard-swish"];
    becomes(|f| f.node("HardSwish", "x", "y", &[]), found, &SWISH);
    let sixth = [Attr::Float("alpha", 1.0 / 6.0)];
    let sigmoid = |f: File| f.node("HardSigmoid", "x", "h", &sixth);
    becomes(|f| sigmoid(f).node("Mul", "x h", "y", &[]), found, &SWISH);
    becomes(|f| sigmoid(f).node("Mul", "h x", "y", &[]), found, &SWISH);
    let divided = |f: File| {
        ramp(f)
            .node("Div", "c 6", "d", &[])
            .node("Mul", "x d", "y", &[])
    };
    becomes(divided, found, &SWISH);
    let product = |f: File| ramp(f).node("Mul", "c x", "p", &[]);
    becomes(|f| product(f).node("Div", "p 6", "y", &[]), found, &SWISH);
    becomes(
        |f| product(f).node("Mul", "p sixth", "y", &[]),
        found,
        &SWISH,
    );
    // The gate is used once more.
    let shared = |f: File| {
        ramp(f)
            .node("Div", "c 6", "d", &[])
            .node("Mul", "x d", "s", &[])
            .node("Add", "s d", "y", &[])
    };
    let ops = ["hard-swish", "hard-sigmoid", "add"];
    let sums: Vec<f32> = SWISH.iter().zip(SIGMOID).map(|(a, b)| a + b).collect();
    becomes(shared, &ops, &sums);
    // Another's gate is none of its own.
    let other = on(&[1, 1, 2, 3])
        .node("Relu", "x", "r", &[])
        .node("HardSigmoid", "r", "h", &sixth)
        .node("Mul", "x h", "y", &[]);
    let products = X.map(|v| v * (v.max(0.0) / 6.0 + 0.5).min(1.0));
    let found = other.run(&X);
    assert!(
        found
            .iter()
            .zip(products)
            .all(|(a, b)| (a - b).abs() < 1e-5)
    );
}

#[test]
fn channels_are_gated() {
    let x: Vec<f32> = (0..8_u8).map(f32::from).collect();
    let expected = [0.0, 1.5, 3.0, 4.5, 22.0, 27.5, 33.0, 38.5];
    for (op, factors) in [("GlobalAveragePool", "x m"), ("ReduceMean", "m x")] {
        let file = File::new(&[1, 2, 2, 2]).ints("axes", &[2, 3]).opset(18);
        let inputs = if op == "ReduceMean" { "x axes" } else { "x" };
        let file = file
            .node(op, inputs, "m", &[])
            .node("Mul", factors, "y", &[]);
        assert_eq!(file.run(&x), expected);
    }
    // A whole squeeze-and-excite: channels changed about and halved, gates 1 and 1/2.
    let sixth = [Attr::Float("alpha", 1.0 / 6.0)];
    let excite = |f: File| {
        f.floats("swap", &[2, 2, 1, 1], &[0.0, 0.5, 0.5, 0.0])
            .floats("less", &[2], &[0.25, -0.75])
            .node("Conv", "m swap less", "c", &[])
            .node("Relu", "c", "r", &[])
            .node("HardSigmoid", "r", "h", &sixth)
    };
    let gated = excite(File::new(&[1, 2, 2, 2]).node("GlobalAveragePool", "x", "m", &[]));
    let gated = gated.node("Mul", "h x", "y", &[]);
    let expected = [0.0, 1.0, 2.0, 3.0, 2.0, 2.5, 3.0, 3.5];
    assert_eq!(gated.run(&x), expected);
    // The same by fully connected layers, on a vector made an image again.
    let back = |f: File, op: &str| {
        f.ints("s", &[1, 2, 1, 1]).ints("u", &[2, 3]).node(
            op,
            if op == "Reshape" { "h s" } else { "h u" },
            "g",
            &[],
        )
    };
    for op in ["Reshape", "Unsqueeze"] {
        let file = File::new(&[1, 2, 2, 2])
            .floats("swap", &[2, 2], &[0.0, 0.5, 0.5, 0.0])
            .floats("less", &[2], &[0.25, -0.75])
            .node("GlobalAveragePool", "x", "m", &[])
            .node("Flatten", "m", "f", &[])
            .node("Gemm", "f swap less", "c", &[])
            .node("Relu", "c", "r", &[])
            .node("HardSigmoid", "r", "h", &sixth);
        assert_eq!(
            back(file, op).node("Mul", "x g", "y", &[]).run(&x),
            expected
        );
    }
    let vectors = File::new(&[1, 3])
        .node("Relu", "x", "r", &[])
        .node("Mul", "x r", "y", &[]);
    assert_eq!(vectors.run(&[-1.0, 2.0, 3.0]), [0.0, 4.0, 9.0]);
}
