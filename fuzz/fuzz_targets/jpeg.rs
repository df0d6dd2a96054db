//! JPEG streams, as files of their own and in DICOM files, lossy and lossless: an error or a picture.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod wrap;

fuzz_target!(|input: &[u8]| {
    for syntax in ["1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57"] {
        if let Some(file) = wrap::wrap(syntax, input) {
            drop(images::decode(&file));
        }
    }
    drop(images::decode(input.get(4..).unwrap_or_default()));
});
