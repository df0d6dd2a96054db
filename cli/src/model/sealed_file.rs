//! Sealed model files: the public part for all to read, and the whole model for who has the key.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `SEALBRAY` |
//! | 8 | length of the public part, little-endian |
//! | | the public part, as `import` writes it for clients |
//! | | the .bray file, sealed; its context is all that stands before it |

use std::io;
use std::path::Path;

use nets::{MAX_PUBLIC_BYTES, Model, PublicModel};
use sealed::{Key, open, seal};

use crate::failure::{Failure, Outcome};
use crate::model::problem;
use crate::{entropy, file};

const MAGIC: &[u8] = b"SEALBRAY";
const PURPOSE: &str = "model";
/// Bytes before the public part.
const PREFIX: usize = 16;

/// Whether a file is one, by how it begins.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Seals the bytes of a .bray file, and gives its public part to all.
pub(crate) fn close(key: &Key, bray: &[u8], public: &[u8]) -> Outcome<Vec<u8>> {
    let mut sealed = Vec::with_capacity(PREFIX + public.len() + bray.len() + sealed::OVERHEAD);
    sealed.extend(MAGIC);
    sealed.extend((public.len() as u64).to_le_bytes());
    sealed.extend(public);
    let object = seal(key, PURPOSE, &sealed, entropy::bytes()?, bray);
    sealed.extend(object);
    Ok(sealed)
}

/// The model of a sealed file, opened in memory; `path` is for messages.
pub(crate) fn unseal(path: &Path, bytes: &[u8], key: &Key) -> Outcome<Model> {
    no_core_dumps();
    let (before, object) = parts(path, bytes)?;
    let bray = open(key, PURPOSE, before, object).map_err(|error| bad(path, &error.to_string()))?;
    Model::from_bytes(&bray).map_err(|error| bad(path, &problem(&error)))
}

/// The public part of a sealed file; `None` for any other file. Only who has the key knows whether it was changed.
pub(crate) fn public(path: &Path) -> io::Result<Option<Outcome<PublicModel>>> {
    let start = file::read_start(path, (PREFIX + MAX_PUBLIC_BYTES) as u64)?;
    let read = |start: &[u8]| {
        let (before, _) = parts(path, start)?;
        PublicModel::from_json(&before[PREFIX..]).map_err(|error| bad(path, &problem(&error)))
    };
    Ok(is_sealed(&start).then(|| read(&start)))
}

/// What stands before the sealed object, and that.
fn parts<'a>(path: &Path, bytes: &'a [u8]) -> Outcome<(&'a [u8], &'a [u8])> {
    let cut = || bad(path, "it was cut off");
    let length = bytes.get(MAGIC.len()..PREFIX).ok_or_else(cut)?;
    let length = u64::from_le_bytes(length.try_into().map_err(|_| cut())?);
    let length = usize::try_from(length)
        .ok()
        .filter(|&length| length <= MAX_PUBLIC_BYTES);
    let length = length.ok_or_else(|| bad(path, "its public part is too long: it was changed"))?;
    bytes.split_at_checked(PREFIX + length).ok_or_else(cut)
}

fn bad(path: &Path, what: &str) -> Failure {
    Failure::input(format!("{}: {what}", path.display()))
}

/// A crash does not leave the weights on a disk.
fn no_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // Where the system does not let us, it is as it was.
        let _ = setrlimit(Resource::Core, none);
    }
}
