//! The way from a float network to a model: fold, balance, calibrate, quantise, compare.

use std::collections::BTreeMap;

use nets::{FloatModel, Model, PrivateWeights, PublicModel, Source, fold};

use crate::accuracy::{WeightBits, WidthReport, compare, held_out, narrowest};
use crate::equalise::equalise;
use crate::lower::lower;
use crate::options::{ImportOptions, Rounding};
use crate::preact::{has_norms, lowerable};
use crate::report::ImportReport;
use crate::rounding::Moments;
use crate::widths::{LayerWidths, widths};
use crate::{Error, calibrate, rounding, scales};

/// Folds, balances channels, calibrates on `samples` (input values of the float network), and
/// quantises. Every layer of the result is computed directly; `secure::choose_algorithms` puts cheaper
/// algorithms in their place, which give the same integers. The same arguments give the same model, whatever the number of threads.
///
/// # Errors
/// [`Error::Unsupported`] naming every operator that cannot be lowered; [`Error::Option`];
/// [`Error::Nets`] when no widths fit ([`Error::is_width`]).
pub fn quantise(
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
        float: calibrated.folded,
    };
    let report = ImportReport {
        layers: made.layers,
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
    /// The network as it was trained, to compare with: what is rewritten after folding is the same only
    /// as far as values stay in range.
    folded: FloatModel,
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
        let (mut peaks, logits) = calibrate::peaks(&folded, samples)?;
        let mut float = folded.clone();
        if has_norms(&folded.graph) {
            float = lowerable(&folded, &peaks, options.margin)?;
            (peaks, _) = calibrate::peaks(&float, samples)?;
        }
        let float = equalise(&float, &peaks)?;
        let ranges = calibrate::ranges(&float, samples)?;
        let held_out = held_out(samples.len());
        let seen = (0..samples.len()).filter(|i| !held_out.contains(i));
        let moments = match options.rounding {
            Rounding::LeastSquares => rounding::moments(&float, seen.map(|i| &samples[i]))?,
            Rounding::Nearest => BTreeMap::new(),
        };
        Ok(Self {
            float,
            folded,
            logits,
            ranges,
            moments,
        })
    }

    fn lower(&self, source: &Source, bound: f64, options: &ImportOptions) -> Result<Made, Error> {
        let scales = scales::choose_scales(&self.float, &self.ranges, bound, options)?;
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
