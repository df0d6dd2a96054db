//! The way from a float network to a model: fold, rewrite, balance, calibrate, quantise, compare, judge.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nets::{
    Accuracy, Calibration, FloatModel, Model, Opening, Preprocessing, PrivateWeights, PublicModel,
    Source, Tensors, fold,
};

use crate::accuracy::{
    Limits, Narrowest, Precision, WeightBits, WidthReport, compare, held_out, narrowest,
};
use crate::calibrate::{self, Peaks};
use crate::curve::Tables;
use crate::equalise::equalise;
use crate::extensions::cheapened;
use crate::grids::{Gridded, gridded};
use crate::judge::{self, faults};
use crate::lower::lower;
use crate::options::{ImportOptions, Rounding};
use crate::preact::{is_left, lowerable};
use crate::progress::{Progress, Steps};
use crate::ranges::{Measured, Ranges};
use crate::report::ImportReport;
use crate::rounding::Moments;
use crate::variants::{extremes, variants};
use crate::widths::{LayerWidths, widths};
use crate::{Error, proof, rounding, scales};

/// Bits of a weight where a network comes with integers.
const OWN_BITS: u32 = 8;
/// Variants that widths are compared on where there are too few samples to hold some out.
const OTHERS: usize = 12;

/// Turns a float network into an integer one: folds, balances channels, calibrates on `samples`, which are
/// input values of the float network, and rounds. Every layer of the result is computed directly;
/// `secure::choose_algorithms` replaces algorithms by cheaper ones that give the same integers. The same
/// arguments give the same model, whatever the number of threads.
///
/// A model is returned whatever the comparison shows: [`ImportReport::faults`] says whether it should be used.
///
/// # Errors
/// [`Error::Unsupported`] naming every operator that cannot be lowered; [`Error::Option`];
/// [`Error::Nets`] when no widths fit ([`Error::is_width`]), and for parameters that are no numbers of a trained
/// network.
pub fn quantise(
    source: &Source,
    samples: &[Vec<f32>],
    options: &ImportOptions,
) -> Result<(Model, ImportReport), Error> {
    quantise_observed(source, samples, options, &mut |_| {})
}

/// As [`quantise`], and says how far it is.
///
/// # Errors
/// As [`quantise`].
pub fn quantise_observed(
    source: &Source,
    samples: &[Vec<f32>],
    options: &ImportOptions,
    see: &mut dyn FnMut(Progress),
) -> Result<(Model, ImportReport), Error> {
    let imported = imported(source.clone(), samples, options, see)?;
    Ok((imported.model, imported.report))
}

/// An imported network, and what it was made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The model.
    pub model: Model,
    /// What was chosen, and how it compares.
    pub report: ImportReport,
    /// The network before it was rounded. It takes about as much memory as the float network.
    pub unrounded: Unrounded,
}

/// A network of which everything is known but its integers.
pub struct Unrounded {
    calibrated: Calibrated,
    precision: Precision,
}

impl Unrounded {
    /// The same network at the same precision with other ranges, to compare costs: its weights are rounded to the nearest
    /// integer, it has no float network, and nothing was compared.
    ///
    /// # Errors
    /// [`Error::Nets`] when these ranges do not fit.
    pub fn with_ranges(&self, options: &ImportOptions, ranges: Ranges) -> Result<Model, Error> {
        let options = ImportOptions {
            ranges,
            ..options.with(self.precision)
        };
        let quantised = self.calibrated.lower(&options, false)?;
        Ok(Model {
            public: quantised.public,
            weights: quantised.weights,
            // Its parameters are the model's.
            float: self.calibrated.source.float.clone(),
        })
    }
}

impl std::fmt::Debug for Unrounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unrounded").finish_non_exhaustive()
    }
}

