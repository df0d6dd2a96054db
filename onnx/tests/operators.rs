//! Operators and the patterns exports make of them, against values worked out by hand.

mod common;

use common::{Attr, File};
use nets::Operator as _;
use rten_onnx::onnx::{AttributeProto, AttributeType};

const ALL: i64 = i64::MAX;

fn image(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| f32::from(u16::try_from(i).expect("small")))
        .collect()
}

#[test]
fn slices_become_a_subsampling() {
    let file = |rows: i64, columns: i64| {
        File::new(&[1, 1, 4, 4])
            .ints("start", &[0])
            .ints("end", &[ALL])
            .ints("two", &[2])
            .ints("three", &[3])
            .ints("rows", &[rows])
            .ints("columns", &[columns])
            .node("Slice", "x start end two rows", "s", &[])
            .node("Slice", "s start end three columns", "y", &[])
    };
    assert_eq!(file(2, 2).run(&image(16)), [0.0, 2.0, 8.0, 10.0]);
    assert_eq!(file(1, 1).ops(), [""; 0]);
    assert_eq!(file(2, 2).ops(), ["subsample"]);
    assert_eq!(
        file(2, 1).run(&image(16)),
        [0., 1., 2., 3., 8., 9., 10., 11.]
    );
    assert_eq!(
        file(1, 3).run(&image(16)),
        [0., 3., 4., 7., 8., 11., 12., 15.]
    );
    assert_eq!(file(-1, 1).error(), "Slice `s`: nothing is left of it");
    // Opset 9 has attributes, and no steps.
    let old = File::new(&[1, 1, 4, 4]).opset(9);
    let attributes = [
        Attr::Ints("starts", &[0]),
        Attr::Ints("ends", &[4]),
        Attr::Ints("axes", &[3]),
    ];
    assert_eq!(old.node("Slice", "x", "y", &attributes).ops(), [""; 0]);
}

#[test]
fn channels_are_joined_parted_and_shuffled() {
    let x = || File::new(&[1, 6, 1, 2]);
    let split = |op: &[Attr<'_>]| {
        x().ints("sizes", &[1, 3, 2])
            .node("Split", "x sizes", "a b c", op)
    };
    let joined = |f: File| f.node("Concat", "c a b a", "y", &[Attr::Int("axis", -3)]);
    assert_eq!(
        joined(split(&[Attr::Int("axis", 1)])).run(&image(12)),
        [8., 9., 10., 11., 0., 1., 2., 3., 4., 5., 6., 7., 0., 1.]
    );
    assert!(
        split(&[Attr::Int("axis", 3)])
            .node("Relu", "b", "y", &[])
            .error()
            .contains("Split")
    );
    // Opset 9's attribute, and parts of one size.
    let old = [Attr::Int("axis", 1), Attr::Ints("split", &[4, 2])];
    let old = x().opset(9).node("Split", "x", "a y", &old);
    assert_eq!(old.run(&image(12)), [8.0, 9.0, 10.0, 11.0]);
    let even = x().node("Split", "x", "a y", &[Attr::Int("axis", 1)]);
    assert_eq!(even.run(&image(12)), [6., 7., 8., 9., 10., 11.]);
    let slice = x()
        .ints("start", &[-4])
        .ints("end", &[4])
        .ints("axis", &[1])
        .node("Slice", "x start end axis", "y", &[]);
    assert_eq!(slice.run(&image(12)), [4.0, 5.0, 6.0, 7.0]);
    let shuffle = x()
        .ints("apart", &[1, 2, 3, 1, 2])
        .ints("back", &[1, -1, 1, 2])
        .node("Reshape", "x apart", "r", &[])
        .node(
            "Transpose",
            "r",
            "t",
            &[Attr::Ints("perm", &[0, 2, 1, 3, 4])],
        )
        .node("Reshape", "t back", "y", &[]);
    assert_eq!(
        shuffle.run(&image(12)),
        [0., 1., 6., 7., 2., 3., 8., 9., 4., 5., 10., 11.]
    );
    let apart = File::new(&[1, 1, 2, 2])
        .floats("w", &[4, 2], &[1.0; 8])
        .node("Flatten", "x", "f", &[])
        .node("MatMul", "f w", "m", &[])
        .node("Concat", "f m", "y", &[]);
    assert_eq!(apart.run(&image(4)), [0.0, 1.0, 2.0, 3.0, 6.0, 6.0]);
    let unlike = x()
        .node("GlobalAveragePool", "x", "g", &[])
        .node("Concat", "x g", "y", &[]);
    assert!(unlike.error().contains("does not fit the others"));
}

