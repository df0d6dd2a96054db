//! `blindray import`.

use std::io::Write;
use std::path::{Path, PathBuf};

use backbones::{BACKBONES, backbone};
use import::{ImportOptions, ImportReport, Imported, WeightBits, imported};
use nets::{Crops, Head, Model, Part, Preprocessing, PublicModel, Source, StateDict};
use sealed::Key;
use serde::Serialize;

use crate::args::ImportArgs;
use crate::commands::judged::{Plan, Price, judge, legible, lines, readable};
use crate::failure::{Failure, Outcome};
use crate::file::{self, Drafts, Outputs};
use crate::identity::quoted;
use crate::inputs;
use crate::model::sealed_file::Sealed;
use crate::model::{self, problem};
use crate::near;
use crate::text::{Side, Table, counted, put};
use crate::ui::Ui;

/// Makes a model file and reports what quantisation did to it.
pub(crate) fn import(args: &ImportArgs, ui: Ui) -> Outcome<()> {
    let key = key(args)?;
    let public = public_part(args)?;
    let outputs = outputs(args, &public)?;
    let files = inputs::folder(&args.calibrate, args.images as usize, ui)?;
    for file in &files {
        outputs.spare("--calibrate", file)?;
    }
    images::check_all(&files)?;
    let speed = args.speed.speed()?;
    let mut source = match (&args.onnx, &args.arch, &args.weights) {
        (Some(file), ..) => from_onnx(file, args, ui)?,
        (None, Some(arch), Some(weights)) => from_state_dict(arch, weights)?,
        // The parser asks for one or the other.
        _ => return Err(Failure::input("give --onnx, or --arch and --weights")),
    };
    relabel(&mut source, &args.labels)?;
    source.preprocessing = with_geometry(args, source.preprocessing)?;
    let samples = samples(args, &files, &source.preprocessing, ui)?;
    let options = ImportOptions {
        name: file::stem(&args.out, ".bray"),
        activation_bits: args.activation_bits,
        weight_bits: match args.weight_bits {
            Some(bits) => WeightBits::Fixed(bits),
            None => WeightBits::Auto {
                accuracy: args.accuracy,
            },
        },
        ranges: args.ranges.into(),
        margin: args.margin,
        ..ImportOptions::default()
    };
    let bar = ui.steps();
    let imported = imported(source, &samples, &options, &mut |progress| {
        bar.reach(progress.done, progress.steps);
    });
    drop(bar);
    drop(samples);
    let Imported {
        mut model,
        mut report,
        unrounded,
        ..
    } = imported.map_err(|e| match e {
        import::Error::Nets(error) => Failure::input(problem(&error)),
        error => Failure::input(error),
    })?;
    for warning in &report.warnings {
        ui.note(&format!("WARNING: {warning}"));
    }
    judge(&report, &mut model.public, args.accept_accuracy_loss)?;
    let algorithms = args.algorithms.on(speed.wire.network);
    let plan = Plan {
        algorithms: &algorithms,
        speed: &speed,
    };
    let chosen = plan.choose(&model)?;
    drop(model);
    let bytes = plan.bytes(&chosen)?;
    for (layer, choice) in report.layers.iter_mut().zip(&chosen.layers) {
        layer.algorithm = choice.chosen.to_string();
    }
    // What is written needs no memory while other ranges are tried, and what they were tried with needs none while the
    // files are read again.
    let drafts = drafts(&outputs, chosen.model, key.as_ref())?;
    let prices = plan.prices(&unrounded, &options, bytes)?;
    drop(unrounded);
    readable(&drafts, key)?;
    drafts.put()?;
    if ui.is_json() {
        let prices = &prices;
        ui.json_line(&Priced {
            report: &report,
            prices,
        })
    } else {
        ui.text(&table(&report, &prices, &args.out, &public))
    }
}

/// Writes a model, sealed if there is a key, and its public part.
fn drafts<'a>(outputs: &'a Outputs, model: Model, key: Option<&Key>) -> Outcome<Drafts<'a>> {
    if !outputs.are_files() {
        legible(&model)?;
    }
    let json = model.public.to_json();
    let public = |out: &mut dyn Write| out.write_all(&json);
    match key {
        None => outputs.drafts(&[&|out| model.write(out), &public]),
        Some(key) => {
            let sealed = Sealed::new(key, model)?;
            outputs.drafts(&[&|out| sealed.write(out), &public])
        }
    }
}

/// The key that seals the model, if it is to be sealed.
fn key(args: &ImportArgs) -> Outcome<Option<Key>> {
    match (args.seal, args.key.is_given()) {
        (true, _) => args.key.needed().map(Some),
        (false, true) => Err(Failure::input("a key is given: say --seal too")),
        (false, false) => Ok(None),
    }
}

