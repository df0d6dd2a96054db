//! Which format a file has, by its first bytes.

use crate::dicom;
use crate::error::DecodeError;
use crate::jpeg::is_jpeg;
use crate::png;

/// The bytes by which a format is known: the preamble of DICOM, and the elements after it that say what the file holds.
pub(crate) const FIRST_BYTES: usize = 512;

/// Who decodes a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Dicom,
}

impl Format {
    /// The format of a file, of which the first [`FIRST_BYTES`] do.
    pub(crate) fn of(first: &[u8]) -> Result<Self, DecodeError> {
        if first.is_empty() {
            Err(DecodeError::Empty)
        } else if dicom::is_dicom(first) {
            Ok(Self::Dicom)
        } else if first.starts_with(png::SIGNATURE) {
            Ok(Self::Png)
        } else if is_jpeg(first) {
            Ok(Self::Jpeg)
        } else if dicom::is_headless(first) {
            Err(DecodeError::unsupported(
                "a DICOM data set without the preamble and DICM of a DICOM file",
            ))
        } else {
            Err(DecodeError::UnknownFormat)
        }
    }
}

/// Whether a file of a folder is meant as an image. One that is not read although it is an image counts: whoever opens it
/// then says why.
pub(crate) fn is_image(first: &[u8]) -> bool {
    match Format::of(first) {
        Ok(Format::Png | Format::Jpeg) | Err(DecodeError::Unsupported(_)) => true,
        Ok(Format::Dicom) => dicom::may_be_picture(first),
        Err(_) => false,
    }
}
