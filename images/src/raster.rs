//! PNG and JPEG files, 8 or 16 bit, grey or RGB, turned the way their EXIF data say, decoded within bounds.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use nets::{Picture, Samples};

use crate::error::DecodeError;

/// Largest side of a decoded image, in pixels.
pub(crate) const MAX_SIDE: u32 = 16_384;
/// Most pixels of a decoded image: a plate of 35 x 43 cm at 0.1 mm has 15 million.
pub(crate) const MAX_PIXELS: u64 = 100_000_000;
/// Most memory a decoder may take.
pub(crate) const MAX_DECODED_BYTES: u64 = 1 << 30;

/// Most bytes that a byte of DEFLATE, the compression of PNG, makes: 258 for every two bits (RFC 1951).
const DEFLATE: u64 = 1032;

/// Decodes a PNG or JPEG file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    let (mut decoded, orientation) = raster(bytes)?;
    decoded.apply_orientation(orientation);
    samples(decoded).map_err(|e| DecodeError::damaged(e.to_string()))
}

/// Decodes PNG or JPEG data, and says how the picture is turned.
pub(crate) fn raster(bytes: &[u8]) -> Result<(DynamicImage, Orientation), DecodeError> {
    let reader = ImageReader::new(Cursor::new(bytes));
    let mut reader = reader.with_guessed_format().map_err(said)?;
    let is_jpeg = match reader.format() {
        Some(ImageFormat::Png) => false,
        Some(ImageFormat::Jpeg) => true,
        _ => return Err(DecodeError::UnknownFormat),
    };
    if is_jpeg && !has_jpeg_end(bytes) {
        return Err(DecodeError::JpegCutOff);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(said)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let pixels = u64::from(width) * u64::from(height);
    // Each block of 64 pixels takes a bit.
    if is_jpeg && !can_hold(bytes, pixels.div_ceil(64)) {
        return Err(DecodeError::JpegCutOff);
    }
    if !is_jpeg && bytes.len() as u64 * DEFLATE < pixels * png_bits(bytes) / 8 {
        return Err(DecodeError::PngCutOff);
    }
    // Damaged EXIF data turn nothing: they say nothing about the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let decoded = DynamicImage::from_decoder(decoder).map_err(said)?;
    Ok((decoded, orientation))
}

/// What the decoder of PNG and JPEG said.
fn said(cause: impl std::fmt::Display) -> DecodeError {
    DecodeError::damaged(cause.to_string())
}

/// Whether data begin as a JPEG stream does.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

/// Whether the last scan of a JPEG file has its end marker; the decoder would fill a missing rest with grey.
///
/// Within a scan 0xFF is never followed by a marker's code, and thumbnails come before the scan.
pub(crate) fn has_jpeg_end(bytes: &[u8]) -> bool {
    let marker = |code: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, code]);
    matches!((marker(0xDA), marker(0xD9)), (Some(scan), Some(end)) if end > scan)
}

/// Whether there is a bit for each of so many codes: the decoders of JPEG would make up what is missing.
pub(crate) const fn can_hold(bytes: &[u8], codes: u64) -> bool {
    bytes.len() as u64 * 8 >= codes
}

/// Bits of a pixel of a PNG file whose header was read: the ninth and the tenth byte of the first chunk's data are the depth
/// and the kind of colour.
fn png_bits(bytes: &[u8]) -> u64 {
    let [depth, colour] = [24, 25].map(|at| bytes.get(at).copied().unwrap_or(1));
    let samples = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        // Grey, or a place in a palette.
        _ => 1,
    };
    u64::from(depth) * samples
}

/// Refuses a picture without pixels or too large to be one, before anything is decoded.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::NoPixels);
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooLarge { width, height });
    }
    Ok(())
}

/// Grey or RGB samples at the depth of the file; transparency is dropped.
fn samples(decoded: DynamicImage) -> Result<Picture, nets::Error> {
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
    Picture::new(width, height, channels, samples)
}
