//! A trained network becomes integers: what every layer is given, and how far the results are from floats.
//!
//! `cargo run --release -p blindray-import --example quantise`

#![expect(clippy::print_stdout, reason = "an example prints")]

use backbones::backbone_seeded;
use import::{ImportOptions, quantise};
use nets::Shape;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Random weights stand for trained ones, and noise for images.
    let source = backbone_seeded("squeezenet", Shape::new(1, 38, 38), 5, [7; 32])?;
    let pixels = |k: u32| -> Vec<u8> {
        let mut state = k;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..source.preprocessing.shape.len()).map(next).collect()
    };
    let images = (1..=8).map(|k| source.preprocessing.values(&pixels(k)));
    let images = images.collect::<Result<Vec<_>, _>>()?;

    // Calibrated on all but the last, which is then compared.
    let (fresh, calibration) = images.split_last().expect("eight images");
    let (model, report) = quantise(&source, calibration, &ImportOptions::default())?;
    println!(
        "weights of {} bits, activations of {}",
        report.weight_bits, report.activation_bits
    );
    for layer in &report.layers {
        println!(
            "  {:<24} ring of {} bits ({} would hold any image), {} bits out",
            layer.name, layer.ring_bits, layer.proved_bits, layer.output_bits
        );
    }
    println!(
        "on {} images for calibration: the same class on {}, logits at most {:.4} apart",
        report.images, report.same_top, report.max_logit_difference
    );

    let floats = model.run_float(fresh)?;
    let integers = model.run_integer(&model.public.encode(fresh)?)?;
    for (float, logit) in floats.iter().zip(model.public.logits(&integers)) {
        println!("{float:>8.4} in floats, {logit:>8.4} in integers");
    }
    Ok(())
}
