//! Runs the networks of a folder on given inputs and compares the results with given ones.
//!
//! `cargo run --release -p blindray-onnx --example evaluate -- FOLDER`: for every `NAME.onnx` there, `NAME.in` holds an
//! input as little-endian 32-bit floats (channels, rows, columns) and `NAME.out` what another runtime computes, all
//! outputs one after the other. Prints the largest difference relative to the largest output, or why the file is refused.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "onnx/tests/data".into());
    let mut files: Vec<_> = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        match difference(&file) {
            Ok(difference) => println!("{name}: {difference:.1e}"),
            Err(error) => println!("{name}: {error}"),
        }
    }
    Ok(())
}

fn difference(file: &Path) -> Result<f64, Box<dyn Error>> {
    let network = onnx::load(file)?;
    let output = network.model.run(&floats(&file.with_extension("in"))?)?;
    let expected = floats(&file.with_extension("out"))?;
    if output.len() != expected.len() {
        return Err(format!("{} values, not {}", output.len(), expected.len()).into());
    }
    let largest = expected.iter().fold(0_f32, |most, v| most.max(v.abs()));
    let errors = output.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    Ok(f64::from(errors.fold(0_f32, f32::max)) / f64::from(largest.max(1e-30)))
}

fn floats(file: &Path) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = fs::read(file)?;
    Ok(bytes
        .as_chunks()
        .0
        .iter()
        .map(|&b| f32::from_le_bytes(b))
        .collect())
}
