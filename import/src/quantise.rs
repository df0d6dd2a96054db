//! The way from a float network to a model: fold, rewrite, balance, calibrate, quantise, compare.

use std::collections::BTreeMap;

use nets::{FloatModel, Model, Opening, Preprocessing, PrivateWeights, PublicModel, Source, fold};

use crate::accuracy::{WeightBits, WidthReport, compare, held_out, narrowest};
use crate::equalise::equalise;
use crate::extensions::cheapened;
use crate::grids::{Gridded, gridded};
use crate::lower::lower;
use crate::options::{ImportOptions, Rounding};
use crate::preact::{has_norms, lowerable};
use crate::ranges::{Ranges, Reach, reach};
use crate::report::ImportReport;
use crate::rounding::Moments;
use crate::variants::{extremes, variants};
use crate::widths::{LayerWidths, widths};
use crate::{Error, calibrate, rounding, scales};

/// Bits of a weight where a network comes with integers.
const OWN_BITS: u32 = 8;
/// Variants that widths are compared on where there are too few samples to hold some out.
const OTHERS: usize = 12;

/// Turns a float network into an integer one: folds, balances channels, calibrates on `samples`, which are
/// input values of the float network, and rounds. Every layer of the result is computed directly;
/// `secure::choose_algorithms` replaces algorithms by cheaper ones that give the same integers. The same
/// arguments give the same model, whatever the number of threads.
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
    let calibrated = Calibrated::new(source, samples, options)?;
    let pair = |i: usize| (&samples[i], &calibrated.logits[i]);
    let held_out = held_out(samples.len());
    let bound = calibrated.own.bound(source.preprocessing.bound());
    let weight_bits = match options.weight_bits {
        // Nothing is to be chosen.
        WeightBits::Auto { .. } if calibrated.own.is_whole() => WeightBits::Fixed(OWN_BITS),
        chosen => chosen,
    };
    let options = &ImportOptions {
        weight_bits,
        ..options.clone()
    };
    let (quantised, tried) = match options.weight_bits {
        WeightBits::Fixed(_) => (calibrated.lower(source, bound, options)?, Vec::new()),
        WeightBits::Auto { accuracy } => narrowest(accuracy, |precision| {
            let options = options.with(precision);
            let quantised = calibrated.lower(source, bound, &options)?;
            let unseen = held_out.iter().map(|&i| pair(i));
            let unseen = unseen.chain(calibrated.others.iter().map(|(x, y)| (x, y)));
            let report = WidthReport {
                weight_bits: precision.weight_bits,
                activation_bits: options.activation_bits,
                ..compare(&quantised.public, &quantised.weights, unseen)?
            };
            Ok((quantised, report))
        })?,
    };
    let images = (0..samples.len()).map(pair);
    let all = compare(&quantised.public, &quantised.weights, images)?;
    let model = Model {
        public: quantised.public,
        weights: quantised.weights,
        float: calibrated.folded,
    };
    let report = ImportReport {
        layers: quantised.layers,
        weight_bits: quantised.weight_bits,
        activation_bits: quantised.activation_bits,
        tried,
        held_out: held_out.len(),
        images: all.images,
        same_top: all.same_top,
        max_logit_difference: all.max_logit_difference,
        mean_logit_difference: all.mean_logit_difference,
        max_probability_difference: all.max_probability_difference,
        mean_probability_difference: all.mean_probability_difference,
        margin: options.margin,
        own_scales: (calibrated.own.has_grids()).then_some(calibrated.own.moved),
        wrapped: all.wrapped,
    };
    Ok((model, report))
}

/// The results of calibration, which do not depend on the width of weights.
struct Calibrated {
    /// The network to be lowered, in units of its own grids where it has some.
    own: Gridded,
    /// What happens to a picture before it.
    preprocessing: Preprocessing,
    /// The network as it was trained, folded, to compare with. What is rewritten after folding is the same
    /// only while values stay in range.
    folded: FloatModel,
    /// Logits of the folded network, sample by sample.
    logits: Vec<Vec<f64>>,
    /// The largest magnitude of each node on the samples.
    seen: Vec<f64>,
    reach: Reach,
    /// What least-squares rounding needs; empty for rounding to nearest.
    moments: BTreeMap<usize, Vec<Moments>>,
    /// Where no samples are held out: variants of them, to compare on, and the logits of the folded network.
    others: Vec<(Vec<f32>, Vec<f64>)>,
}

/// The integer network for one width of weights.
struct Quantised {
    public: PublicModel,
    weights: PrivateWeights,
    layers: Vec<LayerWidths>,
    weight_bits: u32,
    activation_bits: u32,
}

