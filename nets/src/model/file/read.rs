//! Reading a model file.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::{Entry, Header, MAGIC, Model, PIECE, PREFIX, VERSION, What};
use crate::{Error, FloatModel, LayerWeights, MAX_PUBLIC_BYTES, PrivateWeights, Tensor, Tensors};

/// The longest header. A float graph and the index of its tensors are about as long as the public part.
const MAX_HEADER: u64 = 4 * MAX_PUBLIC_BYTES as u64;

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::InFile`] naming what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let (file, length) = crate::io::open(path)?;
        read(file, length).map_err(|e| e.in_file(path))
    }

    /// Reads a model from memory.
    ///
    /// # Errors
    /// [`Error::NotAModel`], [`Error::FormatVersion`], [`Error::Damaged`], and the errors of
    /// [`crate::PublicModel::check`], [`FloatModel::check`] and [`PrivateWeights::check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        read(bytes, bytes.len() as u64)
    }
}

/// Checks magic, version, lengths and checksum, and reads what lies between them.
fn read(mut input: impl Read, length: u64) -> Result<Model, Error> {
    let mut prefix = Vec::with_capacity(PREFIX);
    (input.by_ref().take(PREFIX as u64))
        .read_to_end(&mut prefix)
        .map_err(unreadable)?;
    if !prefix.starts_with(&MAGIC) {
        return Err(Error::NotAModel("it does not start with BRAY".into()));
    }
    let short = || Error::Damaged(format!("it ends after {length} bytes"));
    let prefix: [u8; PREFIX] = prefix.try_into().map_err(|_| short())?;
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
    let rest = length.checked_sub(PREFIX as u64).ok_or_else(short)?;
    let (header, tensors) = (word(8), word(16));
    if header.checked_add(tensors) != Some(rest) {
        return Err(Error::Damaged(format!(
            "it announces {header} + {tensors} bytes and has {rest}"
        )));
    }
    let mut content = Content {
        input,
        left: rest,
        hash: blake3::Hasher::new(),
        piece: Zeroizing::new(vec![0; PIECE]),
    };
    let model = content.model(header);
    // That bytes were changed says more than what is wrong with changed bytes.
    content.skip(content.left)?;
    if content.hash.finalize().as_bytes() != &prefix[24..] {
        return Err(Error::Damaged("its checksum does not match".into()));
    }
    model
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> Error {
    Error::Damaged(format!("it cannot be read to its end: {error}"))
}

/// What follows the prefix: read once, from the front to the end, and hashed on the way.
struct Content<R> {
    input: R,
    /// Bytes to come.
    left: u64,
    hash: blake3::Hasher,
    /// The bytes that were read last.
    piece: Zeroizing<Vec<u8>>,
}

impl<R: Read> Content<R> {
    fn model(&mut self, header: u64) -> Result<Model, Error> {
        if header > MAX_HEADER {
            return Err(Error::Damaged(format!("a header of {header} bytes")));
        }
        let mut json = Vec::new();
        self.read(header, |piece| json.extend_from_slice(piece))?;
        let header: Header =
            serde_json::from_slice(&json).map_err(|e| Error::Damaged(format!("header: {e}")))?;
        drop(json);
        header.public.check()?;
        let all = self.left;
        let mut tensors = Tensors::new();
        let mut layers: BTreeMap<usize, LayerWeights> = BTreeMap::new();
        for Entry {
            what,
            offset,
            shape,
        } in header.tensors
        {
            // Tensors that shared bytes could need much more memory than the file has bytes.
            let gap = (offset as u64).checked_sub(all - self.left);
            let gap = gap.filter(|&gap| gap <= self.left).ok_or_else(outside)?;
            self.skip(gap)?;
            match what {
                What::Float { name } => {
                    let data = self.words(&shape, f32::from_le_bytes)?;
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
                    layer.weights = self.words(&shape, i32::from_le_bytes)?;
                }
                What::Bias { node } => {
                    let layer = layers.entry(node).or_default();
                    layer.bias = self.words(&shape, i64::from_le_bytes)?;
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
        Ok(Model {
            public: header.public,
            weights,
            float,
        })
    }

    /// The numbers of the tensor that comes next.
    fn words<const N: usize, T>(
        &mut self,
        shape: &[usize],
        read: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, Error> {
        let count = shape
            .iter()
            .try_fold(1, |product: usize, &side| product.checked_mul(side));
        let count = count.ok_or_else(outside)?;
        let bytes = (count as u64).checked_mul(N as u64);
        let bytes = bytes.filter(|&n| n <= self.left).ok_or_else(outside)?;
        let mut numbers = Vec::with_capacity(count);
        self.read(bytes, |piece| {
            numbers.extend(piece.as_chunks::<N>().0.iter().map(|b| read(*b)));
        })?;
        Ok(numbers)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        self.read(bytes, |_| {})
    }

    /// Shows the bytes that come next, which are not more than are left, piece by piece.
    fn read(&mut self, bytes: u64, mut see: impl FnMut(&[u8])) -> Result<(), Error> {
        let end = self.left - bytes;
        while self.left > end {
            let length = (self.left - end).min(PIECE as u64);
            let piece = usize::try_from(length).expect("a piece is short");
            let piece = &mut self.piece[..piece];
            self.input.read_exact(piece).map_err(unreadable)?;
            self.hash.update(piece);
            see(piece);
            self.left -= length;
        }
        Ok(())
    }
}

fn outside() -> Error {
    Error::Damaged("a tensor lies outside the file, or within another one".into())
}
