#![doc = include_str!("../README.md")]

mod dicom;
mod error;
mod file;
mod folder;
mod format;
mod jpeg;
mod png;
mod raster;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, Error};
pub use file::{Image, MAX_FILE_BYTES, check_all};
pub use folder::{Found, Skipped, find};

use std::num::NonZeroU32;

use nets::{Picture, Samples};

use format::Format;

/// A picture, and what its user should know of how it was made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Decoded {
    /// The samples.
    pub picture: Picture,
    /// Sentences without a full stop, none where all went the plain way.
    pub notes: Vec<String>,
}

impl Decoded {
    /// The samples of a picture of width and height, grey or RGB by their number.
    fn of(
        (width, height): (usize, usize),
        samples: Samples,
        mut notes: Vec<String>,
    ) -> Result<Self, DecodeError> {
        let count = match &samples {
            Samples::Eight(samples) => samples.len(),
            Samples::Sixteen(samples) => samples.len(),
        };
        let channels = count / (width * height).max(1);
        if let Samples::Sixteen(samples) = &samples
            && samples.iter().all(|&sample| sample >> 12 == 0)
        {
            notes.push(
                "no sample is above 1/16 of the range, so that the picture is almost black"
                    .to_owned(),
            );
        }
        let picture = Picture::new(width, height, channels, samples)
            .map_err(|e| DecodeError::damaged(e.to_string()))?;
        Ok(Self { picture, notes })
    }
}

/// Decodes the bytes of a PNG, JPEG or DICOM file of one frame; which of them they are follows from the first bytes, not from a name.
///
/// No memory is taken for the pixels that a header claims unless the bytes at hand can hold as many, and hostile bytes give an
/// error, never a panic.
///
/// # Errors
/// What is wrong with the bytes, in one sentence; [`DecodeError::Frames`] where there are several frames.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_frame(bytes, None)
}

/// The same of a file that may hold several frames, of which one is chosen, counted from 1.
///
/// # Errors
/// As [`decode`] has them, and [`DecodeError::NoSuchFrame`].
pub fn decode_frame(bytes: &[u8], frame: Option<NonZeroU32>) -> Result<Decoded, DecodeError> {
    let format = Format::of(bytes)?;
    if format != Format::Dicom {
        chosen(frame, 1)?;
    }
    match format {
        Format::Png => png::decode(bytes),
        Format::Jpeg => raster::of_jpeg(bytes),
        Format::Dicom => dicom::decode(bytes, frame),
    }
}

/// The place of the chosen frame among `frames`, counted from 0.
fn chosen(frame: Option<NonZeroU32>, frames: u32) -> Result<u32, DecodeError> {
    match frame.map(NonZeroU32::get) {
        None if frames == 1 => Ok(0),
        None => Err(DecodeError::Frames { frames }),
        Some(chosen) if chosen > frames => Err(DecodeError::NoSuchFrame { chosen, frames }),
        Some(chosen) => Ok(chosen - 1),
    }
}
