//! Networks with scales of their own: the integers are those of ONNX Runtime.

use import::{Error, ImportOptions, ImportReport, WeightBits, quantise};
use nets::{
    FloatModel, GraphBuilder, Head, IntOp, Model, Op, Preprocessing, Shape, Source, Tensor,
    Tensors, Window,
};
use proptest::prelude::*;
use tests::networks::floats::values;
use tests::networks::grids::{Case, NAMES, case};
use tests::networks::ints::Rng;
use tests::networks::partly;

fn imported(case: &Case) -> (Model, ImportReport) {
    quantise(&case.source, &case.images, &ImportOptions::default()).expect("it imports")
}

/// The step of the output's grid.
fn step(source: &Source) -> f64 {
    let scale = |op: &Op| match op {
        Op::Quantise { scale, .. } => Some(*scale),
        _ => None,
    };
    let nodes = source.float.graph.nodes().iter().rev();
    nodes
        .filter_map(|n| scale(&n.op))
        .next()
        .expect("it has grids")
}

#[test]
fn integers_are_those_of_onnx_runtime() {
    for name in NAMES {
        let case = case(name);
        let (model, report) = imported(&case);
        assert_eq!(report.wrapped, 0, "{name}");
        let moved = report.own_scales.expect("it has grids");
        assert!(moved <= 1.0 / 1024.0, "{name}: {moved}");
        let step = step(&case.source);
        let (mut same, mut all, mut most) = (0, 0, 0.0_f64);
        for (image, expected) in case.images.iter().zip(&case.expected) {
            let raw = model.run_integer(&model.public.encode(image).expect("it fits"));
            let logits = model.public.logits(&raw.expect("it runs"));
            for (a, b) in logits.iter().zip(expected) {
                let steps = (a / step).round() - (f64::from(*b) / step).round();
                same += usize::from(steps == 0.0);
                all += 1;
                most = most.max(steps.abs());
            }
        }
        // In means of integers halves are frequent. ONNX Runtime rounds them to even integers, or as its floats have
        // them: with its optimisations and without, it differs from itself on these images in one value of four. With
        // its operators of integers none is off.
        let (least, far) = match name {
            "pools" => (all / 2, 2.0),
            // Two of its sums are nearer to a half than the rounding of factors is.
            "mobile.own" => (all - 2, 1.0),
            // Its sigmoid is near, not exact.
            "gate.own" => (all * 5 / 6, 1.0),
            _ => (all, 0.0),
        };
        assert!(
            same >= least && most <= far,
            "{name}: {same} of {all}, {most} steps"
        );
    }
}

/// Two layers of one place between grids whose scales are powers of two: weights in 1/64, the input in 1/32, the hidden
/// layer of four channels in 1/`hidden`, the output in 1/16.
struct Powers {
    weights: [Vec<i64>; 2],
    biases: [Vec<i64>; 2],
    hidden: i64,
}

const SIDE: usize = 3;

