//! One image file: read within bounds, decoded, and its digest.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nets::Picture;
use sha2::{Digest as _, Sha256};

use crate::decode;
use crate::error::Error;

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
}

impl Image {
    /// Reads and decodes a PNG, JPEG or DICOM file of at most [`MAX_FILE_BYTES`] bytes. Folders, pipes and devices are refused.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::TooLong`] or [`Error::Decode`], which name the file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = read(path)?;
        Self::decode(path.display().to_string(), &bytes)
    }

    /// Decodes a file that is held in memory.
    ///
    /// # Errors
    /// [`Error::Decode`] with the name given.
    pub fn decode(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Error> {
        let name = name.into();
        match decode(bytes) {
            Ok(picture) => Ok(Self {
                name,
                sha256: digest(bytes),
                picture,
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

/// Opens every file. Where some are no images, the error names all of those, so that a user can mend them at once.
///
/// # Errors
/// That of the only file that failed, or [`Error::Several`].
pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Image>, Error> {
    let mut images = Vec::with_capacity(paths.len());
    let mut errors = Vec::new();
    for path in paths {
        match Image::open(path) {
            Ok(image) => images.push(image),
            Err(error) => errors.push(error),
        }
    }
    match errors.len() {
        0 => Ok(images),
        1 => Err(errors.remove(0)),
        _ => Err(Error::Several(errors)),
    }
}

/// The content of a file, however long the operating system says that it is.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let too_long = || Error::TooLong {
        path: path.to_owned(),
        limit: MAX_FILE_BYTES,
    };
    let metadata = path.metadata().map_err(failed)?;
    // Opening a pipe could wait forever.
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_long());
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
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
