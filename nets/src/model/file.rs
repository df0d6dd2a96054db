//! The `.bray` model file: reading and writing [`Model`]s.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::public::PublicModel;
use crate::io;
use crate::{Error, FloatGraph, FloatModel, LayerWeights, PrivateWeights, Tensor, Tensors};

const MAGIC: [u8; 4] = *b"BRAY";
/// The format written and read.
const VERSION: u32 = 2;
/// Bytes before the header.
const PREFIX: usize = 4 + 4 + 8 + 8 + 32;

/// A whole model: what the server keeps in a file.
///
/// The file has the following parts. Numbers are little-endian, and every tensor starts at a multiple of
/// 8 bytes from the start of the tensors.
///
/// | bytes | content |
/// |---|---|
/// | 4 | `BRAY` |
/// | 4 | format version |
/// | 8 | length of the header |
/// | 8 | length of the tensors |
/// | 32 | BLAKE3 of everything that follows |
/// | | header: JSON of the public part, the float graph and the index of tensors |
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
    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::InFile`] naming what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = io::read(path)?;
        Self::from_bytes(&bytes).map_err(|e| e.in_file(path))
    }

    /// Reads a model from memory.
    ///
    /// # Errors
    /// [`Error::NotAModel`], [`Error::FormatVersion`], [`Error::Damaged`], and the errors of
    /// [`PublicModel::check`], [`FloatModel::check`] and [`PrivateWeights::check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (header, blob) = split(bytes)?;
        let header: Header =
            serde_json::from_slice(header).map_err(|e| Error::Damaged(format!("header: {e}")))?;
        header.public.check()?;
        let mut tensors = Tensors::new();
        let mut layers: BTreeMap<usize, LayerWeights> = BTreeMap::new();
        for Entry {
            what,
            offset,
            shape,
        } in header.tensors
        {
            match what {
                What::Float { name } => {
                    let data = words(blob, offset, &shape, f32::from_le_bytes)?;
                    if data.iter().any(|v| !v.is_finite()) {
                        let problem = "it holds a value that is no finite number".into();
                        return Err(Error::TensorContent {
                            tensor: name,
                            problem,
                        });
                    }
                    tensors.insert(name, Tensor::new(shape, data));
                }
                What::Weights { node } => {
                    let layer = layers.entry(node).or_default();
                    layer.weights = words(blob, offset, &shape, i32::from_le_bytes)?;
                }
                What::Bias { node } => {
                    let layer = layers.entry(node).or_default();
                    layer.bias = words(blob, offset, &shape, i64::from_le_bytes)?;
                }
            }
        }
        let float = FloatModel {
            graph: header.float,
            tensors,
        };
        float.check()?;
        let ends = (*float.graph.input(), float.graph.output().len());
        let graph = &header.public.graph;
        if ends != (graph.input().shape, graph.output().shape.len()) {
            return Err(Error::Damaged(
                "float and integer network differ in shape".into(),
            ));
        }
        let weights = PrivateWeights::new(graph, layers)?;
        Ok(Self {
            public: header.public,
            weights,
            float,
        })
    }

    /// The file's bytes.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "every header has a JSON form")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut end = 0_usize;
        let mut entry = |what, shape: Vec<usize>, size: usize| {
            let offset = end.next_multiple_of(8);
            end = offset + shape.iter().product::<usize>() * size;
            Entry {
                what,
                offset,
                shape,
            }
        };
        let mut tensors = Vec::new();
        for (name, tensor) in self.float.tensors.iter() {
            let what = What::Float { name: name.into() };
            tensors.push(entry(what, tensor.shape().to_vec(), size_of::<f32>()));
        }
        for (node, layer) in self.weights.iter() {
            let (weights, biases) = (layer.weights.len(), layer.bias.len());
            tensors.push(entry(
                What::Weights { node },
                vec![weights],
                size_of::<i32>(),
            ));
            tensors.push(entry(What::Bias { node }, vec![biases], size_of::<i64>()));
        }
        let header = Header {
            public: self.public.clone(),
            float: self.float.graph.clone(),
            tensors,
        };
        let mut header =
            serde_json::to_vec(&header).expect("a header has no value that JSON lacks");
        // Blanks after the JSON align the tensors in the file.
        header.resize((PREFIX + header.len()).next_multiple_of(64) - PREFIX, b' ');
        // Made once at its full length: large models need no memory for a second copy.
        let mut bytes = Vec::with_capacity(PREFIX + header.len() + end);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend((end as u64).to_le_bytes());
        bytes.extend([0; blake3::OUT_LEN]);
        bytes.extend(header);
        for (_, tensor) in self.float.tensors.iter() {
            put(&mut bytes, tensor.data(), f32::to_le_bytes);
        }
        for (_, layer) in self.weights.iter() {
            put(&mut bytes, &layer.weights, i32::to_le_bytes);
            put(&mut bytes, &layer.bias, i64::to_le_bytes);
        }
        let hash = blake3::hash(&bytes[PREFIX..]);
        bytes[PREFIX - blake3::OUT_LEN..PREFIX].copy_from_slice(hash.as_bytes());
        bytes
    }

    /// Writes a model file.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        io::write(path, &self.to_bytes())
    }

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

/// Adds the numbers of one tensor, which start at a multiple of 8 bytes, as the tensors do.
fn put<const N: usize, T: Copy>(bytes: &mut Vec<u8>, numbers: &[T], write: impl Fn(T) -> [u8; N]) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    for number in numbers {
        bytes.extend_from_slice(&write(*number));
    }
}

/// Checks magic, version, lengths and checksum; returns header and tensors.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    if !bytes.starts_with(&MAGIC) {
        return Err(Error::NotAModel("it does not start with BRAY".into()));
    }
    let short = || Error::Damaged(format!("it ends after {} bytes", bytes.len()));
    let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or_else(short)?;
    let word = |at: usize| {
        let bytes = prefix[at..at + 8].try_into().expect("eight bytes");
        u64::from_le_bytes(bytes)
    };
    let found = u32::from_le_bytes(prefix[4..8].try_into().expect("four bytes"));
    if found != VERSION {
        return Err(Error::FormatVersion {
            expected: VERSION,
            found,
        });
    }
    let (header, blob) = (word(8), word(16));
    if header.checked_add(blob) != Some(rest.len() as u64) {
        return Err(Error::Damaged(format!(
            "it announces {header} + {blob} bytes and has {}",
            rest.len()
        )));
    }
    if blake3::hash(rest).as_bytes() != &prefix[24..] {
        return Err(Error::Damaged("its checksum does not match".into()));
    }
    let header = usize::try_from(header).map_err(|_| short())?;
    rest.split_at_checked(header).ok_or_else(short)
}

/// The numbers of one tensor.
fn words<const N: usize, T>(
    blob: &[u8],
    offset: usize,
    shape: &[usize],
    read: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, Error> {
    let count = shape
        .iter()
        .try_fold(N, |product, &side| product.checked_mul(side));
    let end = count.and_then(|count| offset.checked_add(count));
    let bytes = end.and_then(|end| blob.get(offset..end));
    let bytes = bytes.ok_or_else(|| Error::Damaged("a tensor lies outside the file".into()))?;
    Ok(bytes.as_chunks::<N>().0.iter().map(|b| read(*b)).collect())
}
