//! Scans of the lossless process: each sample predicted from its neighbours (ITU-T T.81, annex H), the usual compression of plain X-rays.

use super::bits::Bits;
use super::frame::{Frame, Scan, Tables};
use super::planes::Plane;
use crate::error::DecodeError;

/// The class of the one difference that needs no bits: 32768.
const WHOLE: u8 = 16;

/// The components of a frame while scans come in.
#[derive(Debug)]
pub(super) struct Picture {
    /// None before the scan of a component.
    planes: Vec<Option<Plane>>,
}

impl Picture {
    pub(super) fn new(frame: &Frame) -> Result<Self, DecodeError> {
        if frame.components.iter().any(|c| frame.stretch(c) != (1, 1)) {
            return Err(DecodeError::unsupported(
                "lossless JPEG whose components differ in size is not supported",
            ));
        }
        Ok(Self {
            planes: frame.components.iter().map(|_| None).collect(),
        })
    }

    /// Reads a scan; gives where it ends.
    pub(super) fn scan(
        &mut self,
        frame: &Frame,
        scan: &Scan,
        tables: &Tables,
        mut bits: Bits<'_>,
    ) -> Result<usize, DecodeError> {
        let (width, height) = (frame.width, frame.height);
        if !(1..=7).contains(&scan.first) || scan.after >= frame.precision {
            return Err(damaged());
        }
        if !tables.restart.is_multiple_of(width) {
            return Err(DecodeError::unsupported(
                "lossless JPEG with restarts within a row is not supported",
            ));
        }
        let mut parts = Vec::new();
        for &(place, code, _) in &scan.components {
            let slot = &mut self.planes[place];
            let code = tables.dc.get(code).and_then(Option::as_ref);
            match (slot.is_none(), code) {
                (true, Some(code)) => parts.push((place, code)),
                _ => return Err(damaged()),
            }
            *slot = Some(Plane::new(width, height, width, height));
        }
        let start = 1_i32 << (frame.precision - scan.after - 1);
        for y in 0..height {
            let since = match tables.restart {
                0 => y,
                restart => y % (restart / width),
            };
            if y > 0 && since == 0 {
                let number = (y / (tables.restart / width) - 1) % 8;
                #[expect(clippy::cast_possible_truncation, reason = "below 8")]
                bits.restart(number as u8)?;
            }
            for x in 0..width {
                for &(place, code) in &parts {
                    let class = bits.symbol(code)?;
                    let difference = match class {
                        0..WHOLE => bits.signed(u32::from(class))?,
                        WHOLE => 1 << 15,
                        _ => return Err(damaged()),
                    };
                    let plane = self.planes[place].as_mut().ok_or_else(damaged)?;
                    let samples = plane.samples_mut();
                    let at = y * width + x;
                    let left = |samples: &[u16]| i32::from(samples[at - 1]);
                    let above = |samples: &[u16]| i32::from(samples[at - width]);
                    let prediction = match (x, since) {
                        (0, 0) => start,
                        (_, 0) => left(samples),
                        (0, _) => above(samples),
                        _ => {
                            let corner = i32::from(samples[at - width - 1]);
                            predict(scan.first, left(samples), above(samples), corner)
                        }
                    };
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "modulo 2^16 (H.1.2.1)"
                    )]
                    let sample = (prediction + difference) as u16;
                    samples[at] = sample;
                }
            }
        }
        if scan.after > 0 {
            for &(place, _) in &parts {
                let plane = self.planes[place].as_mut().ok_or_else(damaged)?;
                plane
                    .samples_mut()
                    .iter_mut()
                    .for_each(|s| *s <<= scan.after);
            }
        }
        Ok(bits.at())
    }

    /// The components, if all scans have come.
    pub(super) fn finish(self) -> Result<Vec<Plane>, DecodeError> {
        let planes: Option<Vec<Plane>> = self.planes.into_iter().collect();
        planes.ok_or(DecodeError::JpegCutOff)
    }
}

/// Table H.1.
const fn predict(predictor: u8, left: i32, above: i32, corner: i32) -> i32 {
    match predictor {
        1 => left,
        2 => above,
        3 => corner,
        4 => left + above - corner,
        5 => left + ((above - corner) >> 1),
        6 => above + ((left - corner) >> 1),
        _ => (left + above) >> 1,
    }
}

fn damaged() -> DecodeError {
    DecodeError::damaged("the lossless JPEG data is damaged")
}
