//! The seeds of the fuzz targets are what they are meant to be: files that are read.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::Path;

/// Reads every seed of a target; `read` must take all but those named.
fn seeds<E: Display>(target: &str, refused: &[&str], read: impl Fn(&[u8]) -> Result<(), E>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let files = std::fs::read_dir(&folder).expect("the seeds are there");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be read").path();
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let outcome = read(&std::fs::read(&path).expect("a seed can be read"));
        match outcome {
            Ok(()) => assert!(!refused.contains(&&*name), "{target}: {name} is read"),
            Err(e) => assert!(refused.contains(&&*name), "{target}: {name}: {e}"),
        }
        count += 1;
    }
    assert!(count > 1, "{target} has {count} seeds");
}

#[test]
fn files_are_read() {
    seeds("onnx", &[], |bytes| onnx::from_bytes(bytes, None).map(drop));
    seeds("import", &[], |bytes| {
        onnx::from_bytes(bytes, None).map(drop)
    });
    seeds("safetensors", &[], |bytes| {
        nets::StateDict::from_bytes(bytes).map(drop)
    });
    seeds("bray", &[], |bytes| {
        nets::Model::from_bytes(bytes).map(drop)
    });
    seeds("public", &[], |bytes| {
        nets::PublicModel::from_json(bytes).map(drop)
    });
    seeds("image", &[], |bytes| images::decode(bytes).map(drop));
    // The frame that is chosen comes first, then what stands after the preamble.
    seeds("dicom", &[], |bytes| {
        let file = [&[0; 128], &b"DICM"[..], &bytes[1..]].concat();
        images::decode_frame(&file, NonZeroU32::new(bytes[0].into())).map(drop)
    });
    // Four bytes describe the samples of a stream.
    let jpeg = |bytes: &[u8]| images::decode(&bytes[4..]).map(drop);
    seeds("jpeg", &[], jpeg);
}