/// Raises the peaks of a network to what variants of the samples cause, if ranges are to be robust.
fn widen(
    model: &FloatModel,
    samples: &[Vec<f32>],
    preprocessing: &Preprocessing,
    options: &ImportOptions,
    peaks: &mut calibrate::Peaks,
) -> Result<(), Error> {
    if options.ranges != Ranges::Robust {
        return Ok(());
    }
    let variants = variants(samples, preprocessing).map(|(_, variant)| variant);
    for variant in variants.chain(extremes(preprocessing)) {
        calibrate::observe(model, &preprocessing.rounded(variant), peaks)?;
    }
    Ok(())
}

impl Calibrated {
    fn new(source: &Source, samples: &[Vec<f32>], options: &ImportOptions) -> Result<Self, Error> {
        let folded = fold(&source.float)?;
        let mut peaks = calibrate::no_peaks(&folded);
        let run = |model: &FloatModel, peaks: &mut calibrate::Peaks| -> Result<Vec<_>, Error> {
            let samples = samples.iter();
            samples
                .map(|sample| calibrate::observe(model, sample, peaks))
                .collect()
        };
        let logits = run(&folded, &mut peaks)?;
        let mut float = folded.clone();
        if has_norms(&folded.graph) {
            float = lowerable(&folded, &peaks, options.margin)?;
            peaks = calibrate::no_peaks(&float);
            run(&float, &mut peaks)?;
        }
        let balanced = equalise(&float, &peaks)?;
        let mut wide = peaks.clone();
        widen(&float, samples, &source.preprocessing, options, &mut wide)?;
        let (mut peaks, mut wide) = (balanced.scaled(&peaks), balanced.scaled(&wide));
        let own = gridded(&balanced.model)?;
        let preprocessing = Preprocessing {
            levels: own.input,
            ..source.preprocessing.clone()
        };
        let rounded = samples.iter().cloned().map(|x| preprocessing.rounded(x));
        let rounded: Vec<_> = rounded.collect();
        if own.has_grids() {
            peaks = calibrate::no_peaks(&own.model);
            for sample in &rounded {
                calibrate::observe(&own.model, sample, &mut peaks)?;
            }
            wide.clone_from(&peaks);
            widen(&own.model, samples, &preprocessing, options, &mut wide)?;
        }
        let float = &own.model;
        let seen = calibrate::tops(&peaks);
        let reach = reach(float, &preprocessing, &seen, &wide, samples.len(), options)?;
        let held_out = held_out(samples.len());
        let shown = (0..samples.len()).filter(|i| !held_out.contains(i));
        let moments = match options.rounding {
            Rounding::LeastSquares if !own.is_whole() => {
                let mut moments = rounding::moments(float, shown.map(|i| &rounded[i]))?;
                // Integers are not rounded.
                moments.retain(|&node, _| own.fixed[node].is_none());
                moments
            }
            Rounding::LeastSquares | Rounding::Nearest => BTreeMap::new(),
        };
        let mut others = Vec::new();
        let chooses = matches!(options.weight_bits, WeightBits::Auto { .. }) && !own.is_whole();
        if held_out.is_empty() && chooses {
            for (_, variant) in variants(samples, &source.preprocessing).take(OTHERS) {
                let logits = folded.run(&variant)?.into_iter().map(f64::from);
                let logits = logits.collect();
                others.push((variant, logits));
            }
        }
        Ok(Self {
            own,
            preprocessing,
            folded,
            logits,
            seen,
            reach,
            moments,
            others,
        })
    }

    fn lower(
        &self,
        source: &Source,
        bound: f64,
        options: &ImportOptions,
    ) -> Result<Quantised, Error> {
        let Gridded { model, fixed, .. } = &self.own;
        let scales = scales::choose_scales(model, &self.reach, fixed, bound, options)?;
        let lowered = lower(model, &scales, &self.moments, options)?;
        let layers = widths(&lowered, &self.seen, bound, options.margin);
        let (graph, weights) = cheapened(&lowered.graph, &lowered.weights)?;
        let public = PublicModel {
            name: options.name.clone(),
            arch: source.arch.clone(),
            labels: source.labels.clone(),
            head: source.head,
            preprocessing: self.preprocessing.clone(),
            graph,
            opening: Opening::All,
        };
        public.check()?;
        Ok(Quantised {
            public,
            weights,
            layers,
            weight_bits: options.weight_bits.bits(),
            activation_bits: options.activation_bits,
        })
    }
}
