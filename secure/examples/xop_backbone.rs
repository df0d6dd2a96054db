//! What a backbone with X-operators costs between two parties: weights of 10 bits, every convolution
//! directly, and as chosen by bytes.
//!
//! `cargo run --release -p blindray-secure --example xop_backbone [NAME SIDE CLASSES R GROUPS POINTWISE]`: without
//! arguments `densenet121 320 14 1/2 1 0`; POINTWISE 0 leaves the 1 × 1 layers as they are. Random
//! weights, calibrated on one image of noise.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::sync::Arc;

use backbones::{XOpOptions, backbone_seeded, replace_convolutions};
use import::{ImportOptions, Rounding, WeightBits, quantise};
use nets::Shape;
use secure::{Algorithms, CpuModel, Mode, SecureNetwork, choose_algorithms};
use sharing::default_extension;

const SEED: [u8; 32] = [1; 32];

fn main() -> Result<(), Box<dyn Error>> {
    let usual = ["densenet121", "320", "14", "1/2", "1", "0"];
    let given: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| given.get(i).map_or(usual[i], String::as_str);
    let side = argument(1).parse()?;
    let shape = Shape::new(3, side, side);
    let plain = backbone_seeded(argument(0), shape, argument(2).parse()?, SEED)?;
    let options = XOpOptions {
        spatial: argument(3).parse()?,
        groups: argument(4).parse()?,
        pointwise: Some(argument(5).parse()?).filter(|&groups| groups > 0),
    };
    let found = replace_convolutions(&plain, &options, SEED)?;
    println!(
        "{}: {} layers replaced",
        found.source.arch,
        found.replaced.len()
    );
    for (layer, reason) in &found.kept {
        println!("{layer} stays: {reason}");
    }
    if let Some(warning) = found.warning {
        println!("{warning}");
    }
    let pixels: Vec<u8> = (0..shape.len())
        .map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 7 & 255))
        .collect::<Result<_, _>>()?;
    let sample = found.source.preprocessing.values(&pixels)?;
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(10),
        rounding: Rounding::Nearest,
        ..ImportOptions::default()
    };
    let (direct, _) = quantise(&found.source, &[sample], &options)?;
    let by_bytes = Algorithms::default();
    let (chosen, _) = choose_algorithms(
        &direct,
        &by_bytes,
        default_extension().price(),
        &CpuModel::default(),
    )?;
    for (how, model) in [("directly", &direct), ("by bytes", &chosen)] {
        let network = SecureNetwork::new(
            Arc::new(model.public.graph.clone()),
            Mode::Faithful,
            default_extension().price(),
        )?;
        let cost = network.cost();
        println!(
            "{how}: {} MACs, {} bytes online, {} of refill, {} flights",
            network.plan().iter().map(|l| l.macs).sum::<u64>(),
            cost.bytes(),
            default_extension().price().total(0, cost.cots.total()) / 8000,
            cost.flights()
        );
    }
    Ok(())
}
