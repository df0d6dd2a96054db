//! PyTorch state dicts in safetensors files.

use std::collections::BTreeMap;
use std::path::Path;

use ::safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::shape::MAX_PARAMETERS;
use crate::{Error, Tensor, Tensors};

/// A weights file: tensors and metadata.
///
/// 16- and 64-bit floats become `f32`. Tensors of integers, such as counters of batches, are left out.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct StateDict {
    /// The tensors.
    pub tensors: Tensors,
    /// The file's `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

impl StateDict {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::InFile`] naming what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = crate::io::read(path)?;
        Self::from_bytes(&bytes).map_err(|e| e.in_file(path))
    }

    /// Reads a safetensors file from memory.
    ///
    /// # Errors
    /// [`Error::Safetensors`], [`Error::TensorContent`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let unreadable = |e: ::safetensors::SafeTensorError| Error::Safetensors(e.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let mut tensors = Tensors::new();
        for (name, view) in file.iter() {
            if let Some(data) = floats(&view) {
                tensors.insert(name, checked(name, view.shape(), data)?);
            }
        }
        let metadata = header.metadata().iter().flatten();
        Ok(Self {
            tensors,
            metadata: metadata.map(|(k, v)| (k.clone(), v.clone())).collect(),
        })
    }

    /// The metadata under `key` as a list, separated by commas. Brackets, blanks and quotes around items are
    /// ignored.
    #[must_use]
    pub fn list(&self, key: &str) -> Option<Vec<String>> {
        let trim: &[char] = &['[', ']', ' ', '"', '\''];
        let text = self.metadata.get(key)?;
        Some(
            text.split(',')
                .map(|item| item.trim_matches(trim).to_owned())
                .collect(),
        )
    }

    /// The metadata under `key` as numbers.
    ///
    /// # Errors
    /// [`Error::Metadata`] for anything but a list of numbers.
    pub fn numbers<T: std::str::FromStr>(&self, key: &str) -> Result<Option<Vec<T>>, Error> {
        let Some(items) = self.list(key) else {
            return Ok(None);
        };
        let numbers = items
            .iter()
            .map(|item| item.parse().ok())
            .collect::<Option<Vec<T>>>();
        numbers.map(Some).ok_or_else(|| Error::Metadata {
            key: key.to_owned(),
            problem: format!("`{}` is not a list of numbers", self.metadata[key]),
        })
    }
}

fn checked(name: &str, shape: &[usize], data: Vec<f32>) -> Result<Tensor, Error> {
    let bad = |problem: &str| Error::TensorContent {
        tensor: name.into(),
        problem: problem.into(),
    };
    if data.len() > MAX_PARAMETERS {
        return Err(bad(&format!("it has more than {MAX_PARAMETERS} values")));
    }
    if data.iter().any(|v| !v.is_finite()) {
        return Err(bad("it holds a value that is no finite number"));
    }
    Ok(Tensor::new(shape.to_vec(), data))
}

fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    fn words<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(words(bytes, f32::from_le_bytes)),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rounding to f32; infinities are refused"
        )]
        Dtype::F64 => Some(words(bytes, |b| f64::from_le_bytes(b) as f32)),
        Dtype::BF16 => Some(words(bytes, |b| {
            f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)
        })),
        Dtype::F16 => Some(words(bytes, |b| half(u16::from_le_bytes(b)))),
        _ => None,
    }
}

/// The value of an IEEE binary16 number.
fn half(h: u16) -> f32 {
    let (exponent, fraction) = (h >> 10 & 31, f32::from(h & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 => f32::INFINITY,
        e => (1024.0 + fraction) * 2f32.powi(i32::from(e) - 25),
    };
    if h >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (1, 5.960_464_5e-8),
        ] {
            assert_eq!(half(bits), value);
        }
        assert!(!half(0x7c00).is_finite() && !half(0x7e00).is_finite());
    }
}
