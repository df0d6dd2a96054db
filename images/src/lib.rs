#![doc = include_str!("../README.md")]

mod dicom;
mod error;
mod file;
mod folder;
mod format;
mod raster;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, Error};
pub use file::{Image, MAX_FILE_BYTES, check_all};
pub use folder::find;

use format::Format;

/// Decodes the bytes of a PNG, JPEG or DICOM file; which of them they are follows from the first bytes, not from a name.
///
/// No memory is taken for the pixels that a header claims unless the bytes at hand can hold as many, and hostile bytes give an
/// error, never a panic.
///
/// # Errors
/// What is wrong with the bytes, in one sentence.
pub fn decode(bytes: &[u8]) -> Result<nets::Picture, DecodeError> {
    match Format::of(bytes)? {
        Format::Raster => raster::decode(bytes),
        Format::Dicom => dicom::decode(bytes),
    }
}