/// Gives the outputs the names of the options, if there are some.
fn relabel(source: &mut Source, labels: &[String]) -> Outcome<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let (given, outputs) = (labels.len(), source.float.graph.output().len());
    if given != outputs {
        return Err(Failure::input(format!(
            "--labels needs a name for each output of the network: {outputs}, and {given} are given"
        )));
    }
    if let Some(label) = labels.iter().find(|label| !PublicModel::is_shown(label)) {
        return Err(Failure::input(format!(
            "--labels: `{label}` is too long or unprintable"
        )));
    }
    source.labels = labels.to_vec();
    Ok(())
}

/// The report of an import, and what other ranges would cost.
#[derive(Serialize)]
struct Priced<'a> {
    #[serde(flatten)]
    report: &'a ImportReport,
    prices: &'a [Price],
}

/// Where the public part goes: unless said otherwise, beside the model file, under its name.
fn public_part(args: &ImportArgs) -> Outcome<PathBuf> {
    match &args.public {
        Some(public) => Ok(public.clone()),
        None if args.out.exists() && !args.out.is_file() => Err(Failure::input(format!(
            "{} is no regular file: say with --public where the public part is to go",
            args.out.display()
        ))),
        None => Ok(model::public_beside(&args.out)),
    }
}

/// Refuses, before the long work, places where its result could not be written.
fn outputs(args: &ImportArgs, public: &Path) -> Outcome<Outputs> {
    let inputs = [
        ("--onnx", &args.onnx),
        ("--weights", &args.weights),
        ("--constants", &args.speed.constants),
    ];
    let given = inputs
        .iter()
        .filter_map(|&(option, file)| Some((option, file.as_deref()?)));
    let given: Vec<_> = given.collect();
    Outputs::find(&[("--out", &args.out), ("--public", public)], &given)
}

/// Inputs from the calibration images: of each image one view, and all views take their turn.
fn samples(
    args: &ImportArgs,
    files: &[PathBuf],
    preprocessing: &Preprocessing,
    ui: Ui,
) -> Outcome<Vec<Vec<f32>>> {
    ui.note(&format!("calibrating on {}", counted(files.len(), "image")));
    let views = preprocessing.views();
    let sample = |(i, file): (usize, &PathBuf)| {
        let image = inputs::open(file, args.frame, ui)?;
        let pixels = preprocessing.pixels(&image.picture, i % views);
        preprocessing.values(&pixels).map_err(Failure::input)
    };
    files.iter().enumerate().map(sample).collect()
}

/// The preprocessing with the sides and crops of the options.
fn with_geometry(args: &ImportArgs, preprocessing: Preprocessing) -> Outcome<Preprocessing> {
    let with = Preprocessing {
        geometry: args.geometry(),
        ..preprocessing
    };
    if with.geometry.crops == Crops::Ten && with.geometry.resize.is_none() {
        return Err(Failure::input("--crop ten needs --resize"));
    }
    with.check()
        .map_err(|e| Failure::input(format!("--resize: {}", problem(&e))))?;
    Ok(with)
}

/// A known network with its weights.
fn from_state_dict(arch: &str, file: &Path) -> Outcome<Source> {
    let weights = StateDict::load(file).map_err(Failure::input)?;
    let told = weights.metadata.get("arch").cloned();
    backbone(arch, weights).map_err(|error| match (&error, told) {
        (backbones::Error::UnknownNetwork { .. }, _) => Failure::input(format!(
            "{error}; and each of them with X-operators, such as resnet20-x{}",
            near::asked(
                arch.strip_suffix("-x").unwrap_or(arch),
                BACKBONES.iter().copied()
            )
        )),
        (_, Some(told)) if told != arch => {
            let told: String = told.escape_debug().take(64).collect();
            Failure::input(format!(
                "{}: {error}; the file says that it is for --arch {told}",
                file.display()
            ))
        }
        _ => Failure::input(format!("{}: {error}", file.display())),
    })
}

/// The several outputs of a network, and names of their values: the output's, or that and a number.
fn parts(outputs: &[onnx::Output], args: &ImportArgs) -> Outcome<(Vec<Part>, Option<Vec<String>>)> {
    if outputs.len() < 2 {
        return Ok((Vec::new(), None));
    }
    let one = |output: &&onnx::Output| output.len == 1 && output.head == Some(Head::Softmax);
    if let Some(output) = outputs.iter().find(one) {
        return Err(Failure::input(format!(
            "output `{}` is a softmax over one value, which is always 1",
            output.name
        )));
    }
    let part = |output: &onnx::Output| Part {
        name: output.name.clone(),
        outputs: output.len,
        head: output
            .head
            .unwrap_or(match args.multi_label || output.len == 1 {
                true => Head::Sigmoid,
                false => Head::Softmax,
            }),
    };
    let names = outputs.iter().flat_map(|output| {
        let name = |i: usize| match output.len {
            1 => output.name.clone(),
            _ => format!("{}/{i}", output.name),
        };
        (0..output.len).map(name)
    });
    Ok((outputs.iter().map(part).collect(), Some(names.collect())))
}

/// A mean or deviation above this is none of values between 0 and 1.
const LEVELS: f64 = 2.0;

