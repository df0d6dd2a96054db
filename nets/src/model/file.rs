//! The `.bray` model file: reading and writing [`Model`]s.

mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::public::PublicModel;
use crate::{Error, FloatGraph, FloatModel, PrivateWeights};

const MAGIC: [u8; 4] = *b"BRAY";
/// The format written and read.
const VERSION: u32 = 2;
/// Bytes before the header.
const PREFIX: usize = 4 + 4 + 8 + 8 + 32;
/// The most bytes of tensors that are held beside them (LOCAL), a multiple of 8.
const PIECE: usize = 1 << 16;

/// A whole model: what the server keeps in a file.
///
/// The file has the following parts. Numbers are little-endian. The tensors lie one behind the other, and every one of them
/// starts at a multiple of 8 bytes from the start of the tensors. Reading and writing take no memory for the bytes beside
/// the tensors.
///
/// | bytes | content |
/// |---|---|
/// | 4 | `BRAY` |
/// | 4 | format version |
/// | 8 | length of the header |
/// | 8 | length of the tensors |
/// | 32 | BLAKE3 of everything that follows |
/// | | header: JSON of the public part, the float graph and the index of tensors, at most 64 MiB |
/// | | tensors: float parameters (f32), integer weights (i32) and biases (i64) |
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these are the parts of a model")]
pub struct Model {
    /// What the client may know.
    pub public: PublicModel,
    /// The server's integer weights.
    pub weights: PrivateWeights,
    /// The float network as it was trained, folded, for comparison.
    pub float: FloatModel,
}

/// The JSON header.
#[derive(Serialize, Deserialize)]
struct Header {
    public: PublicModel,
    float: FloatGraph,
    tensors: Vec<Entry>,
}

/// Where a tensor lies.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    what: What,
    /// First byte, counted from the start of the tensors.
    offset: usize,
    shape: Vec<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    /// A float parameter.
    Float { name: String },
    /// Integer weights of a node.
    Weights { node: usize },
    /// Biases of a node.
    Bias { node: usize },
}

impl Model {
    /// Runs the integer network in the clear, the reference of secure runs.
    ///
    /// # Errors
    /// [`Error::InputLength`].
    pub fn run_integer(&self, input: &[i64]) -> Result<Vec<i64>, Error> {
        crate::run_integer(&self.public.graph, &self.weights, input)
    }

    /// Runs the float network.
    ///
    /// # Errors
    /// [`Error::InputLength`].
    pub fn run_float(&self, values: &[f32]) -> Result<Vec<f32>, Error> {
        self.float.run(values)
    }
}
