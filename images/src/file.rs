//! One image file: read within bounds, decoded, and its digest.

use std::io::{self, Read as _};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use nets::Picture;
use sha2::{Digest as _, Sha256};

use crate::decode_frame;
use crate::error::Error;
use crate::format::{FIRST_BYTES, Format};

/// The largest image file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// A decoded image, and which file it was.
///
/// `Debug` shows neither the name nor the digest nor the pixels: a name may be a patient's, and a digest
/// recognises a known image.
#[non_exhaustive]
pub struct Image {
    /// The path as it was given, or the name that the caller chose.
    pub name: String,
    /// The SHA-256 of the file, as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The samples as they stand in the file, upright. A network's preprocessing turns them into its input
    /// ([`nets::Preprocessing`]).
    pub picture: Picture,
    /// What its user should know of how the picture was made: sentences without a full stop.
    pub notes: Vec<String>,
}

impl Image {
    /// Reads and decodes a PNG, JPEG or DICOM file of at most [`MAX_FILE_BYTES`] bytes and of one frame. Folders, pipes and devices are refused.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::TooLong`] or [`Error::Decode`], which name the file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_frame(path, None)
    }

    /// The same of a file that may hold several frames, of which one is chosen, counted from 1.
    ///
    /// # Errors
    /// As [`Image::open`] has them.
    pub fn open_frame(path: &Path, frame: Option<NonZeroU32>) -> Result<Self, Error> {
        let bytes = read(path, MAX_FILE_BYTES + 1)?;
        Self::decode_frame(path.display().to_string(), &bytes, frame)
    }

    /// Decodes a file of one frame that is held in memory.
    ///
    /// # Errors
    /// [`Error::Decode`] with the name given.
    pub fn decode(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_frame(name, bytes, None)
    }

    /// Decodes a file that is held in memory and may hold several frames, of which one is chosen, counted from 1.
    ///
    /// # Errors
    /// [`Error::Decode`] with the name given.
    pub fn decode_frame(
        name: impl Into<String>,
        bytes: &[u8],
        frame: Option<NonZeroU32>,
    ) -> Result<Self, Error> {
        let name = name.into();
        match decode_frame(bytes, frame) {
            Ok(decoded) => Ok(Self {
                name,
                sha256: digest(bytes),
                picture: decoded.picture,
                notes: decoded.notes,
            }),
            Err(source) => Err(Error::Decode { name, source }),
        }
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").finish_non_exhaustive()
    }
}

/// Checks that every path leads to a file that is there and begins as a PNG, JPEG or DICOM file does. Of each, only the first
/// bytes are read, so that a long list costs little time and no memory; whether the rest is sound, [`Image::open`] says. Where
/// some are no images, the error names all of those, so that a user can mend them at once.
///
/// # Errors
/// That of the only file that failed, or [`Error::Several`].
pub fn check_all(paths: &[PathBuf]) -> Result<(), Error> {
    let failed = |path: &PathBuf| check(path).err();
    let mut errors: Vec<Error> = paths.iter().filter_map(failed).collect();
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(Error::Several(errors)),
    }
}

fn check(path: &Path) -> Result<(), Error> {
    let first = read(path, FIRST_BYTES as u64)?;
    let known = Format::of(&first).map(drop);
    known.map_err(|source| Error::Decode {
        name: path.display().to_string(),
        source,
    })
}

/// The first `most` bytes of a regular file of at most [`MAX_FILE_BYTES`], or all if it has fewer.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = path.metadata().map_err(failed)?;
    // Opening a pipe could wait forever.
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    let too_long = || Error::TooLong {
        path: path.to_owned(),
        limit: MAX_FILE_BYTES,
    };
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_long());
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    // The file may hold more than the operating system said.
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_long());
    }
    Ok(bytes)
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
