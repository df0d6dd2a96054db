//! Samples as they lie in uncompressed pixel data.

use nets::Samples;

use super::attributes::{Description, Photometric};
use super::grey::grey;
use crate::error::DecodeError;

/// Grey or RGB of uncompressed pixel data.
pub(super) fn native(pixels: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let needed = description.pixels() * description.samples * (description.allocated / 8) as usize;
    let pixels = pixels.get(..needed).ok_or_else(|| {
        DecodeError::damaged(format!(
            "{} bytes of pixel data where {needed} are needed",
            pixels.len()
        ))
    })?;
    if description.samples == 3 {
        return colour(pixels, description);
    }
    if description.allocated == 8 {
        return grey_of_bytes(pixels, description);
    }
    let words = pixels.as_chunks::<2>().0;
    let words: Vec<u16> = words.iter().map(|&w| u16::from_le_bytes(w)).collect();
    Ok(grey_of_words(words, description))
}

/// Grey of samples of one byte.
pub(super) fn grey_of_bytes(
    bytes: &[u8],
    description: &Description,
) -> Result<Samples, DecodeError> {
    if description.allocated != 8 {
        return Err(DecodeError::damaged(
            "samples of 8 bits where its header says 16",
        ));
    }
    let words = bytes.iter().map(|&b| u16::from(b)).collect();
    Ok(grey_of_words(words, description))
}

/// Grey of samples of one word: the bits that count, then what they mean.
pub(super) fn grey_of_words(mut words: Vec<u16>, description: &Description) -> Samples {
    let mask = u16::MAX >> (16 - description.stored);
    for word in &mut words {
        *word = *word >> description.shift & mask;
    }
    grey(&words, description)
}

/// RGB of three samples of one byte to a pixel.
pub(super) fn colour(bytes: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let plane = description.pixels();
    let mut pixels = bytes.to_vec();
    if description.planar {
        for (i, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = [bytes[i], bytes[plane + i], bytes[2 * plane + i]];
        }
    }
    match description.photometric {
        Photometric::Rgb => {}
        Photometric::YbrFull => pixels.as_chunks_mut::<3>().0.iter_mut().for_each(to_rgb),
        _ => {
            return Err(DecodeError::unsupported(
                "uncompressed YBR_FULL_422 samples are not supported",
            ));
        }
    }
    Ok(Samples::Eight(pixels))
}

/// PS3.3 C.7.6.3.1.2 backwards.
fn to_rgb(pixel: &mut [u8; 3]) {
    let [y, blue, red] = pixel.map(f64::from);
    let (blue, red) = (blue - 128.0, red - 128.0);
    let rgb = [
        y + 1.402 * red,
        y - 0.344_136 * blue - 0.714_136 * red,
        y + 1.772 * blue,
    ];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=255"
    )]
    let byte = |v: f64| v.round().clamp(0.0, 255.0) as u8;
    *pixel = rgb.map(byte);
}
