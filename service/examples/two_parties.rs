//! A server and a client in two threads of one program: the trained ChestNet, and a real X-ray.
//!
//! `cargo run --release -p blindray-service --example two_parties`, or with other files:
//! `cargo run --release -p blindray-service --example two_parties -- model.bray image.png`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;
use std::thread;

use channel::memory_pair;
use images::Image;
use nets::Model;
use service::{Client, Request, Server, ServerOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets");
    let mut files = std::env::args().skip(1);
    let mut file = |usual: &str| files.next().unwrap_or_else(|| format!("{assets}/{usual}"));
    let model = Model::load(Path::new(&file("chestnet.bray")))?;
    let image = Image::open(Path::new(&file("xrays/person142_bacteria_684.jpeg")))?;
    let in_the_clear = model.run_integer(model.public.prepare(&image.picture, 0).fixed())?;

    let server = Server::new(model.public, model.weights, ServerOptions::default())?;
    let (at_server, at_client) = memory_pair(1 << 16);
    // Real parties take their seeds from the operating system, fresh ones for every session.
    let serving = thread::spawn(move || server.serve(&at_server, [1; 32], &mut |_| {}));
    let mut client = Client::over(at_client, &Request::default(), [2; 32])?;
    let findings = client.infer(&image.picture, &mut |_| {})?;
    let served = serving.join().expect("the server does not panic")?;

    for finding in &findings.outputs {
        let probability = finding.probability.expect("all is opened");
        println!("{:<12} {:5.1} %", finding.name, 100.0 * probability);
    }
    let (bytes, flights) = (findings.comm.total_bytes(), findings.comm.flights);
    println!("{bytes} bytes in {flights} flights");
    println!("{:.2} s for {} image", served.seconds, served.images);
    assert_eq!(findings.views[0], in_the_clear, "equal in every bit");
    Ok(())
}
