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

/// Both exporters' files of a trained network: the operations of one kind, and the logits.
fn trained(name: &str, kind: &str, count: usize, images: usize) {
    for exporter in ["", ".dynamo"] {
        let Some(result) = load(&format!("{name}/{name}{exporter}.onnx")) else {
            return;
        };
        let model = result.expect("every operator is there").model;
        assert_eq!(operations(&model, kind), count);
        agrees(&model, name, images);
    }
}

/// How many operations of a kind there are.
fn operations(model: &FloatModel, kind: &str) -> usize {
    let nodes = model.graph.nodes.iter();
    nodes.filter(|n| n.op.name() == kind).count()
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
    trained("densenet_bc100_k12_cifar10", "concat", 48, usize::MAX);
}

#[test]
fn mobilenet_v2() {
    trained("tm_mobilenetv2_035_cxr3", "clip", 35, usize::MAX);
}

#[test]
fn mobilenet_v3() {
    for exporter in ["", ".dynamo"] {
        let file = format!("mobilenetv3s_nih15/mobilenetv3s_nih15_float{exporter}.onnx");
        let Some(result) = load(&file) else { return };
        let without = [
            ("HardSwish", 19),
            ("HardSigmoid", 9),
            ("Mul by a channel gate", 9),
        ];
        match result {
            Ok(network) => agrees(&network.model, "mobilenetv3s_nih15", 2),
            error => named(error, &without),
        }
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

/// A graph of torchvision with constant weights, on an image of ones, against the stored output.
fn light(name: &str, head: Option<Head>) -> Option<FloatModel> {
    let network = load(&format!("onnx_light/light_{name}.onnx"))?.expect("every operator is there");
    assert_eq!(network.head, head);
    let logits = network.model.run(&vec![1.0; 3 * 224 * 224]);
    let mut found = logits.expect("it runs");
    if head == Some(Head::Softmax) {
        let top = found.iter().copied().fold(f32::MIN, f32::max);
        found.iter_mut().for_each(|l| *l = (*l - top).exp());
        let sum: f32 = found.iter().sum();
        found.iter_mut().for_each(|p| *p /= sum);
    }
    let expected = stored(&format!("light_{name}_output_0.pb"));
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let fits = (found - expected).abs() <= 1e-3 * largest;
        assert!(fits, "{name}: {found} is not {expected}");
    }
    Some(network.model)
}

#[test]
fn graphs_with_constant_weights() {
    let Some(resnet) = light("resnet50", Some(Head::Softmax)) else {
        return;
    };
    // 1000 classes; the batch norms' means and variances are no parameters for torchvision.
    assert_eq!(resnet.tensors.parameters(), 25_557_032 + 2 * 26_560);
    let densenet = light("densenet121", None).expect("the folder is there");
    assert_eq!(operations(&densenet, "concat"), 58);
    let squeezenet = light("squeezenet", Some(Head::Softmax)).expect("the folder is there");
    assert_eq!(operations(&squeezenet, "concat"), 8);
}

#[test]
fn padding_that_is_not_counted() {
    let Some(result) = load("onnx_light/light_shufflenet.onnx") else {
        return;
    };
    named(result, &[("AveragePool", 3)]);
}
