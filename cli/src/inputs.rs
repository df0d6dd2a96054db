//! The images that a user names, read one after the other: however many they are, one is in memory.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::vec;

use images::Image;

use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

/// Images still to be read.
pub(crate) struct Inputs {
    /// Was read at once.
    first: Option<Image>,
    others: vec::IntoIter<PathBuf>,
    frame: Option<NonZeroU32>,
    ui: Ui,
}

/// The images of a folder, evenly spread where only so many are wanted; says how many files were passed over.
pub(crate) fn folder(path: &Path, most: usize, ui: Ui) -> Outcome<Vec<PathBuf>> {
    let found = images::find(path, most)?;
    if found.skipped.total() > 0 {
        ui.note(&format!("{}: skipped {}", path.display(), found.skipped));
    }
    Ok(found.images)
}

/// Reads an image, of a file of several frames the one chosen, and says what there is to know of how it was made.
pub(crate) fn open(path: &Path, frame: Option<NonZeroU32>, ui: Ui) -> Outcome<Image> {
    let image = Image::open_frame(path, frame)?;
    for note in &image.notes {
        ui.note(&format!("image {}: {note}", image.name));
    }
    Ok(image)
}

impl Inputs {
    /// The images of files, and of folders with their subfolders. All begin as images do, and the first one is sound: a user's
    /// slip is found before a server is asked.
    pub(crate) fn find(paths: &[PathBuf], frame: Option<NonZeroU32>, ui: Ui) -> Outcome<Self> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            if path.is_dir() {
                files.extend(folder(path, usize::MAX, ui)?);
            } else {
                files.push(path.clone());
            }
        }
        images::check_all(&files)?;
        let mut others = files.into_iter();
        let first = others.next().map(|path| open(&path, frame, ui));
        Ok(Self {
            first: first.transpose()?,
            others,
            frame,
            ui,
        })
    }

    /// How many there are, before any is taken.
    pub(crate) fn number(&self) -> Outcome<u32> {
        let number = self.others.len() + usize::from(self.first.is_some());
        u32::try_from(number).map_err(|_| Failure::input(format!("{number} images are too many")))
    }
}

impl Iterator for Inputs {
    type Item = Outcome<Image>;

    fn next(&mut self) -> Option<Outcome<Image>> {
        if let Some(image) = self.first.take() {
            return Some(Ok(image));
        }
        let path = self.others.next()?;
        Some(open(&path, self.frame, self.ui))
    }
}
