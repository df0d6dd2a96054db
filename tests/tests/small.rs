//! Small networks as users write them, one for each operator, from both exporters of PyTorch (training/small.py): read, imported
//! and run by both parties.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use import::ImportOptions;
use nets::{Head, Model, Preprocessing, Source};
use secure::Mode;
use serde_json::Value;
use tests::networks::{parties, trained};
use tests::{WORKSPACE, text};

/// Networks that are refused, with words of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("norm_group", "it needs the variance of every image"),
    ("norm_instance", "it needs the variance of every image"),
    ("softsign", "by a computed tensor"),
];

/// Of a float output, relative to the largest logit of the images.
const FLOAT: f64 = 1e-4;
/// Of the half floats that a file computes in, and Blindray does not.
const HALF: f64 = 2e-3;
/// Of an output in integers, relative to the largest logit of the images, with the options that `import` has by default.
const INTEGERS: f64 = 0.03;

fn folder() -> PathBuf {
    Path::new(WORKSPACE).join("tests/data/small")
}

/// The images, as values of the networks' inputs.
fn images(preprocessing: &Preprocessing) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(folder().join("images.u8")).expect("the images");
    let images = bytes.chunks_exact(preprocessing.shape.len());
    images
        .map(|pixels| preprocessing.values(pixels).expect("the right size"))
        .collect()
}

struct Small {
    /// As the file is called, NAME.EXPORTER.
    name: String,
    reference: Value,
}

impl Small {
    /// Those of an exporter.
    fn all(exporter: &str) -> Vec<Self> {
        let json = text("tests/data/small/reference.json");
        let Value::Object(references) = serde_json::from_str(&json).expect("JSON") else {
            panic!("the reference is an object");
        };
        let all = references.into_iter();
        let all = all.map(|(name, reference)| Self { name, reference });
        all.filter(|small| small.name.ends_with(exporter)).collect()
    }

    fn network(&self) -> &str {
        let (network, _) = self.name.split_once('.').expect("NAME.EXPORTER");
        network
    }

    fn read(&self) -> Result<Source, String> {
        let file = folder().join(format!("{}.onnx", self.name));
        let network = onnx::load(&file).map_err(|e| e.to_string())?;
        let graph = &network.model.graph;
        let (shape, outputs) = (*graph.input(), graph.output().len());
        let expected = self.reference["head"].as_str();
        let head = network.head().map(|head| match head {
            Head::Softmax => "softmax",
            Head::Sigmoid => "sigmoid",
            _ => "another",
        });
        assert_eq!(head, expected, "{}: the head", self.name);
        Ok(Source {
            arch: self.name.clone(),
            preprocessing: Preprocessing::new(shape, vec![0.5; 3], vec![0.25; 3]),
            labels: (0..outputs).map(|i| i.to_string()).collect(),
            head: network.head().unwrap_or(Head::Softmax),
            float: network.model,
            parts: Vec::new(),
        })
    }

    fn logits(&self) -> Vec<Vec<f64>> {
        let rows = self.reference["logits"].as_array().expect("a list");
        rows.iter().map(trained::numbers).collect()
    }
}

/// The largest difference, relative to the largest value expected.
fn distance(found: &[f64], expected: &[f64], largest: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

fn floats(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Reads, imports and runs a network. What is wrong is said, not panicked, so that one test tells of all networks.
fn check(small: &Small) -> Result<(), String> {
    let source = small.read()?;
    let samples = images(&source.preprocessing);
    let expected = small.logits();
    let largest = expected
        .iter()
        .flatten()
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    let near = if small.network() == "half" {
        HALF
    } else {
        FLOAT
    };
    for (sample, logits) in samples.iter().zip(&expected) {
        let found = floats(&source.float.run(sample).map_err(|e| e.to_string())?);
        let distance = distance(&found, logits, largest);
        if distance.is_nan() || distance > near {
            return Err(format!("float: off by {distance:.1e}"));
        }
    }
    let (model, report) = quantised(&source, &samples)?;
    if report.wrapped > 0 {
        return Err(format!("{} values wrap", report.wrapped));
    }
    for (sample, logits) in samples.iter().zip(&expected) {
        let input = model.public.encode(sample).map_err(|e| e.to_string())?;
        let integers = model.run_integer(&input).map_err(|e| e.to_string())?;
        let distance = distance(&model.public.logits(&integers), logits, largest);
        if distance.is_nan() || distance > INTEGERS {
            return Err(format!("integers: off by {distance:.4}"));
        }
    }
    let input = model
        .public
        .encode(&samples[1])
        .map_err(|e| e.to_string())?;
    let integers = model.run_integer(&input).map_err(|e| e.to_string())?;
    // It compares measured and planned cost, layer by layer.
    let found = parties::run(
        &model.public.graph,
        &model.weights,
        &input,
        Mode::Faithful,
        3,
    );
    if found.output != integers {
        return Err("the secure run is not the integers'".into());
    }
    Ok(())
}

fn quantised(
    source: &Source,
    samples: &[Vec<f32>],
) -> Result<(Model, import::ImportReport), String> {
    import::quantise(source, samples, &ImportOptions::default()).map_err(|e| e.to_string())
}

/// Checks all networks of an exporter, and that those which are not read are known.
fn check_all(exporter: &str) {
    let all = Small::all(exporter);
    assert!(all.len() > 90, "{}", all.len());
    let mut wrong = String::new();
    for small in &all {
        let outcome = check(small);
        let name = small.network();
        let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
        let problem = match (outcome, refused) {
            (Ok(()), None) => continue,
            (Ok(()), Some(_)) => "it is not refused".into(),
            (Err(cause), Some((_, words))) if cause.contains(words) => continue,
            (Err(cause), _) => cause,
        };
        writeln!(wrong, "{}: {problem}", small.name).expect("text");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn networks_of_the_legacy_exporter() {
    check_all("legacy");
}

#[test]
fn networks_of_the_new_exporter() {
    check_all("dynamo");
}

#[test]
fn every_network_is_known_by_both() {
    let names = |exporter: &str| -> BTreeSet<String> {
        let all = Small::all(exporter);
        all.iter().map(|small| small.network().to_owned()).collect()
    };
    assert_eq!(names("legacy"), names("dynamo"));
    for (name, _) in REFUSED {
        assert!(names("legacy").contains(*name), "{name}");
    }
}
