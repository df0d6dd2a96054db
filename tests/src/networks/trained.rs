//! Trained networks that may not be committed, and their reference results.

use std::path::PathBuf;

use backbones::backbone;
use import::{ImportOptions, ImportReport, quantise};
use nets::{Model, Source, StateDict};
use secure::{Algorithms, CpuModel, choose_algorithms};
use sharing::default_extension;

/// The folder of trained networks, or a message that the test is skipped.
///
/// # Panics
/// If a file is not what it should be.
#[must_use]
pub fn models() -> Option<PathBuf> {
    let beside = PathBuf::from(crate::WORKSPACE).join("../shared/models");
    let folder = std::env::var_os("BLINDRAY_MODELS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: no trained networks at {} (set BLINDRAY_MODELS)",
        folder.display()
    );
    None
}

/// A reference file: pixels image by image (channel by channel), and the logits.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reference {
    /// Pixels.
    pub pixels: Vec<Vec<u8>>,
    /// Logits.
    pub logits: Vec<Vec<f64>>,
}

/// Reads `reference/<name>.json` and its `.u8.npy`.
///
/// # Panics
/// If a file is not what it should be.
#[must_use]
pub fn reference(folder: &std::path::Path, name: &str) -> Reference {
    let text = std::fs::read(folder.join(format!("reference/{name}.json"))).expect("a JSON file");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let rows = json["rows"].as_array().expect("rows");
    let logits = rows.iter().map(|row| numbers(&row["logits_f64"])).collect();
    let npy = std::fs::read(folder.join(format!("reference/{name}.u8.npy"))).expect("an npy file");
    let header = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let (data, images) = (&npy[header..], rows.len());
    let pixels = data.chunks_exact(data.len() / images).map(|hwc| {
        (0..3)
            .flat_map(|c| hwc.iter().skip(c).step_by(3).copied())
            .collect()
    });
    Reference {
        pixels: pixels.collect(),
        logits,
    }
}

/// A list of numbers.
///
/// # Panics
/// If a file is not what it should be.
#[must_use]
pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    let values = value.as_array().expect("a list").iter();
    values.map(|v| v.as_f64().expect("a number")).collect()
}

/// ResNet-20 with its trained weights, and the reference images.
///
/// # Panics
/// If a file is not what it should be.
#[must_use]
pub fn resnet20() -> Option<(Source, Reference)> {
    let folder = models()?;
    let weights = folder.join("weights/resnet20_cifar10/resnet20_cifar10.safetensors");
    let dict = StateDict::load(&weights).expect("the weights load");
    let source = backbone("resnet20", dict).expect("the weights are of a ResNet-20");
    Some((source, reference(&folder, "resnet20_cifar10")))
}

/// Input values of the reference images.
///
/// # Panics
/// If a file is not what it should be.
#[must_use]
pub fn samples(source: &Source, reference: &Reference) -> Vec<Vec<f32>> {
    let values = |pixels: &Vec<u8>| source.preprocessing.values(pixels).expect("the right size");
    reference.pixels.iter().map(values).collect()
}

/// A network imported as the program does it: quantised, and every layer by the algorithm that takes
/// the fewest bytes.
///
/// # Panics
/// If it cannot be imported.
#[must_use]
pub fn imported(
    source: &Source,
    samples: &[Vec<f32>],
    options: &ImportOptions,
) -> (Model, ImportReport) {
    let (model, report) = quantise(source, samples, options).expect("it imports");
    let (algorithms, cpu) = (Algorithms::default(), CpuModel::default());
    let price = default_extension().price();
    let chosen = choose_algorithms(&model, &algorithms, price, &cpu).expect("it chooses");
    (chosen.0, report)
}

/// The place of the largest value.
///
/// # Panics
/// If a file is not what it should be.
#[must_use]
pub fn top(values: &[f64]) -> usize {
    (0..values.len())
        .max_by(|&a, &b| values[a].total_cmp(&values[b]))
        .expect("values")
}
