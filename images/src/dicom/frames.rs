//! Which fragments of compressed pixel data are those of a frame (PS3.5 A.4).

use super::attributes::Description;
use crate::error::DecodeError;

/// What a stream of JPEG, JPEG-LS or JPEG 2000 begins with.
const STARTS: [&[u8]; 2] = [b"\xFF\xD8\xFF", b"\xFF\x4F\xFF\x51"];
/// Bytes of the header of a fragment.
const HEADER: u64 = 8;

/// The stream of the chosen frame.
pub(super) fn stream(
    parts: &[&[u8]],
    table: &[u8],
    description: &Description,
) -> Result<Vec<u8>, DecodeError> {
    let (frames, frame) = (description.frames as usize, description.frame as usize);
    if frames == 1 {
        return Ok(parts.concat());
    }
    if parts.len() == frames {
        return Ok(parts[frame].to_vec());
    }
    let starts = if !description.offsets.is_empty() {
        by_offsets(parts, description.offsets.iter().copied())?
    } else if !table.is_empty() {
        let table = table.as_chunks::<4>().0.iter();
        by_offsets(parts, table.map(|&o| u64::from(u32::from_le_bytes(o))))?
    } else {
        let begins = |part: &[u8]| STARTS.iter().any(|start| part.starts_with(start));
        (0..parts.len()).filter(|&i| begins(parts[i])).collect()
    };
    if starts.len() != frames || starts.first() != Some(&0) {
        return Err(DecodeError::damaged(format!(
            "its {} fragments of pixel data are not those of {frames} frames",
            parts.len()
        )));
    }
    let end = starts.get(frame + 1).copied().unwrap_or(parts.len());
    Ok(parts[starts[frame]..end].concat())
}

/// The fragments that begin at given places, counted in bytes from the first of them.
fn by_offsets(
    parts: &[&[u8]],
    offsets: impl Iterator<Item = u64>,
) -> Result<Vec<usize>, DecodeError> {
    let mut fragments = parts.iter().enumerate();
    let mut at = 0;
    let mut starts = Vec::new();
    for offset in offsets {
        let found = fragments.find_map(|(i, part)| {
            let here = at;
            at += HEADER + part.len() as u64;
            (here == offset).then_some(i)
        });
        starts.push(found.ok_or_else(|| {
            DecodeError::damaged("its table of frames does not go with its fragments")
        })?);
    }
    Ok(starts)
}
