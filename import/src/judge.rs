//! What is wrong with a network, with its calibration images, or with the integer network that was made of it.

use std::fmt;

use nets::{FloatModel, Head, Kind, Op, Operator as _, Preprocessing, Shape, Source};
use serde::Serialize;

use crate::Error;
use crate::accuracy::WidthReport;

/// Fewer calibration images than this are few.
const ENOUGH: usize = 8;
/// Outputs that differ by less than this part of the largest logit from image to image hardly vary.
const VARIES: f64 = 1e-3;
/// Images that the statistics of the first layer are taken on.
const LOOKED_AT: usize = 4;

/// Why an integer network should not be used.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// No widths were found that keep the probabilities within what was asked for.
    Accuracy {
        /// The largest difference of a probability that was allowed.
        asked: f64,
        /// The least that was found.
        found: f64,
        /// Images that were compared.
        images: usize,
    },
    /// Values wrapped on the images that it was compared on.
    Wrapped {
        /// How many.
        values: usize,
    },
    /// The float network says nearly the same of every calibration image.
    Constant {
        /// The largest difference of a logit between two images.
        difference: f64,
        /// Calibration images.
        images: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accuracy {
                asked,
                found,
                images,
            } => write!(
                f,
                "an accuracy of {asked} cannot be held: in the best of the widths that were tried, probabilities of the integer network are off by {found:.5} on {images} images"
            ),
            Self::Wrapped { values } => write!(
                f,
                "{values} values of the integer network wrapped on the images that it was compared on"
            ),
            Self::Constant { difference, images } => write!(
                f,
                "the float network says nearly the same of all {images} calibration images (its logits differ by {difference:.1e}): are --mean and --std those of its training, and are these images of the kind that it was trained on?"
            ),
        }
    }
}

/// The largest distance between the probabilities that decides whether an accuracy is held.
pub(crate) fn found(report: &WidthReport) -> f64 {
    report
        .max_probability_difference
        .max(report.undecided_difference)
}

/// What is wrong with an integer network. `judged` is how it compares on the images that judge it, if an accuracy was
/// asked for; `wrapped` counts the values that wrapped on all images; `logits` are those of the float network.
pub(crate) fn faults(
    judged: Option<&(f64, WidthReport)>,
    wrapped: usize,
    logits: &[Vec<f64>],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(&(asked, ref report)) = judged {
        let found = found(report);
        if found > asked || found.is_nan() {
            let images = report.images;
            faults.push(Fault::Accuracy {
                asked,
                found,
                images,
            });
        }
    }
    let wrapped = wrapped.max(judged.map_or(0, |(_, report)| report.wrapped));
    if wrapped > 0 {
        faults.push(Fault::Wrapped { values: wrapped });
    }
    let images = logits.len();
    if let Some(difference) = spread(logits).filter(|(d, top)| d <= &(VARIES * top)) {
        let difference = difference.0;
        faults.push(Fault::Constant { difference, images });
    }
    faults
}

/// The largest difference of a logit between two of several images, and the largest logit.
fn spread(logits: &[Vec<f64>]) -> Option<(f64, f64)> {
    let outputs = logits.first()?.len();
    let of = |o: usize| {
        let values = logits.iter().map(move |l| l[o]);
        let low = values.clone().fold(f64::INFINITY, f64::min);
        values.fold(f64::NEG_INFINITY, f64::max) - low
    };
    let difference = (0..outputs).map(of).fold(0.0, f64::max);
    let top = logits
        .iter()
        .flatten()
        .fold(0.0_f64, |top, l| top.max(l.abs()));
    (logits.len() > 1).then_some((difference, top))
}

/// Refuses parameters that no trained network has, and a head that does not fit the outputs.
pub(crate) fn check(source: &Source) -> Result<(), Error> {
    source.float.check()?;
    let nodes = source.float.graph.nodes();
    let of = |node: &nets::Node<Op>| {
        let input = node
            .inputs
            .first()
            .map_or(Shape::vector(1), |&i| source.float.graph.types()[i]);
        node.op
            .parameters(input)
            .into_iter()
            .map(|p| p.0.to_owned())
            .collect::<Vec<_>>()
    };
    for node in nodes {
        let bad = |tensor: &str, problem: &str| -> Error {
            nets::Error::TensorContent {
                tensor: tensor.to_owned(),
                problem: format!("{problem} (of {} `{}`)", node.op.name(), node.name),
            }
            .into()
        };
        for name in of(node) {
            let values = source.float.tensors.tensor(&name)?.data();
            if values.iter().any(|v| !v.is_finite()) {
                return Err(bad(&name, "it holds a value that is no finite number"));
            }
        }
        if let Op::BatchNorm { var, eps, .. } = &node.op {
            let values = source.float.tensors.tensor(var)?.data();
            if values.iter().any(|&v| v < 0.0) {
                return Err(bad(var, "it holds a variance below 0"));
            }
            if values.iter().any(|&v| f64::from(v) + eps <= 0.0) {
                return Err(bad(
                    var,
                    "it holds a variance of 0, and nothing is added to it",
                ));
            }
        }
    }
    let outputs = source.float.graph.output().len();
    if source.head == Head::Softmax && outputs == 1 {
        let problem = "a softmax over one output is 1 for every image; a single output is a finding of its own (sigmoid)";
        return Err(Error::Option {
            option: "head",
            problem: problem.into(),
        });
    }
    Ok(())
}

