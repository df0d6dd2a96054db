//! Reading files, with errors that name the file.

use std::fs::File;
use std::io::{Error as IoError, Read as _};
use std::path::Path;

use crate::Error;

/// The largest file read.
const MAX_FILE: u64 = 4 << 30;

/// A regular file, opened, and its length.
pub(crate) fn open(path: &Path) -> Result<(File, u64), Error> {
    let failed = |source| Error::File {
        action: "read",
        path: path.to_path_buf(),
        source,
    };
    // Opening a pipe could wait forever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(IoError::other("not a file")));
    }
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(failed(IoError::other("too large")));
    }
    Ok((file, length))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let (file, length) = open(path)?;
    let failed = |source| Error::File {
        action: "read",
        path: path.to_path_buf(),
        source,
    };
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))
        .map_err(|e| failed(e.into()))?;
    file.take(length).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