#[test]
fn channels_are_gathered() {
    let gather = |indices: &[i64]| {
        File::new(&[1, 4, 1, 2]).ints("i", indices).node(
            "Gather",
            "x i",
            "y",
            &[Attr::Int("axis", 1)],
        )
    };
    assert_eq!(gather(&[1, 2]).ops(), ["slice"]);
    assert_eq!(gather(&[-2]).run(&image(8)), [4.0, 5.0]);
    let turned = [6.0, 7.0, 2.0, 3.0, 4.0, 5.0, 2.0, 3.0];
    assert_eq!(gather(&[3, 1, 2, 1]).run(&image(8)), turned);
    assert!(gather(&[4]).error().contains("axis 4 is not one of 4"));
    assert!(gather(&[]).error().contains("nothing is left"));
    assert_eq!(gather(&[2; 257]).run(&image(8)).len(), 514);
    let columns = File::new(&[1, 4, 1, 2]).ints("i", &[1, 1]);
    let columns = columns.node("Gather", "x i", "y", &[Attr::Int("axis", 3)]);
    assert_eq!(columns.run(&image(8)), [1., 1., 3., 3., 5., 5., 7., 7.]);
    let one = File::new(&[1, 4, 1, 2]).floats("i", &[1], &[0.0]);
    let one = one.node("Gather", "x i", "y", &[Attr::Int("axis", 1)]);
    assert!(one.error().contains("not integers"));
}

#[test]
fn sides_of_one_come_and_go() {
    let file = File::new(&[1, 3, 2, 2])
        .ints("last", &[-1])
        .node("GlobalAveragePool", "x", "m", &[])
        .node("Squeeze", "m last", "a", &[])
        .node("Squeeze", "a last", "b", &[])
        .node("Unsqueeze", "b last", "c", &[])
        .node("Relu", "c", "d", &[])
        .node("Flatten", "d", "y", &[]);
    assert_eq!(file.run(&image(12)), [1.5, 5.5, 9.5]);
}