/// As [`quantise_observed`], and keeps what [`Unrounded::with_ranges`] needs. It takes the float network, so that the
/// parameters that folding replaces need no memory while widths are tried.
///
/// # Errors
/// As [`quantise`].
pub fn imported(
    source: Source,
    samples: &[Vec<f32>],
    options: &ImportOptions,
    see: &mut dyn FnMut(Progress),
) -> Result<Imported, Error> {
    options.check()?;
    if samples.is_empty() {
        let problem = "at least one calibration image is needed".into();
        return Err(Error::Option {
            option: "calibrate",
            problem,
        });
    }
    judge::check(&source)?;
    let warnings = judge::warnings(&source, samples)?;
    let mut steps = Steps::new(see);
    let mut calibrated = Calibrated::new(source, samples, options, &mut steps)?;
    let weight_bits = match options.weight_bits {
        // Nothing is to be chosen.
        WeightBits::Auto { .. } if calibrated.own.is_whole() => WeightBits::Fixed(OWN_BITS),
        chosen => chosen,
    };
    let options = &ImportOptions {
        weight_bits,
        ..options.clone()
    };
    let Found {
        precision,
        quantised,
        tried,
        judged,
    } = search(samples, &calibrated, options, &mut steps)?;
    // Nothing is rounded any more.
    calibrated.moments.clear();
    calibrated.others.clear();
    let images: Vec<_> = samples.iter().zip(&calibrated.logits).collect();
    let (public, weights) = (&quantised.public, &quantised.weights);
    let all = compare(public, weights, &images, None, &mut steps)?;
    let faults = faults(judged.as_ref(), all.wrapped, &calibrated.logits);
    let room = options.ranges.room();
    let mut calibration = Calibration::of(samples, &calibrated.source.preprocessing, room);
    let accuracy =
        |(asked, report): (f64, WidthReport)| Accuracy::new(asked, judge::found(&report));
    calibration.accuracy = judged.map(accuracy);
    let mut public = quantised.public;
    public.calibration = Some(calibration);
    let report = ImportReport {
        layers: quantised.layers,
        weight_bits: quantised.weight_bits,
        activation_bits: quantised.activation_bits,
        tried,
        held_out: held_out(samples.len()).len(),
        images: all.images,
        same_top: all.same_top,
        max_logit_difference: all.max_logit_difference,
        mean_logit_difference: all.mean_logit_difference,
        max_probability_difference: all.max_probability_difference,
        mean_probability_difference: all.mean_probability_difference,
        margin: options.margin,
        own_scales: (calibrated.own.has_grids()).then_some(calibrated.own.moved),
        ranges: options.ranges,
        wrapped: all.wrapped,
        faults,
        warnings,
    };
    let folded = &mut calibrated.source.float;
    let empty = FloatModel {
        graph: folded.graph.clone(),
        tensors: Tensors::new(),
    };
    let model = Model {
        public,
        weights: quantised.weights,
        float: std::mem::replace(folded, empty),
    };
    Ok(Imported {
        model,
        report,
        unrounded: Unrounded {
            calibrated,
            precision,
        },
    })
}

/// The widths that were found.
struct Found {
    precision: Precision,
    quantised: Quantised,
    /// Everything that was tried.
    tried: Vec<WidthReport>,
    /// The accuracy that was asked for, and how the network compares on all images that judge it.
    judged: Option<(f64, WidthReport)>,
}

/// Finds the widths that the options ask for.
fn search(
    samples: &[Vec<f32>],
    calibrated: &Calibrated,
    options: &ImportOptions,
    steps: &mut Steps<'_>,
) -> Result<Found, Error> {
    let accuracy = match options.weight_bits {
        WeightBits::Auto { accuracy } => accuracy,
        WeightBits::Fixed(weight_bits) => {
            return Ok(Found {
                precision: Precision::new(weight_bits, 0),
                quantised: calibrated.lower(options, true)?,
                tried: Vec::new(),
                judged: None,
            });
        }
    };
    let held_out = held_out(samples.len());
    let unseen = held_out
        .iter()
        .map(|&i| (&samples[i], &calibrated.logits[i]));
    let others = calibrated.others.iter().map(|(x, y)| (x, y));
    let unseen: Vec<_> = unseen.chain(others).collect();
    // What holds on these must hold on the others as well.
    let shown = (0..samples.len()).filter(|i| !held_out.contains(i));
    let shown: Vec<_> = shown
        .map(|i| (&samples[i], &calibrated.logits[i]))
        .collect();
    let limits = Limits {
        largest: accuracy,
        undecided: accuracy,
    };
    let narrowest = narrowest(accuracy, |precision| {
        let options = options.with(precision);
        let quantised = calibrated.lower(&options, true)?;
        let (public, weights) = (&quantised.public, &quantised.weights);
        let mut report = WidthReport {
            weight_bits: precision.weight_bits,
            activation_bits: options.activation_bits,
            ..compare(public, weights, &unseen, Some(limits), steps)?
        };
        if report.is_within(accuracy) {
            let limits = Limits {
                undecided: f64::INFINITY,
                ..limits
            };
            let seen = compare(public, weights, &shown, Some(limits), steps)?;
            let largest = seen.max_probability_difference;
            report.max_probability_difference = report.max_probability_difference.max(largest);
        }
        Ok((quantised, report))
    })?;
    let Narrowest {
        precision,
        mut report,
        made,
        tried,
    } = narrowest;
    let quantised = match made {
        Some(quantised) => quantised,
        None => calibrated.lower(&options.with(precision), true)?,
    };
    if !report.is_within(accuracy) {
        // The comparison ended as soon as this was clear.
        let (public, weights) = (&quantised.public, &quantised.weights);
        let all: Vec<_> = unseen.iter().chain(&shown).copied().collect();
        report = compare(public, weights, &all, None, steps)?;
    }
    Ok(Found {
        precision,
        quantised,
        tried,
        judged: Some((accuracy, report)),
    })
}

