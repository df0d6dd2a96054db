//! What several tests share.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

pub mod functions;

use std::path::{Path, PathBuf};

use nets::Operator as _;
use onnx::{Error, Network};
use rten_onnx::onnx::{
    AttributeProto, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};

/// The folder of trained networks, or a message that the test is skipped.
pub fn models() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    let folder = std::env::var_os("BLINDRAY_MODELS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: no trained networks at {} (set BLINDRAY_MODELS)",
        folder.display()
    );
    None
}

/// Reference images as input values (channel by channel), and the logits.
pub struct Reference {
    pub inputs: Vec<Vec<f32>>,
    pub logits: Vec<Vec<f64>>,
}

/// Reads `reference/<name>.json` and its `.u8.npy`.
#[expect(clippy::cast_possible_truncation, reason = "networks take f32")]
pub fn reference(folder: &Path, name: &str) -> Reference {
    let text = std::fs::read(folder.join(format!("reference/{name}.json"))).expect("a JSON file");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let rows = json["rows"].as_array().expect("rows");
    let logits = rows.iter().map(|row| numbers(&row["logits_f64"])).collect();
    let (scale, shift) = affine(&json["affine"]);
    let npy = std::fs::read(folder.join(format!("reference/{name}.u8.npy"))).expect("an npy file");
    let header = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let (data, channels) = (&npy[header..], scale.len());
    let images = data.chunks_exact(data.len() / rows.len());
    let value = |c: usize, v: u8| (f64::from(v) * scale[c] + shift[c]) as f32;
    let plane = |hwc: &[u8], c: usize| -> Vec<f32> {
        hwc.iter()
            .skip(c)
            .step_by(channels)
            .map(|&v| value(c, v))
            .collect()
    };
    let inputs = images
        .map(|hwc| (0..channels).flat_map(|c| plane(hwc, c)).collect())
        .collect();
    Reference { inputs, logits }
}

pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value.as_array() {
        Some(values) => values
            .iter()
            .map(|v| v.as_f64().expect("a number"))
            .collect(),
        None => vec![value.as_f64().expect("a number")],
    }
}

/// Factor and shift per channel from mean and standard deviation, or of `u8/127.5 - 1`.
fn affine(json: &serde_json::Value) -> (Vec<f64>, Vec<f64>) {
    if json["mean"].is_null() {
        return (vec![1.0 / 127.5; 3], vec![-1.0; 3]);
    }
    let (mean, std) = (numbers(&json["mean"]), numbers(&json["std"]));
    let scale = std.iter().map(|s| 1.0 / (255.0 * s)).collect();
    (scale, mean.iter().zip(&std).map(|(m, s)| -m / s).collect())
}

/// A file built node by node; one input `x`, one output `y`.
pub struct File {
    graph: GraphProto,
    pub opset: i64,
}

impl File {
    pub fn new(input: &[i64]) -> Self {
        let dim = |&n: &i64| Dimension {
            dim_value: Some(n),
            dim_param: None,
        };
        let shape = TensorShapeProto {
            dim: input.iter().map(dim).collect(),
        };
        let tensor = TypeProtoTensor {
            elem_type: Some(DataType::FLOAT),
            shape: Some(shape),
        };
        let r#type = Some(TypeProto {
            tensor_type: Some(tensor),
            sequence: None,
        });
        let graph = GraphProto {
            input: vec![ValueInfoProto {
                name: Some("x".into()),
                r#type,
            }],
            output: vec![ValueInfoProto {
                name: Some("y".into()),
                r#type: None,
            }],
            ..GraphProto::default()
        };
        Self { graph, opset: 17 }
    }

    pub fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    /// A node, as [`node`] makes it.
    pub fn node(self, op: &str, inputs: &str, output: &str, attribute: &[Attr<'_>]) -> Self {
        self.proto(node(op, inputs, output, attribute))
    }

    pub fn proto(mut self, node: NodeProto) -> Self {
        self.graph.node.push(node);
        self
    }

    /// Renames the last node.
    pub fn named(mut self, name: &str) -> Self {
        self.graph.node.last_mut().expect("a node").name = Some(name.into());
        self
    }

    pub fn floats(mut self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.graph.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: dims.to_vec(),
            data_type: Some(DataType::FLOAT),
            float_data: values.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    pub fn ints(mut self, name: &str, values: &[i64]) -> Self {
        self.graph.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: vec![values.len().try_into().expect("short")],
            data_type: Some(DataType::INT64),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    pub fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph.initializer.push(tensor);
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        let opset = OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(self.opset),
        };
        let model = ModelProto {
            graph: Some(self.graph),
            opset_import: vec![opset],
            ..ModelProto::default()
        };
        model.write_buf().expect("it encodes")
    }

    pub fn load(self) -> Result<Network, Error> {
        onnx::from_bytes(&self.bytes(), None)
    }

    /// The network's operations, by name, without the input.
    pub fn ops(self) -> Vec<&'static str> {
        let network = self.load().expect("it loads");
        network.model.graph.nodes()[1..]
            .iter()
            .map(|n| n.op.name())
            .collect()
    }

    /// Runs the network.
    pub fn run(self, input: &[f32]) -> Vec<f32> {
        self.load()
            .expect("it loads")
            .model
            .run(input)
            .expect("it runs")
    }

    /// What is wrong with it.
    pub fn error(self) -> String {
        self.load().expect_err("it is wrong").to_string()
    }
}

/// A node named after its output; inputs and outputs separated by blanks, `-` for one left out; the operator may
/// have a domain before `::`.
pub fn node(op: &str, inputs: &str, output: &str, attribute: &[Attr<'_>]) -> NodeProto {
    let split = |names: &str| -> Vec<String> {
        names
            .split_whitespace()
            .map(|n| n.trim_matches('-').to_owned())
            .collect()
    };
    let (domain, op) = match op.split_once("::") {
        Some((domain, op)) => (Some(domain.to_owned()), op),
        None => (None, op),
    };
    NodeProto {
        domain,
        op_type: Some(op.into()),
        name: Some(output.into()),
        input: split(inputs),
        output: split(output),
        attribute: attribute.iter().map(Attr::proto).collect(),
    }
}

/// An attribute.
#[derive(Clone, Copy)]
pub enum Attr<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Float(&'a str, f32),
    Text(&'a str, &'a str),
}

impl Attr<'_> {
    pub fn proto(&self) -> AttributeProto {
        let mut proto = AttributeProto::default();
        let name = match *self {
            Self::Int(name, value) => {
                proto.i = Some(value);
                name
            }
            Self::Ints(name, values) => {
                proto.ints = values.to_vec();
                name
            }
            Self::Float(name, value) => {
                proto.f = Some(value);
                name
            }
            Self::Text(name, value) => {
                proto.s = Some(value.into());
                name
            }
        };
        proto.name = Some(name.into());
        proto
    }
}
