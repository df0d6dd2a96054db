//! Files that lie: every one an error, none a panic.

mod common;

use std::path::Path;

use common::{Attr, File};
use proptest::prelude::*;

#[test]
fn the_file_as_a_whole() {
    let relu = || File::new(&[1, 1, 2, 2]).node("Relu", "x", "y", &[]);
    for (opset, good) in [(6, false), (7, true), (24, true), (25, false)] {
        assert_eq!(relu().opset(opset).load().is_ok(), good, "{opset}");
    }
    assert!(
        onnx::from_bytes(b"", None)
            .expect_err("empty")
            .to_string()
            .contains("no graph")
    );
    assert!(onnx::from_bytes(b"PK\x03\x04 is a zip", None).is_err());
    assert!(onnx::load(Path::new("no/such.onnx")).is_err());
    for input in [
        &[1, 0, 2, 2][..],
        &[1],
        &[1, 1, 2, 2, 2],
        &[1, -1, 2, 2],
        &[1, 1 << 40, 1 << 40, 1],
    ] {
        assert!(
            File::new(input)
                .node("Relu", "x", "y", &[])
                .error()
                .starts_with("the input")
        );
    }
    let nan = File::new(&[1, 1, 1, 1]).floats("w", &[1, 1, 1, 1], &[f32::NAN]);
    assert!(
        nan.node("Conv", "x w", "y", &[])
            .error()
            .contains("no finite number")
    );
}

/// Opening a pipe waits for somebody who writes: a test that hangs here has failed.
#[cfg(unix)]
#[test]
fn pipes_are_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("net.onnx");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let said = onnx::load(&pipe).expect_err("a pipe").to_string();
    assert!(said.contains("net.onnx: it is no regular file"), "{said}");
}

#[test]
fn names_are_shown_without_their_control_characters() {
    let name = format!("a\u{1b}[2J{}", "b".repeat(10_000));
    let error = File::new(&[1, 1])
        .node("LSTM", "x", &name, &[])
        .node("Relu", &name, "y", &[])
        .error();
    assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
}

/// A file that goes through most of the operators.
fn large() -> Vec<u8> {
    File::new(&[1, 2, 6, 6])
        .floats("w", &[4, 1, 3, 3], &[0.5; 36])
        .floats("v", &[4], &[1.0; 4])
        .floats("l", &[3, 4], &[0.25; 12])
        .floats("three", &[], &[3.0])
        .floats("zero", &[], &[0.0])
        .ints("start", &[0])
        .ints("end", &[i64::MAX])
        .ints("axes", &[2, 3])
        .ints("steps", &[2, 2])
        .ints("pads", &[0, 0, 0, 0, 0, 2, 0, 0])
        .ints("mean", &[-1, -2])
        .ints("flat", &[0, -1])
        .node(
            "Conv",
            "x w v",
            "c",
            &[Attr::Int("group", 2), Attr::Ints("pads", &[1; 4])],
        )
        .node(
            "BatchNormalization",
            "c v v v v",
            "n",
            &[Attr::Float("epsilon", 1e-3)],
        )
        .node("HardSwish", "n", "r", &[])
        .node(
            "MaxPool",
            "r",
            "m",
            &[
                Attr::Ints("kernel_shape", &[2, 2]),
                Attr::Int("ceil_mode", 1),
            ],
        )
        .node("Concat", "start start", "starts", &[Attr::Int("axis", 0)])
        .node("Concat", "end end", "ends", &[Attr::Int("axis", 0)])
        .node("Slice", "m starts ends axes steps", "s", &[])
        .node("Pad", "s pads", "p", &[])
        .node(
            "Conv",
            "x w v",
            "k",
            &[Attr::Int("group", 2), Attr::Text("auto_pad", "SAME_UPPER")],
        )
        .node("Add", "k three", "k3", &[])
        .node("Clip", "k3 zero three", "k4", &[])
        .node("GlobalAveragePool", "s", "e", &[])
        .node("HardSigmoid", "e", "h", &[Attr::Float("alpha", 1.0 / 6.0)])
        .node("Mul", "h s", "u", &[])
        .node("ReduceMean", "u mean", "g", &[Attr::Int("keepdims", 1)])
        .node("Reshape", "g flat", "f", &[])
        .node("Gemm", "f l", "y", &[Attr::Int("transB", 1)])
        .opset(18)
        .bytes()
}

