//! What can be wrong with an image file, or with a folder of them.

use std::io;
use std::path::PathBuf;

use crate::folder::Skipped;
use crate::raster::{MAX_PIXELS, MAX_SIDE};

/// Why images could not be had; the message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system could not read a file.
    #[error("cannot read image {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is longer than any that is read.
    #[error("image {} has more than the limit of {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes of a file that is read.
        limit: u64,
    },
    /// The content of a file is no picture.
    #[error("image {name}: {source}")]
    Decode {
        /// The file.
        name: String,
        /// What is wrong with its content.
        source: DecodeError,
    },
    /// The operating system could not list a folder.
    #[error("cannot read folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A folder holds no image.
    #[error("no PNG, JPEG or DICOM files under {}: {skipped} looked at", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// What it holds instead.
        skipped: Skipped,
    },
    /// Several files of one list are no images.
    #[error("{}", joined(.0))]
    Several(Vec<Self>),
}

/// Why bytes are no picture: one sentence, without the name of the file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The first bytes are those of none of the formats.
    #[error("neither PNG nor JPEG nor DICOM")]
    UnknownFormat,
    /// JPEG data without their end; a decoder would fill the rest with grey.
    #[error("the JPEG data is cut off")]
    JpegCutOff,
    /// Fewer PNG data than its header needs at the best compression there is.
    #[error("the PNG data is cut off")]
    PngCutOff,
    /// A picture without pixels.
    #[error("it has no pixels")]
    NoPixels,
    /// More pixels than any picture has.
    #[error(
        "{width}x{height} pixels are more than the limit of {MAX_SIDE} a side and {MAX_PIXELS} in all"
    )]
    TooLarge {
        /// Pixels of a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// It holds several frames, and none was chosen.
    #[error("it has {frames} frames, and none was chosen")]
    Frames {
        /// How many.
        frames: u32,
    },
    /// It holds fewer frames than the one chosen.
    #[error("frame {chosen} was chosen, and it has {frames}")]
    NoSuchFrame {
        /// The frame chosen, counted from 1.
        chosen: u32,
        /// How many it has.
        frames: u32,
    },
    /// The file may be well formed, but this crate does not read its kind.
    #[error("{0}")]
    Unsupported(String),
    /// The file contradicts its format or itself.
    #[error("{0}")]
    Damaged(String),
}

impl DecodeError {
    pub(crate) fn unsupported(cause: impl Into<String>) -> Self {
        Self::Unsupported(cause.into())
    }

    pub(crate) fn damaged(cause: impl Into<String>) -> Self {
        Self::Damaged(cause.into())
    }
}

fn joined(errors: &[Error]) -> String {
    let errors: Vec<String> = errors.iter().map(Error::to_string).collect();
    errors.join("; ")
}
