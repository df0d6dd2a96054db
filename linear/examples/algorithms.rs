//! What a layer costs by each algorithm that can compute it, and that a run sends exactly that.
//!
//! `cargo run --release -p blindray-linear --example algorithms`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use channel::Cost;
use linear::{
    ClientChooses, ConvSpec, Direct, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol,
    LinearShape, RingLwe,
};
use ring_arith::Bits;
use sharing::Session;
use testkit::{elements, rng, run_sessions};

fn main() -> Result<(), linear::Error> {
    let conv = |groups| {
        let spec = ConvSpec::new([32, 32], [14, 14], [3, 3], [1, 1], [1; 4], groups);
        spec.map(LinearShape::Conv)
    };
    let connected = |inputs, outputs| LinearShape::FullyConnected { inputs, outputs };
    println!("Weights of 8 bits, results mod 2^24.");
    for (name, shape) in [
        ("convolution 3 x 3, 32 to 32 channels of 14 x 14", conv(1)?),
        (
            "the same, depthwise: a channel meets itself only",
            conv(32)?,
        ),
        ("fully connected, 512 to 1: few outputs", connected(512, 1)),
        ("fully connected, 512 to 100", connected(512, 100)),
    ] {
        let layer = LinearLayer {
            shape,
            weight_bits: Bits::of(8),
            bits: Bits::of(24),
        };
        println!("\n{name}: {} multiplications", shape.macs());
        let algorithms: [&dyn LinearAlgorithm; 4] = [
            &Direct,
            &ClientChooses,
            &RingLwe { packed: true },
            &RingLwe { packed: false },
        ];
        for algorithm in algorithms {
            match algorithm.plan(&layer) {
                Ok(protocol) => {
                    assert_eq!(run(protocol.as_ref())?, protocol.cost());
                    print_cost(protocol.name(), &protocol.cost());
                }
                Err(refusal) => println!("  refused: {refusal}"),
            }
        }
    }
    println!("\nEvery layer sent exactly what was predicted.");
    println!(
        "Making a correlated OT takes some bits more, and a session needs keys for ring-LWE once;"
    );
    println!("a planner counts them as well.");
    Ok(())
}

/// Makes the keys that a protocol needs in a session.
fn set_up(protocol: &dyn LinearProtocol, session: &mut Session) -> Result<(), linear::Error> {
    for item in protocol.set_up() {
        item.run(session)?;
    }
    session.mark();
    Ok(())
}

/// What both parties measure in one run on random operands, once the session has what it takes.
fn run(protocol: &dyn LinearProtocol) -> Result<Cost, linear::Error> {
    let layer = protocol.layer();
    let mut rng = rng(1);
    let mut image = || elements(layer.shape.input_len(), layer.bits, &mut rng);
    let (at_server, at_client) = (image(), image());
    let parameters = LayerParameters {
        weights: &vec![-77; layer.shape.weight_len()],
        bias: &vec![5; layer.shape.channels()],
    };
    let prepared = protocol.prepare(parameters)?;
    let (server, client, cost) = run_sessions(
        1,
        |s| {
            set_up(protocol, s)?;
            s.run(async |party| {
                protocol
                    .serve(party, parameters, &prepared, &at_server)
                    .await
            })
        },
        |s| {
            set_up(protocol, s)?;
            s.run(async |party| protocol.request(party, &at_client).await)
        },
    );
    server.and(client)?;
    Ok(cost)
}

fn print_cost(name: &str, cost: &Cost) {
    println!(
        "  {name:<18}{:>9} bytes to the server, {:>6} to the client, {:>6} correlated OTs, {} flights",
        cost.bytes_to_server(),
        cost.bytes_to_client(),
        cost.cots.total(),
        cost.flights()
    );
}