/// An image, and the logits of the folded network.
type Judge = (Vec<f32>, Vec<f64>);

/// The results of calibration, which do not depend on the width of weights.
struct Calibrated {
    /// The network to be lowered, in units of its own grids where it has some.
    own: Gridded,
    /// The network as it was trained, folded, to compare with, and what belongs to it. What is rewritten after folding
    /// is the same only while values stay in range.
    source: Source,
    /// Logits of the folded network, sample by sample.
    logits: Vec<Vec<f64>>,
    /// How far values reach.
    measured: Measured,
    /// What least-squares rounding needs; empty for rounding to nearest.
    moments: BTreeMap<usize, Vec<Moments>>,
    /// Where no samples are held out: variants of them, to compare on, and the logits of the folded network.
    others: Vec<Judge>,
    /// Tables of smooth functions, made for one trial of widths and taken for others.
    tables: Tables,
}

/// Samples as the client rounds them, where it does.
fn rounded<'a>(samples: &'a [Vec<f32>], preprocessing: &Preprocessing) -> Cow<'a, [Vec<f32>]> {
    let rounded = |x: &Vec<f32>| preprocessing.rounded(x.clone());
    match preprocessing.grid {
        Some(_) => samples.iter().map(rounded).collect(),
        None => samples.into(),
    }
}

/// Images, each with the logits of a network.
fn with_logits(
    model: &FloatModel,
    images: impl Iterator<Item = Vec<f32>>,
) -> Result<Vec<Judge>, Error> {
    let run = |image: Vec<f32>| {
        let logits = model.run(&image)?.into_iter().map(f64::from).collect();
        Ok((image, logits))
    };
    images.map(run).collect()
}

/// The peaks of a network on samples, and those on more images too.
fn observed_again(
    model: &FloatModel,
    samples: &[Vec<f32>],
    more: impl Iterator<Item = Vec<f32>>,
) -> Result<(Peaks, Peaks), Error> {
    let mut peaks = calibrate::no_peaks(model);
    for sample in samples {
        calibrate::observe(model, sample, &mut peaks)?;
    }
    let mut wide = peaks.clone();
    for image in more {
        calibrate::observe(model, &image, &mut wide)?;
    }
    Ok((peaks, wide))
}

/// What the rounding of weights needs to know of these samples; nothing where weights are integers.
fn moments(
    own: &Gridded,
    rounding: Rounding,
    samples: &mut dyn Iterator<Item = &Vec<f32>>,
) -> Result<BTreeMap<usize, Vec<Moments>>, Error> {
    match rounding {
        Rounding::LeastSquares if !own.is_whole() => {
            let mut moments = rounding::moments(&own.model, samples)?;
            moments.retain(|&node, _| own.fixed[node].is_none());
            Ok(moments)
        }
        Rounding::LeastSquares | Rounding::Nearest => Ok(BTreeMap::new()),
    }
}

/// The integer network for one width of weights.
struct Quantised {
    public: PublicModel,
    weights: PrivateWeights,
    layers: Vec<LayerWidths>,
    weight_bits: u32,
    activation_bits: u32,
}