/// A network with the preprocessing and labels that an ONNX file does not carry.
fn from_onnx(file: &Path, args: &ImportArgs, ui: Ui) -> Outcome<Source> {
    let network = onnx::load(file).map_err(Failure::input)?;
    for note in &network.notes {
        ui.note(note);
    }
    let head = network.head();
    let (parts, names) = parts(&network.outputs, args)?;
    let graph = &network.model.graph;
    let (shape, outputs) = (*graph.input(), graph.output().len());
    let channels = shape.channels;
    if !matches!(channels, 1 | 3) {
        return Err(Failure::input(format!(
            "the network takes inputs of {shape} (channels, rows, columns), and expected are images of 1 or 3 channels with rows and columns of a fixed size"
        )));
    }
    let per_channel = |option: &str, given: &[f64], default: f64| match given.len() {
        0 => Ok(vec![default; channels]),
        count if count == channels => Ok(given.to_vec()),
        count => Err(Failure::input(format!(
            "{option} needs a number for each channel of the network: {channels}, and {count} are given"
        ))),
    };
    let mean = per_channel("--mean", &args.mean, 0.0)?;
    let std = per_channel("--std", &args.std, 1.0)?;
    for (option, given) in [("--mean", &mean), ("--std", &std)] {
        if let Some(level) = given.iter().find(|&&v| v > LEVELS) {
            return Err(Failure::input(format!(
                "{option} is in parts of 1, since pixels are divided by 255 before: {level} looks like a level of 0 to 255, for which {:.4} would be right",
                level / 255.0
            )));
        }
    }
    let preprocessing = Preprocessing::new(shape, mean, std);
    Ok(Source {
        arch: file::stem(file, ".onnx"),
        float: network.model,
        preprocessing,
        labels: names.unwrap_or_else(|| (0..outputs).map(|i| i.to_string()).collect()),
        head: head.unwrap_or(match args.multi_label || outputs == 1 {
            // A single output is yes or no.
            true => Head::Sigmoid,
            false => Head::Softmax,
        }),
        parts,
    })
}

fn table(report: &ImportReport, prices: &[Price], out: &Path, public: &Path) -> String {
    let mut layers = Table::new([
        ("layer", Side::Left),
        ("weights", Side::Right),
        ("ring", Side::Right),
        ("proved", Side::Right),
        ("calibrated", Side::Right),
        ("output", Side::Right),
        ("algorithm", Side::Left),
    ]);
    for layer in &report.layers {
        layers.row([
            layer.name.clone(),
            layer.weight_bits.to_string(),
            layer.ring_bits.to_string(),
            layer.proved_bits.to_string(),
            layer.calibrated_bits.to_string(),
            layer.output_bits.to_string(),
            layer.algorithm.clone(),
        ]);
    }
    let mut text = layers.to_string() + &tried(report);
    if let Some(moved) = report.own_scales {
        let kept = format_args!(
            "The network's own scales are kept. On no image do factors between them move a value that is not clipped by more than {moved:.5} of a step."
        );
        put(&mut text, kept);
    }
    put(
        &mut text,
        format_args!(
            "The float and the integer network have the same top finding on {} of {}. The largest difference of a probability is {:.5}, of a logit {:.5} (mean {:.5}). Values that wrapped: {}.",
            report.same_top,
            counted(report.images, "image"),
            report.max_probability_difference,
            report.max_logit_difference,
            report.mean_logit_difference,
            report.wrapped
        ),
    );
    for fault in &report.faults {
        put(&mut text, format_args!("Accepted: {fault}."));
    }
    text += &lines(prices);
    put(
        &mut text,
        format_args!(
            "The model is in {}, its public part, for clients, in {}. To offer it, and to ask for no other one:",
            out.display(),
            public.display()
        ),
    );
    let [out, public] = [out, public].map(|path| quoted(&path.to_string_lossy()));
    put(&mut text, format_args!("  blindray serve --model {out}"));
    put(
        &mut text,
        format_args!("  blindray infer --connect localhost:7700 --public {public} --input FILE"),
    );
    text
}

/// The widths of weights that were tried.
fn tried(report: &ImportReport) -> String {
    let Some(first) = report.tried.first() else {
        return String::new();
    };
    let seen = match report.held_out {
        0 => "which the rounding of the weights has seen",
        _ => "which the rounding of the weights has not seen",
    };
    let mut table = Table::new([
        ("weight bits", Side::Right),
        ("activation bits", Side::Right),
        ("same top finding", Side::Right),
        ("largest difference of a probability", Side::Right),
        ("mean", Side::Right),
        ("where undecided", Side::Right),
    ]);
    for tried in &report.tried {
        table.row([
            tried.weight_bits.to_string(),
            tried.activation_bits.to_string(),
            tried.same_top.to_string(),
            format!("{:.5}", tried.max_probability_difference),
            format!("{:.5}", tried.mean_probability_difference),
            format!("{:.5}", tried.undecided_difference),
        ]);
    }
    format!(
        "\nWeights have {} bits, or up to 4 more where every channel has weights of its own, and activations at most {}. These widths were tried on {}, {seen}:\n{table}\n",
        report.weight_bits,
        report.activation_bits,
        counted(first.images, "image")
    )
}
