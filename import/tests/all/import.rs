//! Quantisation of random float networks: close to float, nothing wraps, what cannot is named.

use import::{Error, ImportOptions, ImportReport, Preset, WeightBits, quantise};
use nets::{Curve, GraphBuilder, Head, IntOp, Interval, Model, Op, Preprocessing, Source, Window};
use proptest::prelude::*;
use tests::networks::ints::Rng;
use tests::networks::{floats, ints};

fn source(seed: u64) -> (Source, Vec<Vec<f32>>) {
    let rng = &mut Rng::new(seed);
    let (float, first) = floats::network(rng);
    let shapes = float.graph.types().to_vec();
    let outputs = shapes[shapes.len() - 1].len();
    // Values stay within what pixels can give, so nothing can wrap.
    let clamp = |v: &f32| v.clamp(-2.0, 2.0);
    let samples = std::iter::once(first)
        .chain((0..3).map(|_| floats::values(rng, shapes[0].len())))
        .map(|s| s.iter().map(clamp).collect())
        .collect();
    let channels = shapes[0].channels;
    let preprocessing = Preprocessing::new(shapes[0], vec![0.5; channels], vec![0.25; channels]);
    let labels = (0..outputs).map(|i| i.to_string()).collect();
    let source = Source {
        arch: "random".into(),
        float,
        preprocessing,
        labels,
        head: Head::Sigmoid,
        parts: Vec::new(),
    };
    (source, samples)
}

const PRESETS: [Preset; 2] = [Preset::Mixed, Preset::Uniform { bits: 60 }];

/// Widths at which hardly anything is lost.
fn wide(preset: Preset) -> ImportOptions {
    ImportOptions {
        weight_bits: WeightBits::Fixed(16),
        activation_bits: 24,
        fraction_bits: 14,
        input_bits: 16,
        preset,
        ..ImportOptions::default()
    }
}

