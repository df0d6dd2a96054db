//! Which format a file has, by its first bytes.

use crate::dicom;
use crate::error::DecodeError;
use crate::raster::is_jpeg;

/// The bytes by which a format is known: the preamble of DICOM and what follows it.
pub(crate) const FIRST_BYTES: usize = 132;

/// Who decodes a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// PNG or JPEG.
    Raster,
    Dicom,
}

impl Format {
    /// The format of a file, of which the first [`FIRST_BYTES`] do.
    pub(crate) fn of(first: &[u8]) -> Result<Self, DecodeError> {
        if first.is_empty() {
            Err(DecodeError::Empty)
        } else if dicom::is_dicom(first) {
            Ok(Self::Dicom)
        } else if first.starts_with(b"\x89PNG\r\n\x1a\n") || is_jpeg(first) {
            Ok(Self::Raster)
        } else if dicom::is_headless(first) {
            Err(DecodeError::unsupported(
                "a DICOM data set without the preamble and DICM of a DICOM file",
            ))
        } else {
            Err(DecodeError::UnknownFormat)
        }
    }
}
