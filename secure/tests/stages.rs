//! DenseNet-121 and ResNet-50 at 224×224 with seeded weights, between two parties with real
//! correlations: their last stage, and the whole networks by command.

use backbones::backbone_seeded;
use import::{ImportOptions, WeightBits, quantise};
use nets::{
    FloatModel, GraphBuilder, Head, Model, Op, Preprocessing, Shape, Source, Tensor, Window,
};
use secure::Mode;
use tests::networks::ints::Rng;
use tests::networks::parties;
use tests::networks::trained::imported;

/// Most memory of both parties and the oracle together.
const MEMORY: u64 = 1 << 30;

#[test]
fn last_stage_of_densenet121() {
    let source = backbone("densenet121");
    check(&after("features.transition3.pool", &source), MEMORY);
}

/// Directly: with so few positions, Winograd's many correlations take the time of a CPU.
#[test]
fn last_stage_of_resnet50() {
    let source = after("layer3.5.relu3", &backbone("resnet50"));
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(8),
        ..ImportOptions::default()
    };
    let samples = samples(&source);
    let (model, report) = quantise(&source, &samples, &options).expect("it imports");
    assert_eq!(report.wrapped, 0);
    run(&source, &model, &samples[0], MEMORY);
}

#[test]
#[ignore = "minutes: cargo test --release -p blindray-secure --test stages -- --ignored --nocapture whole_densenet121"]
fn whole_densenet121() {
    check(&backbone("densenet121"), 4 * MEMORY);
}

#[test]
#[ignore = "minutes: cargo test --release -p blindray-secure --test stages -- --ignored --nocapture whole_resnet50"]
fn whole_resnet50() {
    check(&backbone("resnet50"), 4 * MEMORY);
}

fn backbone(arch: &str) -> Source {
    backbone_seeded(arch, Shape::new(3, 224, 224), 1000, [7; 32]).expect("it builds")
}

/// The rest of a network after the output of the node `name`, which a seeded 1×1 convolution and a
/// `ReLU` make from three channels instead.
fn after(name: &str, source: &Source) -> Source {
    let nodes = source.float.graph.nodes();
    let cut = nodes.iter().position(|n| n.name == name);
    let cut = cut.expect("a node of the network");
    let shapes = source.float.graph.types().to_vec();
    let (made, shape) = (
        shapes[cut],
        Shape {
            channels: 3,
            ..shapes[cut]
        },
    );
    let mut tensors = source.float.tensors.clone();
    let rng = &mut Rng::new(9);
    let weights = (0..3 * made.channels).map(|_| f32::from(byte(rng)) / 128.0 - 1.0);
    let weights = Tensor::new(vec![made.channels, 3, 1, 1], weights.collect());
    tensors.insert("cut.weight", weights);
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape }, &[]);
    let op = Op::Conv2d {
        out_channels: made.channels,
        groups: 1,
        window: Window::square(1, 1, 0),
        weight: "cut.weight".into(),
        bias: None,
    };
    graph.push("cut.conv", op, &[0]);
    graph.push("cut.relu", Op::Relu, &[1]);
    for node in &nodes[cut + 1..] {
        let from_cut = |&input: &usize| input.checked_sub(cut).expect("nothing passes the cut") + 2;
        let inputs: Vec<usize> = node.inputs.iter().map(from_cut).collect();
        graph.push(node.name.clone(), node.op.clone(), &inputs);
    }
    Source {
        arch: source.arch.clone(),
        float: FloatModel {
            graph: graph.finish().expect("it fits"),
            tensors,
        },
        preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.25; 3]),
        labels: source.labels.clone(),
        head: Head::Softmax,
        parts: Vec::new(),
    }
}

fn byte(rng: &mut Rng) -> u8 {
    rng.next().to_le_bytes()[0]
}

/// Imports on noise at ten bits, and runs one image securely.
fn check(source: &Source, memory: u64) {
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(10),
        ..ImportOptions::default()
    };
    let samples = samples(source);
    let (model, report) = imported(source, &samples, &options);
    assert_eq!(report.wrapped, 0);
    run(source, &model, &samples[0], memory);
}

/// Calibration images of noise.
fn samples(source: &Source) -> Vec<Vec<f32>> {
    let rng = &mut Rng::new(3);
    let image = |_| {
        let pixels = (0..source.preprocessing.shape.len()).map(|_| byte(rng));
        let pixels: Vec<u8> = pixels.collect();
        source.preprocessing.values(&pixels).expect("its size")
    };
    (0..3).map(image).collect()
}

/// Runs one image securely: every bit as the clear integers, every byte as planned (`parties` looks at
/// that).
fn run(source: &Source, model: &Model, sample: &[f32], memory: u64) {
    let input = model.public.encode(sample).expect("its size");
    let expected = model.run_integer(&input).expect("it runs");
    let graph = &model.public.graph;
    let begin = std::time::Instant::now();
    let found = parties::run_real(graph, &model.weights, &input, Mode::Faithful);
    assert_eq!(found.output, expected);
    assert!(expected.iter().any(|&v| v != expected[0]), "outputs differ");
    let (up, down, flights) = found.client.totals();
    let macs: u64 = found.client.layers.iter().map(|l| l.macs).sum();
    eprintln!(
        "{}: {macs} MACs, {up} bytes up, {down} down, {flights} flights, {:?}; secure {:.1?}, peak memory {} MiB",
        source.arch,
        found.client.cots(),
        begin.elapsed(),
        peak() >> 20
    );
    assert!(peak() < memory, "{} bytes", peak());
}

/// The most memory this process had so far; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}
