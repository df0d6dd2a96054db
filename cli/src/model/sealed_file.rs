//! Sealed model files: the public part for all to read, and the whole model for who has the key.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `SEALBRAY` |
//! | 8 | length of the public part, little-endian |
//! | | the public part, as `import` writes it for clients |
//! | | the .bray file, sealed; its context is all that stands before it |

use std::io::{self, Write};
use std::path::Path;

use nets::{MAX_PUBLIC_BYTES, Model, PublicModel};
use sealed::{Key, open_in_place, seal_in_place};

use crate::failure::{Failure, Outcome};
use crate::model::problem;
use crate::{entropy, file};

/// How such a file begins.
pub(crate) const MAGIC: &[u8] = b"SEALBRAY";
const PURPOSE: &str = "model";
/// Bytes before the public part.
const PREFIX: usize = 16;

/// Whether a file is one, by how it begins.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// What a sealed file holds.
pub(crate) struct Sealed {
    before: Vec<u8>,
    object: Vec<u8>,
}

impl Sealed {
    /// Seals a model, and gives its public part to all.
    pub(crate) fn new(key: &Key, model: Model) -> Outcome<Self> {
        let (bray, public) = (model.to_bytes(), model.public.to_json());
        // Its bytes take as much memory again.
        drop(model);
        let mut before = Vec::with_capacity(PREFIX + public.len());
        before.extend(MAGIC);
        before.extend((public.len() as u64).to_le_bytes());
        before.extend(public);
        let object = seal_in_place(key, PURPOSE, &before, entropy::bytes()?, bray);
        Ok(Self { before, object })
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.before)?;
        out.write_all(&self.object)
    }
}

/// The model of a sealed file, opened in memory; `path` is for messages.
pub(crate) fn unseal(path: &Path, mut bytes: Vec<u8>, key: &Key) -> Outcome<Model> {
    no_core_dumps();
    let before = parts(path, &bytes)?.0.to_vec();
    bytes.drain(..before.len());
    let bray = open_in_place(key, PURPOSE, &before, bytes);
    let bray = bray.map_err(|error| bad(path, &error.to_string()))?;
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
