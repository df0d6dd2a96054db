//! Networks with X-operators: from state dicts, and through folding.

use std::collections::BTreeMap;

use ::xop::Spatial;
use backbones::{XOpOptions, backbone, backbone_seeded, replace_convolutions};
use nets::{Operator as _, Shape, Source, StateDict, fold};
use tests::networks::noise::noise;

const SEED: [u8; 32] = [3; 32];

fn replaced(arch: &str, input: Shape, options: &XOpOptions) -> Source {
    let plain = backbone_seeded(arch, input, 10, SEED).expect("it builds");
    let found = replace_convolutions(&plain, options, SEED);
    found.expect("it replaces").source
}

/// The demonstration's network, whose shapes come from its tensors.
#[test]
fn chestnet_loads() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../cli/assets/chestnet.safetensors"
    );
    let dict = StateDict::load(file.as_ref()).expect("it is committed");
    let found = backbone("chestnet-x", dict.clone()).expect("it loads");
    let operators = found.float.graph.nodes().iter();
    let operators = operators.filter(|n| n.name.ends_with(".pointwise"));
    assert_eq!((found.arch.as_str(), operators.count()), ("chestnet-x", 5));
    // As ChestNet itself it lacks its convolutions.
    assert!(backbone("chestnet", dict).is_err());
}

/// A trained network comes back from its state dict.
#[test]
fn state_dicts_load() {
    let grouped = XOpOptions {
        spatial: Spatial::Quarter,
        groups: 4,
        pointwise: Some(2),
    };
    for (arch, options) in [
        ("resnet18", XOpOptions::default()),
        ("resnet50", grouped),
        ("squeezenet", grouped),
        (
            "densenet121",
            XOpOptions {
                groups: 2,
                pointwise: Some(4),
                ..XOpOptions::default()
            },
        ),
    ] {
        let expected = replaced(arch, Shape::new(3, 64, 64), &options);
        let shape = expected.preprocessing.shape;
        let mut metadata = BTreeMap::from([
            (
                "input".to_owned(),
                format!("3,{},{}", shape.height, shape.width),
            ),
            ("xop_spatial".to_owned(), options.spatial.to_string()),
            ("xop_groups".to_owned(), options.groups.to_string()),
        ]);
        if let Some(groups) = options.pointwise {
            metadata.insert("xop_pointwise".into(), groups.to_string());
        }
        let dict = StateDict {
            tensors: expected.float.tensors.clone(),
            metadata,
        };
        let name = format!("{arch}-x");
        let found = backbone(&name, dict.clone()).expect("it loads");
        assert!(found == expected, "{arch}");

        // Without one tensor it names the tensor, with another r or g the metadata or the shape.
        let (missing, _) = dict
            .tensors
            .iter()
            .find(|(n, _)| n.contains("depthwise"))
            .expect("one");
        let rest = dict.tensors.iter().filter(|(n, _)| *n != missing);
        let tensors = rest.map(|(n, t)| (n.to_owned(), t.clone())).collect();
        let broken = StateDict {
            tensors,
            ..dict.clone()
        };
        assert!(backbone(&name, broken).is_err());
        for (key, value) in [
            ("xop_spatial", "1"),
            ("xop_groups", "32"),
            ("xop_spatial", "1/3"),
            ("xop_groups", "x"),
            ("xop_groups", "99999999999"),
        ] {
            let mut wrong = dict.clone();
            wrong.metadata.insert(key.into(), value.into());
            assert!(backbone(&name, wrong).is_err(), "{arch}: {key} = {value}");
        }
    }
}

/// Batch norms behind an operator's shuffle go into its 1 × 1 convolution.
#[test]
fn batch_norms_fold_through_shuffles() {
    let options = XOpOptions {
        groups: 4,
        pointwise: Some(4),
        ..XOpOptions::default()
    };
    let source = replaced("resnet18", Shape::new(3, 64, 64), &options);
    let folded = fold(&source.float).expect("it folds");
    let left = folded
        .graph
        .nodes()
        .iter()
        .filter(|n| n.op.name() == "batch-norm");
    assert_eq!(left.count(), 0);
    let sample = &noise(&source, 1)[0];
    let [a, b] = [&source.float, &folded].map(|m| m.run(sample).expect("it runs"));
    let top = a.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= 1e-3 * top, "{a} became {b}");
    }
}
