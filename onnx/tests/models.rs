//! Trained networks and torchvision graphs, by both exporters.

mod common;

use nets::{FloatModel, Head};
use onnx::{Error, Network, Unsupported};

/// Loads a file of the trained networks, if they are there.
fn load(file: &str) -> Option<Result<Network, Error>> {
    Some(onnx::load(&common::models()?.join("weights").join(file)))
}

/// The operators an import misses; the numbers of times an operator is in the file say whether all
/// are named.
fn missing(result: Result<Network, Error>) -> Vec<Unsupported> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::InFile { source, .. }) => missing(Err(*source)),
        Err(Error::Unsupported(all)) => all,
        Err(other) => panic!("{other}"),
    }
}

/// Checks logits against the reference, relative to the largest logit.
fn agrees(model: &FloatModel, name: &str, images: usize) {
    let folder = common::models().expect("the caller has it");
    let reference = common::reference(&folder, name);
    for (input, expected) in reference.inputs.iter().zip(&reference.logits).take(images) {
        let logits = model.run(input).expect("it runs");
        assert_eq!(logits.len(), expected.len());
        let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (found, expected) in logits.iter().zip(expected) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(
                difference <= 1e-3 * largest,
                "{name}: {found} is not {expected}"
            );
        }
    }
}

/// A trained network: its logits where every operator is there, else every missing one named once.
fn trained(file: &str, name: &str, images: usize, without: &[(&str, usize)]) {
    let Some(result) = load(file) else { return };
    match result {
        Ok(network) => agrees(&network.model, name, images),
        error => named(error, without),
    }
}

/// Every missing operator is named once, and there are as many as expected.
fn named(result: Result<Network, Error>, without: &[(&str, usize)]) {
    let all = missing(result);
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one), "{one} is named twice");
    }
    let found = |op: &str| all.iter().filter(|u| u.op == op).count();
    for (op, count) in without {
        assert!(
            [0, *count].contains(&found(op)),
            "{op} is named {} times",
            found(op)
        );
    }
    let expected: Vec<&str> = without.iter().map(|w| w.0).collect();
    assert!(
        all.iter().all(|u| expected.contains(&u.op.as_str())),
        "{all:?}"
    );
}

#[test]
fn resnet20() {
    for exporter in ["", ".dynamo"] {
        let file = format!("resnet20_cifar10/resnet20_cifar10{exporter}.onnx");
        let Some(result) = load(&file) else { return };
        let network = result.expect("every operator is there");
        assert_eq!((network.producer.as_str(), network.head), ("pytorch", None));
        assert_eq!(network.opset, if exporter.is_empty() { 17 } else { 20 });
        let shortcut = |n: &&nets::Node| matches!(n.op.name(), "subsample" | "pad-channels");
        assert_eq!(network.model.graph.nodes.iter().filter(shortcut).count(), 4);
        agrees(&network.model, "resnet20_cifar10", usize::MAX);
    }
}

#[test]
fn densenet_bc100() {
    for exporter in ["", ".dynamo"] {
        let name = "densenet_bc100_k12_cifar10";
        trained(
            &format!("{name}/{name}{exporter}.onnx"),
            name,
            2,
            &[("Concat", 48)],
        );
    }
}

#[test]
fn mobilenet_v3() {
    for exporter in ["", ".dynamo"] {
        let file = format!("mobilenetv3s_nih15/mobilenetv3s_nih15_float{exporter}.onnx");
        let without = [
            ("HardSwish", 19),
            ("HardSigmoid", 9),
            ("Mul by a channel gate", 9),
        ];
        trained(&file, "mobilenetv3s_nih15", 2, &without);
    }
}

#[test]
fn mobilenet_v2() {
    for exporter in ["", ".dynamo"] {
        let name = "tm_mobilenetv2_035_cxr3";
        trained(
            &format!("{name}/{name}{exporter}.onnx"),
            name,
            2,
            &[("ReLU6", 35)],
        );
    }
}

/// The values of a stored tensor of floats: a TensorProto whose last field is its raw data.
fn stored(file: &str) -> Vec<f32> {
    let folder = common::models().expect("the caller has it");
    let bytes = std::fs::read(folder.join("weights/onnx_light").join(file)).expect("a tensor");
    let data = &bytes[bytes.len() - 4000..];
    data.as_chunks()
        .0
        .iter()
        .map(|&b| f32::from_le_bytes(b))
        .collect()
}

#[test]
fn resnet50_with_constant_weights() {
    let Some(result) = load("onnx_light/light_resnet50.onnx") else {
        return;
    };
    let network = result.expect("every operator is there");
    assert_eq!(network.head, Some(Head::Softmax));
    // 1000 classes; the batch norms' means and variances are no parameters for torchvision.
    assert_eq!(network.model.tensors.parameters(), 25_557_032 + 2 * 26_560);
    let logits = network
        .model
        .run(&vec![1.0; 3 * 224 * 224])
        .expect("it runs");
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let exponents: Vec<f32> = logits.iter().map(|l| (l - top).exp()).collect();
    let sum: f32 = exponents.iter().sum();
    for (found, expected) in exponents.iter().zip(stored("light_resnet50_output_0.pb")) {
        assert!((found / sum - expected).abs() < 1e-5);
    }
}

#[test]
fn other_graphs_with_constant_weights() {
    let Some(result) = load("onnx_light/light_densenet121.onnx") else {
        return;
    };
    named(result, &[("Concat", 58)]);
    for (file, without) in [
        ("light_squeezenet", &[("Concat", 8)][..]),
        (
            "light_shufflenet",
            &[("Concat", 3), ("channel shuffle", 16), ("AveragePool", 3)][..],
        ),
    ] {
        named(
            load(&format!("onnx_light/{file}.onnx")).expect("the folder is there"),
            without,
        );
    }
}
