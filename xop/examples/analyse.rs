//! The family beside other blocks, for one layer.
//!
//! `cargo run --release -p blindray-xop --example analyse [C_IN C_OUT SIZE KERNEL STRIDE]`: without
//! arguments the 64-channel layer of 80 × 80 on which the paper's authors compared blocks. Weights
//! of 10 bits, activations of 16, accumulators of 26; truncations exact.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::error::Error;

use channel::Cost;
use nonlinear::{SignExtend, TruncReduce};
use ring_arith::Bits;
use sharing::default_extension;
use xop::{Layer, Rescale, Widths, analyse};

/// Weights, activations, accumulators.
const BITS: [u32; 3] = [10, 16, 26];

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|a| a.parse())
        .collect::<Result<_, _>>()?;
    let layer = match numbers[..] {
        [] => Layer {
            channels: [64, 64],
            input: [80, 80],
            kernel: 3,
            stride: 1,
        },
        [c_in, c_out, size, kernel, stride] => Layer {
            channels: [c_in, c_out],
            input: [size; 2],
            kernel,
            stride,
        },
        _ => return Err("either no arguments or C_IN C_OUT SIZE KERNEL STRIDE".into()),
    };
    let [weights, activations, ring] = BITS.map(Bits::of);
    let widths = Widths { weights, ring };
    let shift = ring.get() - activations.get();
    let price = default_extension().price();
    let narrow = TruncReduce::new(ring, shift, true, price);
    let widen = SignExtend::new(activations, ring, price);
    let rescale = |place, n| -> Cost {
        let rounds = narrow.rounds(n);
        match place {
            Rescale::Inner => rounds.then(widen.rounds(n)).cost(),
            Rescale::Output => rounds.cost(),
        }
    };
    print!("{}", analyse(layer, widths, rescale)?);
    Ok(())
}
