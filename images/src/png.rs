//! PNG files, decoded by `image`, within bounds.

use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, Limits};

use crate::Decoded;
use crate::error::DecodeError;
use crate::raster::{MAX_DECODED_BYTES, MAX_SIDE, check_size, upright, widened};

/// What every file begins with.
pub(crate) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Most bytes that a byte of DEFLATE, the compression of PNG, makes: 258 for every two bits (RFC 1951).
const DEFLATE: u64 = 1032;

/// Decodes a PNG file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(said)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let pixels = u64::from(width) * u64::from(height);
    if bytes.len() as u64 * DEFLATE < pixels * bits(bytes) / 8 {
        return Err(DecodeError::PngCutOff);
    }
    // Damaged EXIF data turn nothing: they say nothing about the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(said)?;
    let mut notes = Vec::new();
    if chunk(bytes, *b"acTL").is_some() {
        notes.push("animated: its first picture is taken".to_owned());
    }
    if let Some(significant) = chunk(bytes, *b"sBIT") {
        notes.extend(widen(&mut image, significant));
    }
    upright(image, Some(orientation), notes)
}

/// What the decoder said.
fn said(cause: impl std::fmt::Display) -> DecodeError {
    DecodeError::damaged(cause.to_string())
}

/// Bits of a pixel of a file whose header was read: the ninth and the tenth byte of the first chunk's data are the depth
/// and the kind of colour.
fn bits(bytes: &[u8]) -> u64 {
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

/// The data of a chunk before those of the pixels.
fn chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    loop {
        let (&length, after) = rest.split_first_chunk::<4>()?;
        let (&found, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(u32::from_be_bytes(length) as usize)?;
        if found == name {
            return Some(data);
        }
        if &found == b"IDAT" {
            return None;
        }
        // A checksum comes after the data.
        rest = after.get(4..)?;
    }
}

/// Stretches grey samples of which only the lower bits are used, although the file says how many there are and PNG wants them to
/// be the upper ones.
fn widen(image: &mut DynamicImage, significant: &[u8]) -> Option<String> {
    let DynamicImage::ImageLuma16(grey) = image else {
        return None;
    };
    let &[bits] = significant else { return None };
    if !(8..16).contains(&bits) {
        return None;
    }
    let (bits, spare) = (u32::from(bits), u32::from(16 - bits));
    // As PNG wants it, the lower bits are zero or repeat the upper ones.
    let as_wanted = |&s: &u16| {
        let upper = s >> spare << spare;
        s == upper || s == upper | upper >> bits
    };
    let samples = grey.as_raw();
    if samples.iter().all(as_wanted) || samples.iter().any(|&s| s >> bits != 0) {
        return None;
    }
    let wide = widened(samples.clone(), bits);
    grey.iter_mut().zip(wide).for_each(|(old, new)| *old = new);
    Some(format!(
        "samples of {bits} bits lie at the lower end of 16: stretched to the whole range"
    ))
}
