//! Pixels compressed by JPEG-LS, lossless and near-lossless (ITU-T T.87): 2 to 16 bits, one or three components, interleaved in
//! any of the three ways. No kept crate in Rust reads it.

mod scan;

use nets::Samples;

use super::attributes::Description;
use super::stored::{of_bytes, of_words};
use crate::error::DecodeError;
use scan::{Coding, Interleaving, Thresholds};

/// What a frame header says (C.2.2).
struct Frame {
    precision: u32,
    width: usize,
    height: usize,
    ids: Vec<u8>,
}

/// The picture of a stream.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Samples, DecodeError> {
    let mut at = match stream {
        [0xFF, 0xD8, ..] => 2,
        _ => return Err(damaged()),
    };
    let mut frame: Option<Frame> = None;
    let mut given: Option<(u16, Thresholds)> = None;
    let mut planes: Vec<Vec<u16>> = Vec::new();
    loop {
        let (code, segment) = match stream.get(at..) {
            // Filling before a marker.
            Some([0xFF, 0xFF, ..]) => {
                at += 1;
                continue;
            }
            Some([0xFF, 0xD9, ..]) => break,
            Some(&[0xFF, code, high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                let segment = stream.get(at + 4..at + 2 + length).ok_or_else(cut_off)?;
                at += 2 + length;
                (code, segment)
            }
            _ => return Err(cut_off()),
        };
        match code {
            0xF7 if frame.is_none() => {
                let read = Frame::read(segment).ok_or_else(damaged)?;
                read.check(stream, description)?;
                planes = Vec::with_capacity(read.ids.len());
                frame = Some(read);
            }
            0xF8 => given = Some(parameters(segment)?),
            0xDA => {
                let frame = frame.as_ref().ok_or_else(damaged)?;
                let (coding, count) = frame.scan(segment, given, planes.len())?;
                at += scan::read(&stream[at..], &coding, count, &mut planes)?;
            }
            0xDD if segment.iter().all(|&byte| byte == 0) => {}
            0xDD => {
                return Err(DecodeError::unsupported(
                    "a JPEG-LS stream with restarts is not supported",
                ));
            }
            // A colour transform that the standard does not have.
            0xE8 if segment.starts_with(b"mrfx") && segment.get(4) != Some(&0) => {
                return Err(DecodeError::unsupported(
                    "a JPEG-LS stream with a colour transform is not supported",
                ));
            }
            0xE0..=0xEF | 0xFE => {}
            _ => return Err(damaged()),
        }
    }
    let frame = frame.ok_or_else(damaged)?;
    match <[Vec<u16>; 3]>::try_from(planes) {
        Ok([red, green, blue]) if description.samples == 3 => {
            let planes = red.into_iter().zip(green).zip(blue);
            let pixels = planes.flat_map(|((r, g), b)| [r, g, b]);
            // As pixels, whatever the header says of planes.
            let description = Description {
                planar: false,
                ..description.clone()
            };
            match frame.precision {
                ..=8 => of_bytes(pixels.map(|v| v.to_le_bytes()[0]).collect(), &description),
                _ => of_words(pixels.collect(), &description),
            }
        }
        Err(mut planes) if planes.len() == 1 && description.samples == 1 => {
            of_words(planes.remove(0), description)
        }
        _ => Err(cut_off()),
    }
}

impl Frame {
    fn read(segment: &[u8]) -> Option<Self> {
        let (&[precision, h1, h0, w1, w0, count], rest) = segment.split_first_chunk::<6>()?;
        let described = rest.as_chunks::<3>().0;
        let plain = described.iter().all(|&[_, sampling, _]| sampling == 0x11);
        if described.len() != usize::from(count) || !plain || !(2..=16).contains(&precision) {
            return None;
        }
        Some(Self {
            precision: u32::from(precision),
            width: usize::from(u16::from_be_bytes([w1, w0])),
            height: usize::from(u16::from_be_bytes([h1, h0])),
            ids: described.iter().map(|&[id, ..]| id).collect(),
        })
    }

    /// Whether the stream can be the one that the header describes.
    fn check(&self, stream: &[u8], description: &Description) -> Result<(), DecodeError> {
        let size = (description.width as usize, description.height as usize);
        if (self.width, self.height) != size || self.ids.len() != description.samples {
            return Err(DecodeError::damaged(
                "its JPEG-LS stream has another size or other channels than its header",
            ));
        }
        description.check_precision(self.precision, "JPEG-LS")?;
        // Each row of each component takes a bit: nothing is allocated for what cannot come.
        if stream.len() * 8 < self.height * self.ids.len() {
            return Err(cut_off());
        }
        Ok(())
    }

    /// Reads the header of a scan; gives also how many components it has (C.2.3).
    fn scan(
        &self,
        segment: &[u8],
        given: Option<(u16, Thresholds)>,
        done: usize,
    ) -> Result<(Coding, usize), DecodeError> {
        let (&count, rest) = segment.split_first().ok_or_else(damaged)?;
        let count = usize::from(count);
        let (described, rest) = rest.split_at_checked(2 * count).ok_or_else(damaged)?;
        let &[near, interleaving, point] = <&[u8; 3]>::try_from(rest).map_err(|_| damaged())?;
        let ids = self.ids.get(done..done + count).ok_or_else(damaged)?;
        let described = described.as_chunks::<2>().0;
        let ordered = described
            .iter()
            .zip(ids)
            .all(|(&[id, _], &known)| id == known);
        if !ordered || described.iter().any(|&[_, table]| table != 0) || point & 15 != 0 {
            return Err(DecodeError::unsupported(
                "a JPEG-LS stream with tables or shifted samples is not supported",
            ));
        }
        let interleaving = match (interleaving, count) {
            (_, 1) => Interleaving::None,
            (1, _) => Interleaving::Line,
            (2, 3) => Interleaving::Sample,
            _ => return Err(damaged()),
        };
        let full = u16::MAX >> (16 - self.precision);
        let (most, thresholds) = given.unwrap_or((0, Thresholds::default()));
        let most = if most == 0 { full } else { most };
        let coding = Coding::new(
            (self.width, self.height),
            i32::from(most.min(full)),
            i32::from(near),
            interleaving,
            thresholds,
        );
        Ok((coding.ok_or_else(damaged)?, count))
    }
}

/// The largest sample, and the thresholds; zero where the usual ones hold (C.2.4.1.1).
fn parameters(segment: &[u8]) -> Result<(u16, Thresholds), DecodeError> {
    let &[kind, a, b, c, d, e, f, g, h, i, j] =
        <&[u8; 11]>::try_from(segment).map_err(|_| tables())?;
    if kind != 1 {
        return Err(tables());
    }
    let words = [[a, b], [c, d], [e, f], [g, h], [i, j]].map(u16::from_be_bytes);
    let [most, t1, t2, t3, reset] = words;
    let thresholds = [t1, t2, t3, reset].map(i32::from);
    Ok((most, Thresholds(thresholds)))
}

fn tables() -> DecodeError {
    DecodeError::unsupported("a JPEG-LS stream with mapping tables is not supported")
}

fn damaged() -> DecodeError {
    DecodeError::damaged("its JPEG-LS stream is damaged")
}

fn cut_off() -> DecodeError {
    DecodeError::damaged("its JPEG-LS stream is cut off")
}
