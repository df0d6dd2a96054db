//! Reading and writing files, with errors that name the file.

use std::path::Path;

use crate::Error;

/// The largest file read.
const MAX_FILE: u64 = 4 << 30;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File {
        action: "read",
        path: path.to_path_buf(),
        source,
    };
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        let problem = if meta.is_file() {
            "too large"
        } else {
            "not a file"
        };
        return Err(failed(std::io::Error::other(problem)));
    }
    std::fs::read(path).map_err(failed)
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|source| Error::File {
        action: "write",
        path: path.to_path_buf(),
        source,
    })
}