impl Calibrated {
    fn new(
        mut source: Source,
        samples: &[Vec<f32>],
        options: &ImportOptions,
        steps: &mut Steps<'_>,
    ) -> Result<Self, Error> {
        source.float = fold(&source.float)?;
        let (folded, preprocessing) = (&source.float, &source.preprocessing);
        let held_out = held_out(samples.len());
        let judges = matches!(options.weight_bits, WeightBits::Auto { .. });
        let others = OTHERS * usize::from(held_out.is_empty() && judges);
        let measures = options.ranges != Ranges::Calibrated;
        let rewrites = is_left(&folded.graph);
        let variants = || variants(samples, preprocessing);
        let more = if measures { variants().count() + 2 } else { 0 };
        let passes = if rewrites { 3 } else { 2 };
        steps.expect(
            passes * samples.len() + more + others,
            held_out.len().max(others),
            samples.len(),
        );
        let mut run = |model: &FloatModel, peaks: &mut Peaks| -> Result<Vec<_>, Error> {
            let observed = |sample: &Vec<f32>| {
                steps.run();
                calibrate::observe(model, sample, peaks)
            };
            samples.iter().map(observed).collect()
        };
        let mut peaks = calibrate::no_peaks(folded);
        let logits = run(folded, &mut peaks)?;
        let rewritten = rewrites.then(|| lowerable(folded, &peaks, options.margin));
        let rewritten = rewritten.transpose()?;
        let float = rewritten.as_ref().unwrap_or(folded);
        if rewrites {
            peaks = calibrate::no_peaks(float);
            run(float, &mut peaks)?;
        }
        let mut wide = peaks.clone();
        if measures {
            let variants = variants().map(|(_, variant)| variant);
            for variant in variants.chain(extremes(preprocessing)) {
                steps.run();
                calibrate::observe(float, &variant, &mut wide)?;
            }
        }
        let balanced = equalise(float, &peaks)?;
        drop(rewritten);
        let (mut peaks, mut wide) = (balanced.scaled(&peaks), balanced.scaled(&wide));
        let own = gridded(balanced.model)?;
        let gridded = Preprocessing {
            grid: own.input,
            ..preprocessing.clone()
        };
        let preprocessing = &gridded;
        let rounded = &*rounded(samples, preprocessing);
        if own.has_grids() {
            let all = variants().map(|(_, variant)| variant);
            let all = all.chain(extremes(preprocessing)).filter(|_| measures);
            let all = all.map(|variant| preprocessing.rounded(variant));
            (peaks, wide) = observed_again(&own.model, rounded, all)?;
        }
        let float = &own.model;
        let measured = Measured {
            seen: calibrate::tops(&peaks),
            wide: measures.then_some(wide),
            proved: measures
                .then(|| proof::reach(float, preprocessing))
                .transpose()?,
            images: samples.len(),
        };
        let shown = (0..samples.len()).filter(|i| !held_out.contains(i));
        let mut shown = shown.map(|i| &rounded[i]).inspect(|_| steps.run());
        let moments = moments(&own, options.rounding, &mut shown)?;
        drop(shown);
        let others = variants().map(|(_, variant)| variant).take(others);
        let others = with_logits(folded, others.inspect(|_| steps.run()))?;
        source.preprocessing = gridded;
        Ok(Self {
            own,
            source,
            logits,
            measured,
            moments,
            others,
            tables: Tables::default(),
        })
    }

    /// The integer network for these options; its weights rounded by least squares where the options say so and
    /// `aims`.
    fn lower(&self, options: &ImportOptions, aims: bool) -> Result<Quantised, Error> {
        let (Gridded { model, fixed, .. }, source) = (&self.own, &self.source);
        let bound = self.own.bound(source.preprocessing.bound());
        let reach = self.measured.reach(model, options)?;
        let scales = scales::choose_scales(model, &reach, fixed, bound, options)?;
        let none = BTreeMap::new();
        let moments = if aims { &self.moments } else { &none };
        let lowered = lower(model, &scales, moments, options, &self.tables)?;
        let layers = widths(&lowered, &self.measured.seen, bound, options.margin);
        let (graph, weights) = cheapened(&lowered.graph, &lowered.weights)?;
        let public = PublicModel {
            name: options.name.clone(),
            arch: source.arch.clone(),
            labels: source.labels.clone(),
            head: source.head,
            parts: source.parts.clone(),
            preprocessing: source.preprocessing.clone(),
            graph,
            opening: Opening::All,
            calibration: None,
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
