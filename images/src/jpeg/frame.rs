//! The segments of a JPEG stream before and between its scans (ITU-T T.81, annex B).

use super::bits::Code;
use super::dct::SIDE;
use crate::error::DecodeError;
use crate::raster::check_size;

/// How samples are coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Process {
    /// Cosine transform, each component in one scan.
    Sequential,
    /// Cosine transform, each component in many scans.
    Progressive,
    /// Prediction from neighbours.
    Lossless,
}

/// A component as the frame describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of a unit of an interleaved scan.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Which table of steps.
    pub(super) table: usize,
}

/// The description of a frame.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) process: Process,
    pub(super) precision: u8,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
}

impl Frame {
    /// Reads the segment of a frame whose marker is `0xFF`, `code`.
    pub(super) fn read(code: u8, segment: &[u8]) -> Result<Self, DecodeError> {
        let process = match code {
            0xC0 | 0xC1 => Process::Sequential,
            0xC2 => Process::Progressive,
            0xC3 => Process::Lossless,
            0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(DecodeError::unsupported(
                    "JPEG with arithmetic coding is not supported",
                ));
            }
            _ => {
                return Err(DecodeError::unsupported(
                    "hierarchical JPEG is not supported",
                ));
            }
        };
        let short = || DecodeError::damaged("the JPEG frame header is damaged");
        let (&[precision, h1, h0, w1, w0, count], rest) =
            segment.split_first_chunk::<6>().ok_or_else(short)?;
        let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        if height == 0 {
            return Err(DecodeError::unsupported(
                "a JPEG frame whose header does not say its height is not supported",
            ));
        }
        check_size(u32::from(width), u32::from(height))?;
        let known = match process {
            Process::Sequential if code == 0xC0 => precision == 8,
            Process::Sequential | Process::Progressive => matches!(precision, 8 | 12),
            Process::Lossless => (2..=16).contains(&precision),
        };
        if !known || !matches!(count, 1 | 3) {
            return Err(DecodeError::unsupported(format!(
                "a JPEG frame of {count} components of {precision} bits is not supported{}",
                if count == 4 {
                    ": CMYK has no one meaning in RGB"
                } else {
                    ""
                }
            )));
        }
        let described = rest.as_chunks::<3>().0;
        if described.len() != usize::from(count) || rest.len() != 3 * described.len() {
            return Err(short());
        }
        let components: Vec<_> = described
            .iter()
            .map(|&[id, sampling, table]| Component {
                id,
                across: usize::from(sampling >> 4),
                down: usize::from(sampling & 15),
                table: usize::from(table),
            })
            .collect();
        let frame = Self {
            process,
            precision,
            width: usize::from(width),
            height: usize::from(height),
            components,
        };
        frame.check()?;
        Ok(frame)
    }

    fn check(&self) -> Result<(), DecodeError> {
        let bad = self.components.iter().enumerate().any(|(i, c)| {
            let ids = &self.components[..i];
            !(1..=4).contains(&c.across)
                || !(1..=4).contains(&c.down)
                || c.table > 3
                || ids.iter().any(|other| other.id == c.id)
        });
        if bad {
            return Err(DecodeError::damaged("the JPEG frame header is damaged"));
        }
        let (across, down) = self.most();
        let odd = |c: &Component| !across.is_multiple_of(c.across) || !down.is_multiple_of(c.down);
        if self.components.iter().any(odd) {
            return Err(DecodeError::unsupported(
                "a JPEG frame whose components are not whole multiples of each other is not supported",
            ));
        }
        Ok(())
    }

    /// The most blocks of a component in a unit, across and down. A component alone is a unit of one block (A.2.2).
    fn most(&self) -> (usize, usize) {
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max();
        (
            most(|c| c.across).unwrap_or(1),
            most(|c| c.down).unwrap_or(1),
        )
    }

    /// How often a sample of a component is repeated in the picture, across and down.
    pub(super) fn stretch(&self, component: &Component) -> (usize, usize) {
        let (across, down) = self.most();
        (across / component.across, down / component.down)
    }

    /// Samples of a component that belong to the picture (A.1.1).
    pub(super) fn size_of(&self, component: &Component) -> (usize, usize) {
        let (across, down) = self.stretch(component);
        (self.width.div_ceil(across), self.height.div_ceil(down))
    }

    /// Units of an interleaved scan, across and down.
    pub(super) fn units(&self) -> (usize, usize) {
        let (across, down) = self.most();
        (
            self.width.div_ceil(SIDE * across),
            self.height.div_ceil(SIDE * down),
        )
    }
}

/// Tables that hold until they are defined anew.
#[derive(Default, Debug)]
pub(super) struct Tables {
    pub(super) steps: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Code>; 4],
    pub(super) ac: [Option<Code>; 4],
    /// Units between restart markers; none where 0.
    pub(super) restart: usize,
}

impl Tables {
    /// Tables of steps (B.2.4.1).
    pub(super) fn read_steps(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = segment.split_first() {
            let wide = match head >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let (values, rest) = rest.split_at_checked(64 * wide)?;
            let mut steps = [0; 64];
            for (step, value) in steps.iter_mut().zip(values.chunks(wide)) {
                *step = value.iter().fold(0, |v, &byte| v << 8 | u16::from(byte));
            }
            *self.steps.get_mut(usize::from(head & 15))? = Some(steps);
            segment = rest;
        }
        Some(())
    }

    /// Huffman codes (B.2.4.2).
    pub(super) fn read_codes(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let count = counts.iter().map(|&c| usize::from(c)).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let place = usize::from(head & 15);
            let slot = match head >> 4 {
                0 => self.dc.get_mut(place)?,
                1 => self.ac.get_mut(place)?,
                _ => return None,
            };
            *slot = Some(Code::new(counts, symbols)?);
            segment = rest;
        }
        Some(())
    }
}

/// What a scan brings (B.2.3).
#[derive(Debug)]
pub(super) struct Scan {
    /// Place of each component in the frame, its DC code and its AC code.
    pub(super) components: Vec<(usize, usize, usize)>,
    /// First and last coefficient; the first of a lossless scan is its predictor.
    pub(super) first: u8,
    pub(super) last: u8,
    /// Bits that earlier scans left out, and bits that this one leaves out.
    pub(super) before: u8,
    pub(super) after: u8,
}

impl Scan {
    /// Reads the header of a scan of a frame.
    pub(super) fn read(segment: &[u8], frame: &Frame) -> Option<Self> {
        let (&count, rest) = segment.split_first()?;
        let (described, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits] = <&[u8; 3]>::try_from(rest).ok()?;
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for &[id, codes] in described.as_chunks::<2>().0 {
            let place = frame.components.iter().position(|c| c.id == id)?;
            if components.iter().any(|&(other, ..)| other >= place) {
                return None;
            }
            components.push((place, usize::from(codes >> 4), usize::from(codes & 15)));
        }
        let blocks = |&(place, ..): &(usize, usize, usize)| {
            frame.components[place].across * frame.components[place].down
        };
        let blocks: usize = components.iter().map(blocks).sum();
        // At most ten blocks to a unit (B.2.3).
        if components.is_empty() || components.len() > 1 && blocks > 10 {
            return None;
        }
        Some(Self {
            components,
            first,
            last,
            before: bits >> 4,
            after: bits & 15,
        })
    }
}
