//! DICOM files: uncompressed, deflated, RLE, JPEG lossy and lossless, JPEG-LS, JPEG 2000; grey, palette or colour, 8 or 16 bit; one frame, or one
//! chosen of many.
//!
//! The element headers are decoded by `dicom-encoding`. The readers of whole files allocate what an element claims, and the usual
//! decoders of compressed pixels index unchecked, so the file is walked here ([`elements`]), and only elements found to be whole
//! are looked at.

mod attributes;
mod elements;
mod frames;
mod grey;
mod jpeg;
mod jpeg2000;
mod jpegls;
mod rle;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_encoding::TransferSyntaxIndex as _;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use flate2::read::DeflateDecoder;

use crate::Decoded;
use crate::MAX_FILE_BYTES;
use crate::error::DecodeError;
use attributes::Description;
use elements::{Encoding, PixelData};

/// What stands after the preamble.
const MAGIC: &[u8] = b"DICM";
const PREAMBLE: usize = 128;

/// How the pixels of a transfer syntax are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compression {
    None,
    /// The whole data set is.
    Deflate,
    Rle,
    /// JPEG of 8 or 12 bits, lossy.
    Jpeg,
    LosslessJpeg,
    JpegLs,
    Jpeg2000,
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

/// Whether a DICOM file may hold a picture, by the class that its first bytes name: folders of studies also hold tables of contents,
/// reports, documents and waveforms.
pub(crate) fn may_be_picture(first: &[u8]) -> bool {
    const STORAGE: &[u8] = b"1.2.840.10008.5.1.4.1.1.";
    /// What follows: waveforms, presentation states, reports, documents.
    const OTHERS: [&[u8]; 4] = [b"9.", b"11.", b"88.", b"104."];
    const DIRECTORY: &[u8] = b"1.2.840.10008.1.3.10";
    /// Header of the element that names the class.
    const CLASS: &[u8] = b"\x02\0\x02\0UI";
    let at = first.windows(CLASS.len()).position(|w| w == CLASS);
    // Two bytes of length come before the name.
    let class = at.and_then(|at| first.get(at + CLASS.len() + 2..));
    let Some(class) = class else { return true };
    let other = class.strip_prefix(STORAGE);
    let other = other.is_some_and(|rest| OTHERS.iter().any(|kind| rest.starts_with(kind)));
    !other && !class.starts_with(DIRECTORY)
}

/// Decodes a DICOM file.
pub(crate) fn decode(bytes: &[u8], frame: Option<NonZeroU32>) -> Result<Decoded, DecodeError> {
    // What the libraries may still get wrong is an error of this file, not of the program.
    catch_unwind(AssertUnwindSafe(|| unguarded(bytes, frame)))
        .unwrap_or_else(|_| Err(DecodeError::damaged("its DICOM data cannot be decoded")))
}

fn unguarded(bytes: &[u8], frame: Option<NonZeroU32>) -> Result<Decoded, DecodeError> {
    let (syntax, start) = elements::meta(bytes)?;
    let (encoding, compression) = known(&syntax)?;
    let (bytes, start) = match compression {
        Compression::Deflate => (Cow::Owned(inflated(&bytes[start..])?), 0),
        _ => (Cow::Borrowed(bytes), start),
    };
    let nth = frame.map_or(0, |frame| frame.get() as usize - 1);
    let set = elements::data_set(&bytes, start, encoding, nth)?;
    let mut description = Description::read(&set.described, frame)?;
    let samples = match (compression, set.pixels) {
        (Compression::None | Compression::Deflate, PixelData::Native { bytes, words }) => {
            stored::native(bytes, encoding == Encoding::Big, words, &description)?
        }
        (Compression::None | Compression::Deflate, PixelData::Fragments { .. })
        | (_, PixelData::Native { .. }) => {
            return Err(DecodeError::damaged(
                "its pixel data is not in the form its transfer syntax says",
            ));
        }
        (_, PixelData::Fragments { offsets, parts }) => {
            let stream = frames::stream(&parts, offsets, &description)?;
            match compression {
                Compression::Jpeg | Compression::LosslessJpeg => {
                    let lossless = compression == Compression::LosslessJpeg;
                    let (samples, note) = jpeg::decode(&stream, lossless, &description)?;
                    description.notes.extend(note);
                    samples
                }
                Compression::JpegLs => jpegls::decode(&stream, &description)?,
                Compression::Jpeg2000 => jpeg2000::decode(&stream, &description)?,
                _ => rle::decode(&stream, &description)?,
            }
        }
    };
    let size = (description.width as usize, description.height as usize);
    Decoded::of(size, samples, description.notes)
}

/// A data set without its compression (PS3.5 A.5), at most as long as a file may be. Its length is known before there is memory
/// for it: a small file may say that it is enormous.
fn inflated(packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let damaged = |_| DecodeError::damaged("its deflated data set is damaged");
    let stream = || DeflateDecoder::new(packed).take(MAX_FILE_BYTES + 1);
    let length = std::io::copy(&mut stream(), &mut std::io::sink()).map_err(damaged)?;
    if length > MAX_FILE_BYTES {
        return Err(DecodeError::unsupported(format!(
            "its deflated data set has more than {MAX_FILE_BYTES} bytes"
        )));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(length);
    stream().read_to_end(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

/// How a transfer syntax writes headers and pixels.
fn known(syntax: &str) -> Result<(Encoding, Compression), DecodeError> {
    let compression = match syntax {
        "1.2.840.10008.1.2" => return Ok((Encoding::Implicit, Compression::None)),
        "1.2.840.10008.1.2.2" => return Ok((Encoding::Big, Compression::None)),
        "1.2.840.10008.1.2.1" => Compression::None,
        "1.2.840.10008.1.2.1.99" => Compression::Deflate,
        "1.2.840.10008.1.2.5" => Compression::Rle,
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => Compression::Jpeg,
        "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => Compression::LosslessJpeg,
        "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => Compression::JpegLs,
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Compression::Jpeg2000,
        _ => {
            let name = TransferSyntaxRegistry
                .get(syntax)
                .map_or("unknown", |known| known.name());
            return Err(DecodeError::unsupported(format!(
                "the DICOM transfer syntax {syntax} ({name}) is not supported; uncompressed and deflated files, RLE, JPEG, JPEG-LS and JPEG 2000 are; convert it, for instance with `gdcmconv --raw`"
            )));
        }
    };
    Ok((Encoding::Explicit, compression))
}
