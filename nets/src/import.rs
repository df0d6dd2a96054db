//! From trained float weights to a [`Model`]: fold, balance, calibrate, quantise, compare.

use serde::Serialize;

use crate::bounds::{bits_for, proved};
use crate::equalise::equalise;
use crate::lower::{Lowered, lower};
use crate::preact::{is_lowerable, lowerable};
use crate::preprocess::Preprocessing;
use crate::{
    Algorithms, Constants, Error, FloatModel, Head, IntOp, Model, PublicModel, calibrate, choose,
    fold, rounding, scales,
};

/// How widths are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Preset {
    /// Each tensor its own width.
    #[default]
    Mixed,
    /// One ring for everything, as in CrypTFlow2, truncations inside it.
    Uniform {
        /// Its width.
        bits: u32,
    },
}

/// The options of [`import`].
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct ImportOptions {
    /// What the model is called.
    pub name: String,
    /// Most bits of an activation.
    pub activation_bits: u32,
    /// Most fractional bits of an activation: tensors of small numbers get narrower widths.
    pub fraction_bits: u32,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Bits of an input value.
    pub input_bits: u32,
    /// Every width has room for this factor over the largest value seen in calibration.
    pub margin: f64,
    /// How widths are chosen.
    pub preset: Preset,
    /// How the algorithms of the layers are chosen, at the price of a correlated OT of
    /// [`sharing::Options::default`]; the integers do not depend on it.
    pub algorithms: Algorithms,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            name: "model".into(),
            activation_bits: 16,
            fraction_bits: 10,
            weight_bits: 10,
            input_bits: 14,
            margin: 2.0,
            preset: Preset::Mixed,
            algorithms: Algorithms::default(),
        }
    }
}

impl ImportOptions {
    fn check(&self) -> Result<(), Error> {
        let within = |option, bits: u32, low: u32, high: u32| {
            if (low..=high).contains(&bits) {
                return Ok(());
            }
            Err(Error::Option {
                option,
                problem: format!("{bits} is not in {low}..={high}"),
            })
        };
        within("activation_bits", self.activation_bits, 4, 32)?;
        within("fraction_bits", self.fraction_bits, 1, 32)?;
        within("weight_bits", self.weight_bits, 2, 24)?;
        within("input_bits", self.input_bits, 4, 32)?;
        if let Preset::Uniform { bits } = self.preset {
            within("preset", bits, self.activation_bits, 64)?;
        }
        if !(1.0..=1024.0).contains(&self.margin) {
            let problem = format!("{} is not in 1..=1024", self.margin);
            return Err(Error::Option {
                option: "margin",
                problem,
            });
        }
        Ok(())
    }
}

/// A float network with what travels beside it: the result of [`crate::backbone`].
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "other readers of networks build it"
)]
pub struct Source {
    /// The backbone's name.
    pub arch: String,
    /// The network.
    pub float: FloatModel,
    /// What happens to a picture before it.
    pub preprocessing: Preprocessing,
    /// The names of the outputs.
    pub labels: Vec<String>,
    /// How outputs become probabilities.
    pub head: Head,
}

/// Widths of one linear layer, proved beside calibrated.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct LayerWidths {
    /// The layer.
    pub name: String,
    /// Bits of its weights.
    pub weight_bits: u32,
    /// Scale of its weights.
    pub weight_scale: i32,
    /// Bits of the accumulator's ring.
    pub ring_bits: u32,
    /// Bits that hold its accumulator for every input whatever.
    pub proved_bits: u32,
    /// Bits that hold every accumulator seen in calibration, margin included.
    pub calibrated_bits: u32,
    /// Bits of its output after truncation.
    pub output_bits: u32,
    /// Scale of its output after truncation.
    pub output_scale: i32,
}

/// What [`import`] found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The linear layers.
    pub layers: Vec<LayerWidths>,
    /// The calibration images.
    pub images: usize,
    /// Images on which the float and the integer network name the same top output.
    pub same_top: usize,
    /// Largest difference of a logit between float and integer.
    pub max_logit_difference: f64,
    /// Mean difference of a logit.
    pub mean_logit_difference: f64,
    /// Largest difference of a probability.
    pub max_probability_difference: f64,
    /// The factor that every width leaves over the largest value seen.
    pub margin: f64,
    /// Values that wrapped in calibration; 0 in a sound import.
    pub wrapped: usize,
}

