//! The integer networks that `import` makes against their float networks, on images that did not
//! calibrate them.

use std::path::{Path, PathBuf};

use crate::support::{json, models};
use nets::{Model, Picture, Samples, run_integer_counting};
use serde_json::Value;

/// A trained network, and what the command line says of it.
struct Network {
    name: &'static str,
    /// The export, under `weights`.
    onnx: &'static str,
    mean: &'static str,
    std: &'static str,
    /// More arguments of `import`.
    more: &'static [&'static str],
    /// Archives of images, under `images`: others than those of the reference calibrate.
    archives: &'static [&'static str],
}

const NETWORKS: [Network; 4] = [
    Network {
        name: "resnet20_cifar10",
        onnx: "resnet20_cifar10.onnx",
        mean: "0.485,0.456,0.406",
        std: "0.229,0.224,0.225",
        more: &[],
        archives: &["cifar10_test_jpg.tar"],
    },
    Network {
        name: "densenet_bc100_k12_cifar10",
        onnx: "densenet_bc100_k12_cifar10.onnx",
        mean: "0.4914,0.4822,0.4465",
        std: "0.2023,0.1994,0.201",
        more: &[],
        archives: &["cifar10_test_jpg.tar"],
    },
    Network {
        name: "tm_mobilenetv2_035_cxr3",
        onnx: "tm_mobilenetv2_035_cxr3.onnx",
        mean: "0.5,0.5,0.5",
        std: "0.5,0.5,0.5",
        more: &[],
        archives: &["kermany_224/train.tar", "kermany_224/test.tar"],
    },
    Network {
        name: "mobilenetv3s_nih15",
        onnx: "mobilenetv3s_nih15_float.onnx",
        mean: "0.485",
        std: "0.229",
        // Its findings exclude each other; as findings of their own they ask for more.
        more: &["--multi-label"],
        archives: &["kermany_224/train.tar", "kermany_224/test.tar"],
    },
];

/// Images that calibrate in CI.
const CALIBRATE: usize = 32;

/// Images for one network: some to calibrate with, and others.
struct Images {
    calibrate: tempfile::TempDir,
    others: Vec<PathBuf>,
    _unpacked: tempfile::TempDir,
}

impl Images {
    /// Every other image that is not in the reference calibrates, up to `most`; up to `others` are
    /// left.
    fn new(folder: &Path, network: &Network, most: usize, others: usize) -> Self {
        let unpacked = tempfile::tempdir().expect("a folder");
        for archive in network.archives {
            let status = std::process::Command::new("tar")
                .arg("-xf")
                .arg(folder.join("images").join(archive))
                .arg("-C")
                .arg(unpacked.path())
                .status();
            assert!(status.expect("tar runs").success());
        }
        let reference = reference(folder, network);
        let rows = reference["rows"].as_array().expect("rows");
        let known = rows.iter().filter_map(|r| r["image"].as_str());
        let mut files = files(unpacked.path());
        let names = known.map(|name| name.trim_start_matches("images/kermany_224/").to_owned());
        let names: Vec<String> = names.collect();
        files.retain(|f| !names.iter().any(|name| f.to_string_lossy().ends_with(name)));
        let spread = |files: &[PathBuf], n: usize| -> Vec<PathBuf> {
            let n = n.min(files.len());
            (0..n).map(|i| files[i * files.len() / n].clone()).collect()
        };
        let parted =
            |k: usize| -> Vec<PathBuf> { files.iter().skip(k).step_by(2).cloned().collect() };
        let calibrate = tempfile::tempdir().expect("a folder");
        for (i, file) in spread(&parted(0), most).iter().enumerate() {
            let extension = file.extension().expect("one").to_string_lossy();
            let to = calibrate.path().join(format!("{i:05}.{extension}"));
            std::fs::copy(file, to).expect("it copies");
        }
        Self {
            calibrate,
            others: spread(&parted(1), others),
            _unpacked: unpacked,
        }
    }
}

