//! The files of `data`, damaged: an error or a picture, without a panic that a guard would have to catch.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Panics, those included that were caught.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(info);
    }));
}

/// Small files of every format.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let images = paths.filter(|p| p.extension().is_some_and(|e| e == "dcm" || e == "jpg"));
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a file");
        (path, bytes)
    };
    let files: Vec<_> = images.map(read).collect();
    assert!(files.len() > 60);
    files
}

/// A file with frames is decoded in the second one.
fn decode(bytes: &[u8]) -> Result<images::Decoded, images::DecodeError> {
    match images::decode(bytes) {
        Err(images::DecodeError::Frames { .. }) => images::decode_frame(bytes, 2.try_into().ok()),
        other => other,
    }
}

/// One test for both, because the hook is one of the process.
#[test]
fn cut_off_or_changed() {
    count_panics();
    let mut changed = 0_u32;
    for (path, file) in files() {
        let name = path.display();
        // What follows the end of the JPEG data says nothing.
        let end = match name.to_string().ends_with("trailing.jpg") {
            true => file.len() - 45,
            false => file.len(),
        };
        for end in (0..end).step_by(end.div_ceil(800)) {
            assert!(decode(&file[..end]).is_err(), "{end} bytes of {name}");
        }
        // Of the long tables every few bytes.
        let step = file.len().div_ceil(250);
        let start = if file.starts_with(&[0xFF]) { 2 } else { 132 };
        for at in (start..file.len()).step_by(step) {
            for value in [
                0,
                0xFF,
                file[at] ^ 1,
                file[at] ^ 0x80,
                file[at].wrapping_add(1),
            ] {
                let mut damaged = file.clone();
                damaged[at] = value;
                drop(decode(&damaged));
                changed += 1;
            }
        }
    }
    assert!(changed > 60_000, "{changed}");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}
