//! `blindray import`.

use std::path::{Path, PathBuf};

use nets::{
    Algorithms, Crops, Geometry, Head, ImportOptions, ImportReport, Preprocessing, Source,
    StateDict, WeightBits, backbone, import as quantise,
};

use crate::args::{Crop, Filter, ImportArgs};
use crate::estimate::Speed;
use crate::failure::{Failure, Outcome};
use crate::images::Picture;
use crate::ui::Ui;

/// Makes a model file and reports what quantisation did to it.
pub(crate) fn import(args: &ImportArgs, ui: Ui) -> Outcome<()> {
    let mut source = match (&args.onnx, &args.arch, &args.weights) {
        (Some(file), ..) => from_onnx(file, args)?,
        (None, Some(arch), Some(weights)) => {
            let weights = StateDict::load(weights).map_err(Failure::input)?;
            backbone(arch, weights).map_err(Failure::input)?
        }
        // The parser asks for one or the other.
        _ => return Err(Failure::input("give --onnx, or --arch and --weights")),
    };
    if !args.labels.is_empty() {
        source.labels.clone_from(&args.labels);
    }
    source.preprocessing.geometry = geometry(args, &source.preprocessing)?;
    let files = image_files(&args.calibrate, args.images)?;
    ui.note(&format!("calibrating on {} images", files.len()));
    let views = source.preprocessing.views();
    let samples = files
        .iter()
        .enumerate()
        .map(|(i, file)| {
            // One view of each image: all of them take their turn.
            let picture = Picture::open(file)?;
            let pixels = source.preprocessing.pixels(picture.pixels(), i % views);
            source.preprocessing.values(&pixels).map_err(Failure::input)
        })
        .collect::<Outcome<Vec<_>>>()?;
    let speed = Speed::of(&args.speed)?;
    let options = ImportOptions {
        name: model_name(&args.out),
        activation_bits: args.activation_bits,
        weight_bits: match args.weight_bits {
            Some(bits) => WeightBits::Fixed(bits),
            None => WeightBits::Auto {
                accuracy: args.accuracy,
            },
        },
        algorithms: Algorithms::Auto(args.objective.on(speed.link.network)),
        constants: speed.constants,
        ..ImportOptions::default()
    };
    let (model, report) = quantise(&source, &samples, &options).map_err(Failure::input)?;
    let public = args.public.clone();
    let public = public.unwrap_or_else(|| args.out.with_extension("public.json"));
    model.save(&args.out).map_err(Failure::run)?;
    std::fs::write(&public, model.public.to_json())
        .map_err(|e| Failure::run(format!("cannot write {}: {e}", public.display())))?;
    if ui.is_json() {
        ui.json_line(&report)
    } else {
        ui.text(&table(&report, &args.out, &public))
    }
}

/// How images get the input's sides, as the options say.
fn geometry(args: &ImportArgs, preprocessing: &Preprocessing) -> Outcome<Geometry> {
    let geometry = Geometry {
        filter: match args.filter {
            Filter::Bilinear => nets::Filter::Bilinear,
            Filter::Bicubic => nets::Filter::Bicubic,
            Filter::Lanczos => nets::Filter::Lanczos,
        },
        resize: args.resize,
        crops: match args.crop {
            _ if args.ten_crop => Crops::Ten,
            Crop::Ten => Crops::Ten,
            Crop::Centre => Crops::Centre,
        },
    };
    let with = Preprocessing {
        geometry,
        ..preprocessing.clone()
    };
    with.check()
        .map_err(|e| Failure::input(format!("--resize, --crop: {e}")))?;
    Ok(geometry)
}

/// A network with the preprocessing and labels that an ONNX file does not carry.
fn from_onnx(file: &Path, args: &ImportArgs) -> Outcome<Source> {
    let network = onnx::load(file).map_err(Failure::input)?;
    let shapes = network.model.graph.shapes().map_err(Failure::input)?;
    let (Some(&shape), Some(output)) = (shapes.first(), shapes.last()) else {
        return Err(Failure::input("the network is empty"));
    };
    let per_channel = |given: &[f64], default: f64| match given {
        [] => vec![default; shape.channels],
        _ => given.to_vec(),
    };
    let preprocessing = Preprocessing::new(
        shape,
        per_channel(&args.mean, 0.0),
        per_channel(&args.std, 1.0),
    );
    preprocessing.check().map_err(|_| {
        Failure::input(format!(
            "--mean and --std need {} numbers each, deviations above zero, for {} channels of 1 or 3",
            shape.channels, shape.channels
        ))
    })?;
    Ok(Source {
        arch: model_name(file),
        float: network.model,
        preprocessing,
        labels: (0..output.len()).map(|i| i.to_string()).collect(),
        head: network.head.unwrap_or(if args.multi_label {
            Head::Sigmoid
        } else {
            Head::Softmax
        }),
    })
}

fn model_name(out: &Path) -> String {
    out.file_stem().map_or_else(
        || "model".into(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// Up to `most` image files under `folder`, evenly spread over their sorted names.
fn image_files(folder: &Path, most: usize) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let unreadable = |e| Failure::input(format!("cannot read folder {}: {e}", next.display()));
        for entry in std::fs::read_dir(&next).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_image(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::input(format!(
            "no PNG, JPEG or DICOM files under {}",
            folder.display()
        )));
    }
    let kept = most.clamp(1, files.len());
    Ok((0..kept)
        .map(|i| files[i * files.len() / kept].clone())
        .collect())
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|e| {
        ["png", "jpg", "jpeg", "dcm", "dicom"]
            .iter()
            .any(|known| e.eq_ignore_ascii_case(known))
    })
}

fn table(report: &ImportReport, out: &Path, public: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "{:<28} {:>7} {:>6} {:>7} {:>11} {:>7}  {}\n",
        "layer", "weights", "ring", "proved", "calibrated", "output", "algorithm"
    );
    for l in &report.layers {
        writeln!(
            text,
            "{:<28} {:>7} {:>6} {:>7} {:>11} {:>7}  {}",
            l.name,
            l.weight_bits,
            l.ring_bits,
            l.proved_bits,
            l.calibrated_bits,
            l.output_bits,
            l.algorithm
        )
        .expect("writing to a string cannot fail");
    }
    text += &tried(report);
    writeln!(
        text,
        "float against integer on {} images: same top finding on {}; largest difference of a probability {:.5}, of a logit {:.5} (mean {:.5}); values that wrapped: {}\nwrote {}, and its public part for clients {}",
        report.images,
        report.same_top,
        report.max_probability_difference,
        report.max_logit_difference,
        report.mean_logit_difference,
        report.wrapped,
        out.display(),
        public.display()
    )
    .expect("writing to a string cannot fail");
    text
}

/// The widths of weights that were tried.
fn tried(report: &ImportReport) -> String {
    use std::fmt::Write as _;
    let Some(first) = report.tried.first() else {
        return String::new();
    };
    let seen = match report.held_out {
        0 => "the weights were rounded with them",
        _ => "not used to round weights",
    };
    let mut text = format!(
        "weights of {} bits and activations of {}, of the widths tried on {} images ({seen}):\n",
        report.weight_bits, report.activation_bits, first.images
    );
    for t in &report.tried {
        writeln!(
            text,
            "{:>4} and {} bits: same top finding on {}, largest difference of a probability {:.5}, mean {:.5}, where undecided {:.5}",
            t.weight_bits,
            t.activation_bits,
            t.same_top,
            t.max_probability_difference,
            t.mean_probability_difference,
            t.undecided_difference
        )
        .expect("writing to a string cannot fail");
    }
    text
}