/// Every image under a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut found = Vec::new();
    for path in entries.map(|e| e.expect("an entry").path()) {
        match path.extension() {
            _ if path.is_dir() => found.extend(files(&path)),
            Some(e) if e == "jpg" || e == "jpeg" => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

fn reference(folder: &Path, network: &Network) -> Value {
    let file = folder.join(format!("reference/{}.json", network.name));
    serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON")
}

/// The exact pixels of the reference images, as inputs.
fn reference_inputs(folder: &Path, network: &Network, model: &Model) -> Vec<Vec<f32>> {
    let file = folder.join(format!("reference/{}.u8.npy", network.name));
    let npy = std::fs::read(file).expect("an npy file");
    let pixels = &npy[10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]))..];
    let preprocessing = &model.public.preprocessing;
    let channels = preprocessing.shape.channels;
    let planar = |image: &[u8]| -> Vec<u8> {
        (0..channels)
            .flat_map(|c| image.iter().skip(c).step_by(channels).copied())
            .collect()
    };
    let images = pixels.chunks_exact(preprocessing.shape.len());
    images
        .map(|i| preprocessing.values(&planar(i)).expect("its size"))
        .collect()
}

fn input(file: &Path, model: &Model) -> Vec<f32> {
    let decoded = image::open(file).expect("an image").into_rgb8();
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let picture = Picture::new(width, height, 3, Samples::Eight(decoded.into_raw()));
    let preprocessing = &model.public.preprocessing;
    let pixels = preprocessing.pixels(&picture.expect("it has pixels"), 0);
    preprocessing.values(&pixels).expect("its size")
}

/// Runs `import` with more arguments; returns its report, and the model.
fn import(folder: &Path, network: &Network, images: &Images, more: &[&str]) -> (Value, Model) {
    let out = tempfile::tempdir().expect("a folder");
    let out = out.path().join("network.bray");
    let onnx = folder.join("weights").join(network.name).join(network.onnx);
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (onnx, calibrate, file) = (text(&onnx), text(images.calibrate.path()), text(&out));
    let mut args = vec![
        "import",
        "--json",
        "--onnx",
        &onnx,
        "--calibrate",
        &calibrate,
    ];
    args.extend(["--mean", network.mean, "--std", network.std, "--out", &file]);
    args.extend(["--images", "100000"]);
    args.extend(network.more.iter().chain(more));
    let mut reports = json(&args);
    (reports.remove(0), Model::load(&out).expect("it loads"))
}

/// What the integer network does on some images.
#[derive(Debug)]
struct Found {
    images: usize,
    same: usize,
    probability: f64,
    logit: f64,
}

fn compare(model: &Model, inputs: &[Vec<f32>]) -> Found {
    let mut found = Found {
        images: inputs.len(),
        same: 0,
        probability: 0.0,
        logit: 0.0,
    };
    let largest = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max)
    };
    let top = |l: &[f64]| (0..l.len()).max_by(|&a, &b| l[a].total_cmp(&l[b]));
    for input in inputs {
        let float = model.run_float(input).expect("it runs");
        let float: Vec<f64> = float.into_iter().map(f64::from).collect();
        let raw = model
            .public
            .encode(input)
            .and_then(|x| model.run_integer(&x));
        let integer = model.public.logits(&raw.expect("it runs"));
        found.same += usize::from(top(&float) == top(&integer));
        found.logit = largest(&float, &integer).max(found.logit);
        let [p, q] = [&float, &integer].map(|l| model.public.probabilities(l));
        found.probability = largest(&p, &q).max(found.probability);
    }
    found
}

/// Default settings, on every reference image: the same top finding, probabilities within 0.02.
#[test]
fn default_import_agrees_with_float() {
    let Some(folder) = models() else { return };
    for network in &NETWORKS {
        let images = Images::new(&folder, network, CALIBRATE, 0);
        let (report, model) = import(&folder, network, &images, &[]);
        let found = compare(&model, &reference_inputs(&folder, network, &model));
        eprintln!(
            "{}: {} and {} bits, {found:?}",
            network.name, report["weight_bits"], report["activation_bits"]
        );
        assert_eq!(
            (found.same, &report["wrapped"]),
            (found.images, &Value::from(0))
        );
        assert!(
            found.probability <= 0.02,
            "{}: {}",
            network.name,
            report["tried"]
        );
    }
}

