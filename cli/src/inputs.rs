//! The images that a user names, read one after the other: however many they are, one is in memory.

use std::path::PathBuf;
use std::vec;

use images::Image;

use crate::failure::{Failure, Outcome};

/// Images still to be read.
pub(crate) struct Inputs {
    /// Was read at once.
    first: Option<Image>,
    others: vec::IntoIter<PathBuf>,
}

impl Inputs {
    /// The images of files, and of folders with their subfolders. All begin as images do, and the first one is sound: a user's
    /// slip is found before a server is asked.
    pub(crate) fn find(paths: &[PathBuf]) -> Outcome<Self> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            if path.is_dir() {
                files.extend(images::find(path, usize::MAX)?);
            } else {
                files.push(path.clone());
            }
        }
        images::check_all(&files)?;
        let mut others = files.into_iter();
        let first = others.next().map(|path| Image::open(&path)).transpose()?;
        Ok(Self { first, others })
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
        Some(Image::open(&path).map_err(Failure::from))
    }
}