#[test]
fn pads_become_channels_or_go_into_the_convolution() {
    let pad = |pads: &[i64]| {
        File::new(&[1, 2, 2, 2])
            .ints("p", pads)
            .node("Pad", "x p -", "q", &[])
    };
    let y = pad(&[0, 1, 0, 0, 0, 0, 0, 0])
        .node("Relu", "q", "y", &[])
        .run(&image(8));
    assert_eq!(y[..6], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    let conv = |f: File| {
        f.floats("w", &[1, 2, 2, 2], &[1.0; 8])
            .node("Conv", "q w", "y", &[])
    };
    let around = [0, 0, 1, 0, 0, 0, 0, 1];
    assert_eq!(conv(pad(&around)).run(&image(8)), [10.0, 6.0, 28.0, 16.0]);
    // Something else than a convolution takes what is around the image as values.
    let relu = |pads: &[i64]| pad(pads).node("Relu", "q", "y", &[]).run(&image(8));
    assert_eq!(relu(&around)[..9], [0., 0., 0., 0., 1., 0., 2., 3., 0.]);
    assert_eq!(relu(&[0, 0, -1, 0, 0, 0, 0, 0]), [2.0, 3.0, 6.0, 7.0]);
    assert!(
        pad(&[0, 0, 1])
            .node("Relu", "q", "y", &[])
            .error()
            .contains("do not fit")
    );
}

#[test]
fn the_shape_arithmetic_before_a_classifier_is_folded() {
    let file = File::new(&[1, 2, 2, 2])
        .ints("zero", &[0])
        .ints("rest", &[-1])
        .ints("axis", &[0])
        .floats("w", &[8, 2], &image(16))
        .floats("b", &[2], &[0.5, -0.5])
        .node("Shape", "x", "shape", &[])
        .node("Gather", "shape zero", "batch", &[Attr::Int("axis", 0)])
        .node("Squeeze", "batch axis", "scalar", &[])
        .node("Unsqueeze", "scalar axis", "again", &[])
        .node("Cast", "again", "cast", &[Attr::Int("to", 7)])
        .node("Concat", "cast rest", "wanted", &[Attr::Int("axis", 0)])
        .node("Dropout", "x", "same mask", &[])
        .node("Reshape", "same wanted", "flat", &[])
        .node("MatMul", "flat w", "product", &[])
        .node("Add", "b product", "y", &[])
        .node("Exp", "product", "unused", &[]);
    let network = file.load().expect("it loads");
    let ops: Vec<_> = network.model.graph.nodes()[1..]
        .iter()
        .map(|n| n.op.name())
        .collect();
    assert_eq!(ops, ["flatten", "fully-connected"]);
    let ones = network.model.run(&[1.0; 8]).expect("it runs");
    assert_eq!(ones, [56.5, 63.5]);
}

#[test]
fn gemm_takes_factors_and_any_order() {
    let file = |attributes: &[Attr<'_>], dims: &[i64]| {
        File::new(&[1, 2])
            .floats("w", dims, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
            .floats("b", &[1], &[1.0])
            .node("Gemm", "x w b", "y", attributes)
    };
    assert_eq!(
        file(&[Attr::Int("transB", 1)], &[3, 2]).run(&[1.0, 10.0]),
        [22.0, 44.0, 66.0]
    );
    let scaled = [Attr::Float("alpha", 2.0), Attr::Float("beta", 3.0)];
    assert_eq!(
        file(&scaled, &[2, 3]).run(&[1.0, 10.0]),
        [85.0, 107.0, 129.0]
    );
    assert!(
        file(&[], &[3, 2])
            .error()
            .starts_with("Gemm `y`: a weight of 2 by 3 does not take")
    );
}

#[test]
fn factors_per_channel_go_into_the_batch_norm_before() {
    let ones = &[1.0; 2];
    let file = File::new(&[1, 2, 1, 1])
        .floats("one", &[2], ones)
        .floats("zero", &[2], &[0.0; 2])
        .floats("f", &[2, 1, 1], &[2.0, -3.0])
        .floats("s", &[], &[0.5])
        .node(
            "BatchNormalization",
            "x one one zero one",
            "n",
            &[Attr::Float("epsilon", 0.0)],
        )
        .node("Mul", "n f", "m", &[])
        .node("Sub", "m s", "d", &[])
        .node("Div", "d s", "y", &[]);
    assert_eq!(file.run(&[1.0, 2.0]), [7.0, -19.0]);
    let alone = File::new(&[1, 2, 1, 1])
        .floats("s", &[1], &[2.0])
        .node("Mul", "x s", "y", &[]);
    assert_eq!(alone.ops(), ["batch-norm"]);
}

#[test]
fn layers_in_training_mode_are_refused() {
    // With a constant input, the dropout is folded instead of lowered.
    for input in ["x", "c"] {
        let file = |mode: &str, on: i64| {
            let mask = format!("{input} - {mode}");
            File::new(&[1, 2])
                .floats("c", &[1, 2], &[1.0, 2.0])
                .ints("mode", &[on])
                .node("Dropout", &mask, "same mask", &[])
                .node("Add", "x same", "y", &[])
        };
        let said = file("mode", 1).error();
        assert!(
            said.contains("Dropout `same mask` (in training mode)"),
            "{said}"
        );
        let sums = if input == "x" {
            [20.0, 40.0]
        } else {
            [11.0, 22.0]
        };
        for (mode, on) in [("mode", 0), ("-", 1)] {
            assert_eq!(file(mode, on).run(&[10.0, 20.0]), sums);
        }
    }
    let norm = File::new(&[1, 1, 1, 1]).floats("v", &[1], &[1.0]).node(
        "BatchNormalization",
        "x v v v v",
        "y",
        &[Attr::Int("training_mode", 1)],
    );
    assert!(norm.error().contains("(in training mode)"));
    // Older files say so by further outputs, whether these are used or not.
    let older = |outputs: &str, opset: i64| {
        File::new(&[1, 1, 1, 1])
            .floats("v", &[1], &[1.0])
            .node("BatchNormalization", "x v v v v", outputs, &[])
            .opset(opset)
    };
    for opset in [7, 8, 9, 13] {
        for outputs in ["y m v2 sm sv", "y m - - -", "y - - - sv"] {
            let said = older(outputs, opset).error();
            assert!(said.contains("(in training mode)"), "{opset}: {said}");
        }
        let found = older("y", opset).run(&[3.0]);
        assert!((found[0] - 3.0).abs() < 1e-4, "{opset}: {found:?}");
    }
    // Since then the attribute says it, and outputs that nobody takes are allowed.
    let found = older("y m v2", 14).run(&[3.0]);
    assert!((found[0] - 3.0).abs() < 1e-4, "{found:?}");
}

/// What a pad takes away is gone, in every mode of which that is said; round an end nothing comes then.
#[test]
fn pads_below_zero_cut() {
    let pad = |mode: &str, pads: &[i64]| {
        File::new(&[1, 1, 1, 4]).ints("p", pads).node(
            "Pad",
            "x p",
            "y",
            &[Attr::Text("mode", mode)],
        )
    };
    let x = [1.0, 2.0, 3.0, 4.0];
    let cut = [0, 0, 0, -1, 0, 0, 0, -2];
    let moved = [0, 0, 0, -1, 0, 0, 0, 2];
    for mode in ["constant", "edge", "reflect"] {
        assert_eq!(pad(mode, &cut).run(&x), [2.0], "{mode}");
    }
    assert_eq!(pad("constant", &moved).run(&x), [2., 3., 4., 0., 0.]);
    assert_eq!(pad("edge", &moved).run(&x), [2., 3., 4., 4., 4.]);
    for pads in [cut, moved, [0, 0, 0, 2, 0, 0, 0, -1]] {
        let said = pad("wrap", &pads).error();
        assert!(said.contains("mode wrap that takes values away"), "{said}");
    }
    let around = [0, 0, 0, 1, 0, 0, 0, 5];
    let turned = [4., 1., 2., 3., 4., 1., 2., 3., 4., 1.];
    assert_eq!(pad("wrap", &around).run(&x), turned);
}

/// The node that a function began with is named, not the one that could not go on with it.
#[test]
fn functions_are_named_by_their_own_node() {
    let file = |op: &str| {
        File::new(&[1, 4])
            .floats("two", &[1], &[2.0])
            .node(op, "x", "function", &[])
            .node("Mul", "function two", "m", &[])
            .node("Add", "m two", "a", &[])
            .node("Relu", "a", "y", &[])
    };
    for op in ["Exp", "Erf"] {
        let said = file(op).error();
        assert!(said.contains(&format!("{op} `function`")), "{said}");
    }
    let cube = File::new(&[1, 4])
        .floats("three", &[], &[3.0])
        .floats("half", &[], &[0.5])
        .node("Pow", "x three", "cube", &[])
        .node("Mul", "cube half", "m", &[])
        .node("Add", "x m", "a", &[])
        .node("Relu", "a", "y", &[]);
    let said = cube.error();
    assert!(said.contains("Pow `cube`"), "{said}");
}

/// Its outputs are the values that it chooses from.
#[test]
fn the_last_arg_max_becomes_the_readers() {
    let x = [0.5, 2.0, -1.0, 1.0];
    for before in ["", "Softmax", "LogSoftmax", "Sigmoid"] {
        let file = || {
            let file = File::new(&[1, 4]);
            let (file, name) = match before {
                "" => (file, "x"),
                op => (file.node(op, "x", "s", &[]), "s"),
            };
            let axis = [Attr::Int("axis", -1), Attr::Int("keepdims", 0)];
            let file = file.node("ArgMax", name, "place", &axis);
            file.node("Cast", "place", "y", &[Attr::Int("to", 6)])
        };
        assert_eq!(file().run(&x), x, "{before}");
        let network = file().load().expect("it loads");
        assert_eq!(network.head(), None);
        assert!(network.notes.iter().any(|note| note.contains("ArgMax")));
    }
    let part = File::new(&[1, 2, 2, 2]).node("ArgMax", "x", "y", &[Attr::Int("axis", 1)]);
    let said = part.error();
    assert!(said.contains("ArgMax `y` (over a part"), "{said}");
    let inside = File::new(&[1, 4])
        .node("ArgMax", "x", "place", &[Attr::Int("axis", 1)])
        .node("Relu", "place", "y", &[]);
    let said = inside.error();
    assert!(
        said.contains("ArgMax `place` (inside the network"),
        "{said}"
    );
}

#[test]
fn a_shared_value_is_not_changed() {
    let file = File::new(&[1, 1, 1, 1])
        .floats("w", &[1, 1, 1, 1], &[1.0])
        .floats("one", &[1], &[1.0])
        .node("Conv", "x w", "c", &[])
        .node("Identity", "c", "i", &[])
        .node("Add", "i one", "a", &[])
        .node("Sum", "a c i", "y", &[]);
    assert_eq!(file.run(&[5.0]), [16.0]);
}

#[test]
fn the_last_softmax_becomes_the_head() {
    let file = File::new(&[1, 4]).node("Softmax", "x", "y", &[]);
    assert_eq!(
        file.load().expect("it loads").head(),
        Some(nets::Head::Softmax)
    );
    let file = File::new(&[1, 4])
        .node("Sigmoid", "x", "s", &[])
        .node("Relu", "s", "y", &[]);
    assert_eq!(file.ops(), ["sigmoid", "relu"]);
    let softmax = File::new(&[1, 4])
        .node("Softmax", "x", "s", &[])
        .node("Relu", "s", "y", &[]);
    let error = softmax.error();
    assert!(error.contains("Softmax `s` (inside the network"), "{error}");
}

#[test]
fn every_kind_that_is_not_there_is_named_once() {
    let file = File::new(&[1, 4, 2, 2])
        .node("Softsign", "x", "a", &[])
        .node("LSTM", "a", "b", &[])
        .node("Softsign", "b", "c", &[])
        .node("Relu", "c", "d", &[])
        .node("Cosh", "d", "y", &[])
        .node("Sinh", "x", "dead", &[]);
    assert_eq!(
        file.error(),
        "unsupported operators: Softsign `a`, 2 times; LSTM `b`; Cosh `y`"
    );
    // Of those there are, each that cannot be done, with the reason; what stands between is read.
    let file = File::new(&[1, 4, 2, 2])
        .floats("w", &[2, 4, 1, 1], &[1.0; 8])
        .floats("s", &[4], &[1.0; 4])
        .node("InstanceNormalization", "x s s", "a", &[])
        .node("Conv", "a w", "b", &[])
        .node("Softmax", "b", "c", &[])
        .node("Mul", "b c", "d", &[])
        .node(
            "MaxPool",
            "d",
            "e",
            &[
                Attr::Ints("kernel_shape", &[2, 2]),
                Attr::Ints("dilations", &[2, 2]),
            ],
        )
        .node("Relu", "d", "f", &[])
        .node("Sqrt", "f", "g", &[])
        .node("MatMul", "g g", "y", &[]);
    let Err(onnx::Error::Unsupported(all)) = file.load() else {
        panic!("it cannot be done");
    };
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(
        all,
        [
            "InstanceNormalization `a` (InstanceNorm, or GroupNorm as exporters write it: it needs the variance of every image)",
            "Softmax `c` (over a part of the values, as in attention)",
            "Sqrt `g` (of something computed from the image)",
            "MatMul `y` (of two computed tensors, as in attention)",
        ]
    );
}

/// However many there are, the message is short.
#[test]
fn messages_stay_short() {
    let mut file = File::new(&[1, 4]);
    for index in 0..400 {
        let name = format!("{}{index}", "very/long/name/of/a/layer/".repeat(20));
        file = file.node(&format!("Custom{index}"), "x", &name, &[]);
    }
    let names: Vec<String> = (0..400)
        .map(|i| format!("{}{i}", "very/long/name/of/a/layer/".repeat(20)))
        .collect();
    let error = file.node("Sum", &names.join(" "), "y", &[]).error();
    assert!(
        error.len() < 2000 && error.ends_with("more kinds"),
        "{error}"
    );
}

#[test]
fn patterns_are_named() {
    let norm = File::new(&[1, 4, 2, 2])
        .ints("axes", &[1])
        .floats("two", &[], &[2.0])
        .floats("eps", &[], &[1e-5])
        .opset(18)
        .node("ReduceMean", "x axes", "mean", &[])
        .node("Sub", "x mean", "d", &[])
        .node("Pow", "d two", "p", &[])
        .node("ReduceMean", "p axes", "v", &[])
        .node("Add", "v eps", "e", &[])
        .node("Sqrt", "e", "s", &[])
        .node("Div", "d s", "y", &[]);
    assert_eq!(
        norm.error(),
        "unsupported operators: Sqrt `s` (part of a layer, group or instance normalisation (LayerNorm))"
    );
}

#[test]
fn contradictions_name_the_node() {
    let x = || File::new(&[1, 2, 3, 3]);
    let conv = |dims: &[i64], n: usize, a: &[Attr<'_>]| {
        x().floats("w", dims, &vec![1.0; n])
            .node("Conv", "x w", "y", a)
            .error()
    };
    assert_eq!(
        conv(&[1, 3, 1, 1], 3, &[]),
        "Conv `y`: 1 groups of [1, 3, 1, 1] do not take 2 channels"
    );
    assert_eq!(
        conv(&[1, 2, 4, 4], 32, &[]),
        "unsupported operators: Conv `y` (a kernel of 4 is larger than the padded height of 2x3x3)"
    );
    assert_eq!(
        conv(&[1, 2, 3, 3], 18, &[Attr::Ints("pads", &[100_000; 4])]),
        "unsupported operators: Conv `y` (its output 1x200001x200001 is too large)"
    );
    assert!(conv(&[1, 2, 1, 1], 3, &[]).starts_with("tensor `w`: 3 values"));
    assert!(conv(&[1, -2, 1, 1], 2, &[]).contains("negative"));
    assert!(conv(&[1 << 40, 1 << 40], 2, &[]).contains("too large"));
    assert!(conv(&[1, 2, 1, 1], 2, &[Attr::Ints("strides", &[0, 1])]).starts_with("Conv `y`"));
    assert!(conv(&[1, 2, 1, 1], 2, &[Attr::Ints("pads", &[1 << 60; 4])]).starts_with("Conv `y`"));
    assert!(conv(&[1, 2, 1, 1], 2, &[Attr::Int("group", 0)]).starts_with("Conv `y`"));
    assert!(
        x().node("Relu", "z", "y", &[])
            .error()
            .contains("nothing before it makes")
    );
    assert!(
        x().node("Relu", "x", "z", &[])
            .error()
            .contains("does not depend on the input")
    );
    assert!(
        x().node("Relu", "x", "y", &[])
            .node("Relu", "x", "y", &[])
            .error()
            .contains("made twice")
    );
    let huge = x()
        .ints("s", &[1 << 25])
        .node("ConstantOfShape", "s", "c", &[]);
    let huge = (0..16).fold(huge, |f, i| {
        f.node("ConstantOfShape", "s", &format!("c{i}"), &[])
    });
    let names = (0..16)
        .map(|i| format!("c{i}"))
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        huge.node("Concat", &names, "y", &[Attr::Int("axis", 0)])
            .error()
            .contains("too large")
    );
}

/// Expected: what ONNX Runtime gives.
#[test]
fn an_axis_that_shrinks_takes_other_places_in_opset_10() {
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let resized = |opset: i64, scales: [f32; 4], mode: &[Attr<'_>]| {
        let file = File::new(&[1, 1, 2, 4]).floats("scales", &[4], &scales);
        let inputs = if opset < 11 { "x scales" } else { "x - scales" };
        file.node("Resize", inputs, "y", mode)
            .opset(opset)
            .run(&image)
    };
    assert_eq!(resized(10, [1.0, 1.0, 0.6, 0.6], &[]), [1.0, 3.0]);
    assert_eq!(
        resized(10, [1.0, 1.0, 0.6, 1.5], &[]),
        [1.0, 1.0, 2.0, 3.0, 3.0, 4.0]
    );
    let floor = [
        Attr::Text("coordinate_transformation_mode", "asymmetric"),
        Attr::Text("nearest_mode", "floor"),
    ];
    assert_eq!(resized(11, [1.0, 1.0, 0.6, 0.6], &floor), [1.0, 2.0]);
}

/// ONNX Runtime has another size than the standard says, or other places.
#[test]
fn transposed_convolutions_with_an_output_beyond_their_windows_are_refused() {
    let file = |kernel: i64, attribute: Attr<'_>| {
        let attributes = [Attr::Ints("strides", &[2, 2]), attribute];
        let weights = vec![1.0; usize::try_from(kernel * kernel).expect("small")];
        let file = File::new(&[1, 1, 3, 3]).floats("w", &[1, 1, kernel, kernel], &weights);
        file.node("ConvTranspose", "x w", "y", &attributes)
    };
    let same = Attr::Text("auto_pad", "SAME_UPPER");
    for attribute in [same, Attr::Ints("output_shape", &[6, 6])] {
        let error = file(1, attribute).error();
        assert!(error.contains("an output beyond its windows"), "{error}");
        assert_eq!(file(2, attribute).run(&[1.0; 9]), [1.0; 36]);
    }
}

