//! The trained ResNet-20 against the reference logits.

use import::{ImportOptions, Preset, WeightBits, quantise};
use tests::networks::trained;

#[test]
fn float_logits_equal_the_reference() {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let folded = nets::fold(&source.float).expect("it folds");
    for (sample, expected) in trained::samples(&source, &reference)
        .iter()
        .zip(&reference.logits)
    {
        let scale = expected.iter().fold(0.0_f64, |top, v| top.max(v.abs()));
        for model in [&source.float, &folded] {
            let found = model.run(sample).expect("it runs");
            for (a, b) in found.iter().zip(expected) {
                assert!((f64::from(*a) - b).abs() <= 1e-3 * scale, "{a} for {b}");
            }
        }
    }
}

#[test]
fn integer_network_agrees_with_float() {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    let options = ImportOptions::default();
    let (model, report) = quantise(&source, &samples, &options).expect("it imports");
    assert_eq!(report.wrapped, 0);
    let mut same = 0;
    for (sample, expected) in samples.iter().zip(&reference.logits) {
        let input = model.public.encode(sample).expect("the right size");
        let found = model
            .public
            .logits(&model.run_integer(&input).expect("it runs"));
        same += usize::from(trained::top(&found) == trained::top(expected));
    }
    assert!(same >= 9, "{same} of 10");
    assert!(report.max_probability_difference < 0.02, "{report:?}");
    assert_eq!(same, report.same_top);
}

#[test]
fn weight_widths_compared() {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    for weight_bits in [8, 10, 12] {
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
        assert_eq!(report.wrapped, 0);
    }
}

#[test]
fn uniform_preset_gives_one_ring() {
    let Some((source, reference)) = trained::resnet20() else {
        return;
    };
    let samples = trained::samples(&source, &reference);
    let preset = Preset::Uniform { bits: 37 };
    let options = ImportOptions {
        preset,
        ..ImportOptions::default()
    };
    let (model, report) = quantise(&source, &samples[..3], &options).expect("it imports");
    assert_eq!((report.wrapped, report.same_top), (0, 3));
    assert!(
        model
            .public
            .graph
            .types()
            .iter()
            .all(|t| t.bits().get() == 37)
    );
}
