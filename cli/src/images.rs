//! Image files: PNG and JPEG, 8 or 16 bit, grey or RGB, decoded within bounds.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use nets::Samples;
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Outcome};

/// Largest image file read.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Largest side of a decoded image, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Most memory a decoder may take.
const MAX_DECODED_BYTES: u64 = 1 << 30;

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
        let unreadable = |e| Failure::input(format!("cannot read image {name}: {e}"));
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > MAX_FILE_BYTES {
            return Err(Failure::input(format!(
                "image {name} has {length} bytes, more than the limit of {MAX_FILE_BYTES}"
            )));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Self::decode(name, &bytes)
    }

    /// Decodes an image held in memory.
    pub(crate) fn decode(name: String, bytes: &[u8]) -> Outcome<Self> {
        let bad = |cause: String| Failure::input(format!("image {name}: {cause}"));
        if bytes.is_empty() {
            return Err(bad("the file is empty".into()));
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_DECODED_BYTES);
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| bad(e.to_string()))?;
        if reader.format().is_none() {
            return Err(bad("neither PNG nor JPEG".into()));
        }
        if reader.format() == Some(ImageFormat::Jpeg) && !has_jpeg_end(bytes) {
            return Err(bad("the JPEG data is cut off".into()));
        }
        reader.limits(limits);
        let decoded = reader.decode().map_err(|e| bad(e.to_string()))?;
        let pixels = samples(decoded).map_err(|e| bad(e.to_string()))?;
        Ok(Self {
            sha256: hex(&Sha256::digest(bytes)),
            pixels,
            name,
        })
    }
}

/// Whether the last scan of a JPEG file has its end marker; the decoder would fill a missing rest with grey.
///
/// Within a scan 0xFF is never followed by a marker's code, and thumbnails come before the scan.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    let marker = |code: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, code]);
    matches!((marker(0xDA), marker(0xD9)), (Some(scan), Some(end)) if end > scan)
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

/// Opens every file, or fails on the first that is not an image.
pub(crate) fn open_all(paths: &[PathBuf]) -> Outcome<Vec<Picture>> {
    paths.iter().map(|path| Picture::open(path)).collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
