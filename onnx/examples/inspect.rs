//! Prints the network in an ONNX file.
//!
//! `cargo run --release -p blindray-onnx --example inspect -- FILE.onnx`; without a file, that of a small
//! network made here.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;

use nets::Operator as _;
use rten_onnx::onnx::{
    AttributeProto, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};

fn main() -> Result<(), Box<dyn Error>> {
    let network = match std::env::args().nth(1) {
        Some(file) => onnx::load(Path::new(&file))?,
        None => onnx::from_bytes(&small()?, None)?,
    };
    println!("opset {}, written by {:?}", network.opset, network.producer);
    let graph = &network.model.graph;
    for (index, (node, shape)) in graph.nodes().iter().zip(graph.types()).enumerate() {
        let inputs: Vec<String> = node.inputs.iter().map(ToString::to_string).collect();
        let (op, inputs) = (node.op.name(), inputs.join(", "));
        println!(
            "{index:>4}  {op:<16} {:<14} of {inputs:<10} {}",
            shape.to_string(),
            node.name
        );
    }
    println!("{} parameters", network.model.tensors.parameters());
    Ok(())
}

/// An image of 1x4x4, a 3x3 convolution to two channels, ReLU, the mean of each channel.
fn small() -> Result<Vec<u8>, Box<dyn Error>> {
    let dim = |n| Dimension {
        dim_value: Some(n),
        dim_param: None,
    };
    let shape = TensorShapeProto {
        dim: [1, 1, 4, 4].map(dim).to_vec(),
    };
    let tensor = TypeProtoTensor {
        elem_type: Some(DataType::FLOAT),
        shape: Some(shape),
    };
    let image = TypeProto {
        tensor_type: Some(tensor),
        sequence: None,
    };
    let weight = TensorProto {
        name: Some("conv.weight".into()),
        dims: vec![2, 1, 3, 3],
        data_type: Some(DataType::FLOAT),
        float_data: (0..18_u8).map(f32::from).collect(),
        ..TensorProto::default()
    };
    let pads = AttributeProto {
        name: Some("pads".into()),
        ints: vec![1; 4],
        ..AttributeProto::default()
    };
    let node = |op: &str, inputs: &[&str], output: &str, attribute| NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute,
        ..NodeProto::default()
    };
    let graph = GraphProto {
        node: vec![
            node("Conv", &["image", "conv.weight"], "conv", vec![pads]),
            node("Relu", &["conv"], "relu", vec![]),
            node("GlobalAveragePool", &["relu"], "mean", vec![]),
        ],
        initializer: vec![weight],
        input: vec![ValueInfoProto {
            name: Some("image".into()),
            r#type: Some(image),
        }],
        output: vec![ValueInfoProto {
            name: Some("mean".into()),
            r#type: None,
        }],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto {
        domain: None,
        version: Some(17),
    };
    let model = ModelProto {
        graph: Some(graph),
        opset_import: vec![opset],
        ..ModelProto::default()
    };
    Ok(model.write_buf()?)
}
