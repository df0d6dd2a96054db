#![doc = include_str!("../README.md")]

mod error;
mod float;
mod graph;
mod int;
mod io;
pub mod kernel;
mod model;
mod places;
mod shape;

#[doc = include_str!("../docs/operators.md")]
pub mod guide {}

pub use error::Error;
pub use float::curve::Curve;
pub use float::executor::FloatModel;
pub use float::fold::{fold, fold_batch_norms};
pub use float::gemm::gemm_f32;
pub use float::op::{FloatGraph, Kind, LinearView, Op, Rescaling};
pub use float::provenance::Provenance;
pub use float::safetensors::StateDict;
pub use float::standardise::standardise;
pub use float::tensors::{Tensor, Tensors};
pub use graph::{Arity, Graph, GraphBuilder, Node, Operator, PathStep, Rewriter};
pub use int::algorithm::Algorithm;
pub use int::executor::{Counts, run_integer, run_integer_counting};
pub use int::interval::{Interval, Proved, proved};
pub use int::op::{IntGraph, IntOp, LayerShape};
pub use int::pieces::{Pieces, Symmetry};
pub use int::rewrite::{
    Truncation, graph_with_algorithms, graph_without_algorithms, truncation, with_algorithms,
    without_algorithms,
};
pub use int::types::{MAX_WEIGHT_BITS, TensorType};
pub use int::weights::{LayerWeights, PrivateWeights};
pub use model::calibration::{Accuracy, Calibration, Levels, Room};
pub use model::file::Model;
pub use model::geometry::{Crops, Geometry};
pub use model::grid::InputGrid;
pub use model::opening::Opening;
pub use model::part::Part;
pub use model::preprocess::{Picture, Preprocessing, Samples};
pub use model::public::{Head, MAX_PUBLIC_BYTES, Prepared, PublicModel};
pub use model::resize::{Filter, resize};
pub use model::source::Source;
pub use places::{Places, Run};
pub use shape::{MAX_ELEMENTS, MAX_PARAMETERS, Shape, Window};