/// Expected: what ONNX Runtime gives.
#[test]
fn resizing_in_single_precision() {
    let image: Vec<f32> = (0..14_u8).map(f32::from).collect();
    let resized = |side: i64, size: i64, coordinates: &str, nearest: &str| {
        let mode = [
            Attr::Text("coordinate_transformation_mode", coordinates),
            Attr::Text("nearest_mode", nearest),
        ];
        let file = File::new(&[1, 1, 1, side]).ints("sizes", &[1, 1, 1, size]);
        let file = file.node("Resize", "x - - sizes", "y", &mode);
        file.run(&image[..usize::try_from(side).expect("small")])
    };
    assert_eq!(
        resized(7, 4, "asymmetric", "round_prefer_ceil"),
        [0.0, 2.0, 4.0, 5.0]
    );
    assert_eq!(resized(14, 1, "half_pixel", "round_prefer_ceil"), [7.0]);
    assert_eq!(resized(14, 1, "half_pixel", "round_prefer_floor"), [6.0]);
    assert_eq!(resized(14, 19, "half_pixel", "round_prefer_floor")[9], 6.0);
    assert_eq!(resized(14, 2, "asymmetric", "floor"), [0.0, 6.0]);

    let scaled = |side: i64, scale: f32| {
        let file = File::new(&[1, 1, 1, side]).floats("scales", &[4], &[1.0, 1.0, 1.0, scale]);
        file.node("Resize", "x - scales", "y", &[])
    };
    assert_eq!(scaled(10, 0.7).run(&image[..10]).len(), 7);
    assert!(
        scaled(2, 1.25)
            .error()
            .contains("with scales that keep the size")
    );
}

