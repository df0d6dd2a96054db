//! JPEG Lossless (ITU-T T.81, process 14), the usual compression of plain X-rays, grey only.
//!
//! The decoder makes up what it is not told, and panics at depths below 8: the header is read here first.

use jpeg_decoder::{Decoder, PixelFormat};
use nets::Samples;

use super::attributes::Description;
use super::stored;
use crate::error::DecodeError;
use crate::raster::{MAX_DECODED_BYTES, can_hold, has_jpeg_end};

/// Start of frame of the lossless process with Huffman codes.
const LOSSLESS_FRAME: u8 = 0xC3;
/// What the decoder takes for each pixel, at most: differences, samples, and copies of them.
const WORKING_BYTES: u64 = 16;
const START_OF_SCAN: u8 = 0xDA;
const RESTART_INTERVAL: u8 = 0xDD;

/// Grey of a lossless JPEG stream.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let damaged = || DecodeError::damaged("its lossless JPEG stream is damaged");
    let frame = frame(stream).ok_or_else(damaged)?;
    let size = (u32::from(frame.width), u32::from(frame.height));
    if size != (description.width, description.height) {
        return Err(DecodeError::damaged(
            "its JPEG stream has another size than its header",
        ));
    }
    let precision = u32::from(frame.precision);
    let fits = (8..=16).contains(&precision) && (precision == 8) == (description.allocated == 8);
    if !fits || frame.components != 1 || description.samples != 1 || frame.restarts {
        return Err(DecodeError::unsupported(format!(
            "a lossless JPEG stream of {} channels of {precision} bits in {}, {} restarts, is not supported",
            frame.components,
            description.allocated,
            if frame.restarts { "with" } else { "without" }
        )));
    }
    if description.pixels() as u64 * WORKING_BYTES > MAX_DECODED_BYTES {
        return Err(DecodeError::unsupported(
            "its lossless JPEG stream has too many pixels",
        ));
    }
    if !has_jpeg_end(stream) || !can_hold(stream, description.pixels() as u64) {
        return Err(DecodeError::damaged("its lossless JPEG stream is cut off"));
    }
    let mut decoder = Decoder::new(stream);
    decoder.set_max_decoding_buffer_size(usize::try_from(MAX_DECODED_BYTES).unwrap_or(usize::MAX));
    let bytes = decoder.decode().map_err(|_| damaged())?;
    match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L8) if bytes.len() == description.pixels() => {
            stored::grey_of_bytes(&bytes, description)
        }
        Some(PixelFormat::L16) if bytes.len() == 2 * description.pixels() => {
            let words = bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&w| u16::from_ne_bytes(w));
            Ok(stored::grey_of_words(words.collect(), description))
        }
        _ => Err(damaged()),
    }
}

/// What the segments before the scan say.
struct Frame {
    precision: u8,
    height: u16,
    width: u16,
    components: u8,
    restarts: bool,
}

/// Reads the segments of a stream up to its scan; none where they are not those of one lossless frame.
fn frame(stream: &[u8]) -> Option<Frame> {
    let mut rest = stream.strip_prefix(&[0xFF, 0xD8])?;
    let mut found = None;
    let mut restarts = false;
    loop {
        let (&[marker, code, high, low], _) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(4..length + 2)?;
        match (marker, code) {
            (0xFF, START_OF_SCAN) => {
                return found.map(|frame: Frame| Frame { restarts, ..frame });
            }
            (0xFF, LOSSLESS_FRAME) if found.is_none() => {
                let &[precision, h1, h0, w1, w0, components] = segment.first_chunk()?;
                found = Some(Frame {
                    precision,
                    height: u16::from_be_bytes([h1, h0]),
                    width: u16::from_be_bytes([w1, w0]),
                    components,
                    restarts,
                });
            }
            (0xFF, RESTART_INTERVAL) => restarts = restarts || segment != [0, 0],
            // Tables, comments and application data.
            (0xFF, 0xC4 | 0xDB | 0xE0..=0xEF | 0xFE) => {}
            _ => return None,
        }
        rest = &rest[length + 2..];
    }
}
