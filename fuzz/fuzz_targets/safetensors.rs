//! State dicts: an error or tensors, from which every backbone is built or refused.
#![no_main]

use backbones::{BACKBONES, backbone};
use libfuzzer_sys::fuzz_target;
use nets::StateDict;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dict) = StateDict::from_bytes(bytes) {
        for arch in BACKBONES {
            if let Ok(source) = backbone(arch, dict.clone()) {
                source.float.check().expect("a backbone is complete");
            }
        }
    }
});
