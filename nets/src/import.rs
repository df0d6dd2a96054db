//! From trained float weights to a [`Model`]: fold, balance, calibrate, quantise, compare.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::accuracy::{Precision, WeightBits, WidthReport, compare, held_out, narrowest};
use crate::equalise::equalise;
use crate::lower::lower;
use crate::preact::{is_lowerable, lowerable};
use crate::preprocess::Preprocessing;
use crate::rounding::Moments;
use crate::widths::widths;
use crate::{
    Algorithms, Constants, Error, FloatModel, Head, LayerWidths, Model, PrivateWeights,
    PublicModel, calibrate, choose, fold, rounding, scales,
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

/// How weights are rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Rounding {
    /// So that the errors cancel on the calibration images.
    #[default]
    LeastSquares,
    /// Each to the nearest integer: faster, with the same widths; for costs.
    Nearest,
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
    /// Most bits of an activation; [`WeightBits::Auto`] may take more.
    pub activation_bits: u32,
    /// Most fractional bits of an activation: tensors of small numbers get narrower widths.
    pub fraction_bits: u32,
    /// Bits of a weight.
    pub weight_bits: WeightBits,
    /// How weights are rounded.
    pub rounding: Rounding,
    /// Bits of an input value.
    pub input_bits: u32,
    /// Every width has room for this factor over the largest value seen in calibration.
    pub margin: f64,
    /// How widths are chosen.
    pub preset: Preset,
    /// How the algorithms of the layers are chosen, at the price of a correlated OT of
    /// [`sharing::Options::default`]; the integers do not depend on it.
    pub algorithms: Algorithms,
    /// The speed of the machines, for a choice by time.
    pub constants: Constants,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            name: "model".into(),
            activation_bits: 16,
            fraction_bits: 10,
            weight_bits: WeightBits::Auto { accuracy: 0.01 },
            rounding: Rounding::default(),
            input_bits: 14,
            margin: 2.0,
            preset: Preset::Mixed,
            algorithms: Algorithms::default(),
            constants: Constants::default(),
        }
    }
}

impl ImportOptions {
    /// These with a precision that is chosen.
    fn with(&self, precision: Precision) -> Self {
        Self {
            weight_bits: WeightBits::Fixed(precision.weight_bits),
            activation_bits: self.activation_bits + precision.more_bits,
            fraction_bits: self.fraction_bits + precision.more_bits,
            ..self.clone()
        }
    }

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
        self.weight_bits.check()?;
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

/// What [`import`] found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The linear layers.
    pub layers: Vec<LayerWidths>,
    /// Bits of a weight, where each channel has no weights of its own.
    pub weight_bits: u32,
    /// Most bits of an activation.
    pub activation_bits: u32,
    /// The widths tried, in this order, where the width was to be chosen: on the `held_out` images,
    /// or on all where there are few.
    pub tried: Vec<WidthReport>,
    /// Images that the rounding of weights did not see.
    pub held_out: usize,
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
    /// Mean difference of a probability.
    pub mean_probability_difference: f64,
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
    let calibrated = Calibrated::new(&source.float, samples, options)?;
    let pair = |i: usize| (&samples[i], &calibrated.logits[i]);
    let held_out = held_out(samples.len());
    let looked_at = match held_out.len() {
        0 => (0..samples.len()).collect(),
        _ => held_out.clone(),
    };
    let bound = source.preprocessing.bound();
    let (made, tried) = match options.weight_bits {
        WeightBits::Fixed(_) => (calibrated.lower(source, bound, options)?, Vec::new()),
        WeightBits::Auto { accuracy } => narrowest(accuracy, |precision| {
            let options = options.with(precision);
            let made = calibrated.lower(source, bound, &options)?;
            let images = looked_at.iter().map(|&i| pair(i));
            let report = WidthReport {
                weight_bits: precision.weight_bits,
                activation_bits: options.activation_bits,
                ..compare(&made.public, &made.weights, images)?
            };
            Ok((made, report))
        })?,
    };
    let images = (0..samples.len()).map(pair);
    let all = compare(&made.public, &made.weights, images)?;
    let model = Model {
        public: made.public,
        weights: made.weights,
        float: calibrated.reference,
    };
    let price = sharing::Options::default().cot_price();
    let (model, choices) = choose(&model, &options.algorithms, price, &options.constants)?;
    let mut layers = made.layers;
    for layer in &mut layers {
        if let Some(choice) = choices.iter().find(|c| c.name == layer.name) {
            layer.algorithm = choice.chosen.to_string();
        }
    }
    let report = ImportReport {
        layers,
        weight_bits: made.weight_bits,
        activation_bits: made.activation_bits,
        tried,
        held_out: held_out.len(),
        images: all.images,
        same_top: all.same_top,
        max_logit_difference: all.max_logit_difference,
        mean_logit_difference: all.mean_logit_difference,
        max_probability_difference: all.max_probability_difference,
        mean_probability_difference: all.mean_probability_difference,
        margin: options.margin,
        wrapped: all.wrapped,
    };
    Ok((model, report))
}

