//! One convolution by every tile: fewer products, guard bits, the same integers.
//!
//! `cargo run --release -p blindray-winograd --example tiles`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use linear::{
    ConvSpec, Direct, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape,
};
use ring_arith::Bits;
use testkit::{elements, reconstruct, rng, run_sessions};
use winograd::{Tile, WinogradConv};

fn main() -> Result<(), Box<dyn Error>> {
    let spec = ConvSpec::new([8, 8], [28, 28], [3, 3], [1, 1], [1; 4], 1)?;
    let layer = LinearLayer {
        shape: LinearShape::Conv(spec),
        weight_bits: Bits::of(8),
        bits: Bits::of(24),
    };
    println!("3 x 3, 8 to 8 channels of 28 x 28, weights of 8 bits, results mod 2^24.\n");
    let direct = Direct.plan(&layer)?;
    let (expected, bytes) = run(direct.as_ref())?;
    println!("direct: {} products, {bytes} bytes", spec.macs());
    for tile in Tile::for_kernel(spec.kernel()) {
        let protocol = tile.plan(&layer)?;
        let (y, fewer) = run(protocol.as_ref())?;
        // The truncation that follows a layer removes the guard bits; here a shift does.
        let guard = tile.guard_bits();
        let unguarded: Vec<u64> = y.iter().map(|y| y >> guard).collect();
        assert_eq!(unguarded, expected, "the same integers");
        let conv = WinogradConv::new(spec, tile, layer.weight_bits, layer.bits)?;
        let products = conv.multiplications();
        println!("{tile}: {products} products, {fewer} bytes");
        println!(
            "    the first output is {} = 2^{guard} x {}",
            y[0], expected[0]
        );
    }

    // A tile that does not fit says so, and what would do.
    let error = Tile::F2x2_5x5
        .plan(&layer)
        .expect_err("the kernel is 3 x 3");
    println!("\nrefused: {error}");
    Ok(())
}

/// The result of one run on random shares, and how many bytes it took.
fn run(protocol: &dyn LinearProtocol) -> Result<(Vec<u64>, u64), linear::Error> {
    let layer = protocol.layer();
    let mut rng = rng(1);
    let mut image = || elements(layer.shape.input_len(), layer.bits, &mut rng);
    let (at_server, at_client) = (image(), image());
    let weights = (-128..128).cycle().step_by(37);
    let weights: Vec<i32> = weights.take(layer.shape.weight_len()).collect();
    let parameters = LayerParameters {
        weights: &weights,
        bias: &vec![5; layer.shape.channels()],
    };
    let prepared = protocol.prepare(parameters)?;
    let (server, client, cost) = run_sessions(
        1,
        |s| {
            s.run(async |party| {
                protocol
                    .serve(party, parameters, &prepared, &at_server)
                    .await
            })
        },
        |s| s.run(async |party| protocol.request(party, &at_client).await),
    );
    let y = reconstruct(&server?, &client?, protocol.output_bits());
    Ok((y, cost.bytes()))
}
