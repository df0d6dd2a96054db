//! ONNX files: an error or a network that runs.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// Networks beyond this are not run: it would only be slow.
const MAX_RUN: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let Ok(network) = onnx::from_bytes(bytes, None) else {
        return;
    };
    let shapes = network.model.graph.types();
    if shapes.iter().map(|s| s.len()).sum::<usize>() <= MAX_RUN {
        let input = vec![0.5; shapes[0].len()];
        network.model.run(&input).expect("a loaded network runs");
    }
});
