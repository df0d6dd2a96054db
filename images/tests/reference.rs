//! Files that pydicom and Pillow read, and what they read from them: `data/make.py` made both.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use nets::{Preprocessing, Shape};

/// The samples that another reader gave, 0 to 65535.
struct Reference {
    shape: Shape,
    samples: Vec<u16>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn reference(path: &Path) -> Reference {
    let bytes = std::fs::read(path).expect("the reference is there");
    let words: Vec<u16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&w| u16::from_le_bytes(w))
        .collect();
    let [width, height, channels] = [words[0], words[1], words[2]].map(usize::from);
    let shape = Shape::new(channels, height, width);
    assert_eq!(words.len(), 3 + shape.len(), "{}", path.display());
    Reference {
        shape,
        samples: words[3..].to_vec(),
    }
}

/// The largest distance of a sample, of 8 bits, from that of the reference.
fn distance(file: &Path, frame: Option<NonZeroU32>, reference: &Reference) -> f64 {
    let bytes = std::fs::read(file).expect("the file is there");
    let found = images::decode_frame(&bytes, frame);
    let found = found.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert_eq!(found.notes, [""; 0], "{}", file.display());
    let shape = reference.shape;
    // A network of the same sides sees the samples as they are.
    let plain = Preprocessing::new(shape, vec![0.0; shape.channels], vec![1.0; shape.channels]);
    let planes = plain.pixels(&found.picture, 0);
    let size = shape.height * shape.width;
    let of = |i: usize| f64::from(planes[i % shape.channels * size + i / shape.channels]);
    let samples = reference.samples.iter().enumerate();
    samples
        .map(|(i, &sample)| (of(i) - f64::from(sample) / 257.0).abs())
        .fold(0.0, f64::max)
}

/// The name of each reference, with the file and the frame that it is of.
fn references() -> Vec<(String, PathBuf, Option<NonZeroU32>)> {
    let entries = std::fs::read_dir(data()).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let references = paths.filter(|path| path.extension().is_some_and(|e| e == "ref"));
    references
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let (file, frame) = name.split_once('@').unwrap_or((&name, ""));
            let dicom = data().join(format!("{file}.dcm"));
            let file = match dicom.exists() {
                true => dicom,
                false => data().join(format!("{file}.jpg")),
            };
            (name.to_string(), file, frame.parse().ok())
        })
        .collect()
}

#[test]
fn dicom_is_what_pydicom_reads() {
    let mut count = 0;
    for (name, file, frame) in references() {
        if file.extension().is_some_and(|e| e == "dcm") {
            let reference = reference(&data().join(format!("{name}.ref")));
            let off = distance(&file, frame, &reference);
            assert!(off <= 1.0, "{name} is off by {off} of 255");
            count += 1;
        }
    }
    assert_eq!(count, 45);
}

#[test]
fn jpeg_is_what_libjpeg_turbo_reads() {
    let mut count = 0;
    for (name, file, frame) in references() {
        if file.extension().is_some_and(|e| e == "jpg") {
            let reference = reference(&data().join(format!("{name}.ref")));
            let off = distance(&file, frame, &reference);
            assert!(off == 0.0, "{name} is off by {off} of 255");
            count += 1;
        }
    }
    assert_eq!(count, 23);
}