#[test]
fn the_large_file_is_read() {
    let network = onnx::from_bytes(&large(), None).expect("it loads");
    assert_eq!(network.model.graph.nodes().len(), 11);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damage_never_panics(
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        splice in prop::option::weighted(0.3, (any::<[prop::sample::Index; 3]>(), 0..40_usize)),
    ) {
        let mut bytes = large();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(([from, to, _], n)) = splice {
            let from = from.index(bytes.len() - n);
            let part = bytes[from..from + n].to_vec();
            let to = to.index(bytes.len());
            bytes.splice(to..to, part);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = onnx::from_bytes(&bytes, None);
    }

    /// Numbers of the standard's own kinds, but absurd.
    #[test]
    fn absurd_numbers_never_panic(
        numbers in prop::collection::vec(
            prop::sample::select(vec![0, 1, -1, 2, 3, 7, 1 << 20, 1 << 26, 1 << 40, i64::MAX, i64::MIN]),
            12,
        ),
        op in 0..20_usize,
        opset in 7..25_i64,
    ) {
        let n = |from: usize, count: usize| numbers[from..from + count].to_vec();
        let file = File::new(&[1, 4, 5, 6])
            .floats("w", &[4, 2, 2, 3], &[1.0; 48])
            .ints("a", &n(0, 1)).ints("b", &n(1, 1)).ints("c", &n(2, 1)).ints("d", &n(3, 1))
            .ints("many", &n(0, 4)).ints("pads", &n(0, 8)).ints("two", &n(4, 2));
        let window = [
            Attr::Int("count_include_pad", numbers[11]),
            Attr::Ints("kernel_shape", &numbers[0..2]),
            Attr::Ints("strides", &numbers[2..4]),
            Attr::Ints("pads", &numbers[4..8]),
            Attr::Ints("dilations", &numbers[8..10]),
            Attr::Int("ceil_mode", numbers[10]),
            Attr::Int("group", numbers[11]),
        ];
        let file = match op {
            0 => file.node("Slice", "x a b c d", "y", &[]),
            1 => file.node("Slice", "w a b c d", "v", &[]).node("Conv", "x v", "y", &[Attr::Int("group", 2)]),
            2 => file.node("Pad", "x pads", "y", &[]),
            3 => file.node("Reshape", "x many", "y", &[Attr::Int("allowzero", numbers[5])]),
            4 => file.node("Conv", "x w", "y", &window[2..]),
            5 => file.node("MaxPool", "x", "y", &window[1..6]),
            6 => file.node("AveragePool", "x", "y", &window[..6]),
            7 => file.node("Transpose", "x", "y", &[Attr::Ints("perm", &numbers[..4])]),
            8 => file.node("ReduceMean", "x two", "y", &[]),
            9 => file.node("Gather", "many two", "g", &[]).node("Reshape", "x g", "y", &[]),
            10 => file.node("ConvTranspose", "x w", "y", &[&window[2..5], &window[6..7]].concat()),
            11 => file
                .node("Expand", "x many", "e", &[])
                .node("Tile", "e many", "y", &[]),
            12 => file
                .node("Range", "a b c", "r", &[])
                .node("Tile", "r d", "t", &[])
                .node("Expand", "t two", "e", &[])
                .node("Reshape", "x e", "y", &[]),
            13 => file.node("Resize", "x - - many", "y", &[Attr::Text("mode", "nearest")]),
            14 => file
                .node("Cast", "many", "scales", &[Attr::Int("to", 1)])
                .node("Resize", "x - scales", "y", &[Attr::Text("mode", "nearest")]),
            15 => file.node("Pad", "x pads", "y", &[Attr::Text("mode", "reflect")]),
            16 => file
                .node("DepthToSpace", "x", "d", &[Attr::Int("blocksize", numbers[0])])
                .node("SpaceToDepth", "d", "y", &[Attr::Int("blocksize", numbers[1])]),
            17 => file
                .node("ReduceSum", "x two", "r", &[Attr::Int("keepdims", numbers[0])])
                .node("Add", "r x", "y", &[]),
            18 => file
                .node("Transpose", "x", "t", &[Attr::Ints("perm", &[0, 3, 1, 2])])
                .node("Slice", "t a b c d", "s", &[])
                .node("Reshape", "s many", "r", &[])
                .node("Concat", "r r", "y", &[Attr::Int("axis", numbers[11])]),
            _ => file
                .node("Shape", "x", "s", &[Attr::Int("start", numbers[0]), Attr::Int("end", numbers[1])])
                .node("Unsqueeze", "s two", "u", &[])
                .node("Flatten", "u", "f", &[Attr::Int("axis", numbers[2])])
                .node("Split", "x two", "y z", &[Attr::Int("axis", numbers[3])])
                .node("Squeeze", "f two", "q", &[]),
        };
        let _ = file.opset(opset).load();
    }
}

#[test]
fn products_that_do_not_fit() {
    let x = || File::new(&[1, 2, 2, 2]);
    let refused = |file: File, with: &str| {
        let error = file.node("Mul", "x g", "y", &[]).error();
        assert!(error.contains(with), "{error}");
    };
    let three = x().floats("w", &[3, 2, 1, 1], &[1.0; 6]);
    let three = three
        .node("GlobalAveragePool", "x", "m", &[])
        .node("Conv", "m w", "g", &[]);
    refused(three, "[1, 2, 2, 2] and [1, 3, 1, 1] do not fit together");
    let flat = x().ints("s", &[1, 8]);
    refused(flat.node("Reshape", "x s", "g", &[]), "do not fit together");
    assert!(
        x().node("Mul", "x", "y", &[])
            .error()
            .contains("its input 1 is missing")
    );
}

#[test]
fn activations_that_lie() {
    let x = || File::new(&[1, 2, 2, 2]).ints("s", &[1, 2, 1, 2, 2]);
    for op in ["HardSwish", "HardSigmoid"] {
        let sixth = [Attr::Float("alpha", 1.0 / 6.0)];
        assert!(
            x().node(op, "-", "y", &sixth)
                .error()
                .contains("its input 0 is missing")
        );
        let five = x()
            .node("Reshape", "x s", "r", &[])
            .node(op, "r", "y", &sixth);
        assert_eq!(five.run(&[3.0; 8]).len(), 8);
    }
    let ramp = |by: f32| {
        File::new(&[1, 2, 2, 2])
            .floats("0", &[], &[0.0])
            .floats("3", &[], &[3.0])
            .floats("6", &[], &[6.0])
            .floats("by", &[], &[by])
            .node("Add", "x 3", "a", &[])
    };
    for by in [f32::NAN, f32::INFINITY] {
        let scaled = |f: File| f.node("Mul", "c by", "y", &[]).error();
        let error = scaled(ramp(by).node("Clip", "a 0 6", "c", &[]));
        assert!(error.contains("no finite number"), "{error}");
        let error = scaled(ramp(by).node("Identity", "a", "c", &[]));
        assert!(error.contains("no finite number"), "{error}");
        let clipped = ramp(by).node("Mul", "a by", "m", &[]);
        assert!(clipped.node("Clip", "m 0 6", "y", &[]).load().is_err());
    }
    let zero = ramp(0.0).node("Clip", "a 0 6", "c", &[]);
    assert!(
        zero.node("Div", "c by", "y", &[])
            .error()
            .contains("divides by zero")
    );
    // All of it times nothing, and clipped at what no ramp reaches.
    let flat = ramp(0.0).node("Mul", "a by", "m", &[]);
    assert_eq!(
        flat.node("Clip", "m 0 6", "y", &[]).run(&[1.0; 8]),
        [0.0; 8]
    );
}

#[test]
fn many_alike_are_quick() {
    // Thousands of nodes of one name, and of empty parts.
    let mut file = File::new(&[1, 1]);
    for index in 0..20_000 {
        let (from, to) = (format!("{index}"), format!("{}", index + 1));
        let from = if index == 0 { "x" } else { &from };
        file = file.node("Relu", from, &to, &[]).named("twin");
    }
    let network = file
        .node("Relu", "20000", "y", &[])
        .load()
        .expect("it loads");
    assert_eq!(network.model.graph.nodes()[2].name, "twin~2");
    let empty = File::new(&[1, 1]).floats("f", &[1 << 26, 0], &[]);
    let file = empty.node(
        "Concat",
        &"f ".repeat(100_000),
        "c",
        &[Attr::Int("axis", 1)],
    );
    assert!(file.node("Conv", "x c", "y", &[]).load().is_err());
}
