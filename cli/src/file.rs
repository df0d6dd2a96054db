//! Files that a user names: read within bounds, and tried before the long work whose result they are to hold.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// The content of a regular file of at most so many bytes. Opening a pipe could wait forever.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// Fails where a file could not be written. What is there stays as it is, and what is not there is not made.
pub(crate) fn try_writing(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if there.is_file() => OpenOptions::new().write(true).open(path).map(drop),
        // A device, say.
        Ok(_) => Ok(()),
        Err(_) => {
            File::create_new(path)?;
            std::fs::remove_file(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_by_trying() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&old, b"12345").expect("a file");
        try_writing(&old).expect("it can be written");
        try_writing(&new).expect("it could be made");
        assert_eq!(std::fs::read(&old).expect("still there"), b"12345");
        assert!(!new.exists());
        assert!(try_writing(folder.path()).is_err());
        assert!(try_writing(&folder.path().join("absent/new")).is_err());
    }

    #[test]
    fn bounds_and_kinds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").expect("a file");
        assert_eq!(read(&path, 5).expect("five bytes"), b"12345");
        assert!(read(&path, 4).is_err());
        assert!(read(folder.path(), 5).is_err());
    }
}
