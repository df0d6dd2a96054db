//! Tensor data in files beside the model.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use rten_onnx::onnx::TensorProto;

use crate::Error;

/// The most bytes that are read at a time (LOCAL), a multiple of the widest number's.
const PIECE: usize = 1 << 16;

/// The folders that external data may come from, and the files that are open.
pub(crate) struct External {
    folders: Vec<PathBuf>,
    files: HashMap<PathBuf, (File, u64)>,
}

impl External {
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self {
            folders: folder.into_iter().map(Path::to_path_buf).collect(),
            files: HashMap::new(),
        }
    }

    /// For the file at `path`: the folder where it is named and, if that is a link, the folder where it lies. In a
    /// cache of downloads the model and its data are links into one folder of contents.
    pub(crate) fn beside(path: &Path) -> Self {
        let folder = |path: &Path| match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let target = path.canonicalize().ok();
        Self {
            folders: std::iter::once(folder(path))
                .chain(target.as_deref().map(folder))
                .collect(),
            files: HashMap::new(),
        }
    }

    /// Shows the data of a tensor that must have this many bytes, piece by piece: large ones are not held beside what is made
    /// of them. Every piece holds whole numbers.
    pub(crate) fn read(
        &mut self,
        tensor: &TensorProto,
        bytes: usize,
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let name = tensor.name.as_deref().unwrap_or_default();
        let fail = |problem: String| Error::tensor(name, problem);
        let entry = |key: &str| {
            let entry = tensor
                .external_data
                .iter()
                .find(|e| e.key.as_deref() == Some(key));
            entry.and_then(|e| e.value.as_deref())
        };
        let number = |key: &str| match entry(key).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(n)) => Ok(Some(n)),
            Some(Err(_)) => Err(fail(format!("its external `{key}` is no number"))),
        };
        let location =
            entry("location").ok_or_else(|| fail("it has no external location".into()))?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        if length.is_some_and(|n| usize::try_from(n) != Ok(bytes)) {
            return Err(fail(format!("its external length is not {bytes}")));
        }
        let (file, size) = self.open(location).map_err(fail)?;
        let end = u64::try_from(bytes)
            .ok()
            .and_then(|n| offset.checked_add(n));
        if end.is_none_or(|end| end > *size) {
            let shown = crate::node::readable(location);
            return Err(fail(format!("its data lie beyond the end of `{shown}`")));
        }
        let unreadable = |e| fail(format!("cannot read its external data: {e}"));
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let (mut piece, mut left) = (vec![0; bytes.min(PIECE)], bytes);
        while left > 0 {
            let length = left.min(PIECE);
            let piece = &mut piece[..length];
            file.read_exact(piece).map_err(unreadable)?;
            see(piece);
            left -= length;
        }
        Ok(())
    }

    fn open(&mut self, location: &str) -> Result<&mut (File, u64), String> {
        let shown = crate::node::readable(location);
        if self.folders.is_empty() {
            return Err("it lies in another file, and no folder is given".into());
        }
        let path = confined(&self.folders, location)
            .map_err(|problem| format!("external location `{shown}` {problem}"))?;
        let entry = match self.files.entry(path) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let opened = File::open(entry.key()).and_then(|f| {
                    let size = f.metadata()?.len();
                    Ok((f, size))
                });
                entry.insert(opened.map_err(|e| format!("cannot read `{shown}`: {e}"))?)
            }
        };
        Ok(entry)
    }
}

/// The path of the file that `location` names in one of the folders. Whatever links there are, it must lie in one of them.
fn confined(folders: &[PathBuf], location: &str) -> Result<PathBuf, String> {
    let relative = Path::new(location);
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || location.contains('\0') || !relative.components().all(plain) {
        return Err("is not a path within the model's folder".into());
    }
    let resolve = |path: &Path| {
        path.canonicalize()
            .map_err(|e| format!("cannot be read: {e}"))
    };
    let homes = folders.iter().map(|folder| resolve(folder));
    let homes = homes.collect::<Result<Vec<_>, _>>()?;
    let named = folders.iter().map(|folder| folder.join(relative));
    let named: Vec<PathBuf> = named.collect();
    let path = named.iter().find(|path| path.exists());
    let path = resolve(path.unwrap_or(&named[0]))?;
    if !homes.iter().any(|home| path.starts_with(home)) {
        return Err("leads out of the model's folder".into());
    }
    // Opening a pipe could wait forever.
    if !path.is_file() {
        return Err("is no file".into());
    }
    Ok(path)
}