#[test]
fn a_transposed_convolution_of_one_place_keeps_its_channels() {
    let strides = Attr::Ints("strides", &[1, 3]);
    let padding = Attr::Ints("output_padding", &[0, 2]);
    let file = File::new(&[1, 1, 4, 4])
        .floats("w", &[1, 2, 1, 2], &[1.0, 2.0, 3.0, 4.0])
        .node("GlobalMaxPool", "x", "m", &[])
        .node("ConvTranspose", "m w", "t", &[strides, padding])
        .node("GlobalMaxPool", "t", "y", &[]);
    assert_eq!(file.run(&[2.0; 16]), [4.0, 8.0]);
}

/// The values of ONNX Runtime, which computes part of a place in double precision.
#[test]
fn places_from_the_middle_of_an_image() {
    let side: Vec<f32> = (0..10u8).map(f32::from).collect();
    let attributes = [
        Attr::Text("coordinate_transformation_mode", "half_pixel_symmetric"),
        Attr::Text("nearest_mode", "floor"),
    ];
    let grown = |scale: f32, side: &[f32]| {
        File::new(&[1, 1, 1, i64::try_from(side.len()).expect("small")])
            .opset(19)
            .floats("s", &[4], &[1.0, 1.0, 1.0, scale])
            .node("Resize", "x - s", "y", &attributes)
            .run(side)
    };
    let expected = [
        0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 7, 8,
        8, 8, 9, 9u8,
    ];
    assert_eq!(grown(3.4, &side), expected.map(f32::from));
    assert_eq!(grown(0.6, &side[..7]), [0.0, 2.0, 3.0, 5.0]);
}

