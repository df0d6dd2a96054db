//! JPEG (ITU-T T.81 and JFIF): baseline, extended and progressive, 8 or 12 bits, and lossless, 2 to 16 bits; all with Huffman codes.
//!
//! A decoder of our own, because the standard leaves open how a decoder rounds and how it stretches colour planes: the pixels are
//! those of libjpeg-turbo, exactly, on which most networks are trained, and every kind of file that is not understood is refused
//! instead of guessed.

mod bits;
mod colour;
mod dct;
mod frame;
mod lossless;
mod planes;
mod scan;
mod upsample;

pub(crate) use colour::rgb;

use crate::error::DecodeError;
use crate::raster::MAX_DECODED_BYTES;
use bits::Bits;
use frame::{Frame, Process, Scan, Tables};
use planes::{Blocks, Plane};

/// The most scans of a stream: each goes over the whole picture, and may do so in a few bytes.
const MAX_SCANS: usize = 256;

const END: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// A decoded stream: its components before any conversion of colours, as large as the picture.
#[derive(Debug)]
pub(crate) struct Jpeg {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Bits of a sample.
    pub(crate) precision: u8,
    pub(crate) lossless: bool,
    planes: Vec<Plane>,
    frame: Frame,
    marks: Marks,
}

/// What application segments say.
#[derive(Clone, Default, Debug)]
struct Marks {
    jfif: bool,
    /// The transform that Adobe's segment names.
    adobe: Option<u8>,
    exif: Option<Vec<u8>>,
}

/// What three components mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Colours {
    Rgb,
    /// Luma and colour differences.
    Ybr,
}

/// Whether data begin as a JPEG stream does.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

/// Decodes a stream up to its end marker; what follows that is not looked at.
pub(crate) fn decode(stream: &[u8]) -> Result<Jpeg, DecodeError> {
    let mut reader = Reader {
        rest: Segments { stream, at: 2 },
        tables: Tables::default(),
        marks: Marks::default(),
        picture: None,
        scans: 0,
    };
    if !is_jpeg(stream) {
        return Err(damaged());
    }
    while reader.step()? {}
    let (frame, picture) = reader.picture.ok_or_else(damaged)?;
    let planes = match picture {
        Picture::Lossless(picture) => picture.finish()?,
        // One after the other, so that coefficients and samples of all are never there together.
        Picture::Blocks(picture) => picture.finish()?.into_iter().map(Blocks::finish).collect(),
    };
    Ok(Jpeg {
        width: frame.width,
        height: frame.height,
        precision: frame.precision,
        lossless: frame.process == Process::Lossless,
        planes,
        frame,
        marks: reader.marks,
    })
}

impl Jpeg {
    /// 1, or 3.
    pub(crate) const fn channels(&self) -> usize {
        self.planes.len()
    }

    /// What application segments say of the colours, if anything.
    pub(crate) fn told_colours(&self) -> Option<Colours> {
        match (self.marks.jfif, self.marks.adobe) {
            (true, _) | (_, Some(1..)) => Some(Colours::Ybr),
            (false, Some(0)) => Some(Colours::Rgb),
            (false, None) => None,
        }
    }

    /// What three components of a file mean, by libjpeg's rules.
    pub(crate) fn colours(&self) -> Colours {
        self.told_colours().unwrap_or_else(|| {
            let ids = self.frame.components.iter().map(|c| c.id);
            // A lossless stream without marks is most often RGB as it was.
            if ids.eq(*b"RGB") || self.lossless {
                Colours::Rgb
            } else {
                Colours::Ybr
            }
        })
    }

    /// EXIF data, if there are any.
    pub(crate) fn exif(&self) -> Option<&[u8]> {
        self.marks.exif.as_deref()
    }

    /// The samples of a single component, as many as there are pixels.
    pub(crate) fn into_grey(self) -> Option<Vec<u16>> {
        let [plane] = <[Plane; 1]>::try_from(self.planes).ok()?;
        Some(plane.into_samples())
    }

    /// Three samples of each pixel, stretched to its size: each row of the picture is handed over once, plane by plane.
    pub(crate) fn rows(&self, mut take: impl FnMut([&[u16]; 3])) -> Option<()> {
        let planes = <&[Plane; 3]>::try_from(&self.planes[..]).ok()?;
        let mut rows: [Vec<u16>; 3] = Default::default();
        for y in 0..self.height {
            for ((row, plane), component) in rows.iter_mut().zip(planes).zip(&self.frame.components)
            {
                upsample::row(plane, self.frame.stretch(component), y, row);
            }
            take([0, 1, 2].map(|c| &rows[c][..self.width]));
        }
        Some(())
    }
}

/// The components while scans come in.
enum Picture {
    Blocks(scan::Picture),
    Lossless(lossless::Picture),
}

/// What was read so far.
struct Reader<'a> {
    rest: Segments<'a>,
    tables: Tables,
    marks: Marks,
    picture: Option<(Frame, Picture)>,
    scans: usize,
}

