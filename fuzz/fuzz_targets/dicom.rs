//! DICOM files of any transfer syntax, and frames of them: an error or a picture.
#![no_main]

use std::num::NonZeroU32;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The frame, where one is chosen, then what stands after the preamble.
    let Some((&frame, rest)) = input.split_first() else {
        return;
    };
    let file = [&[0; 128], &b"DICM"[..], rest].concat();
    drop(images::decode_frame(&file, NonZeroU32::new(frame.into())));
});
