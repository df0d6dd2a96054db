//! DICOM files of one frame: uncompressed, RLE, JPEG baseline and lossless; grey or colour, 8 or 16 bit.
//!
//! The element headers are decoded by `dicom-encoding`, the attributes by `dicom-object`. Its reader of whole
//! files allocates what an element claims, and its decoders of compressed pixels index unchecked, so the
//! file is walked here ([`elements`]), and only elements found to be whole are handed on.

mod attributes;
mod elements;
mod grey;
mod lossless;
mod rle;
mod stored;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_encoding::TransferSyntaxIndex as _;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use nets::{Picture, Samples};

use crate::error::DecodeError;
use crate::raster::{is_jpeg, raster};
use attributes::Description;
use elements::{Encoding, PixelData};

/// What stands after the preamble.
const MAGIC: &[u8] = b"DICM";
const PREAMBLE: usize = 128;

/// How the pixels of a transfer syntax are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compression {
    None,
    Rle,
    /// JPEG of 8 bits, lossy.
    Jpeg,
    LosslessJpeg,
}

/// Whether a file says it is DICOM.
pub(crate) fn is_dicom(bytes: &[u8]) -> bool {
    bytes
        .get(PREAMBLE..)
        .is_some_and(|rest| rest.starts_with(MAGIC))
}

/// Whether a file looks like a DICOM data set without the preamble: the first element is of group 2 or 8.
pub(crate) fn is_headless(bytes: &[u8]) -> bool {
    matches!(bytes, [2 | 8, 0, _, 0, a, b, ..] if (a.is_ascii_uppercase() && b.is_ascii_uppercase()) || (*a, *b) == (4, 0))
}

/// Decodes a DICOM file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    // What the libraries may still get wrong is an error of this file, not of the program.
    catch_unwind(AssertUnwindSafe(|| unguarded(bytes)))
        .unwrap_or_else(|_| Err(DecodeError::damaged("its DICOM data cannot be decoded")))
}

fn unguarded(bytes: &[u8]) -> Result<Picture, DecodeError> {
    let (syntax, start) = elements::meta(bytes)?;
    let (encoding, compression) = known(&syntax)?;
    let set = elements::data_set(bytes, start, encoding)?;
    let description = Description::read(&set.described, encoding)?;
    let samples = match (compression, set.pixels) {
        (Compression::None, PixelData::Native(pixels)) => stored::native(pixels, &description)?,
        (Compression::Rle, PixelData::Fragments(parts)) => {
            rle::decode(&joined(&parts), &description)?
        }
        (Compression::Jpeg, PixelData::Fragments(parts)) => jpeg(&joined(&parts), &description)?,
        (Compression::LosslessJpeg, PixelData::Fragments(parts)) => {
            lossless::decode(&joined(&parts), &description)?
        }
        _ => {
            return Err(DecodeError::damaged(
                "its pixel data is not in the form its transfer syntax says",
            ));
        }
    };
    let (width, height) = (description.width as usize, description.height as usize);
    Picture::new(width, height, description.samples, samples)
        .map_err(|e| DecodeError::damaged(e.to_string()))
}

/// How a transfer syntax writes headers and pixels.
fn known(syntax: &str) -> Result<(Encoding, Compression), DecodeError> {
    match syntax {
        "1.2.840.10008.1.2" => Ok((Encoding::Implicit, Compression::None)),
        "1.2.840.10008.1.2.1" => Ok((Encoding::Explicit, Compression::None)),
        "1.2.840.10008.1.2.5" => Ok((Encoding::Explicit, Compression::Rle)),
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => {
            Ok((Encoding::Explicit, Compression::Jpeg))
        }
        "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => {
            Ok((Encoding::Explicit, Compression::LosslessJpeg))
        }
        _ => {
            let name = TransferSyntaxRegistry
                .get(syntax)
                .map_or("unknown", |known| known.name());
            Err(DecodeError::unsupported(format!(
                "the DICOM transfer syntax {syntax} ({name}) is not supported; uncompressed little endian, RLE, JPEG baseline and JPEG lossless are"
            )))
        }
    }
}

/// The fragments of the only frame as one stream.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Pixels compressed by JPEG, as the decoder of JPEG files gives them.
fn jpeg(stream: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    if !is_jpeg(stream) {
        return Err(DecodeError::damaged("its pixel data is no JPEG stream"));
    }
    if description.photometric == attributes::Photometric::Rgb {
        return Err(DecodeError::unsupported(
            "RGB samples in a JPEG stream are not supported",
        ));
    }
    let (decoded, _) = raster(stream)?;
    if (decoded.width(), decoded.height()) != (description.width, description.height) {
        return Err(DecodeError::damaged(
            "its JPEG stream has another size than its header",
        ));
    }
    match (decoded, description.samples) {
        (image::DynamicImage::ImageLuma8(grey), 1) => {
            let raw = grey.into_raw();
            stored::grey_of_bytes(&raw, description)
        }
        (image::DynamicImage::ImageRgb8(colour), 3) => Ok(Samples::Eight(colour.into_raw())),
        _ => Err(DecodeError::damaged(
            "its JPEG stream has other channels than its header",
        )),
    }
}
