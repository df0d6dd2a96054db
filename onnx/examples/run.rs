//! Runs the float network in an ONNX file on one input, and prints its outputs as JSON.
//!
//! `cargo run --release -p blindray-onnx --example run -- FILE.onnx INPUT.f32`, where the input's numbers are 32-bit floats,
//! little endian, channels first. The outputs are logits: a softmax or sigmoid at the end of the file is named and not applied.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(file) = arguments.next() else {
        println!("usage: run FILE.onnx INPUT.f32");
        return Ok(());
    };
    let input = arguments.next().ok_or("give a file of 32-bit floats too")?;
    let network = onnx::load(Path::new(&file))?;
    let bytes = std::fs::read(input)?;
    let (floats, []) = bytes.as_chunks() else {
        return Err("the input has a part of a float at its end".into());
    };
    let input: Vec<f32> = floats.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let outputs = network.model.run(&input)?;
    let head = network.head().map(|head| format!("{head:?}"));
    println!(
        "{{\"head\":\"{}\",\"outputs\":{outputs:?}}}",
        head.unwrap_or_default()
    );
    Ok(())
}
