//! Files that a user names: read within bounds; and results, whose places are tried before the long work, and which are
//! there whole or not at all.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Scrap;
use crate::text::hex;

/// Links that are followed from one name, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// The content of a regular file of at most so many bytes. Opening a pipe could wait forever.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let bytes = read_start(path, most + 1)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// The same, of which the first bytes alone are wanted.
pub(crate) fn read_start(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The name of a file without one ending, in any case, and with nothing else cut off: `net-1.0` is `net-1.0`.
pub(crate) fn stem(path: &Path, ending: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let at = name.len().saturating_sub(ending.len());
    match name.get(at..) {
        Some(end) if at > 0 && end.eq_ignore_ascii_case(ending) => name[..at].to_owned(),
        _ => name.into_owned(),
    }
}

/// A file by the option that names it.
pub(crate) type Named<'a> = (&'static str, &'a Path);

/// The files that a command will write, found good before its work begins.
#[derive(Debug)]
pub(crate) struct Outputs(Vec<Place>);

impl Outputs {
    /// Fails where a file could not be written, where two options name one file, however they spell it, and where an
    /// input would be overwritten. What is there stays as it is, and what is not there is not made.
    pub(crate) fn find(outputs: &[Named<'_>], inputs: &[Named<'_>]) -> Outcome<Self> {
        let mut places: Vec<Place> = Vec::new();
        for &(option, path) in outputs {
            let place = Place::find(option, path).map_err(|e| Failure::Input(cannot(path, &e)))?;
            if let Some(other) = places.iter().find(|other| other.is(&place.file)) {
                return Err(Failure::input(format!(
                    "{} and {option} name the same file",
                    other.option
                )));
            }
            places.push(place);
        }
        let outputs = Self(places);
        inputs
            .iter()
            .try_for_each(|&(option, path)| outputs.spare(option, path))?;
        Ok(outputs)
    }

    /// Fails where the outputs would overwrite an input.
    pub(crate) fn spare(&self, option: &str, input: &Path) -> Outcome<()> {
        match self.0.iter().find(|place| place.is(input)) {
            Some(place) => Err(Failure::input(format!(
                "{} would overwrite {}, which {option} reads",
                place.option,
                input.display()
            ))),
            None => Ok(()),
        }
    }

    /// Whether none of them is a device or a pipe, from which nothing is read again.
    pub(crate) fn are_files(&self) -> bool {
        self.0.iter().all(|place| place.regular)
    }

    /// Writes all files, in the order in which they were named. Each has its old content or its new one, whole, whatever ends
    /// the process or fills the disk; and none has its new one before all of them are on the disk under other names.
    pub(crate) fn write(&self, contents: &[&[u8]]) -> Outcome<()> {
        let contents = contents
            .iter()
            .map(|&bytes| move |out: &mut dyn Write| out.write_all(bytes));
        let contents: Vec<_> = contents.collect();
        let contents: Vec<Content<'_>> = contents.iter().map(|write| write as _).collect();
        self.drafts(&contents)?.put()
    }

    /// Writes the contents of all files under other names. Devices and pipes, which have no other, get theirs at once.
    pub(crate) fn drafts(&self, contents: &[Content<'_>]) -> Outcome<Drafts<'_>> {
        let mut drafts = Vec::new();
        for (place, write) in self.0.iter().zip(contents) {
            if place.regular {
                let draft = Draft::write(place, write).map_err(|e| failed(place, &e))?;
                drafts.push((place, draft));
            }
        }
        for (place, write) in self.0.iter().zip(contents) {
            if !place.regular {
                let file = OpenOptions::new().write(true).open(&place.file);
                let written = file.and_then(|mut file| write(&mut file));
                written.map_err(|e| failed(place, &e))?;
            }
        }
        Ok(Drafts(drafts))
    }
}

/// What writes the content of a file.
pub(crate) type Content<'a> = &'a dyn Fn(&mut dyn Write) -> io::Result<()>;

/// Files that are on the disk under other names. They are removed unless they are put into their places.
pub(crate) struct Drafts<'a>(Vec<(&'a Place, Draft)>);

impl Drafts<'_> {
    /// Where the content of an option's file is; `None` for a device.
    pub(crate) fn path(&self, option: &str) -> Option<&Path> {
        let draft = self.0.iter().find(|(place, _)| place.option == option);
        draft.map(|(_, draft)| draft.path.as_path())
    }

    /// Gives all files their names.
    pub(crate) fn put(self) -> Outcome<()> {
        for (place, draft) in self.0 {
            draft.put(place).map_err(|e| failed(place, &e))?;
        }
        Ok(())
    }
}