#[test]
fn arguments_that_runtimes_refuse() {
    let resize = |more: Attr<'_>| {
        File::new(&[1, 1, 1, 4])
            .opset(19)
            .floats("s", &[4], &[1.0, 1.0, 1.0, 2.0])
            .node("Resize", "x - s", "y", &[more])
            .error()
    };
    assert!(resize(Attr::Int("exclude_outside", 1)).contains("with exclude_outside"));
    assert!(resize(Attr::Int("antialias", 1)).contains("with antialias"));
    let ratio = Attr::Text("keep_aspect_ratio_policy", "not_larger");
    assert!(resize(ratio).contains("keeps the aspect ratio"));

    let transposed = |more: i64| {
        let attributes = [
            Attr::Ints("strides", &[2, 2]),
            Attr::Ints("output_padding", &[0, more]),
        ];
        File::new(&[1, 1, 1, 1])
            .floats("w", &[1, 1, 1, 1], &[3.0])
            .node("ConvTranspose", "x w", "y", &attributes)
    };
    assert_eq!(transposed(1).run(&[1.0]), [3.0, 0.0]);
    assert!(transposed(2).error().contains("output_padding"));

    let twice = [Attr::Float("alpha", 0.1), Attr::Float("alpha", 0.6)];
    let twice = File::new(&[1, 1, 1, 1]).node("LeakyRelu", "x", "y", &twice);
    assert!(twice.error().contains("has the attribute `alpha` twice"));
    let taken = |name: &str| {
        File::new(&[1, 1, 1, 1])
            .floats("k", &[], &[3.0])
            .node("Relu", "x", name, &[])
            .node("Mul", "x k", "y", &[])
            .error()
    };
    for name in ["k", "x"] {
        let said = format!("it makes `{name}`, which is a constant or an input already");
        assert!(taken(name).contains(&said), "{}", taken(name));
    }
}