impl Reader<'_> {
    /// Reads the next segment, and the scan that follows it; false at the end.
    fn step(&mut self) -> Result<bool, DecodeError> {
        let code = self.rest.marker()?;
        if code == END {
            return Ok(false);
        }
        match code {
            // Markers without a segment that say nothing here: a restart before the end, as some encoders write it.
            0x01 | 0xD0..=0xD7 => return Ok(true),
            0xD8 => return Err(damaged()),
            _ => {}
        }
        let segment = self.rest.segment()?;
        match code {
            0xC4 => self.tables.read_codes(segment).ok_or_else(damaged)?,
            0xDB => self.tables.read_steps(segment).ok_or_else(damaged)?,
            0xDD => {
                let &interval = <&[u8; 2]>::try_from(segment).map_err(|_| damaged())?;
                self.tables.restart = usize::from(u16::from_be_bytes(interval));
            }
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => self.begin(code, segment)?,
            START_OF_SCAN => self.scan(segment)?,
            0xE0 => self.marks.jfif |= segment.starts_with(b"JFIF\0"),
            0xE1 => {
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    self.marks.exif.get_or_insert_with(|| exif.to_vec());
                }
            }
            0xEE => {
                if let Some(&[.., transform]) = segment.first_chunk::<12>()
                    && segment.starts_with(b"Adobe")
                {
                    self.marks.adobe = Some(transform);
                }
            }
            // Application data and comments.
            0xE2..=0xED | 0xEF | 0xFE => {}
            _ => {
                return Err(DecodeError::unsupported(format!(
                    "a JPEG segment of kind {code:02X} is not supported"
                )));
            }
        }
        Ok(true)
    }

    fn begin(&mut self, code: u8, segment: &[u8]) -> Result<(), DecodeError> {
        if self.picture.is_some() {
            return Err(DecodeError::unsupported(
                "hierarchical JPEG is not supported",
            ));
        }
        let frame = Frame::read(code, segment)?;
        let pixels = (frame.width * frame.height) as u64;
        // Each block of 64 pixels takes a bit, each pixel of a lossless stream too: nothing is allocated for what cannot come.
        let codes = match frame.process {
            Process::Lossless => pixels,
            Process::Sequential | Process::Progressive => pixels.div_ceil(64),
        };
        if (self.rest.stream.len() as u64).saturating_mul(8) < codes {
            return Err(DecodeError::JpegCutOff);
        }
        // Samples, and as many coefficients, of two bytes.
        if pixels * frame.components.len() as u64 * 4 > 2 * MAX_DECODED_BYTES {
            return Err(DecodeError::unsupported(
                "the JPEG data has too many pixels",
            ));
        }
        let picture = match frame.process {
            Process::Lossless => Picture::Lossless(lossless::Picture::new(&frame)?),
            Process::Sequential | Process::Progressive => {
                Picture::Blocks(scan::Picture::new(&frame))
            }
        };
        self.picture = Some((frame, picture));
        Ok(())
    }

    fn scan(&mut self, segment: &[u8]) -> Result<(), DecodeError> {
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(DecodeError::unsupported(format!(
                "a JPEG stream of more than {MAX_SCANS} scans is not supported"
            )));
        }
        let (frame, picture) = self.picture.as_mut().ok_or_else(damaged)?;
        let scan = Scan::read(segment, frame).ok_or_else(damaged)?;
        let bits = Bits::new(self.rest.stream, self.rest.at);
        self.rest.at = match picture {
            Picture::Blocks(picture) => picture.scan(frame, &scan, &self.tables, bits)?,
            Picture::Lossless(picture) => picture.scan(frame, &scan, &self.tables, bits)?,
        };
        Ok(())
    }
}

/// A place between the segments of a stream.
struct Segments<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// The code of the next marker. Bytes before it say nothing: padding after a scan, or filling.
    fn marker(&mut self) -> Result<u8, DecodeError> {
        loop {
            let rest = self.stream.get(self.at..).unwrap_or_default();
            match *rest {
                [0xFF, code @ 1..=0xFE, ..] => {
                    self.at += 2;
                    return Ok(code);
                }
                [_, _, ..] => self.at += 1,
                _ => return Err(DecodeError::JpegCutOff),
            }
        }
    }

    /// The bytes of the segment after its marker.
    fn segment(&mut self) -> Result<&'a [u8], DecodeError> {
        let rest = self.stream.get(self.at..).unwrap_or_default();
        let (&length, _) = rest.split_first_chunk().ok_or(DecodeError::JpegCutOff)?;
        let length = usize::from(u16::from_be_bytes(length));
        let segment = rest.get(2..length.max(2)).ok_or(DecodeError::JpegCutOff)?;
        if length < 2 {
            return Err(damaged());
        }
        self.at += length;
        Ok(segment)
    }
}

fn damaged() -> DecodeError {
    DecodeError::damaged("the JPEG data is damaged")
}
