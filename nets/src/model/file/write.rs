//! Writing a model file.

use std::io::{self, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::{Entry, Header, MAGIC, Model, PIECE, PREFIX, VERSION, What};
use crate::Error;

impl Model {
    /// The file's bytes.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "memory takes all bytes")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (header, tensors) = self.header();
        // Made once at its full length: large models need no memory for a second copy.
        let mut bytes = Vec::with_capacity(PREFIX + header.len() + tensors);
        self.write(&mut bytes).expect("memory takes all bytes");
        bytes
    }

    /// Writes the file's bytes, tensor by tensor.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (header, tensors) = self.header();
        let mut hash = blake3::Hasher::new();
        self.content(&header, &mut hash)?;
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&(tensors as u64).to_le_bytes())?;
        out.write_all(hash.finalize().as_bytes())?;
        self.content(&header, out)
    }

    /// Writes a model file.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let written = std::fs::File::create(path).and_then(|mut file| self.write(&mut file));
        written.map_err(|source| Error::File {
            action: "write",
            path: path.to_path_buf(),
            source,
        })
    }

    /// The header, and how many bytes the tensors take.
    fn header(&self) -> (Vec<u8>, usize) {
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
        (header, end)
    }

    /// Header and tensors: all that the checksum covers.
    fn content(&self, header: &[u8], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(header)?;
        let mut out = Aligned {
            out,
            piece: Zeroizing::new(Vec::with_capacity(PIECE)),
        };
        for (_, tensor) in self.float.tensors.iter() {
            out.put(tensor.data(), f32::to_le_bytes)?;
        }
        for (_, layer) in self.weights.iter() {
            out.put(&layer.weights, i32::to_le_bytes)?;
            out.put(&layer.bias, i64::to_le_bytes)?;
        }
        out.flush()
    }
}

/// Tensors on their way out. All pieces but the last have multiples of 8 bytes.
struct Aligned<'a> {
    out: &'a mut dyn Write,
    piece: Zeroizing<Vec<u8>>,
}

impl Aligned<'_> {
    /// Adds the numbers of one tensor, which start at a multiple of 8 bytes.
    fn put<const N: usize, T: Copy>(
        &mut self,
        numbers: &[T],
        bytes: impl Fn(T) -> [u8; N],
    ) -> io::Result<()> {
        let padded = self.piece.len().next_multiple_of(8);
        self.piece.resize(padded, 0);
        for numbers in numbers.chunks(PIECE / 8) {
            if self.piece.len() + numbers.len() * N > PIECE {
                self.flush()?;
            }
            for &number in numbers {
                self.piece.extend_from_slice(&bytes(number));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}