/// What is to be said of the calibration images.
pub(crate) fn warnings(source: &Source, samples: &[Vec<f32>]) -> Result<Vec<String>, Error> {
    let mut said = Vec::new();
    let images = samples.len();
    if images < ENOUGH {
        said.push(format!(
            "{images} calibration images are few: with {ENOUGH} or more, images that shape the network and images that judge it are told apart, and with 32 less room is left for what they do not show"
        ));
    }
    said.extend(one_sided(samples, &source.preprocessing));
    said.extend(first_norm(source, &samples[..images.min(LOOKED_AT)])?);
    Ok(said)
}

/// Whether all images are dark, bright, flat, or one and the same.
fn one_sided(samples: &[Vec<f32>], preprocessing: &Preprocessing) -> Option<String> {
    let plane = preprocessing.shape.plane();
    let channels = || preprocessing.mean.iter().zip(&preprocessing.std);
    // Every level of every pixel of an image.
    let levels = |sample: &[f32]| -> Vec<f64> {
        let planes = sample.chunks_exact(plane).zip(channels());
        planes
            .flat_map(|(values, (mean, std))| {
                values
                    .iter()
                    .map(|&v| 255.0 * f64::from(v).mul_add(*std, *mean))
            })
            .collect()
    };
    let (mut low, mut high, mut flat) = (f64::INFINITY, f64::NEG_INFINITY, true);
    for sample in samples {
        let levels = levels(sample);
        let least = levels.iter().copied().fold(f64::INFINITY, f64::min);
        let most = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low, high) = (low.min(least), high.max(most));
        flat &= most - least < 16.0;
    }
    let what = if samples.len() > 1 && samples.iter().all(|s| *s == samples[0]) {
        "are one and the same image".to_owned()
    } else if high < 128.0 {
        format!("are all dark: no pixel is above {high:.0} of 255")
    } else if low > 128.0 {
        format!("are all bright: no pixel is below {low:.0} of 255")
    } else if flat {
        "hardly vary: each is nearly of one shade".to_owned()
    } else if high - low < 96.0 {
        format!("are of little contrast: all pixels are between {low:.0} and {high:.0} of 255")
    } else {
        return None;
    };
    Some(format!(
        "the calibration images {what}; the network should be calibrated on images like all that it will be asked about"
    ))
}

/// Whether the first batch norm meets values unlike those that it was trained on.
#[expect(clippy::cast_precision_loss, reason = "means")]
fn first_norm(source: &Source, samples: &[Vec<f32>]) -> Result<Option<String>, Error> {
    let FloatModel { graph, tensors } = &source.float;
    let nodes = graph.nodes();
    let first = nodes
        .iter()
        .enumerate()
        .find(|(_, n)| n.op.kind() == Kind::Norm);
    let Some((norm, node)) = first else {
        return Ok(None);
    };
    let (layer, Op::BatchNorm { mean, var, eps, .. }) = (node.inputs[0], &node.op) else {
        return Ok(None);
    };
    if nodes[layer].op.kind() != Kind::Linear || nodes[layer].inputs != [0] {
        return Ok(None);
    }
    let (mean, var) = (tensors.tensor(mean)?.data(), tensors.tensor(var)?.data());
    let out = graph.types()[layer];
    let (mut sums, mut squares) = (vec![0.0; out.channels], vec![0.0; out.channels]);
    for sample in samples {
        let found = nodes[layer]
            .op
            .compute(tensors, &[(sample, *graph.input())], out)?;
        for (c, plane) in found.chunks_exact(out.plane()).enumerate() {
            sums[c] += plane.iter().map(|&v| f64::from(v)).sum::<f64>();
            squares[c] += plane.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        }
    }
    let count = (samples.len() * out.plane()).max(1) as f64;
    let mut shifts = Vec::with_capacity(out.channels);
    let mut ratios = Vec::with_capacity(out.channels);
    for c in 0..out.channels {
        let (expected, variance) = (f64::from(mean[c]), f64::from(var[c]) + eps);
        let found = sums[c] / count;
        shifts.push((found - expected).abs() / variance.sqrt());
        ratios.push((squares[c] / count - found * found).max(0.0) / variance);
    }
    let (shift, ratio) = (middle(shifts), middle(ratios));
    if shift < 3.0 && (1.0 / 12.0..12.0).contains(&ratio) {
        return Ok(None);
    }
    Ok(Some(format!(
        "the first batch norm (`{}`) meets values unlike those of its training: their variance is {ratio:.3} times as large, and their mean {shift:.1} deviations away; are --mean and --std those of the training, as parts of 1 and not of 255?",
        nodes[norm].name
    )))
}

/// The middle one of some numbers.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
