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
        // them: with its optimisations and without, it differs from itself on these images in one value of four.
        let (least, far) = if name == "pools" {
            (all / 3, 2.0)
        } else {
            (all, 0.0)
        };
        assert!(
            same >= least && most <= far,
            "{name}: {same} of {all}, {most} steps"
        );
    }
}
