//! Seals the bytes of a model, and what becomes of those who open it with another key or change a byte.
//!
//! `cargo run --release -p blindray-sealed --example seal`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Instant;

use getrandom::SysRng;
use rand_core::TryRng;
use sealed::{Key, open, seal};

fn fresh() -> Result<[u8; 32], Box<dyn std::error::Error>> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = Key::new(fresh()?);
    let weights = vec![1; 64 << 20];

    let begin = Instant::now();
    let mut kept = seal(&key, "model", b"chestnet", fresh()?, &weights);
    println!(
        "sealed {} bytes to {} in {:?}",
        weights.len(),
        kept.len(),
        begin.elapsed()
    );
    let begin = Instant::now();
    assert_eq!(*open(&key, "model", b"chestnet", &kept)?, weights);
    println!("opened in {:?}", begin.elapsed());

    for (what, error) in [
        (
            "another key",
            open(&Key::new(fresh()?), "model", b"chestnet", &kept),
        ),
        (
            "another model's place",
            open(&key, "model", b"resnet20", &kept),
        ),
    ] {
        println!("{what}: {}", error.expect_err("it must not open"));
    }
    kept[1000] ^= 1;
    let error = open(&key, "model", b"chestnet", &kept).expect_err("it must not open");
    println!("a changed bit: {error}");
    Ok(())
}
