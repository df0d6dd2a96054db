//! Networks with scales of their own: the integers are those of ONNX Runtime.

use import::{ImportOptions, ImportReport, quantise};
use nets::{Model, Op, Source};
use tests::networks::grids::{Case, NAMES, case};

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
        assert_eq!(report.wrapped, 0);
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
        println!(
            "{name}: {same} of {all} equal, at most {most} steps apart, {}",
            report.max_logit_difference / step
        );
    }
}
