//! PNG and JPEG files, 8 or 16 bit, grey or RGB, turned the way their EXIF data say, decoded within bounds.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageBuffer, RgbImage};
use nets::Samples;

use crate::Decoded;
use crate::error::DecodeError;
use crate::jpeg::{self, Colours, Jpeg};

/// Largest side of a decoded image, in pixels.
pub(crate) const MAX_SIDE: u32 = 16_384;
/// Most pixels of a decoded image: a plate of 35 x 43 cm at 0.1 mm has 15 million.
pub(crate) const MAX_PIXELS: u64 = 100_000_000;
/// Most memory a decoder may take.
pub(crate) const MAX_DECODED_BYTES: u64 = 1 << 30;

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

/// Decodes a JPEG file.
pub(crate) fn of_jpeg(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let decoded = jpeg::decode(bytes)?;
    // Damaged EXIF data turn nothing: they say nothing about the pixels.
    let orientation = decoded.exif().and_then(Orientation::from_exif_chunk);
    let (width, height) = (side(decoded.width), side(decoded.height));
    let image = if decoded.channels() == 3 {
        let pixels = colours(&decoded, decoded.colours())?;
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        let precision = u32::from(decoded.precision);
        let samples = decoded.into_grey().unwrap_or_default();
        if precision == 8 {
            let samples = samples.iter().map(|s| s.to_le_bytes()[0]).collect();
            GrayImage::from_raw(width, height, samples).map(DynamicImage::from)
        } else {
            let samples = widened(samples, precision);
            ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLuma16)
        }
    };
    let image = image.ok_or_else(|| DecodeError::damaged("the JPEG data is damaged"))?;
    upright(image, orientation, Vec::new())
}

fn side(length: usize) -> u32 {
    // Sides of a JPEG frame have 16 bits.
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Red, green and blue of a stream of three components that mean `colours`.
pub(crate) fn colours(decoded: &Jpeg, colours: Colours) -> Result<Vec<u8>, DecodeError> {
    if decoded.precision != 8 {
        return Err(DecodeError::unsupported(format!(
            "colour JPEG of {} bits is not supported",
            decoded.precision
        )));
    }
    let mut pixels = Vec::with_capacity(3 * decoded.width * decoded.height);
    let rows = decoded.rows(|rows| {
        for ((&a, &b), &c) in rows[0].iter().zip(rows[1]).zip(rows[2]) {
            let pixel = [a, b, c].map(|sample| sample.to_le_bytes()[0]);
            pixels.extend(match colours {
                Colours::Rgb => pixel,
                Colours::Ybr => jpeg::rgb(pixel),
            });
        }
    });
    rows.ok_or_else(|| DecodeError::damaged("its JPEG stream has other channels than its header"))?;
    Ok(pixels)
}

/// Samples of so many bits as samples of 16 bits; the largest is white in both.
pub(crate) fn widened(mut samples: Vec<u16>, bits: u32) -> Vec<u16> {
    let most = u32::from(u16::MAX >> (16 - bits));
    for sample in &mut samples {
        #[expect(clippy::cast_possible_truncation, reason = "at most 65535")]
        let wide = ((u32::from(*sample).min(most) * 0xFFFF + most / 2) / most) as u16;
        *sample = wide;
    }
    samples
}

/// The picture the way it is meant to be seen, grey or RGB at the depth of the file; transparency is dropped.
pub(crate) fn upright(
    mut image: DynamicImage,
    orientation: Option<Orientation>,
    mut notes: Vec<String>,
) -> Result<Decoded, DecodeError> {
    if let Some(turned) = orientation.filter(|&o| o != Orientation::NoTransforms) {
        image.apply_orientation(turned);
        notes.push("turned upright, as its EXIF data say".to_owned());
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let samples = match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageLumaA8(_) => {
            Samples::Eight(image.into_luma8().into_raw())
        }
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            Samples::Sixteen(image.into_luma16().into_raw())
        }
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            Samples::Sixteen(image.into_rgb16().into_raw())
        }
        _ => Samples::Eight(image.into_rgb8().into_raw()),
    };
    Decoded::of((width, height), samples, notes)
}
