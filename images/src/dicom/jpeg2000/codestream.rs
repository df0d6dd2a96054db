//! What the markers of a JPEG 2000 stream claim (ITU-T T.800, annex A), looked at before a decoder allocates by them.

use crate::error::DecodeError;

const SIZE: u8 = 0x51;
const CODING: u8 = 0x52;
const CODING_OF_COMPONENT: u8 = 0x53;
const TILE_PART: u8 = 0x90;
const DATA: u8 = 0x93;
const END: u8 = 0xD9;

/// Tiles of a stream: each costs memory of its own.
const MAX_TILES: usize = 1 << 16;
/// The least sides of a precinct and the least area of a code block, as powers of two: each of them costs memory of its own.
const LEAST_PRECINCT: u8 = 4;
const LEAST_BLOCK: u8 = 8;
/// How code blocks are coded: bit by bit, all bits of this one being those of T.800.
const HIGH_THROUGHPUT: u8 = 0x40;

/// What the header of a stream says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
}

#[derive(Debug)]
pub(super) struct Component {
    pub(super) precision: u32,
    pub(super) signed: bool,
    /// As many samples as there are pixels.
    pub(super) whole: bool,
}

/// Reads the header, and checks all that follows up to the end marker: every tile is there, and none claims many small parts.
pub(super) fn read(stream: &[u8]) -> Result<Header, DecodeError> {
    let rest = stream.strip_prefix(b"\xFF\x4F").ok_or_else(damaged)?;
    let mut walk = Walk { rest };
    let (SIZE, size) = walk.segment()? else {
        return Err(damaged());
    };
    let (header, tiles) = size_of(size).ok_or_else(damaged)?;
    if tiles > MAX_TILES {
        return Err(DecodeError::unsupported(format!(
            "a JPEG 2000 stream of {tiles} tiles is not supported"
        )));
    }
    let mut seen = vec![false; tiles];
    loop {
        if walk.rest.starts_with(&[0xFF, END]) {
            break;
        }
        let start = walk.rest;
        let (code, segment) = walk.segment()?;
        if code != TILE_PART {
            check(code, segment)?;
            continue;
        }
        let &[i1, i0, l3, l2, l1, l0, _, _] =
            <&[u8; 8]>::try_from(segment).map_err(|_| damaged())?;
        let tile = seen.get_mut(usize::from(u16::from_be_bytes([i1, i0])));
        *tile.ok_or_else(damaged)? = true;
        while !walk.rest.starts_with(&[0xFF, DATA]) {
            let (code, segment) = walk.segment()?;
            check(code, segment)?;
        }
        let length = match u32::from_be_bytes([l3, l2, l1, l0]) as usize {
            // The last one: all but the end marker.
            0 => start.len().checked_sub(2).ok_or_else(cut_off)?,
            length => length,
        };
        if length < start.len() - walk.rest.len() + 2 {
            return Err(damaged());
        }
        walk.rest = start.get(length..).ok_or_else(cut_off)?;
    }
    if seen.iter().any(|seen| !seen) {
        return Err(DecodeError::damaged("its JPEG 2000 stream lacks tiles"));
    }
    Ok(header)
}

/// A place between markers.
struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// The next marker and its segment.
    fn segment(&mut self) -> Result<(u8, &'a [u8]), DecodeError> {
        let (&[ones, code, high, low], _) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if ones != 0xFF || length < 2 {
            return Err(damaged());
        }
        let segment = self.rest.get(4..length + 2).ok_or_else(cut_off)?;
        self.rest = &self.rest[length + 2..];
        Ok((code, segment))
    }
}

/// Size and components, and the number of tiles (A.5.1).
fn size_of(segment: &[u8]) -> Option<(Header, usize)> {
    let number = |at: usize| Some(u32::from_be_bytes(*segment.get(at..)?.first_chunk()?));
    let [x, y, left, top] = [number(2)?, number(6)?, number(10)?, number(14)?];
    let [across, down] = [number(18)?, number(22)?];
    let [from_left, from_top] = [number(26)?, number(30)?];
    let count = usize::from(u16::from_be_bytes(*segment.get(34..)?.first_chunk()?));
    let described = segment.get(36..)?.get(..3 * count)?.as_chunks::<3>().0;
    let components = described.iter().map(|&[depth, across, down]| Component {
        precision: u32::from(depth & 0x7F) + 1,
        signed: depth & 0x80 != 0,
        whole: (across, down) == (1, 1),
    });
    let tiles = |end: u32, start: u32, side: u32| {
        let length = u64::from(end.checked_sub(start)?);
        (side > 0).then(|| length.div_ceil(u64::from(side)))
    };
    let tiles = tiles(x, from_left, across)?.checked_mul(tiles(y, from_top, down)?)?;
    let header = Header {
        width: x.checked_sub(left)?,
        height: y.checked_sub(top)?,
        components: components.collect(),
    };
    Some((header, usize::try_from(tiles).ok()?))
}

/// Looks at how code blocks and precincts are cut (A.6.1, A.6.2).
fn check(code: u8, segment: &[u8]) -> Result<(), DecodeError> {
    let (style, rest) = match code {
        // The style, four bytes for all components, and what is told of one.
        CODING => (segment.first(), segment.get(5..)),
        CODING_OF_COMPONENT => (segment.get(1), segment.get(2..)),
        _ => return Ok(()),
    };
    let (Some(style), Some(&[_, across, down, blocks, _, ref precincts @ ..])) = (style, rest)
    else {
        return Err(damaged());
    };
    if blocks & HIGH_THROUGHPUT != 0 {
        return Err(DecodeError::unsupported(
            "a High-Throughput JPEG 2000 stream is not supported",
        ));
    }
    let small = style & 1 != 0
        && precincts
            .iter()
            .any(|&sides| sides & 15 < LEAST_PRECINCT || sides >> 4 < LEAST_PRECINCT);
    // Both are counted from 4 samples a side.
    if small || u16::from(across) + u16::from(down) + 4 < u16::from(LEAST_BLOCK) {
        return Err(DecodeError::unsupported(
            "a JPEG 2000 stream of that many small code blocks is not supported",
        ));
    }
    Ok(())
}

fn damaged() -> DecodeError {
    DecodeError::damaged("its JPEG 2000 stream is damaged")
}

fn cut_off() -> DecodeError {
    DecodeError::damaged("its JPEG 2000 stream is cut off")
}
