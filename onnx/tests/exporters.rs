//! Small networks as PyTorch's two exporters write them, against ONNX Runtime. `tests/data/make.py` makes them.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

/// The largest difference, relative to the largest output.
const NEAR: f32 = 1e-4;

fn floats(file: &Path) -> Vec<f32> {
    let bytes = fs::read(file).expect("a file");
    let chunks = bytes.as_chunks().0.iter();
    chunks.map(|&b| f32::from_le_bytes(b)).collect()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn networks() -> Vec<PathBuf> {
    let files = fs::read_dir(data()).expect("a folder");
    let files = files.map(|entry| entry.expect("an entry").path());
    files
        .filter(|file| file.extension().is_some_and(|e| e == "onnx"))
        .collect()
}

#[test]
fn results_are_those_of_onnx_runtime() {
    let files = networks();
    assert!(files.len() >= 40, "{} networks", files.len());
    for file in files {
        let network = onnx::load(&file).unwrap_or_else(|e| panic!("{e}"));
        let input = floats(&file.with_extension("in"));
        let output = network.model.run(&input).expect("it runs");
        let expected = floats(&file.with_extension("out"));
        assert_eq!(output.len(), expected.len(), "{}", file.display());
        let largest = expected.iter().fold(0_f32, |most, v| most.max(v.abs()));
        for (a, b) in output.iter().zip(&expected) {
            let near = (a - b).abs() <= NEAR * largest;
            assert!(near, "{}: {output:?}, not {expected:?}", file.display());
        }
    }
}

#[test]
fn several_outputs_have_their_names_and_heads() {
    let file = networks()
        .into_iter()
        .find(|file| file.to_string_lossy().contains("two-outputs"));
    let network = onnx::load(&file.expect("it is there")).expect("it loads");
    let lengths: Vec<usize> = network.outputs.iter().map(|output| output.len).collect();
    assert_eq!(lengths, [5, 5]);
    let heads: Vec<_> = network.outputs.iter().map(|output| output.head).collect();
    assert_eq!(heads, [None, Some(nets::Head::Sigmoid)]);
    assert_eq!(network.head(), None);
}

/// Networks with more values than this are not run: it would only be slow.
const MAX_RUN: usize = 1 << 14;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Damage to the files of exporters gives an error, or a network that runs.
    #[test]
    fn damage_never_panics(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        splice in prop::option::weighted(0.3, (any::<[prop::sample::Index; 2]>(), 1..64_usize)),
    ) {
        let files = networks();
        let mut bytes = fs::read(&files[which.index(files.len())]).expect("a file");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(([from, to], n)) = splice {
            let from = from.index(bytes.len() - n);
            let part = bytes[from..from + n].to_vec();
            let to = to.index(bytes.len());
            bytes.splice(to..to, part);
        }
        if let Ok(network) = onnx::from_bytes(&bytes, None) {
            let shapes = network.model.graph.types();
            if shapes.iter().map(|shape| shape.len()).sum::<usize>() <= MAX_RUN {
                let input = vec![0.5; shapes[0].len()];
                network.model.run(&input).expect("a loaded network runs");
            }
        }
    }
}
