//! RLE Lossless (PS3.5, annex G): one `PackBits` segment for each byte of a sample, the most significant first.

use nets::Samples;

use super::attributes::Description;
use super::stored;
use crate::error::DecodeError;

/// The header: how many segments, and where each starts.
const WORDS: usize = 16;

/// Grey or RGB of a frame.
pub(super) fn decode(frame: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let cut_off = || DecodeError::damaged("its RLE data is cut off");
    let damaged = || DecodeError::damaged("its RLE data is damaged");
    let header = frame.first_chunk::<{ 4 * WORDS }>().ok_or_else(damaged)?;
    let header: Vec<usize> = header
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&word| u32::from_le_bytes(word) as usize)
        .collect();
    let bytes = (description.allocated / 8) as usize;
    let count = description.samples * bytes;
    if header[0] != count {
        return Err(DecodeError::damaged(format!(
            "{} RLE segments where {count} are needed",
            header[0]
        )));
    }
    let plane = description.pixels();
    // A byte of a segment makes at most 64 of the picture: nothing is allocated for what cannot come.
    if frame.len().saturating_mul(64) < plane.saturating_mul(count) {
        return Err(cut_off());
    }
    let mut planes = Vec::with_capacity(plane * count);
    for segment in 0..count {
        let start = header[1 + segment];
        let end = if segment + 1 < count {
            header[2 + segment]
        } else {
            frame.len()
        };
        let packed = frame.get(start..end).ok_or_else(damaged)?;
        unpack(packed, &mut planes, plane * (segment + 1)).ok_or_else(cut_off)?;
    }
    // A plane for each byte of each sample, which are planes of the picture too.
    let planar = Description {
        planar: true,
        ..description.clone()
    };
    if bytes == 1 {
        return stored::of_bytes(planes, &planar);
    }
    let words = planes.chunks_exact(2 * plane).flat_map(|pair| {
        let (high, low) = pair.split_at(plane);
        let bytes = high.iter().zip(low);
        bytes.map(|(&high, &low)| u16::from_be_bytes([high, low]))
    });
    stored::of_words(words.collect(), &planar)
}

/// Unpacks until `out` has `end` bytes; none when the segment ends before.
fn unpack(mut packed: &[u8], out: &mut Vec<u8>, end: usize) -> Option<()> {
    while out.len() < end {
        let (&code, rest) = packed.split_first()?;
        let room = end - out.len();
        packed = match code {
            0..=127 => {
                let (literal, rest) = rest.split_at_checked(usize::from(code) + 1)?;
                out.extend_from_slice(&literal[..literal.len().min(room)]);
                rest
            }
            128 => rest,
            129..=255 => {
                let (&byte, rest) = rest.split_first()?;
                out.extend(std::iter::repeat_n(
                    byte,
                    (257 - usize::from(code)).min(room),
                ));
                rest
            }
        };
    }
    Some(())
}