/// What does not depend on the width of weights.
struct Calibrated {
    /// The network to be lowered.
    float: FloatModel,
    /// The network to compare with.
    reference: FloatModel,
    /// Its logits, sample by sample.
    logits: Vec<Vec<f64>>,
    ranges: Vec<f64>,
    /// Empty if weights are rounded without.
    moments: BTreeMap<usize, Vec<Moments>>,
}

/// The integer network for one width.
struct Made {
    public: PublicModel,
    weights: PrivateWeights,
    layers: Vec<LayerWidths>,
    weight_bits: u32,
    activation_bits: u32,
}

impl Calibrated {
    fn new(
        source: &FloatModel,
        samples: &[Vec<f32>],
        options: &ImportOptions,
    ) -> Result<Self, Error> {
        let folded = fold(source)?;
        let mut peaks = calibrate::peaks(&folded, samples)?;
        let rewritten = if is_lowerable(&folded.graph) {
            None
        } else {
            let rewritten = lowerable(&folded, &peaks, options.margin)?;
            peaks = calibrate::peaks(&rewritten, samples)?;
            Some(rewritten)
        };
        let float = equalise(rewritten.as_ref().unwrap_or(&folded), &peaks)?;
        // What was rewritten is the same only as far as values stay in range.
        let reference = match rewritten {
            Some(_) => folded,
            None => float.clone(),
        };
        let ranges = calibrate::ranges(&float, samples)?;
        let held_out = held_out(samples.len());
        let seen = (0..samples.len()).filter(|i| !held_out.contains(i));
        let moments = match options.rounding {
            Rounding::LeastSquares => rounding::moments(&float, seen.map(|i| &samples[i]))?,
            Rounding::Nearest => BTreeMap::new(),
        };
        let run = |x: &Vec<f32>| Ok(reference.run(x)?.into_iter().map(f64::from).collect());
        let logits = samples.iter().map(run).collect::<Result<_, Error>>()?;
        Ok(Self {
            float,
            reference,
            logits,
            ranges,
            moments,
        })
    }

    fn lower(&self, source: &Source, bound: f64, options: &ImportOptions) -> Result<Made, Error> {
        let scales = scales::choose(&self.float, &self.ranges, bound, options)?;
        let lowered = lower(&self.float, &scales, &self.moments, options)?;
        let layers = widths(&lowered, &self.ranges, bound, options.margin);
        let public = PublicModel {
            name: options.name.clone(),
            arch: source.arch.clone(),
            labels: source.labels.clone(),
            head: source.head,
            preprocessing: source.preprocessing.clone(),
            graph: lowered.graph,
        };
        public.check()?;
        Ok(Made {
            public,
            weights: lowered.weights,
            layers,
            weight_bits: options.weight_bits.bits(),
            activation_bits: options.activation_bits,
        })
    }
}