/// Writers leave out what is zero or empty.
#[test]
fn attributes_of_which_only_the_type_is_told() {
    let told = |op: &str, name: &str, kind: Option<AttributeType>, f: Option<f32>| {
        let mut node = common::node(op, "x", "y", &[Attr::Ints("kernel_shape", &[1, 2])]);
        node.attribute.push(AttributeProto {
            name: Some(name.into()),
            r#type: kind,
            f,
            ..AttributeProto::default()
        });
        File::new(&[1, 1, 1, 2]).proto(node)
    };
    let (x, float) = ([-2.0, 1.0], Some(AttributeType::FLOAT));
    assert_eq!(told("LeakyRelu", "alpha", float, None).run(&x), [0.0, 1.0]);
    let half = Some(0.5);
    assert_eq!(told("LeakyRelu", "alpha", None, half).run(&x), [-1.0, 1.0]);
    let int = Some(AttributeType::INT);
    assert_eq!(told("MaxPool", "ceil_mode", int, None).run(&x), [1.0]);
    let text = Some(AttributeType::STRING);
    assert_eq!(told("MaxPool", "auto_pad", text, None).run(&x), [1.0]);
    for (kind, f) in [(None, None), (int, half), (int, None)] {
        let said = told("LeakyRelu", "alpha", kind, f).error();
        assert!(said.contains("its `alpha` is no number"), "{said}");
    }
}