/// Folds, balances channels, calibrates on `samples` (input values of the float network), and
/// quantises. The same arguments give the same model, whatever the number of threads.
///
/// # Errors
/// [`Error::Unsupported`] naming every operator that cannot be lowered; [`Error::Option`];
/// [`Error::Width`] when no widths fit.
pub fn import(
    source: &Source,
    samples: &[Vec<f32>],
    options: &ImportOptions,
) -> Result<(Model, ImportReport), Error> {
    options.check()?;
    if samples.is_empty() {
        let problem = "at least one calibration image is needed".into();
        return Err(Error::Option {
            option: "calibrate",
            problem,
        });
    }
    let folded = fold(&source.float)?;
    let mut peaks = calibrate::peaks(&folded, samples)?;
    let rewritten = if is_lowerable(&folded.graph)? {
        None
    } else {
        let rewritten = lowerable(&folded, &peaks, options.margin)?;
        peaks = calibrate::peaks(&rewritten, samples)?;
        Some(rewritten)
    };
    let float = equalise(rewritten.as_ref().unwrap_or(&folded), &peaks)?;
    let ranges = calibrate::ranges(&float, samples)?;
    let bound = source.preprocessing.bound();
    let scales = scales::choose(&float, &ranges, bound, options)?;
    let moments = rounding::moments(&float, samples)?;
    let lowered = lower(&float, &scales, &moments, options)?;
    let mut report = ImportReport {
        layers: widths(&lowered, &ranges, bound, options),
        images: samples.len(),
        margin: options.margin,
        ..ImportReport::default()
    };
    let public = PublicModel {
        name: options.name.clone(),
        arch: source.arch.clone(),
        labels: source.labels.clone(),
        head: source.head,
        preprocessing: source.preprocessing.clone(),
        graph: lowered.graph,
    };
    public.check()?;
    let model = Model {
        public,
        weights: lowered.weights,
        // What was rewritten is the same only as far as values stay in range.
        float: if rewritten.is_some() { folded } else { float },
    };
    compare(&model, samples, &mut report)?;
    let price = sharing::Options::default().cot_price();
    let (model, _) = choose(&model, &options.algorithms, price, &Constants::default())?;
    Ok((model, report))
}

fn widths(
    lowered: &Lowered,
    ranges: &[f64],
    bound: f64,
    options: &ImportOptions,
) -> Vec<LayerWidths> {
    let graph = &lowered.graph;
    let bounds = proved(graph, &lowered.weights, bound);
    let widths = |(index, node): (usize, &crate::IntNode)| {
        let (IntOp::Conv {
            weight_bits,
            weight_scale,
            ..
        }
        | IntOp::FullyConnected {
            weight_bits,
            weight_scale,
            ..
        }) = node.op
        else {
            return None;
        };
        let after = graph
            .nodes()
            .get(index + 1)
            .filter(|n| n.op.name() == "truncate");
        let accumulator = graph.types()[index].fixed;
        let output = graph.types()[index + usize::from(after.is_some())].fixed;
        let seen = ranges[lowered.origin[&index]] * options.margin;
        Some(LayerWidths {
            name: node.name.clone(),
            weight_bits,
            weight_scale,
            ring_bits: accumulator.bits.get(),
            proved_bits: bits_for(bounds[index]),
            calibrated_bits: bits_for(seen * 2f64.powi(accumulator.scale)),
            output_bits: output.bits.get(),
            output_scale: output.scale,
        })
    };
    graph
        .nodes()
        .iter()
        .enumerate()
        .filter_map(widths)
        .collect()
}

/// Runs float and integer network on every sample.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn compare(model: &Model, samples: &[Vec<f32>], report: &mut ImportReport) -> Result<(), Error> {
    let public = &model.public;
    let types = public.graph.types();
    let mut sum = 0.0;
    for sample in samples {
        let expected: Vec<f64> = model
            .run_float(sample)?
            .into_iter()
            .map(f64::from)
            .collect();
        let mut wrapped = 0;
        let mut observe = |node: usize, values: &[i64]| {
            let bits = types[node].bits();
            wrapped += values
                .iter()
                .filter(|&&v| bits.to_signed(bits.from_signed(v)) != v)
                .count();
        };
        let input = public.encode(sample)?;
        let raw = crate::integer::run_observed(
            &public.graph,
            &model.weights,
            &input,
            &mut observe,
            true,
        )?;
        let found = public.logits(&raw);
        report.wrapped += wrapped;
        report.same_top += usize::from(top(&expected) == top(&found));
        let differences = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
        sum += differences.clone().sum::<f64>() / expected.len() as f64;
        report.max_logit_difference = differences.fold(report.max_logit_difference, f64::max);
        let (p, q) = (
            public.probabilities(&expected),
            public.probabilities(&found),
        );
        let differences = p.iter().zip(&q).map(|(a, b)| (a - b).abs());
        report.max_probability_difference =
            differences.fold(report.max_probability_difference, f64::max);
    }
    report.mean_logit_difference = sum / samples.len() as f64;
    Ok(())
}

/// The place of the largest value.
fn top(values: &[f64]) -> Option<usize> {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))
}
