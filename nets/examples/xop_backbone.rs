//! What a backbone with X-operators costs between two parties: weights of 10 bits, every convolution
//! directly, and as chosen by bytes.
//!
//! `cargo run --release -p blindray-nets --example xop_backbone [NAME SIDE CLASSES R GROUPS POINTWISE]`: without
//! arguments `densenet121 320 14 1/2 1 0`; POINTWISE 0 leaves the 1 × 1 layers as they are. Random
//! weights, calibrated on one image of noise.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use nets::{
    Algorithms, ImportOptions, Mode, Rounding, SecureNetwork, Shape, WeightBits, XOpOptions,
    backbone_seeded, choose, import, replace_convolutions,
};

/// Bits of refill per correlation, as with `SoftSpoken` OT at k = 4.
const COT_PRICE: u32 = 32;
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
        algorithms: Algorithms::Direct,
        ..ImportOptions::default()
    };
    let (direct, _) = import(&found.source, &[sample], &options)?;
    let by_bytes = Algorithms::default();
    let (chosen, _) = choose(&direct, &by_bytes, COT_PRICE, &options.constants)?;
    for (how, model) in [("directly", &direct), ("by bytes", &chosen)] {
        let network = SecureNetwork::new(&model.public.graph, Mode::Faithful, COT_PRICE)?;
        let cost = network.cost();
        println!(
            "{how}: {} MACs, {} bytes online, {} of refill, {} flights",
            network.plan().iter().map(|l| l.macs).sum::<u64>(),
            cost.bytes(),
            cost.cots.total() * u64::from(COT_PRICE) / 8,
            cost.flights()
        );
    }
    Ok(())
}
