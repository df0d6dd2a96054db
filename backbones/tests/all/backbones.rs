//! The backbones of torchvision: parameter counts, shapes, quantisation, and one with trained
//! weights.

use backbones::{backbone, backbone_seeded};
use import::{ImportOptions, WeightBits, quantise};
use nets::{Shape, Source, StateDict};
use tests::networks::noise::noise;
use tests::networks::trained;

/// Name and torchvision's number of parameters at 1000 classes.
const ARCHS: [(&str, usize); 10] = [
    ("densenet121", 7_978_856),
    ("mobilenet-v2", 3_504_872),
    ("mobilenet-v3-large", 5_483_032),
    ("mobilenet-v3-small", 2_542_856),
    ("resnet18", 11_689_512),
    ("resnet50", 25_557_032),
    ("shufflenet-v2", 2_278_604),
    ("shufflenet-v2-x0.5", 1_366_792),
    ("squeezenet", 1_235_496),
    ("squeezenet-1.0", 1_248_424),
];

/// The parameters that torchvision counts: a batch norm's mean and variance are none.
fn parameters(source: &Source) -> usize {
    let counted = source.float.tensors.iter();
    let counted = counted.filter(|(name, _)| !name.contains(".running_"));
    counted.map(|(_, t)| t.data().len()).sum()
}

#[test]
fn parameters_are_torchvisions() {
    for (arch, expected) in ARCHS {
        let shape = Shape::new(3, 224, 224);
        let source = backbone_seeded(arch, shape, 1000, [1; 32]).expect("it builds");
        assert_eq!(parameters(&source), expected, "{arch}");
        let shapes = source.float.graph.types().to_vec();
        assert_eq!(shapes.last(), Some(&Shape::vector(1000)), "{arch}");
    }
}

/// Channels before the classifier, and of the first convolution with its kernel's area.
fn ends(arch: &str) -> [usize; 2] {
    match arch {
        "densenet121" => [1024, 64 * 49],
        "mobilenet-v2" => [1280, 32 * 9],
        "mobilenet-v3-large" => [1280, 16 * 9],
        "mobilenet-v3-small" => [1024, 16 * 9],
        "resnet18" => [512, 64 * 49],
        "resnet50" => [2048, 64 * 49],
        "shufflenet-v2" | "shufflenet-v2-x0.5" => [1024, 24 * 9],
        "squeezenet" => [512, 64 * 9],
        "squeezenet-1.0" => [512, 96 * 49],
        _ => panic!("{arch}"),
    }
}

#[test]
fn sizes_channels_and_classes_are_free() {
    for (arch, whole) in ARCHS {
        let [width, first] = ends(arch);
        for (shape, classes) in [(Shape::new(3, 320, 320), 14), (Shape::new(1, 75, 224), 2)] {
            let source = backbone_seeded(arch, shape, classes, [1; 32]).expect("it builds");
            let less = (1000 - classes) * (width + 1) + (3 - shape.channels) * first;
            assert_eq!(parameters(&source), whole - less, "{arch} {shape}");
            let shapes = source.float.graph.types().to_vec();
            assert_eq!(shapes.last(), Some(&Shape::vector(classes)), "{arch}");
            // The last plane: five halvings, or four for SqueezeNet.
            let last = shapes.iter().rev().find(|s| s.plane() > 1);
            let last = last.expect("there is an image");
            let halved = match arch {
                "squeezenet" | "squeezenet-1.0" => squeezed(arch, shape),
                // Its average pools leave out an odd row or column.
                "densenet121" => [shape.height.div_ceil(4) / 8, shape.width.div_ceil(4) / 8],
                _ => [shape.height.div_ceil(32), shape.width.div_ceil(32)],
            };
            assert_eq!([last.height, last.width], halved, "{arch} {shape}");
        }
    }
}

/// Rows and columns after `SqueezeNet`'s stem and its three pools, the last window incomplete.
fn squeezed(arch: &str, shape: Shape) -> [usize; 2] {
    let kernel = if arch == "squeezenet" { 3 } else { 7 };
    let pool = |side: usize| (side - 3).div_ceil(2) + 1;
    [shape.height, shape.width].map(|side| pool(pool(pool((side - kernel) / 2 + 1))))
}

