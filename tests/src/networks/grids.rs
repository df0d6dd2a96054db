//! Networks with scales of their own, as ONNX Runtime's static quantisation writes them. The files, and what ONNX Runtime
//! makes of images, were made by `tests/data/int8/make.py`.

use std::path::Path;

use nets::{Head, Preprocessing, Source};

/// A chain with unsigned activations and a scale for each channel of a weight, a residual block whose sums have
/// several scales, a block of depthwise layers with signed activations, and pools with unsigned weights, all with numbers
/// between the integers; the same with operators of integers; and these with a leaky rectifier, a sigmoid and a gate.
pub const NAMES: [&str; 9] = [
    "chain",
    "residual",
    "mobile",
    "pools",
    "chain.own",
    "residual.own",
    "mobile.own",
    "pools.own",
    "gate.own",
];

/// One network, its images as input values, and what ONNX Runtime makes of each.
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// The network.
    pub source: Source,
    /// Images as input values.
    pub images: Vec<Vec<f32>>,
    /// What ONNX Runtime makes of each.
    pub expected: Vec<Vec<f32>>,
}

/// One of [`NAMES`].
///
/// # Panics
/// If its files are not what they should be.
#[must_use]
pub fn case(name: &str) -> Case {
    let folder = Path::new(crate::WORKSPACE).join("tests/data/int8");
    let network = onnx::load(&folder.join(format!("{name}.onnx"))).expect("it reads");
    let shape = *network.model.graph.input();
    let outputs = network.model.graph.output().len();
    let preprocessing = Preprocessing::new(shape, vec![0.5; 3], vec![0.25; 3]);
    let bytes = std::fs::read(folder.join(format!("{name}.bin"))).expect("it is there");
    let count = bytes.len() / (shape.len() + 4 * outputs);
    let (pixels, logits) = bytes.split_at(count * shape.len());
    let values = |pixels: &[u8]| preprocessing.values(pixels).expect("the right size");
    let images = pixels.chunks_exact(shape.len()).map(values).collect();
    let logits: Vec<f32> = (logits.as_chunks::<4>().0.iter())
        .map(|&b| f32::from_le_bytes(b))
        .collect();
    let expected = logits.chunks_exact(outputs).map(<[f32]>::to_vec).collect();
    let labels = (0..outputs).map(|i| i.to_string()).collect();
    let source = Source {
        arch: name.into(),
        float: network.model,
        preprocessing,
        labels,
        head: Head::Softmax,
        parts: Vec::new(),
    };
    Case {
        source,
        images,
        expected,
    }
}
