//! How much memory an import takes, and the file that it makes. Alone in its process, whose memory it measures.

use std::path::Path;

use import::{ImportOptions, WeightBits};
use nets::{
    FloatModel, GraphBuilder, Head, Model, Op, Preprocessing, Shape, Source, Tensor, Tensors,
};

/// Inputs and outputs of the layers; the second has three quarters of all weights, as in AlexNet and VGG.
const WIDTHS: [usize; 4] = [768, 8192, 2500, 2];

/// The most memory this process had so far; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// Numbers between −1 and 1.
fn values(mut state: u32) -> impl FnMut() -> f32 {
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).expect("sixteen bits")) / 32_768.0 - 1.0
    }
}

fn source() -> Source {
    let shape = Shape::new(3, 16, 16);
    let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
    let mut next = values(1);
    graph.push("input", Op::Input { shape }, &[]);
    let mut last = graph.push("flatten", Op::Flatten, &[0]);
    for (k, sides) in WIDTHS.windows(2).enumerate() {
        let weight = format!("weight {k}");
        let size = (sides[0] as f32).sqrt().recip();
        let data = (0..sides[0] * sides[1]).map(|_| size * next()).collect();
        tensors.insert(&*weight, Tensor::new(vec![sides[1], sides[0]], data));
        let op = Op::Linear {
            out_features: sides[1],
            weight,
            bias: None,
        };
        last = graph.push(format!("layer {k}"), op, &[last]);
        if k < 2 {
            last = graph.push(format!("rectifier {k}"), Op::Relu, &[last]);
        }
    }
    Source {
        arch: "dense".into(),
        float: FloatModel {
            graph: graph.finish().expect("a graph"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.5; 3]),
        labels: ["no", "yes"].map(String::from).into(),
        head: Head::Softmax,
        parts: Vec::new(),
    }
}

/// The float network is there as it was trained and with balanced channels, and then its integers: three times the
/// parameters, and little beside them. The file takes no memory of its own.
#[test]
fn dense_layers_take_three_times_their_size() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dense.bray");
    let source = source();
    let size = 4 * source.float.parameters();
    let mut next = values(2);
    let samples: Vec<Vec<f32>> = (0..2)
        .map(|_| (0..WIDTHS[0]).map(|_| next()).collect())
        .collect();
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(8),
        ..ImportOptions::default()
    };
    let before = peak();
    let imported = import::imported(source, &samples, &options, &mut |_| {});
    let model = imported.expect("it imports").model;
    model.save(&file).expect("it is written");
    let outputs = model.run_float(&samples[0]).expect("it runs");
    drop(model);
    let model = Model::load(&file).expect("it reads");
    assert_eq!(model.run_float(&samples[0]).expect("it runs"), outputs);
    std::fs::remove_file(&file).expect("it is there");
    let peak = peak();
    eprintln!("{size} bytes of parameters, {before} bytes before, {peak} at the most");
    assert!(peak < size * 7 / 2, "{peak} bytes for {size} of parameters");
}
