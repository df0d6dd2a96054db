//! Image files, DICOM included: an error or a picture.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drop(images::decode(bytes));
});