/// torchvision's logits in float64, of five classes on a 3x64x96 image. The weights are those of
/// [`backbone_seeded`] under the seed of threes, made again with Python's `blake3`, and set by
/// `load_state_dict`: `x = blake3(name, key=bytes([3] * 32)).digest(length=4 * n)`, of four bytes
/// a, b, c, d the unit is ((b / 256 + c) / 256 + d) / 256, between bounds by the name and shape.
/// Pixel i is ((i * 2654435761 mod 2^32) >> 24) / 128 - 1. Torch 2.15, torchvision 0.29.
const LOGITS: [(&str, [f64; 5]); 10] = [
    (
        "densenet121",
        [1.68037, 1.74869, -3.14807, 3.54245, 2.32388],
    ),
    (
        "mobilenet-v2",
        [0.0794987, -2.6002, -5.46936, -0.609799, -0.266384],
    ),
    (
        "mobilenet-v3-large",
        [-99.5488, 90.7765, -30.9682, -87.7659, 123.718],
    ),
    (
        "mobilenet-v3-small",
        [-1.02584, -0.967101, -0.410789, -0.212962, 0.471475],
    ),
    ("resnet18", [-57.4282, -1.98802, -39.087, -10.2974, 22.6444]),
    ("resnet50", [-4113.79, -8498.33, -5345.9, 3458.64, -4539.53]),
    (
        "shufflenet-v2",
        [-156.927, 136.848, -478.208, 104.704, -0.460598],
    ),
    (
        "shufflenet-v2-x0.5",
        [-52.7101, -21.4625, -7.8532, -5.97051, -17.2586],
    ),
    ("squeezenet", [1.58043, 0.731921, 0.532815, 0.0614035, 0.0]),
    ("squeezenet-1.0", [3.39212, 2.99646, 0.0, 0.519645, 0.0]),
];

#[test]
fn logits_are_torchvisions() {
    for (arch, expected) in LOGITS {
        let shape = Shape::new(3, 64, 96);
        let source = backbone_seeded(arch, shape, 5, [3; 32]).expect("it builds");
        let pixel =
            |i: usize| f32::from(u8::try_from(((i * 2_654_435_761) >> 24) & 255).expect("a byte"));
        let image: Vec<f32> = (0..shape.len()).map(|i| pixel(i) / 128.0 - 1.0).collect();
        let found = source.float.run(&image).expect("it runs");
        let scale = expected.iter().fold(0.0_f64, |top, v| top.max(v.abs()));
        for (a, b) in found.iter().zip(expected) {
            let difference = (f64::from(*a) - b).abs();
            assert!(difference <= 1e-4 * scale, "{arch}: {a} for {b}");
        }
    }
}

#[test]
fn state_dicts_give_the_same_network() {
    for (arch, _) in ARCHS {
        let shape = Shape::new(1, 64, 64);
        let made = backbone_seeded(arch, shape, 4, [5; 32]).expect("it builds");
        let mut dict = StateDict {
            tensors: made.float.tensors.clone(),
            ..StateDict::default()
        };
        dict.metadata.insert("input".into(), "1,64,64".into());
        let read = backbone(arch, dict.clone()).expect("it builds");
        assert_eq!(read.arch, arch);
        assert_eq!(read.float, made.float, "{arch}");
        assert_eq!(read.labels, made.labels, "{arch}");
        // Without one of its tensors it is refused, and says which.
        let names: Vec<String> = dict.tensors.iter().map(|(n, _)| n.into()).collect();
        let gone = &names[names.len() / 2];
        let rest = dict.tensors.iter().filter(|(n, _)| n != gone);
        dict.tensors = rest.map(|(n, t)| (n.into(), t.clone())).collect();
        let error = backbone(arch, dict).expect_err("it is not whole");
        assert_eq!(error.to_string(), format!("tensor `{gone}` is missing"));
    }
}

#[test]
fn other_sizes_import() {
    for (arch, side) in [("mobilenet-v2", 37), ("squeezenet", 38)] {
        let shape = Shape::new(1, side, side);
        let source = backbone_seeded(arch, shape, 3, [2; 32]).expect("it builds");
        let samples = noise(&source, 2);
        let options = ImportOptions::default();
        let (_, report) = quantise(&source, &samples, &options).expect("it imports");
        assert_eq!(report.wrapped, 0, "{arch}");
        eprintln!(
            "{arch}: logits max {:.4}, probability {:.4}",
            report.max_logit_difference, report.max_probability_difference
        );
        assert!(report.max_probability_difference < 0.1, "{arch}");
    }
}

#[test]
fn mobilenet_on_xrays() {
    let Some(folder) = trained::models() else {
        return;
    };
    let name = "tm_mobilenetv2_035_cxr3";
    let weights = folder.join(format!("weights/{name}/{name}.safetensors"));
    let dict = StateDict::load(&weights).expect("the weights load");
    let source = backbone("mobilenet-v2", dict).expect("the weights are of a MobileNetV2");
    let reference = trained::reference(&folder, name);
    let samples = trained::samples(&source, &reference);
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
        let (_, report) = quantise(&source, &samples, &options).expect("it imports");
        eprintln!(
            "w = {weight_bits}: top {}/{}, logits max {:.4} mean {:.4}, probability {:.4}",
            report.same_top,
            report.images,
            report.max_logit_difference,
            report.mean_logit_difference,
            report.max_probability_difference
        );
        assert_eq!((report.wrapped, report.same_top), (0, samples.len()));
        assert!(report.max_probability_difference < allowed);
    }
}