fn failed(place: &Place, error: &io::Error) -> Failure {
    Failure::Run(cannot(&place.named, error))
}

/// The files as the user named them.
impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = (self.0.iter())
            .map(|place| place.named.display().to_string())
            .collect();
        f.write_str(&names.join(", "))
    }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Where one file goes.
#[derive(Debug)]
struct Place {
    option: &'static str,
    /// As the user wrote it.
    named: PathBuf,
    /// The same with all links followed, in a folder that is there.
    file: PathBuf,
    /// Devices and pipes are written to; any other file is replaced.
    regular: bool,
}

impl Place {
    fn find(option: &'static str, named: &Path) -> io::Result<Self> {
        if named.to_string_lossy().ends_with(['/', MAIN_SEPARATOR]) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let file = target(named)?;
        let regular = match file.metadata() {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => false,
            // Whoever may not change a file is not to replace it.
            Ok(_) => OpenOptions::new().write(true).open(&file).map(|_| true)?,
            Err(_) => true,
        };
        let place = Self {
            option,
            named: named.to_owned(),
            file,
            regular,
        };
        if regular {
            Draft::new(&place)?;
        }
        Ok(place)
    }

    fn is(&self, other: &Path) -> bool {
        match (identity(&self.file), identity(other)) {
            (Some(this), Some(other)) => this == other,
            (None, None) => target(other).is_ok_and(|other| self.file == other),
            _ => false,
        }
    }
}

/// A path with all links followed; the file itself need not be there.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        match path.read_link() {
            Ok(next) => path = folder.join(next),
            Err(_) => {
                let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
                return Ok(folder.canonicalize()?.join(name));
            }
        }
    }
    Err(io::Error::other("too many links"))
}

/// What tells files that are there from each other, whatever their names are.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let there = path.metadata().ok()?;
    Some((there.dev(), there.ino()))
}

/// What tells files that are there from each other.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// A file beside the one whose content it is to become; removed unless it does.
struct Draft {
    path: PathBuf,
    file: File,
    _scrap: Scrap,
}

impl Draft {
    /// An empty one, that no more people may read than may read the file in its place.
    fn new(place: &Place) -> io::Result<Self> {
        let random: [u8; 8] =
            entropy::bytes().map_err(|failure| io::Error::other(failure.to_string()))?;
        // Not made of the file's name, which may be as long as names can be.
        let path = place
            .file
            .with_file_name(format!(".blindray-{}.tmp", hex(&random)));
        let _scrap = Scrap::new(&path);
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        if place.file.exists() {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let file = options.write(true).create_new(true).open(&path)?;
        Ok(Self { path, file, _scrap })
    }

    /// One with this content, on the disk.
    fn write(place: &Place, write: Content<'_>) -> io::Result<Self> {
        let mut draft = Self::new(place)?;
        write(&mut draft.file)?;
        if let Ok(there) = place.file.metadata() {
            keep_owner(&draft.path, &there);
            draft.file.set_permissions(there.permissions())?;
        }
        draft.file.sync_all()?;
        Ok(draft)
    }

    /// Takes the place of the file.
    fn put(self, place: &Place) -> io::Result<()> {
        fs::rename(&self.path, &place.file)?;
        // Where a folder cannot be synced, its entries follow in their own time.
        #[cfg(unix)]
        if let Some(folder) = place.file.parent() {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `put` there is none of that name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Gives a file to the owner and the group of the one it replaces, where the system lets us: else it is the user's.
#[cfg(unix)]
fn keep_owner(path: &Path, there: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let _ = chown(path, Some(there.uid()), Some(there.gid()));
}

/// Owners are not kept here.
#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &fs::Metadata) {}

#[cfg(test)]
mod tests;
