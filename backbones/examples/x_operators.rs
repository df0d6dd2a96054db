//! A backbone by name, and its twin with X-operators in place of convolutions: what was replaced, what
//! stays, and how many parameters either has.
//!
//! `cargo run --release -p blindray-backbones --example x_operators [NAME]`: one of
//! [`backbones::BACKBONES`], resnet18 if none is given.

#![expect(clippy::print_stdout, reason = "an example prints")]

use backbones::{XOpOptions, backbone_seeded, replace_convolutions};
use nets::Shape;

const SEED: [u8; 32] = [1; 32];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "resnet18".into());
    // Ten classes of coloured images; the weights come from the seed.
    let plain = backbone_seeded(&name, Shape::new(3, 64, 64), 10, SEED)?;

    // A quarter of the channels goes through the 3 × 3 depthwise convolution; the 1 × 1 convolution behind it
    // has two groups.
    let options = XOpOptions {
        spatial: "1/4".parse()?,
        groups: 2,
        pointwise: None,
    };
    let found = replace_convolutions(&plain, &options, SEED)?;
    println!("{} layers replaced:", found.replaced.len());
    for layer in &found.replaced {
        println!("  {layer}");
    }
    for (layer, reason) in &found.kept {
        println!("{layer} stays: {reason}");
    }
    if let Some(warning) = found.warning {
        println!("{warning}");
    }

    for source in [&plain, &found.source] {
        let parameters = source.float.parameters();
        println!("{}: {parameters} parameters", source.arch);
    }
    Ok(())
}
