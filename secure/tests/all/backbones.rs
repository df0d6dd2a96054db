//! Backbones by name, and with X-operators, between two parties.

use std::sync::Arc;

use backbones::{XOpOptions, backbone_seeded, replace_convolutions};
use import::ImportOptions;
use nets::Shape;
use secure::{Algorithms, CpuModel, Mode, Objective, SecureNetwork, choose_algorithms};
use sharing::default_extension;
use tests::networks::noise::noise;
use tests::networks::parties;
use tests::networks::trained::imported;

const SEED: [u8; 32] = [3; 32];

/// Planes that halve to odd ones.
#[test]
fn other_sizes_plan() {
    for (arch, side) in [("mobilenet-v2", 37), ("squeezenet", 38)] {
        let shape = Shape::new(1, side, side);
        let source = backbone_seeded(arch, shape, 3, SEED).expect("it builds");
        let (model, _) = imported(&source, &noise(&source, 2), &ImportOptions::default());
        let price = default_extension().price();
        // Noise would take flights of its own in fast mode.
        let by = Algorithms::Ot(Objective::Bytes);
        let (model, _) =
            choose_algorithms(&model, &by, price, &CpuModel::default()).expect("it chooses");
        let graph = Arc::new(model.public.graph);
        let faithful = SecureNetwork::new(Arc::clone(&graph), Mode::Faithful, price);
        let faithful = faithful.expect("it plans");
        let faithful = faithful.cost();
        let fast = SecureNetwork::new(graph, Mode::Fast, price).expect("it plans");
        assert!(faithful.bytes() > fast.cost().bytes(), "{arch}");
        assert!(faithful.flights() > fast.cost().flights(), "{arch}");
    }
}

/// Secure equals clear, bit for bit, and every layer costs what was planned.
#[test]
fn small_networks_with_x_operators_run() {
    let grouped = XOpOptions {
        spatial: "1/4".parse().expect("a member"),
        groups: 4,
        pointwise: Some(4),
    };
    for (arch, options) in [
        ("squeezenet", XOpOptions::default()),
        ("squeezenet", grouped),
        ("resnet18", grouped),
    ] {
        let plain = backbone_seeded(arch, Shape::new(1, 24, 24), 10, SEED).expect("it builds");
        let found = replace_convolutions(&plain, &options, SEED);
        let source = found.expect("it replaces").source;
        let samples = noise(&source, 2);
        let (model, report) = imported(&source, &samples, &ImportOptions::default());
        assert_eq!(report.wrapped, 0);
        assert!(report.max_probability_difference < 0.1, "{report:?}");
        let input = model.public.encode(&samples[0]).expect("it encodes");
        let expected = model.run_integer(&input).expect("it runs");
        let graph = &model.public.graph;
        let found = parties::run(graph, &model.weights, &input, Mode::Faithful, 1);
        assert_eq!(found.output, expected, "{arch}");
    }
}
