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
    let own = quantised().node("QLinearConv", "i s z i s z s z", "y", &[]);
    assert!(own.error().contains("QLinearConv `y` (integer arithmetic"));
}
