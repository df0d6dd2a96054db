//! Pixels compressed by JPEG 2000, decoded by `hayro-jpeg2000`, after a look at what the stream claims.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use nets::Samples;

use super::attributes::{Description, Photometric};
use super::stored::of_words;
use crate::error::DecodeError;
use crate::raster::{MAX_DECODED_BYTES, widened};

/// Bytes that the decoder takes for each sample, at most: coefficients, samples, and a copy of a tile.
const WORKING_BYTES: u64 = 16;
/// Bits of a byte make at most so many pixels: an empty code block of 64 x 64 may take less than a bit, but no whole tile does.
const MAX_TILES: u64 = 1 << 16;

/// What the header of a stream says.
struct Header {
    width: u32,
    height: u32,
    tiles: u64,
    components: Vec<Component>,
}

struct Component {
    precision: u32,
    signed: bool,
    /// As many samples as there are pixels.
    whole: bool,
}

/// The picture of a stream.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let damaged = || DecodeError::damaged("its JPEG 2000 stream is damaged");
    let header = header(stream).ok_or_else(damaged)?;
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
    let alike = |c: &Component| c.whole && (c.precision, c.signed) == (precision, signed);
    // A stream without a sign may hold the bits of numbers that have one, if it holds them all.
    let sign = signed == description.signed || precision == description.stored;
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
    if header.tiles > MAX_TILES
        || description.pixels() as u64 * description.samples as u64 * WORKING_BYTES
            > 2 * MAX_DECODED_BYTES
    {
        return Err(DecodeError::unsupported(
            "its JPEG 2000 stream has too many pixels or tiles",
        ));
    }
    let settings = DecodeSettings {
        strict: true,
        ..DecodeSettings::default()
    };
    let image = Image::new(stream, &settings).map_err(|_| damaged())?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|_| damaged())?;
    let planes = decoded.components();
    let pixels = description.pixels();
    if planes.len() != description.samples || planes.iter().any(|p| p.samples().len() != pixels) {
        return Err(damaged());
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
    let words: Vec<u16> = (0..pixels)
        .flat_map(|i| planes.iter().map(move |plane| word(plane.samples()[i])))
        .collect();
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

/// Reads the size segment, the first of a stream (ITU-T T.800, A.5.1).
fn header(stream: &[u8]) -> Option<Header> {
    let rest = stream.strip_prefix(b"\xFF\x4F\xFF\x51")?;
    let number = |at: usize| Some(u32::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    let [x, y, left, top] = [number(4)?, number(8)?, number(12)?, number(16)?];
    let [across, down] = [number(20)?, number(24)?];
    let [from_left, from_top] = [number(28)?, number(32)?];
    let count = usize::from(u16::from_be_bytes(*rest.get(36..)?.first_chunk()?));
    let described = rest.get(38..)?.get(..3 * count)?;
    let components = described.as_chunks::<3>().0.iter();
    let components = components.map(|&[depth, across, down]| Component {
        precision: u32::from(depth & 0x7F) + 1,
        signed: depth & 0x80 != 0,
        whole: (across, down) == (1, 1),
    });
    let tiles = |end: u32, start: u32, side: u32| {
        let length = u64::from(end.checked_sub(start)?);
        (side > 0).then(|| length.div_ceil(u64::from(side)))
    };
    Some(Header {
        width: x.checked_sub(left)?,
        height: y.checked_sub(top)?,
        tiles: tiles(x, from_left, across)?.checked_mul(tiles(y, from_top, down)?)?,
        components: components.collect(),
    })
}
