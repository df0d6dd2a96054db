//! What is computed before any image is there.

mod common;

use common::{Attr, File};
use rten_onnx::onnx::{DataType, TensorProto};

/// Adds a constant to zeros, and returns it.
fn constant(file: File) -> Vec<f32> {
    file.node("Add", "x c", "y", &[]).run(&[0.0; 4])
}

fn file() -> File {
    File::new(&[1, 4])
        .floats("a", &[4], &[1.0, 2.5, -3.5, 4.0])
        .floats("b", &[], &[2.0])
        .ints("i", &[7, -7, 5, 0])
        .ints("three", &[3])
        .ints("four", &[4])
        .ints("zero", &[0])
        .ints("one", &[1])
}

#[test]
fn functions_of_constants() {
    let of = |op: &str, inputs: &str| constant(file().node(op, inputs, "c", &[]));
    assert_eq!(of("Ceil", "a"), [1.0, 3.0, -3.0, 4.0]);
    assert_eq!(of("Floor", "a"), [1.0, 2.0, -4.0, 4.0]);
    assert_eq!(of("Round", "a"), [1.0, 2.0, -4.0, 4.0]);
    assert_eq!(of("Abs", "a"), [1.0, 2.5, 3.5, 4.0]);
    assert_eq!(of("Neg", "a"), [-1.0, -2.5, 3.5, -4.0]);
    assert_eq!(of("Max", "a b"), [2.0, 2.5, 2.0, 4.0]);
    assert_eq!(of("Min", "a b"), [1.0, 2.0, -3.5, 2.0]);
    assert_eq!(of("Pow", "a b"), [1.0, 6.25, 12.25, 16.0]);
    assert_eq!(of("Reciprocal", "b"), [0.5; 4]);
    assert_eq!(of("Relu", "a"), [1.0, 2.5, 0.0, 4.0]);
    let cast = |f: File| f.node("Cast", "k", "c", &[Attr::Int("to", 1)]);
    let ints = |op: &str, inputs: &str| constant(cast(file().node(op, inputs, "k", &[])));
    // With the sign of the divisor.
    assert_eq!(ints("Mod", "i three"), [1.0, 2.0, 2.0, 0.0]);
    assert_eq!(ints("Div", "i three"), [2.0, -2.0, 1.0, 0.0]);
    assert_eq!(ints("Range", "zero four one"), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(ints("Equal", "i three"), [0.0; 4]);
    assert_eq!(ints("Greater", "i zero"), [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(ints("Tile", "one four"), [1.0; 4]);
    assert_eq!(ints("Expand", "three four"), [3.0; 4]);
    assert_eq!(ints("Size", "a"), [4.0; 4]);
    let chosen = cast(file().node("Greater", "i zero", "m", &[]).node(
        "Where",
        "m i zero",
        "k",
        &[],
    ));
    assert_eq!(constant(chosen), [7.0, 0.0, 5.0, 0.0]);
    for (op, value) in [
        ("ReduceMean", 1.0),
        ("ReduceSum", 4.0),
        ("ReduceMax", 4.0),
        ("ReduceMin", -3.5),
        ("ReduceProd", -35.0),
    ] {
        assert_eq!(of(op, "a"), [value; 4], "{op}");
    }
}

#[test]
fn casts_wrap_as_in_the_standard() {
    let cast = |to: i64, value: f32| {
        let file = File::new(&[1, 1]).floats("v", &[1], &[value]);
        let file = file.node("Cast", "v", "k", &[Attr::Int("to", to)]);
        let file = file.node("Cast", "k", "c", &[Attr::Int("to", 1)]);
        file.node("Add", "x c", "y", &[]).run(&[0.0])[0]
    };
    // INT8, UINT8, INT64, BOOL.
    assert_eq!(cast(3, 130.0), -126.0);
    assert_eq!(cast(2, 258.0), 2.0);
    assert_eq!(cast(7, -2.7), -2.0);
    assert_eq!(cast(9, 0.5), 1.0);
}

#[test]
fn operators_are_of_their_opsets() {
    let gelu = |opset| File::new(&[1, 2]).opset(opset).node("Gelu", "x", "y", &[]);
    assert!(
        gelu(19)
            .error()
            .contains("Gelu `y` (which opset 19 does not have)")
    );
    assert_eq!(gelu(20).ops(), ["gelu"]);
    let scales = [Attr::Text("mode", "nearest")];
    let upsample = |opset| {
        let file = File::new(&[1, 1, 1, 2]).opset(opset);
        file.floats("s", &[4], &[1.0, 1.0, 2.0, 2.0])
            .node("Upsample", "x s", "y", &scales)
    };
    assert_eq!(
        upsample(9).run(&[1.0, 2.0]),
        [1., 1., 2., 2., 1., 1., 2., 2.]
    );
    assert!(
        upsample(11)
            .error()
            .contains("which opset 11 does not have")
    );
}

/// A byte that wraps would be another number, and the network another one without a word.
#[test]
fn integers_that_do_not_fit_their_type_are_refused() {
    let bytes = |values: &[i32]| TensorProto {
        name: Some("k".into()),
        dims: vec![values.len().try_into().expect("short")],
        data_type: Some(DataType::UINT8),
        int32_data: values.to_vec(),
        ..TensorProto::default()
    };
    let float = |file: File| file.node("Cast", "d", "c", &[Attr::Int("to", 1)]);
    let doubled = |values: &[i32]| {
        let file = file().tensor(bytes(values));
        float(
            file.node("Identity", "k", "j", &[])
                .node("Add", "j j", "d", &[]),
        )
    };
    assert_eq!(constant(doubled(&[1, 2, 3, 127])), [2.0, 4.0, 6.0, 254.0]);
    let error = |file: File| file.node("Add", "x c", "y", &[]).error();
    let narrow = error(doubled(&[1, 2, 3, 128]));
    assert_eq!(narrow, "Add `d`: its integers do not fit type UINT8");
    let like = float(file().tensor(bytes(&[1])).node("CastLike", "i k", "d", &[]));
    assert!(error(like).contains("do not fit type UINT8"));
    // The type of a power is that of its base.
    let root = float(file().node("Pow", "three b", "d", &[]));
    assert!(error(root).contains("of numbers to type INT64"));
    let wrapped = file().node("Cast", "i", "k", &[Attr::Int("to", 2)]);
    assert_eq!(
        constant(wrapped.node("Cast", "k", "c", &[Attr::Int("to", 1)])),
        [7.0, 249.0, 5.0, 0.0]
    );
}
