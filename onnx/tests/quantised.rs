//! Networks whose weights and activations are 8-bit integers, as QuantizeLinear and DequantizeLinear write them.

mod common;

use common::{Attr, File};
use rten_onnx::onnx::{DataType, TensorProto};

fn bytes(name: &str, kind: DataType, dims: &[i64], values: &[i32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(kind),
        int32_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// An activation is rounded to its integers and clipped to what these can hold, and weights are what theirs stand for.
#[test]
fn integers_become_grids_and_weights() {
    let file = File::new(&[1, 2, 1, 1])
        .floats("s", &[], &[0.5])
        .tensor(bytes("z", DataType::INT8, &[], &[-28]))
        .tensor(bytes("q", DataType::INT8, &[2, 2, 1, 1], &[2, -4, 6, 8]))
        .floats("qs", &[2], &[0.25, 0.5])
        .tensor(bytes("qz", DataType::INT8, &[2], &[0, 2]))
        .node("QuantizeLinear", "x s z", "i", &[])
        .node("DequantizeLinear", "i s z", "d", &[])
        .node("DequantizeLinear", "q qs qz", "w", &[Attr::Int("axis", 0)])
        .node("Conv", "d w", "y", &[]);
    let network = file.load().expect("it loads");
    assert!(network.notes.is_empty(), "{:?}", network.notes);
    let run = |x: [f32; 2]| network.model.run(&x).expect("it runs");
    // The weights are 0.5, −1 and 2, 3; the range is −50 … 77.5.
    assert_eq!(run([1.0, 2.0]), [-1.5, 8.0]);
    assert_eq!(run([1.2, 1.75]), run([1.0, 2.0]));
    assert_eq!(run([100.0, -100.0]), [88.75, 5.0]);
}

#[test]
fn what_is_computed_with_integers_is_refused() {
    let quantised = || {
        File::new(&[1, 2, 2, 2])
            .floats("s", &[], &[0.5])
            .floats("t", &[], &[0.25])
            .tensor(bytes("z", DataType::UINT8, &[], &[3]))
            .node("QuantizeLinear", "x s z", "i", &[])
    };
    let between =
        quantised()
            .node("Relu", "i", "r", &[])
            .node("DequantizeLinear", "r s z", "y", &[]);
    assert!(
        between
            .error()
            .contains("QuantizeLinear `i` (whose integers")
    );
    let other = quantised().node("DequantizeLinear", "i t z", "y", &[]);
    assert!(other.error().contains("another scale"));
    let own = quantised().node("ConvInteger", "i i", "y", &[]);
    assert!(own.error().contains("ConvInteger `y` (scales that"));
    let mean = |last| {
        let attributes = [Attr::Int("channels_last", last)];
        let op = "com.microsoft::QLinearGlobalAveragePool";
        quantised().node(op, "i s z s z", "m", &attributes).node(
            "DequantizeLinear",
            "m s z",
            "y",
            &[],
        )
    };
    assert_eq!(mean(0).ops(), ["quantise", "global-avg-pool", "quantise"]);
    let error = mean(1).error();
    assert!(
        error.contains("QLinearGlobalAveragePool `m` (that lacks"),
        "{error}"
    );
    let alpha = quantised()
        .node("Flatten", "i", "f", &[])
        .node(
            "com.microsoft::QGemm",
            "f s z i s z",
            "y",
            &[Attr::Float("alpha", 2.0)],
        )
        .error();
    assert!(alpha.contains("QGemm `y` (that lacks"), "{alpha}");
}

/// x of two values between −64 and 63.5, as integers `i` in halves.
fn halves() -> File {
    File::new(&[1, 2])
        .floats("s", &[], &[0.5])
        .tensor(bytes("z", DataType::INT8, &[], &[1]))
        .node("QuantizeLinear", "x s z", "i", &[])
}

/// Weights `w` of two rows and two columns whose scale for each column is 1/4 and 1/2.
fn columns(file: File) -> File {
    file.tensor(bytes("w", DataType::INT8, &[2, 2], &[2, -4, 6, 8]))
        .floats("ws", &[2], &[0.25, 0.5])
        .tensor(bytes("wz", DataType::INT8, &[2], &[0, 2]))
        .tensor(bytes("b", DataType::INT32, &[2], &[8, -4]))
        .floats("t", &[], &[0.25])
        .tensor(bytes("u", DataType::UINT8, &[], &[100]))
}

/// Every operator of integers is that of numbers, rounded to its grid.
#[test]
fn operators_of_integers_are_those_of_numbers() {
    // The weights are 0.5, −3 and 1.5, 3; the bias 8/8 and −4/4.
    let product = |op: &str, inputs: &str, attributes: &[Attr<'_>]| {
        let made = columns(halves()).node(op, inputs, "q", attributes);
        made.node("DequantizeLinear", "q t u", "y", &[])
    };
    let run = |file: File| file.run(&[2.0, 1.2]);
    let matmul = || product("QLinearMatMul", "i s z w ws wz t u", &[]);
    assert_eq!(run(matmul()), [2.5, -3.0]);
    let gemm = |inputs: &str, transposed| {
        let attributes = [Attr::Int("transB", transposed)];
        product("com.microsoft::QGemm", inputs, &attributes)
    };
    assert_eq!(run(gemm("i s z w ws wz b t u", 0)), [3.5, -4.0]);
    assert_eq!(run(gemm("i s z w ws wz - t u", 0)), [2.5, -3.0]);
    // Transposed, the scales are those of rows: 0.5, −1 and 2, 3.
    assert_eq!(run(gemm("i s z w ws wz - t u", 1)), [0.0, 7.0]);
    // What stays numbers is not rounded.
    let numbers = columns(halves()).node("com.microsoft::QGemm", "i s z w ws wz b", "y", &[]);
    assert_eq!(run(numbers), [3.5, -4.0]);

    let two = |op: &str| {
        let sum = halves()
            .floats("t", &[], &[0.25])
            .tensor(bytes("u", DataType::UINT8, &[], &[100]))
            .node("QuantizeLinear", "x t u", "j", &[])
            .node(op, "i s z j t u t u", "q", &[]);
        sum.node("DequantizeLinear", "q t u", "y", &[])
    };
    assert_eq!(run(two("com.microsoft::QLinearAdd")), [4.0, 2.25]);
    assert_eq!(
        two("com.microsoft::QLinearMul").ops(),
        ["quantise", "quantise", "gate", "quantise"]
    );
    // Integers of 1.0 and 1.25 on a grid of 1/4.
    assert_eq!(run(two("com.microsoft::QLinearMul")), [4.0, 1.25]);
    let one = |op: &str, attributes: &[Attr<'_>]| {
        let made = columns(halves()).node(op, "i s z t u", "q", attributes);
        made.node("DequantizeLinear", "q t u", "y", &[])
    };
    let leaky = one(
        "com.microsoft::QLinearLeakyRelu",
        &[Attr::Float("alpha", 0.5)],
    );
    assert_eq!(leaky.run(&[-3.0, 3.0]), [-1.5, 3.0]);
    let sigmoid = one("com.microsoft::QLinearSigmoid", &[]);
    assert_eq!(sigmoid.run(&[0.0, 60.0]), [0.5, 1.0]);
    let concat = columns(halves())
        .node("QuantizeLinear", "x t u", "j", &[])
        .node(
            "com.microsoft::QLinearConcat",
            "t u i s z j t u",
            "q",
            &[Attr::Int("axis", 1)],
        );
    let concat = concat.node("DequantizeLinear", "q t u", "y", &[]);
    assert_eq!(run(concat), [2.0, 1.0, 2.0, 1.25]);
}

/// What gives some of the integers that it takes gives numbers as well, and is not rounded twice.
#[test]
fn integers_are_moved_as_numbers() {
    let image = || {
        File::new(&[1, 1, 2, 2])
            .floats("s", &[], &[0.5])
            .tensor(bytes("z", DataType::INT8, &[], &[1]))
            .node("QuantizeLinear", "x s z", "i", &[])
            .ints("k", &[0])
    };
    let pooled = image()
        .node("MaxPool", "i", "p", &[Attr::Ints("kernel_shape", &[2, 2])])
        .node("DequantizeLinear", "p s z", "y", &[]);
    assert_eq!(pooled.run(&[0.0, 1.7, -3.0, 1.2]), [1.5]);
    let row = image()
        .node("Gather", "i k", "g", &[Attr::Int("axis", 2)])
        .node("DequantizeLinear", "g s z", "y", &[]);
    assert_eq!(row.run(&[0.2, 1.7, -3.0, 1.2]), [0.0, 1.5]);
    // Weights with a scale for each row keep it when they are turned.
    let turned = File::new(&[1, 2])
        .floats("v", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
        .floats("vs", &[2], &[1.0, 0.5])
        .tensor(bytes("vz", DataType::INT8, &[2], &[0, 0]))
        .node("QuantizeLinear", "v vs vz", "q", &[Attr::Int("axis", 0)])
        .node("Transpose", "q", "t", &[Attr::Ints("perm", &[1, 0])])
        .node("DequantizeLinear", "t vs vz", "d", &[Attr::Int("axis", 1)])
        .node("MatMul", "x d", "y", &[]);
    assert_eq!(turned.run(&[1.0, 0.0]), [1.0, 3.0]);
}

/// Names that the rewriting makes are taken by nothing else.
#[test]
fn made_names_are_new() {
    let file = columns(halves())
        .node("Relu", "x", "q:14", &[])
        .node("QLinearMatMul", "i s z w ws wz t u", "q", &[])
        .node("DequantizeLinear", "q t u", "d", &[])
        .node("Add", "d q:14", "y", &[]);
    assert_eq!(file.run(&[2.0, 1.2]), [4.5, -1.8]);
}

/// What the rewriting repeats is bounded: a long name, or very many tensors, are refused.
#[test]
fn growth_is_bounded() {
    let long = "l".repeat(600);
    let file = columns(halves())
        .node("QLinearMatMul", "i s z w ws wz t u", &long, &[])
        .node("DequantizeLinear", &format!("{long} t u"), "y", &[]);
    let error = file.error();
    assert!(error.contains("QLinearMatMul"), "{error}");
    let parts = "i s z ".repeat(70_000);
    let file = columns(halves()).node(
        "com.microsoft::QLinearConcat",
        &format!("t u {parts}"),
        "q",
        &[Attr::Int("axis", 1)],
    );
    let file = file.node("DequantizeLinear", "q t u", "y", &[]);
    let error = file.error();
    assert!(error.contains("QLinearConcat `q` (that lacks"), "{error}");
}
