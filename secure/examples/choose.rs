//! What every layer of a backbone costs by each algorithm, and which is chosen.
//!
//! `cargo run --release -p blindray-secure --example choose -- [BACKBONE] [PIXELS] [bytes|lan|wan|flights]`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;
use std::time::Instant;

use backbones::backbone_seeded;
use import::{ImportOptions, quantise};
use nets::Shape;
use secure::{
    Algorithms, CpuModel, Mode, NetworkSpeed, Objective, SecureNetwork, choose_algorithms,
};
use sharing::default_extension;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: &str| arguments.get(i).map_or(default, |a| a).to_owned();
    let pixels = argument(1, "32").parse().expect("a number of pixels");
    let network = |rate, rtt_s| {
        let bytes_per_s = rate / 8.0;
        Objective::Time(NetworkSpeed { bytes_per_s, rtt_s })
    };
    let objective = match argument(2, "bytes").as_str() {
        "lan" => network(1e10, 0.2e-3),
        "wan" => network(2e8, 40e-3),
        "flights" => Objective::Flights,
        _ => Objective::Bytes,
    };
    let input = Shape::new(3, pixels, pixels);
    let source = backbone_seeded(&argument(0, "squeezenet"), input, 14, [1; 32])?;
    let values = 0_u16..u16::try_from(input.len() % 65_536).unwrap_or(u16::MAX);
    let sample: Vec<f32> = values
        .map(|i| f32::from(i % 251) / 251.0)
        .cycle()
        .take(input.len())
        .collect();
    let options = ImportOptions::default();
    let (direct, _) = quantise(&source, &[sample], &options)?;
    let constants = CpuModel::default();
    let start = Instant::now();
    let algorithms = Algorithms::Auto(objective);
    let (model, layers) = choose_algorithms(
        &direct,
        &algorithms,
        default_extension().price(),
        &constants,
    )?;
    let chosen = start.elapsed();
    for layer in &layers {
        println!("{:<32} {}", layer.name, layer.why);
    }
    println!("chosen in {chosen:.2?}");
    for (name, model) in [("direct", &direct), ("chosen", &model)] {
        let start = Instant::now();
        let network = SecureNetwork::new(
            Arc::new(model.public.graph.clone()),
            Mode::Faithful,
            default_extension().price(),
        )?;
        let planned = start.elapsed();
        let seconds: f64 = (network.plan().iter())
            .map(|l| constants.seconds(&l.work))
            .sum();
        let cost = network.cost();
        println!(
            "{name}: {} bytes, {} flights, {} correlations, {seconds:.1} CPU s; planned in {planned:.2?}",
            cost.bytes(),
            cost.flights(),
            cost.cots.total()
        );
    }
    Ok(())
}
