//! Pixels compressed by JPEG 2000, decoded by `hayro-jpeg2000`, after a look at what the stream claims.

mod codestream;

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use nets::Samples;

use super::attributes::{Description, Photometric};
use super::stored::of_words;
use crate::error::DecodeError;
use crate::raster::{MAX_DECODED_BYTES, widened};

/// Bytes that the decoder takes for each sample, at most: coefficients, samples, and a copy of a tile.
const WORKING_BYTES: u64 = 16;

/// The picture of a stream.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let damaged = || DecodeError::damaged("its JPEG 2000 stream is damaged");
    let header = codestream::read(stream)?;
    if (header.width, header.height) != (description.width, description.height) {
        return Err(DecodeError::damaged(
            "its JPEG 2000 stream has another size than its header",
        ));
    }
    if header.components.len() != description.samples {
        return Err(DecodeError::damaged(
            "its JPEG 2000 stream has other channels than its header",
        ));
    }
    let [first, ..] = &header.components[..] else {
        return Err(damaged());
    };
    let (precision, signed) = (first.precision, first.signed);
    let alike =
        |c: &codestream::Component| c.whole && (c.precision, c.signed) == (precision, signed);
    let sign = match (signed, description.signed) {
        // The bits of numbers with a sign, if all of them are there.
        (false, true) => precision == description.stored,
        (stream, header) => stream == header,
    };
    if !header.components.iter().all(alike)
        || precision > description.allocated
        || precision > 16
        || description.shift > 0
        || !sign
    {
        return Err(DecodeError::unsupported(format!(
            "a JPEG 2000 stream of {precision} bits, {}signed, for samples of {} bits in {}, {}signed, is not supported",
            if signed { "" } else { "un" },
            description.stored,
            description.allocated,
            if description.signed { "" } else { "un" },
        )));
    }
    if description.pixels() as u64 * description.samples as u64 * WORKING_BYTES > MAX_DECODED_BYTES
    {
        return Err(DecodeError::unsupported(
            "its JPEG 2000 stream has too many pixels",
        ));
    }
    let words = words(stream, precision, signed, description).ok_or_else(damaged)?;
    if description.samples == 1 {
        return of_words(words, description);
    }
    match description.photometric {
        // The decoder undid the colour transforms.
        Photometric::Rgb | Photometric::YbrOfJpeg2000 => {}
        _ => {
            return Err(DecodeError::unsupported(
                "JPEG 2000 with colour differences of its own is not supported",
            ));
        }
    }
    if precision == 8 {
        let bytes = words.iter().map(|w| w.to_le_bytes()[0]).collect();
        return Ok(Samples::Eight(bytes));
    }
    Ok(Samples::Sixteen(widened(words, precision)))
}

/// The samples of a stream, pixel by pixel, as words; those with a sign by their bits.
fn words(
    stream: &[u8],
    precision: u32,
    signed: bool,
    description: &Description,
) -> Option<Vec<u16>> {
    let settings = DecodeSettings {
        strict: true,
        ..DecodeSettings::default()
    };
    let image = Image::new(stream, &settings).ok()?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).ok()?;
    let planes = decoded.components();
    let pixels = description.pixels();
    if planes.len() != description.samples || planes.iter().any(|p| p.samples().len() != pixels) {
        return None;
    }
    // The decoder gives signed samples moved up to begin at zero.
    let middle = if signed { 1_i32 << (precision - 1) } else { 0 };
    let most = f32::from(u16::MAX >> (16 - precision));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the precision; the bits of negative numbers are meant"
    )]
    let word = |sample: f32| (sample.round().clamp(0.0, most) as i32 - middle) as u16;
    let pixels = (0..pixels).flat_map(|i| planes.iter().map(move |plane| word(plane.samples()[i])));
    Some(pixels.collect())
}