/// On which images the top finding of the integer network is another, and how far a probability is off at most.
fn flips(model: &Model, inputs: &[Vec<f32>]) -> (Vec<usize>, f64, usize) {
    let (mut flipped, mut worst, mut wrapped) = (Vec::new(), 0.0_f64, 0);
    let top = |l: &[f64]| (0..l.len()).max_by(|&a, &b| l[a].total_cmp(&l[b]));
    for (i, input) in inputs.iter().enumerate() {
        let float = model.run_float(input).expect("it runs");
        let float: Vec<f64> = float.into_iter().map(f64::from).collect();
        let encoded = model.public.encode(input).expect("its size");
        let counted = run_integer_counting(&model.public.graph, &model.weights, &encoded);
        let (raw, counts) = counted.expect("it runs");
        let integer = model.public.logits(&raw);
        flipped.extend((top(&float) != top(&integer)).then_some(i));
        wrapped += counts.wrapped;
        let [p, q] = [&float, &integer].map(|l| model.public.probabilities(l));
        let differences = p.iter().zip(&q).map(|(a, b)| (a - b).abs());
        worst = differences.fold(worst, f64::max);
    }
    (flipped, worst, wrapped)
}

/// X-ray networks calibrated on few images and on many, asked about others: few flip no image that many do not.
#[test]
#[ignore = "minutes: cargo test --release -p blindray --test program few_images -- --ignored --nocapture"]
fn few_images_do_as_well_as_many() {
    let Some(folder) = models() else { return };
    for network in &NETWORKS[2..] {
        let exclusive = Network {
            name: network.name,
            onnx: network.onnx,
            mean: network.mean,
            std: network.std,
            more: &[],
            archives: network.archives,
        };
        let mut of_many = Vec::new();
        for images in [32, 12, 3] {
            let images = Images::new(&folder, &exclusive, images, 300);
            let (report, model) = import(&folder, &exclusive, &images, &[]);
            let inputs: Vec<_> = images.others.iter().map(|f| input(f, &model)).collect();
            let (flipped, worst, wrapped) = flips(&model, &inputs);
            eprintln!(
                "{} on {} images: {} of 300 flip, probability {worst:.5}, {wrapped} values wrap; {}",
                network.name,
                report["images"],
                flipped.len(),
                report["prices"]
            );
            if report["images"] == 32 {
                of_many.clone_from(&flipped);
            }
            assert!(flipped.iter().all(|image| of_many.contains(image)));
            assert_eq!(wrapped, 0);
        }
    }
}

/// The table "Weight widths" of BENCHMARKS.md.
#[test]
#[ignore = "minutes: cargo test --release -p blindray --test program accuracy -- --ignored --nocapture"]
fn weight_widths() {
    let Some(folder) = models() else { return };
    for network in &NETWORKS {
        let images = Images::new(&folder, network, 64, 250);
        for bits in ["8", "10", "12", "auto"] {
            let (report, model) = import(&folder, network, &images, &["--weight-bits", bits]);
            let inputs: Vec<_> = images.others.iter().map(|f| input(f, &model)).collect();
            let all = [reference_inputs(&folder, network, &model), inputs];
            for (found, what) in all
                .map(|i| compare(&model, &i))
                .iter()
                .zip(["reference", "others"])
            {
                eprintln!(
                    "{} {bits} ({}): {what} {} of {}, probability {:.5}, logit {:.5}",
                    network.name,
                    report["weight_bits"],
                    found.same,
                    found.images,
                    found.probability,
                    found.logit
                );
                assert!(bits != "auto" || found.same * 100 >= found.images * 99);
            }
            for tried in report["tried"].as_array().expect("a list") {
                eprintln!("    {tried}");
            }
        }
    }
}