impl Powers {
    fn new(rng: &mut Rng) -> Self {
        let mut some = |n: usize, top| (0..n).map(|_| rng.below(2 * top + 1) - top).collect();
        let mut weights: [Vec<i64>; 2] = [some(4 * 3, 127), some(2 * 4, 127)];
        let biases = [some(4, 2000), some(2, 2000)];
        for (weights, row) in weights.iter_mut().zip([3, 4]) {
            // So that a row is no multiple of smaller integers.
            weights.iter_mut().step_by(row).for_each(|w| *w = 1);
        }
        let hidden = 8 << rng.pick(0, 2);
        Self {
            weights,
            biases,
            hidden,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "small")]
    fn source(&self) -> Source {
        let shape = Shape::new(3, SIDE, SIDE);
        let (mut graph, mut tensors) = (GraphBuilder::new(), Tensors::new());
        let quantise = |one: i64, low, high| Op::Quantise {
            scale: 1.0 / one as f64,
            low,
            high,
        };
        graph.push("input", Op::Input { shape }, &[]);
        let mut last = graph.push("input grid", quantise(32, -64, 63), &[0]);
        let units = [32 * 64, self.hidden * 64];
        for (k, unit) in units.into_iter().enumerate() {
            let (weights, biases) = (&self.weights[k], &self.biases[k]);
            let mut parameter = |name: String, shape: Vec<usize>, values: &[i64], unit: i64| {
                let values = values.iter().map(|&v| v as f32 / unit as f32).collect();
                tensors.insert(name.clone(), Tensor::new(shape, values));
                name
            };
            let out_channels = biases.len();
            let shape = vec![out_channels, weights.len() / out_channels, 1, 1];
            let op = Op::Conv2d {
                out_channels,
                groups: 1,
                window: Window::square(1, 1, 0),
                weight: parameter(format!("w{k}"), shape, weights, 64),
                bias: Some(parameter(format!("b{k}"), vec![out_channels], biases, unit)),
            };
            let layer = graph.push(format!("layer{k}"), op, &[last]);
            if k == 0 {
                let relu = graph.push("relu", Op::Relu, &[layer]);
                last = graph.push("hidden grid", quantise(self.hidden, 0, 255), &[relu]);
            } else {
                graph.push("output grid", quantise(16, -128, 127), &[layer]);
            }
        }
        let graph = graph.finish().expect("it fits");
        Source {
            arch: "powers".into(),
            labels: (0..graph.output().len()).map(|i| i.to_string()).collect(),
            float: FloatModel { graph, tensors },
            preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.25; 3]),
            head: Head::Sigmoid,
            parts: Vec::new(),
        }
    }

    /// The output in integers, with halves rounded up.
    #[expect(clippy::cast_possible_truncation, reason = "small")]
    fn run(&self, image: &[f32]) -> Vec<i64> {
        let level = |v: &f32| (v * 32.0).round_ties_even().clamp(-64.0, 63.0) as i64;
        let x: Vec<i64> = image.iter().map(level).collect();
        let x = self.layer(0, &x, 32 * 64 / self.hidden, (0, 255));
        self.layer(1, &x, self.hidden * 64 / 16, (-128, 127))
    }

    fn layer(&self, k: usize, x: &[i64], by: i64, (low, high): (i64, i64)) -> Vec<i64> {
        let places = SIDE * SIDE;
        let rows = self.weights[k].chunks_exact(x.len() / places);
        let row = |(row, bias): (&[i64], &i64)| -> Vec<i64> {
            let at = |place: usize| {
                let products = row.iter().enumerate();
                let sum: i64 = products.map(|(c, w)| w * x[c * places + place]).sum();
                (2 * (sum + bias) + by).div_euclid(2 * by).clamp(low, high)
            };
            (0..places).map(at).collect()
        };
        rows.zip(&self.biases[k]).flat_map(row).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Factors that are powers of two are cut off exactly, and take no layer.
    #[test]
    fn powers_of_two_are_exact(seed: u64) {
        let rng = &mut Rng::new(seed);
        let powers = Powers::new(rng);
        let images: Vec<_> = (0..4).map(|_| values(rng, 3 * SIDE * SIDE)).collect();
        // What is calibrated on has no say.
        let black = vec![vec![0.0; 3 * SIDE * SIDE]];
        let options = ImportOptions::default();
        let (model, report) = quantise(&powers.source(), &black, &options).expect("it imports");
        prop_assert_eq!(report.own_scales, Some(0.0));
        let graph = &model.public.graph;
        let is_layer = |op: &IntOp| matches!(op, IntOp::Linear { .. });
        prop_assert_eq!(graph.nodes().iter().filter(|n| is_layer(&n.op)).count(), 2);
        for image in &images {
            let raw = model.run_integer(&model.public.encode(image).expect("it fits"));
            let found = model.public.logits(&raw.expect("it runs"));
            let levels: Vec<f64> = found.iter().map(|v| v * 16.0).collect();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let expected: Vec<f64> = powers.run(image).iter().map(|&v| v as f64).collect();
            prop_assert_eq!(levels, expected);
        }
    }
}

/// Its ring has no more bits than two, and the levels of the input have eight.
#[test]
fn layers_of_zeros_take_the_whole_input() {
    let rng = &mut Rng::new(1);
    let mut powers = Powers::new(rng);
    powers.weights[0].fill(0);
    powers.biases[0].fill(1 << 10);
    let image = values(rng, 3 * SIDE * SIDE);
    let options = ImportOptions::default();
    let (model, _) =
        quantise(&powers.source(), std::slice::from_ref(&image), &options).expect("it imports");
    let levels = model.public.encode(&image).expect("it fits");
    let raw = model.run_integer(&levels).expect("it runs");
    #[expect(clippy::cast_possible_truncation, reason = "levels are small")]
    let found: Vec<i64> = (model.public.logits(&raw).iter())
        .map(|v| (v * 16.0) as i64)
        .collect();
    assert_eq!(found, powers.run(&image));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is on grids and what is not go together.
    #[test]
    fn some_tensors_are_on_grids(seed: u64) {
        let partly = partly::network(&mut Rng::new(seed));
        let options = ImportOptions {
            weight_bits: WeightBits::Fixed(16),
            activation_bits: 20,
            fraction_bits: 14,
            ..ImportOptions::default()
        };
        let imported = quantise(&partly.source, &partly.images, &options);
        // In about one of 25,000 so many bits add up that no ring holds them.
        prop_assume!(!matches!(imported, Err(Error::Nets(nets::Error::Width { .. }))));
        let (_, report) = imported.expect("it imports");
        prop_assert_eq!(report.wrapped, 0);
        prop_assert!(report.own_scales.is_some());
        prop_assert!(
            report.max_logit_difference <= partly.tolerance,
            "{} of {}",
            report.max_logit_difference,
            partly.tolerance
        );
    }
}
