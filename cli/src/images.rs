//! Image files: PNG, JPEG and DICOM, 8 or 16 bit, grey or RGB, turned the way their EXIF data say, decoded within bounds.
//!
//! What a file is follows from its first bytes, not from its name.

use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use nets::Samples;
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Outcome};

mod dicom;
#[cfg(test)]
mod tests;

/// Largest image file read.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Largest side of a decoded image, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Most pixels of a decoded image: a plate of 35 x 43 cm at 0.1 mm has 15 million.
const MAX_PIXELS: u64 = 100_000_000;
/// Most memory a decoder may take.
const MAX_DECODED_BYTES: u64 = 1 << 30;

/// What is said of JPEG data without their end.
const CUT_OFF: &str = "the JPEG data is cut off";

/// A decoded image and where it came from.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) name: String,
    pub(crate) sha256: String,
    pixels: nets::Picture,
}

impl Picture {
    /// The decoded samples.
    pub(crate) const fn pixels(&self) -> &nets::Picture {
        &self.pixels
    }

    /// Reads and decodes a file.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let name = path.display().to_string();
        let bytes = read(path)
            .map_err(|e| Failure::input(format!("cannot read image {name}: {e}")))?
            .ok_or_else(|| {
                Failure::input(format!(
                    "image {name} has more than the limit of {MAX_FILE_BYTES} bytes"
                ))
            })?;
        Self::decode(name, &bytes)
    }

    /// Decodes an image held in memory.
    pub(crate) fn decode(name: String, bytes: &[u8]) -> Outcome<Self> {
        let pixels = decode(bytes).map_err(|e| Failure::input(format!("image {name}: {e}")))?;
        Ok(Self {
            sha256: hex(&Sha256::digest(bytes)),
            pixels,
            name,
        })
    }
}

/// The content of a file; none when it is too long, however long it said it is.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.len() > MAX_FILE_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
}

/// Decodes a PNG, JPEG or DICOM file.
///
/// # Errors
/// What is wrong with the file, in one sentence.
pub fn decode(bytes: &[u8]) -> Result<nets::Picture, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    if dicom::is_dicom(bytes) {
        return dicom::decode(bytes);
    }
    let (mut decoded, orientation) = raster(bytes)?;
    decoded.apply_orientation(orientation);
    samples(decoded).map_err(|e| e.to_string())
}

/// Decodes PNG or JPEG data, and says how the picture is turned.
fn raster(bytes: &[u8]) -> Result<(DynamicImage, Orientation), String> {
    let said = |e: image::ImageError| e.to_string();
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| e.to_string())?;
    let is_jpeg = match reader.format() {
        Some(ImageFormat::Png) => false,
        Some(ImageFormat::Jpeg) => true,
        _ if dicom::is_headless(bytes) => {
            return Err("a DICOM data set without the preamble and DICM of a DICOM file".into());
        }
        _ => return Err("neither PNG nor JPEG nor DICOM".into()),
    };
    if is_jpeg && !has_jpeg_end(bytes) {
        return Err(CUT_OFF.into());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(said)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    // Each block of 64 pixels takes a bit.
    if is_jpeg && !can_hold(bytes, (u64::from(width) * u64::from(height)).div_ceil(64)) {
        return Err(CUT_OFF.into());
    }
    // Damaged EXIF data turn nothing: they say nothing about the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let decoded = DynamicImage::from_decoder(decoder).map_err(said)?;
    Ok((decoded, orientation))
}

/// Whether data begin as a JPEG stream does.
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

/// Whether the last scan of a JPEG file has its end marker; the decoder would fill a missing rest with grey.
///
/// Within a scan 0xFF is never followed by a marker's code, and thumbnails come before the scan.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    let marker = |code: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, code]);
    matches!((marker(0xDA), marker(0xD9)), (Some(scan), Some(end)) if end > scan)
}

/// Whether there is a bit for each of so many codes: the decoders of JPEG would make up what is missing.
const fn can_hold(bytes: &[u8], codes: u64) -> bool {
    bytes.len() as u64 * 8 >= codes
}

/// Refuses a picture without pixels or too large to be one, before anything is decoded.
fn check_size(width: u32, height: u32) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err("it has no pixels".into());
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!(
            "{width}x{height} pixels are more than the limit of {MAX_SIDE} a side and {MAX_PIXELS} in all"
        ));
    }
    Ok(())
}

/// Grey or RGB samples at the depth of the file; transparency is dropped.
fn samples(decoded: DynamicImage) -> Result<nets::Picture, nets::Error> {
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (channels, samples) = match decoded {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageLumaA8(_) => {
            (1, Samples::Eight(decoded.into_luma8().into_raw()))
        }
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            (1, Samples::Sixteen(decoded.into_luma16().into_raw()))
        }
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            (3, Samples::Sixteen(decoded.into_rgb16().into_raw()))
        }
        _ => (3, Samples::Eight(decoded.into_rgb8().into_raw())),
    };
    nets::Picture::new(width, height, channels, samples)
}

/// Opens every file, or names all that are no images.
pub(crate) fn open_all(paths: &[PathBuf]) -> Outcome<Vec<Picture>> {
    let mut pictures = Vec::new();
    let mut causes = Vec::new();
    for path in paths {
        match Picture::open(path) {
            Ok(picture) => pictures.push(picture),
            Err(failure) => causes.push(failure.to_string()),
        }
    }
    if causes.is_empty() {
        return Ok(pictures);
    }
    Err(Failure::input(causes.join("; ")))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
