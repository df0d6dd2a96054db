//! A dense layer in fixed point, mod 2^24, and what its output weighs on the wire.
//!
//! `cargo run --release -p blindray-ring-arith --example fixed_point_product`
#![expect(clippy::print_stdout, reason = "examples print")]

use ring_arith::{Bits, Fixed, gemm, pack, packed_len, slices};

fn main() {
    let ring = Bits::of(24);
    let activation = Fixed {
        bits: Bits::of(16),
        scale: 8,
    };
    let weights: Vec<i8> = vec![3, -5, 7, 1, 0, -2];
    let x: Vec<u32> = [0.5, -1.25, 2.0]
        .iter()
        .map(|&v| u32::try_from(ring.from_signed(activation.encode(v))).expect("24 bits fit"))
        .collect();

    let mut y = vec![0u32; 2];
    gemm(2, 3, 1, &weights, &x, &mut y);
    slices::reduce_slice(ring, &mut y);

    for &v in &y {
        let value = ring.to_signed(u64::from(v));
        println!("{value:6} = {}", activation.decode(value));
    }
    let mut wire = vec![0; packed_len(y.len(), ring)];
    pack(&y, ring, &mut wire);
    println!(
        "{} values of {ring} bits take {} bytes",
        y.len(),
        wire.len()
    );
}