/// How far an import is from its network, relative to the largest logit of the samples.
fn error(model: &Model, report: &ImportReport, samples: &[Vec<f32>]) -> f64 {
    let logits = samples.iter().map(|s| model.run_float(s).expect("it runs"));
    let top = logits
        .flatten()
        .fold(1.0_f64, |top, v| top.max(f64::from(v).abs()));
    report.max_logit_difference / top
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn integers_follow_floats(seed: u64) {
        let (source, samples) = source(seed);
        source.preprocessing.check().expect("one or three channels");
        for preset in PRESETS {
            match quantise(&source, &samples, &wide(preset)) {
                Ok((model, report)) => {
                    prop_assert_eq!(report.wrapped, 0);
                    for sample in &samples {
                        // Folding and balancing leave the function alone.
                        let a = source.float.run(sample).expect("it runs");
                        let b = model.run_float(sample).expect("it runs");
                        let top = a.iter().fold(1.0_f32, |top, v| top.max(v.abs()));
                        prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-3 * top));
                    }
                    // A steep hard-sigmoid of large numbers shows what they lost.
                    let error = error(&model, &report, &samples);
                    prop_assert!(error < 0.1, "{error}: {:?}", report.layers);
                }
                Err(Error::Unsupported(names)) => prop_assert!(!names.is_empty()),
                // What a batch norm or a tiny weight makes too large for the widths asked for.
                Err(Error::Nets(nets::Error::Width { problem, .. })) => {
                    prop_assert!(problem.contains("needs") || problem.contains("fractional"), "{problem}");
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}

/// A value is extended once, and claimed only where that saves a comparison.
#[test]
fn extensions_are_as_cheap_as_they_can_be() {
    let (mut claims, mut known) = (0, 0);
    for (seed, preset) in (0..400).flat_map(|seed| PRESETS.map(|preset| (seed, preset))) {
        let (source, samples) = source(seed);
        let Ok((model, _)) = quantise(&source, &samples, &wide(preset)) else {
            continue;
        };
        let graph = &model.public.graph;
        for (index, node) in graph.nodes().iter().enumerate() {
            let consumers = graph.consumers(index).iter();
            let consumers: Vec<_> = consumers.map(|&c| &graph.nodes()[c].op).collect();
            let extended = |op: &&&IntOp| matches!(op, IntOp::Extend { .. });
            assert!(consumers.iter().filter(extended).count() <= 1, "{graph:?}");
            let t = &graph.types()[index];
            match node.op {
                IntOp::Claim => {
                    let x = graph.input_type(index, 0);
                    assert!(!x.values.is_within(Interval::half(x.bits())));
                    let cut = |op: &&IntOp| matches!(op, IntOp::Trunc { .. });
                    assert!(consumers.iter().any(|op| extended(&op) || cut(op)));
                    claims += 1;
                }
                IntOp::Extend { .. } if t.values.low < 0 => {
                    let x = graph.input_type(index, 0);
                    known += usize::from(x.values.half_from(x.bits(), 0).is_some());
                }
                _ => {}
            }
        }
    }
    assert!(claims > 20 && known > 20, "{claims} {known}");
}

/// Nearly all are far closer than the worst may be.
#[test]
fn nearly_all_integers_follow_floats_closely() {
    let mut errors = Vec::new();
    for (seed, preset) in (0..400).flat_map(|seed| PRESETS.map(|preset| (seed, preset))) {
        let (source, samples) = source(seed);
        if let Ok((model, report)) = quantise(&source, &samples, &wide(preset)) {
            errors.push(error(&model, &report, &samples));
        }
    }
    errors.sort_by(f64::total_cmp);
    assert!(errors.len() > 700, "{}", errors.len());
    assert!(errors[errors.len() * 99 / 100] < 0.002, "{errors:?}");
}

/// What the random networks are worth: nearly all can be imported, and those have every integer
/// operation, and biases that differ from place to place.
#[test]
fn nearly_all_random_networks_import() {
    let (mut imported, mut met, mut maps) = (0, [0; ints::OPERATIONS], 0);
    for (seed, preset) in (0..400).flat_map(|seed| PRESETS.map(|preset| (seed, preset))) {
        let (source, samples) = source(seed);
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(12),
            activation_bits: 24,
            preset,
            ..ImportOptions::default()
        };
        let Ok((model, _)) = quantise(&source, &samples, &options) else {
            continue;
        };
        imported += 1;
        let graph = &model.public.graph;
        for node in graph.nodes() {
            met[ints::number(&node.op)] += 1;
        }
        maps += (model.weights.iter())
            .filter(|(node, layer)| {
                let out = graph.types()[*node].shape;
                out.plane() > 1 && layer.bias.len() == out.len()
            })
            .count();
    }
    assert!(imported > 780, "{imported} of 800");
    // The largest output is sought only where nothing else is to be opened, which is not decided here.
    met[ints::number(&IntOp::ArgMax)] += 1;
    assert!(!met.contains(&0), "operations made: {met:?}");
    assert!(maps > 0, "no constant before padding");
}

/// A squeeze-and-excite block with a real sigmoid behind a SiLU: the gate is never negative, and so it gates in the narrow ring it is in.
#[test]
fn a_sigmoid_gates_without_an_extension() {
    let (mut source, samples) = source(3);
    let shape = source.preprocessing.shape;
    let mut graph = GraphBuilder::new();
    let curve = |curve| Op::Curve { curve };
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("act", curve(Curve::Silu), &[0]);
    graph.push("mean", Op::GlobalAvgPool, &[1]);
    graph.push("sigmoid", curve(Curve::Sigmoid), &[2]);
    graph.push("gate", Op::Gate, &[1, 3]);
    source.float.graph = graph.finish().expect("it fits");
    source.labels = vec!["x".into(); shape.len()];
    let (model, report) =
        quantise(&source, &samples, &ImportOptions::default()).expect("it imports");
    assert!(report.max_logit_difference < 0.01, "{report:?}");
    assert_eq!(report.wrapped, 0);
    let graph = &model.public.graph;
    let node = (0..graph.len()).find(|&i| graph.nodes()[i].op == IntOp::Gate);
    let node = node.expect("it has a gate");
    let [x, gate] = [0, 1].map(|k| graph.input_type(node, k));
    assert!(
        gate.values.is_nonnegative() && gate.bits() < x.bits(),
        "{gate:?}"
    );
}

#[test]
fn means_serve_as_activations_and_outputs() {
    let (mut source, samples) = (0..)
        .map(source)
        .find(|(s, _)| s.preprocessing.shape.channels == 1)
        .expect("one");
    let mut graph = GraphBuilder::new();
    graph.push(
        "input",
        Op::Input {
            shape: source.preprocessing.shape,
        },
        &[],
    );
    graph.push("mean", Op::GlobalAvgPool, &[0]);
    graph.push("first", Op::Relu, &[1]);
    graph.push("flatten", Op::Flatten, &[1]);
    graph.push("second", Op::Add, &[2, 3]);
    source.float.graph = graph.finish().expect("it fits");
    source.labels = vec!["x".into()];
    let (_, report) = quantise(&source, &samples, &ImportOptions::default()).expect("it imports");
    assert!(report.max_logit_difference < 0.01, "{report:?}");
}

/// A mean of one value divides nothing, so it cannot be what a sum waits for.
#[test]
fn a_mean_of_one_value_does_not_divide_a_sum() {
    let (mut source, samples) = source(3);
    let shape = source.preprocessing.shape;
    let mut graph = GraphBuilder::new();
    graph.push("input", Op::Input { shape }, &[]);
    graph.push("mean", Op::GlobalAvgPool, &[0]);
    let one = Op::AvgPool {
        window: Window::square(1, 1, 0),
        counts_padding: false,
    };
    graph.push("one", one, &[1]);
    graph.push("relu", Op::Relu, &[2]);
    graph.push("joined", Op::Concat, &[3, 2]);
    source.float.graph = graph.finish().expect("it fits");
    source.labels = vec!["x".into(); 2 * shape.channels];
    let (_, report) = quantise(&source, &samples, &ImportOptions::default()).expect("it imports");
    assert!(report.max_logit_difference < 0.01, "{report:?}");
}

#[test]
fn options_are_checked() {
    let (source, samples) = source(3);
    let bad = [
        ImportOptions {
            weight_bits: WeightBits::Fixed(1),
            ..ImportOptions::default()
        },
        ImportOptions {
            activation_bits: 33,
            ..ImportOptions::default()
        },
        ImportOptions {
            margin: f64::NAN,
            ..ImportOptions::default()
        },
        ImportOptions {
            preset: Preset::Uniform { bits: 65 },
            ..ImportOptions::default()
        },
    ];
    for options in bad {
        let error = quantise(&source, &samples, &options).expect_err("out of range");
        assert!(matches!(error, Error::Option { .. }), "{error}");
    }
    let error = quantise(&source, &[], &ImportOptions::default()).expect_err("no images");
    assert!(error.to_string().contains("calibration image"), "{error}");
}
