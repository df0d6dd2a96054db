//! JPEG 2000 streams, in DICOM files: an error or a picture.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod wrap;

fuzz_target!(|input: &[u8]| {
    if let Some(file) = wrap::wrap("1.2.840.10008.1.2.4.91", input) {
        drop(images::decode(&file));
    }
});
