//! The backbones of torchvision: parameter counts, shapes, quantisation, and one with trained
//! weights.

mod common;

use nets::{
    ImportOptions, Mode, SecureNetwork, Shape, Source, StateDict, WeightBits, backbone,
    backbone_seeded, import,
};

/// Name and torchvision's number of parameters at 1000 classes.
const ARCHS: [(&str, usize); 5] = [
    ("densenet121", 7_978_856),
    ("mobilenet-v2", 3_504_872),
    ("resnet18", 11_689_512),
    ("resnet50", 25_557_032),
    ("squeezenet", 1_235_496),
];

#[test]
fn parameters_are_torchvisions() {
    for (arch, expected) in ARCHS {
        let shape = Shape::new(3, 224, 224);
        let source = backbone_seeded(arch, shape, 1000, [1; 32]).expect("it builds");
        let counted = source.float.tensors.iter();
        let counted = counted.filter(|(name, _)| !name.contains(".running_"));
        let found: usize = counted.map(|(_, t)| t.data().len()).sum();
        assert_eq!(found, expected, "{arch}");
        let shapes = source.float.graph.shapes().expect("it fits");
        assert_eq!(shapes.last(), Some(&Shape::vector(1000)), "{arch}");
    }
}

/// Images of noise.
fn noise(source: &Source, count: usize) -> Vec<Vec<f32>> {
    let n = source.preprocessing.shape.len();
    let pixel = |i: usize| u8::try_from(i.wrapping_mul(2_654_435_761) >> 7 & 255).expect("a byte");
    let image = |k: usize| {
        (0..n)
            .map(|i| pixel(i * 31 + k * 7919))
            .collect::<Vec<u8>>()
    };
    let values = |k: usize| {
        source
            .preprocessing
            .values(&image(k))
            .expect("the right size")
    };
    (0..count).map(values).collect()
}

#[test]
fn other_sizes_import() {
    for (arch, side) in [("mobilenet-v2", 37), ("squeezenet", 38)] {
        let shape = Shape::new(1, side, side);
        let source = backbone_seeded(arch, shape, 3, [2; 32]).expect("it builds");
        let samples = noise(&source, 2);
        let (model, report) =
            import(&source, &samples, &ImportOptions::default()).expect("it imports");
        assert_eq!(report.wrapped, 0, "{arch}");
        eprintln!(
            "{arch}: logits max {:.4}, probability {:.4}",
            report.max_logit_difference, report.max_probability_difference
        );
        assert!(report.max_probability_difference < 0.1, "{arch}");
        let network = SecureNetwork::new(&model.public.graph, Mode::Faithful, 128);
        assert!(network.expect("it plans").cost().bytes() > 0);
    }
}

#[test]
fn mobilenet_on_xrays() {
    let Some(folder) = common::models() else {
        return;
    };
    let name = "tm_mobilenetv2_035_cxr3";
    let weights = folder.join(format!("weights/{name}/{name}.safetensors"));
    let dict = StateDict::load(&weights).expect("the weights load");
    let source = backbone("mobilenet-v2", dict).expect("the weights are of a MobileNetV2");
    let reference = common::reference(&folder, name);
    let samples = common::samples(&source, &reference);
    for (sample, expected) in samples.iter().zip(&reference.logits) {
        let scale = expected.iter().fold(0.0_f64, |top, v| top.max(v.abs()));
        let found = source.float.run(sample).expect("it runs");
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() <= 1e-3 * scale, "{a} for {b}");
        }
    }
    for (weight_bits, allowed) in [(10, 0.15), (12, 0.02)] {
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(weight_bits),
            ..ImportOptions::default()
        };
        let (model, report) = import(&source, &samples, &options).expect("it imports");

        let network = SecureNetwork::new(&model.public.graph, Mode::Faithful, 128);
        eprintln!(
            "w = {weight_bits}: top {}/{}, logits max {:.4} mean {:.4}, probability {:.4}, {} bytes",
            report.same_top,
            report.images,
            report.max_logit_difference,
            report.mean_logit_difference,
            report.max_probability_difference,
            network.expect("it plans").cost().bytes()
        );
        assert_eq!((report.wrapped, report.same_top), (0, samples.len()));
        assert!(report.max_probability_difference < allowed);
    }
}
