//! Networks for two-party inference: float graphs, quantisation, and their three executors.
//!
//! A float [`Graph`] with its [`Tensors`] comes from a [`backbone`] and a PyTorch [`StateDict`].
//! [`import`] folds batch norms ([`fold`]; those before a `ReLU` become [`IntOp::SignedRelu`], at no
//! cost), calibrates on sample images and lowers it to an
//! [`IntGraph`], in which every tensor is integers of a declared width and scale. The result is a
//! [`Model`]: a [`PublicModel`] that both parties may know, [`PrivateWeights`] that only the server
//! has, and the float network for comparison. [`FloatModel::run`] computes it in floats,
//! [`run_integer`] in clear integers, and [`SecureNetwork`] between two parties, bit for bit as the
//! clear integers. [`replace_convolutions`] puts X-operators in place of a network's convolutions.
//!
//! ```
//! use nets::{FloatModel, Graph, Head, ImportOptions, Op, Preprocessing, Shape, Source, Tensors};
//!
//! // A network that only averages its 2 x 2 input and doubles the mean.
//! let shape = Shape::new(1, 2, 2);
//! let mut graph = Graph::new();
//! let x = graph.push("input", Op::Input { shape }, &[]);
//! let mean = graph.push("mean", Op::GlobalAvgPool, &[x]);
//! let op = Op::Linear { out_features: 1, weight: "w".into(), bias: None };
//! graph.push("double", op, &[mean]);
//! let mut tensors = Tensors::new();
//! tensors.insert("w", nets::Tensor::new(vec![1, 1], vec![2.0]));
//! let source = Source {
//!     arch: "doubler".into(),
//!     float: FloatModel { graph, tensors },
//!     preprocessing: Preprocessing::new(shape, vec![0.0], vec![1.0]),
//!     labels: vec!["mean, doubled".into()],
//!     head: Head::Sigmoid,
//! };
//! let sample = vec![0.25, 0.5, 0.75, 1.0];
//! let (model, report) = nets::import(&source, &[sample.clone()], &ImportOptions::default())?;
//! assert_eq!(report.wrapped, 0);
//! let raw = model.run_integer(&model.public.encode(&sample)?)?;
//! assert!((model.public.logits(&raw)[0] - 1.25).abs() < 0.01);
//! # Ok::<(), nets::Error>(())
//! ```
//!
//! Papers: [RRK+20] CrypTFlow2 (arXiv 2010.06457), the uniform-ring setting and the exact
//! truncation; [RRG+21] SiRNN (arXiv 2105.04236), widths that differ from tensor to tensor;
//! Jacob et al., integer-only inference (arXiv 1712.05877), batch-norm folding; He et al.,
//! residual networks (arXiv 1512.03385); Huang et al., `DenseNet` (arXiv 1608.06993); Sandler et al.,
//! `MobileNetV2` (arXiv 1801.04381).

mod accuracy;
mod backbones;
mod bounds;
mod calibrate;
mod channels;
mod choose;
mod clip;
mod decimal;
mod equalise;
mod error;
mod file;
mod filters;
mod float;
mod fold;
mod geometry;
mod graph;
mod history;
mod igraph;
mod import;
mod infer;
mod integer;
mod kernel;
mod lower;
mod model;
mod plan;
mod preact;
mod preprocess;
mod price;
mod product;
mod public;
mod replace;
mod report;
mod rescale;
mod resize;
mod rounding;
mod safetensors;
mod scales;
mod secure;
mod shape;
mod signed_relu;
mod standardise;
mod tensors;
mod tiled;
mod weights;
mod widths;

pub use accuracy::{WeightBits, WidthReport};
pub use backbones::{BACKBONES, backbone, backbone_seeded};
pub use choose::{Algorithm, Algorithms, Candidate, LayerChoice, choose};
pub use error::Error;
pub use float::FloatModel;
pub use fold::fold;
pub use geometry::{Crops, Geometry};
pub use graph::{Graph, Node, Op};
pub use history::CrypTFlow2;
pub use igraph::{IntGraph, IntNode, IntOp, TensorType};
pub use import::{ImportOptions, ImportReport, Preset, Rounding, Source, import};
pub use integer::run_integer;
pub use model::Model;
pub use plan::{CHUNK, agreement};
pub use preprocess::{Picture, Preprocessing, Samples};
pub use price::{Constants, Network, Objective, Work};
pub use public::{Head, MAX_PUBLIC_BYTES, Prepared, PublicModel};
pub use replace::{Replacement, XOpOptions, replace_convolutions};
pub use report::{LayerPlan, LayerReport, Mode, Progress, RunReport};
pub use resize::{Filter, resize};
pub use safetensors::StateDict;
pub use secure::SecureNetwork;
pub use shape::{MAX_ELEMENTS, Shape, Window};
pub use standardise::standardise;
pub use tensors::{Tensor, Tensors};
pub use weights::{LayerWeights, PrivateWeights};
pub use widths::LayerWidths;
pub use winograd::Tile;
