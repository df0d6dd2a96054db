//! A server and a client of a real network, ShuffleNetV2, in two threads of one program.
//!
//! `cargo run --release -p blindray-service --example two_parties`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::thread;

use backbones::backbone_seeded;
use channel::memory_pair;
use import::{ImportOptions, Rounding, quantise};
use nets::{Model, Picture, Samples, Shape, standardise};
use service::{Client, Request, Server, ServerOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let model = model()?;
    let picture = Picture::new(2, 2, 1, Samples::Eight(vec![20, 90, 160, 230]))?;
    let expected = model.run_integer(model.public.prepare(&picture, 0).fixed())?;

    let server = Server::new(model.public, model.weights, ServerOptions::default())?;
    let (at_server, at_client) = memory_pair(1 << 16);
    // Real parties take their seeds from the operating system.
    let serving = thread::spawn(move || server.serve(&at_server, [1; 32], &mut |_| {}));
    let mut client = Client::over(at_client, &Request::default(), [2; 32])?;
    let findings = client.infer(&picture, &mut |_| {})?;
    let served = serving
        .join()
        .expect("the server's thread does not panic")?;

    for finding in &findings.outputs {
        println!("{:<10} {:5.1} %", finding.name, 100.0 * finding.probability);
    }
    println!(
        "{} bytes in {} flights",
        findings.comm.total_bytes(),
        findings.comm.flights
    );
    println!("{:.2} s for {} image", served.seconds, served.images);
    assert_eq!(findings.views, [expected]);
    Ok(())
}

/// The network for pictures of 32 x 32 with random weights, as integers.
fn model() -> Result<Model, Box<dyn Error>> {
    let mut source = backbone_seeded("shufflenet-v2-x0.5", Shape::new(3, 32, 32), 10, [7; 32])?;
    let pixels: Vec<u8> = (0..=255)
        .cycle()
        .take(source.preprocessing.shape.len())
        .collect();
    let sample = source.preprocessing.values(&pixels)?;
    standardise(&mut source.float, &sample)?;
    let rounding = Rounding::Nearest;
    let options = ImportOptions {
        rounding,
        ..ImportOptions::default()
    };
    Ok(quantise(&source, &[sample], &options)?.0)
}
