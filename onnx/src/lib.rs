//! ONNX files in, [`nets::FloatModel`] out.
//!
//! [`load`] reads what PyTorch's two exporters and their like write for image classifiers, opsets
//! 9 to 21: constants are folded, what does not reach the output goes, and every operator left is
//! mapped to one of [`nets::Op`]. Weights may lie in external data files in the model's folder.
//!
//! A file is hostile until proved otherwise: lengths, nesting and counts are checked before the
//! parser sees the bytes, sizes before anything is allocated, and what is wrong comes back as an
//! [`Error`] that names the node or tensor. Operators that Blindray does not have are reported all
//! at once.
//!
//! ```
//! use rten_onnx::onnx::{
//!     DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
//!     TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
//! };
//! let dim = |n| Dimension { dim_value: Some(n), dim_param: None };
//! let shape = TensorShapeProto { dim: [1, 2, 4, 4].map(dim).to_vec() };
//! let tensor = TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(shape) };
//! let image = TypeProto { tensor_type: Some(tensor), sequence: None };
//! let relu = NodeProto {
//!     op_type: Some("Relu".into()),
//!     input: vec!["x".into()],
//!     output: vec!["y".into()],
//!     ..NodeProto::default()
//! };
//! let graph = GraphProto {
//!     node: vec![relu],
//!     input: vec![ValueInfoProto { name: Some("x".into()), r#type: Some(image) }],
//!     output: vec![ValueInfoProto { name: Some("y".into()), r#type: None }],
//!     ..GraphProto::default()
//! };
//! let model = ModelProto {
//!     graph: Some(graph),
//!     opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
//!     ..ModelProto::default()
//! };
//! let network = onnx::from_bytes(&model.write_buf()?, None)?;
//! assert_eq!(network.model.graph.nodes()[1].op, nets::Op::Relu);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
mod context;
mod decode;
mod error;
mod external;
mod finish;
mod load;
mod node;
mod ops;
mod value;
mod wire;

pub use error::{Error, Unsupported};
pub use load::{MAX_FILE_BYTES, Network, OPSETS, from_bytes, load};
