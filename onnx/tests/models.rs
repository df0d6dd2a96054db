//! Trained networks and torchvision graphs, by both exporters.

mod common;

use nets::{FloatModel, Head, Op, Operator as _};
use onnx::{Error, Network};

/// Loads a file of the trained networks, if they are there.
fn load(file: &str) -> Option<Result<Network, Error>> {
    Some(onnx::load(&common::models()?.join("weights").join(file)))
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
    let nodes = model.graph.nodes().iter();
    nodes.filter(|n| n.op.name() == kind).count()
}

#[test]
fn resnet20() {
    for exporter in ["", ".dynamo"] {
        let file = format!("resnet20_cifar10/resnet20_cifar10{exporter}.onnx");
        let Some(result) = load(&file) else { return };
        let network = result.expect("every operator is there");
        assert_eq!(
            (network.producer.as_str(), network.head()),
            ("pytorch", None)
        );
        assert_eq!(network.opset, if exporter.is_empty() { 17 } else { 20 });
        // Every second row and column, and channels of zeros.
        let shortcut = |n: &&nets::Node<Op>| matches!(n.op.name(), "pick" | "pad-channels");
        assert!(network.model.graph.nodes().iter().filter(shortcut).count() >= 2);
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
        let model = result.expect("every operator is there").model;
        let counts = ["hard-swish", "hard-sigmoid", "gate"].map(|kind| operations(&model, kind));
        assert_eq!(counts, [19, 9, 9]);
        agrees(&model, "mobilenetv3s_nih15", usize::MAX);
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
    assert_eq!(network.head(), head);
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
    let shufflenet = light("shufflenet", Some(Head::Softmax)).expect("the folder is there");
    // Its average pools, one a stage, leave their padding out.
    let pools = shufflenet.graph.nodes().iter();
    let uncounted = |op: &Op| {
        matches!(
            op,
            Op::AvgPool {
                counts_padding: false,
                window,
            } if window.padding != [0; 4]
        )
    };
    assert_eq!(pools.filter(|n| uncounted(&n.op)).count(), 3);
    assert_eq!(operations(&shufflenet, "channel-shuffle"), 16);
}
