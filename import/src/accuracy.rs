//! How near an integer network is to its float network, and the narrowest weights and activations
//! that are near enough.

use serde::Serialize;

use nets::{Head, PrivateWeights, PublicModel, run_integer, run_integer_counting};

use crate::Error;
use crate::progress::Steps;

/// The widths that are tried, in this order. Two more bits of every activation cost about as much as one more
/// bit of every weight, and with more than 12 bits of a weight most of the error is from activations.
const TRIES: [Precision; 11] = [
    Precision::new(8, 0),
    Precision::new(10, 0),
    Precision::new(12, 0),
    Precision::new(10, 2),
    Precision::new(12, 2),
    Precision::new(14, 2),
    Precision::new(12, 4),
    Precision::new(14, 4),
    Precision::new(16, 4),
    Precision::new(16, 6),
    Precision::new(18, 8),
];
/// With this many samples or more, every [`HELD_OUT`]-th is not shown to the rounding of weights.
const ENOUGH: usize = 8;
const HELD_OUT: usize = 4;

/// How many bits a weight has.
#[derive(Clone, Copy, PartialEq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "callers choose one of the two")]
pub enum WeightBits {
    /// This many.
    Fixed(u32),
    /// The fewest, of 8 to 18, with which the integer network's probabilities stay within `accuracy` of
    /// the float network's on calibration images. Two numbers must be that small: the largest difference
    /// seen, and the root mean square of the differences that the errors of the logits would make on
    /// images on which the float network is undecided. An image whose two most probable outputs are more
    /// than 2·`accuracy` apart then has the same top output in both networks. With eight samples or more,
    /// images that the rounding of weights did not see are compared first, and decide alone how undecided images move;
    /// the largest difference must be as small on the others too. Where weights alone do not
    /// help, activations get 2 to 8 fractional bits more.
    Auto {
        /// The largest difference of a probability, in 0..1.
        accuracy: f64,
    },
}

impl WeightBits {
    /// The number of bits, once it is chosen.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Fixed(bits) => bits,
            Self::Auto { .. } => unreachable!("quantise() lowers for fixed widths only"),
        }
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        let problem = match self {
            Self::Fixed(bits) if (2..=24).contains(&bits) => return Ok(()),
            Self::Fixed(bits) => format!("{bits} is not in 2..=24"),
            Self::Auto { accuracy } if accuracy > 0.0 && accuracy < 1.0 => return Ok(()),
            Self::Auto { accuracy } => format!("an accuracy of {accuracy} is not between 0 and 1"),
        };
        let option = "weight_bits";
        Err(Error::Option { option, problem })
    }
}

/// How exact an integer network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Precision {
    /// Bits of a weight.
    pub(crate) weight_bits: u32,
    /// Fractional bits of an activation beyond those of the options.
    pub(crate) more_bits: u32,
}

impl Precision {
    pub(crate) const fn new(weight_bits: u32, more_bits: u32) -> Self {
        Self {
            weight_bits,
            more_bits,
        }
    }
}

/// How an integer network with weights of one width compares with the float network.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct WidthReport {
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Most bits of an activation.
    pub activation_bits: u32,
    /// Images compared; fewer than there are where the accuracy was seen not to hold.
    pub images: usize,
    /// Number of them on which both networks have the same top output.
    pub same_top: usize,
    /// Largest difference of a logit.
    pub max_logit_difference: f64,
    /// Mean difference of a logit.
    pub mean_logit_difference: f64,
    /// Largest difference of a probability. Of widths that pass, on all images.
    pub max_probability_difference: f64,
    /// Mean difference of a probability.
    pub mean_probability_difference: f64,
    /// Root mean square, over the images, of the largest difference of a probability that the errors of
    /// the logits would make if the float network were undecided: between its two top outputs with a
    /// softmax, between yes and no with a sigmoid.
    pub undecided_difference: f64,
    /// Values that wrapped where this does harm; not counted while widths are tried.
    pub wrapped: usize,
}

impl WidthReport {
    /// Whether both differences are small enough.
    pub(crate) fn is_within(&self, accuracy: f64) -> bool {
        self.max_probability_difference <= accuracy && self.undecided_difference <= accuracy
    }

    /// What decides between widths if none is near enough.
    const fn worst(&self) -> f64 {
        self.max_probability_difference
            .max(self.undecided_difference)
    }
}

/// The samples that the rounding of weights does not see and that its result is judged by; none if there are
/// few samples.
pub(crate) fn held_out(samples: usize) -> Vec<usize> {
    let last = if samples < ENOUGH { 0 } else { samples };
    (HELD_OUT - 1..last).step_by(HELD_OUT).collect()
}

/// The widths that were chosen.
pub(crate) struct Narrowest<T> {
    pub(crate) precision: Precision,
    pub(crate) report: WidthReport,
    /// The network of these widths, if it was made last.
    pub(crate) made: Option<T>,
    /// The reports of everything that was tried.
    pub(crate) tried: Vec<WidthReport>,
}

/// The first of [`TRIES`] that is near enough, or the same with one bit less of every weight if that is near
/// enough too; the best of all if none is. `attempt` lowers the network and compares it. One network is kept at a time:
/// a large one is rather made twice.
pub(crate) fn narrowest<T>(
    accuracy: f64,
    mut attempt: impl FnMut(Precision) -> Result<(T, WidthReport), Error>,
) -> Result<Narrowest<T>, Error> {
    let mut tried = Vec::new();
    let mut best: Option<(Precision, WidthReport)> = None;
    let mut refused = None;
    let mut found = None;
    for precision in TRIES {
        let (model, report) = match attempt(precision) {
            // Other widths may fit.
            Err(problem) if problem.is_width() => {
                refused = Some(problem);
                continue;
            }
            other => other?,
        };
        tried.push(report);
        if report.is_within(accuracy) {
            found = Some(model);
            best = Some((precision, report));
            break;
        }
        let worst = |(_, best): &(Precision, WidthReport)| report.worst() < best.worst();
        if best.as_ref().is_none_or(worst) {
            best = Some((precision, report));
        }
    }
    let Some((mut precision, mut report)) = best else {
        return Err(refused.expect("nothing fits where nothing was compared"));
    };
    // The odd width below it was not tried yet.
    if found.is_some() && precision != TRIES[0] {
        found = None;
        let less = Precision::new(precision.weight_bits - 1, precision.more_bits);
        match attempt(less) {
            Err(problem) if problem.is_width() => {}
            other => {
                let (model, found_less) = other?;
                tried.push(found_less);
                if found_less.is_within(accuracy) {
                    (precision, report, found) = (less, found_less, Some(model));
                }
            }
        }
    }
    Ok(Narrowest {
        precision,
        report,
        made: found,
        tried,
    })
}

/// Where a comparison ends: what is beyond is not held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of the largest difference of a probability.
    pub(crate) largest: f64,
    /// Of the differences where the float network is undecided.
    pub(crate) undecided: f64,
}

/// Compares the integer network with the float network on samples, whose float logits are given. With limits
/// it ends where these are known not to be held, and counts no values that wrapped.
#[expect(clippy::cast_precision_loss, reason = "means")]
pub(crate) fn compare(
    public: &PublicModel,
    weights: &PrivateWeights,
    samples: &[(&Vec<f32>, &Vec<f64>)],
    until: Option<Limits>,
    steps: &mut Steps<'_>,
) -> Result<WidthReport, Error> {
    let mut report = WidthReport::default();
    let mut undecided = 0.0;
    for &(sample, expected) in samples {
        steps.compare();
        let (found, wrapped) = logits(public, weights, sample, until.is_none())?;
        report.images += 1;
        report.wrapped += wrapped;
        report.same_top += usize::from(top(expected) == top(&found));
        let (largest, mean) = difference(expected, &found);
        report.max_logit_difference = report.max_logit_difference.max(largest);
        report.mean_logit_difference += mean;
        let probabilities = [expected.as_slice(), &found].map(|l| public.probabilities(l));
        let (largest, mean) = difference(&probabilities[0], &probabilities[1]);
        report.max_probability_difference = report.max_probability_difference.max(largest);
        report.mean_probability_difference += mean;
        let even = undecide(public.head, expected);
        let error = even.iter().zip(expected).zip(&found);
        let moved: Vec<f64> = error.map(|((even, e), f)| even + f - e).collect();
        let (p, q) = (public.probabilities(&even), public.probabilities(&moved));
        undecided += difference(&p, &q).0.powi(2);
        let least = (undecided / samples.len() as f64).sqrt();
        let missed = |limits: Limits| {
            report.max_probability_difference > limits.largest || least > limits.undecided
        };
        if until.is_some_and(missed) {
            break;
        }
    }
    let count = report.images.max(1) as f64;
    report.mean_logit_difference /= count;
    report.mean_probability_difference /= count;
    report.undecided_difference = (undecided / count).sqrt();
    Ok(report)
}

/// The integer network's logits, and how many values wrapped where this does harm, if they are to be counted.
fn logits(
    public: &PublicModel,
    weights: &PrivateWeights,
    sample: &[f32],
    counts: bool,
) -> Result<(Vec<f64>, usize), Error> {
    let input = public.encode(sample)?;
    let (raw, wrapped) = if counts {
        let (raw, counts) = run_integer_counting(&public.graph, weights, &input)?;
        (raw, counts.wrapped)
    } else {
        // This is faster.
        (run_integer(&public.graph, weights, &input)?, 0)
    };
    Ok((public.logits(&raw), wrapped))
}

/// Logits of an undecided network: with a softmax the two top ones become equal, with a sigmoid all are 0.
fn undecide(head: Head, logits: &[f64]) -> Vec<f64> {
    match (head, top(logits)) {
        (Head::Softmax, Some(first)) => {
            let others = logits.iter().enumerate().filter(|&(i, _)| i != first);
            let second = others.map(|(_, &l)| l).fold(f64::NEG_INFINITY, f64::max);
            let mut even = logits.to_vec();
            if second.is_finite() {
                even[first] = second;
            }
            even
        }
        _ => vec![0.0; logits.len()],
    }
}

/// The largest and the mean difference of two lists of numbers.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn difference(a: &[f64], b: &[f64]) -> (f64, f64) {
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let sum: f64 = differences.clone().sum();
    (differences.fold(0.0, f64::max), sum / a.len().max(1) as f64)
}

/// The place of the largest value.
fn top(values: &[f64]) -> Option<usize> {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits of a weight, and more of an activation.
    type Pair = (u32, u32);

    /// What is chosen and what was tried, given the difference that each width has; `None` if it does not fit.
    fn tries(difference: impl Fn(u32, u32) -> Option<f64>) -> Result<(Pair, Vec<Pair>), Error> {
        let mut all = Vec::new();
        let chosen = narrowest(0.01, |p| {
            let Precision {
                weight_bits,
                more_bits,
            } = p;
            let report = WidthReport {
                weight_bits,
                max_probability_difference: difference(weight_bits, more_bits)
                    .ok_or_else(|| Error::width("layer", "too few"))?,
                ..WidthReport::default()
            };
            all.push((weight_bits, more_bits));
            Ok(((weight_bits, more_bits), report))
        })?;
        assert_eq!(all.len(), chosen.tried.len());
        let Precision {
            weight_bits,
            more_bits,
        } = chosen.precision;
        // It is the one that was made last, or is to be made again.
        let made = chosen.made.unwrap_or((weight_bits, more_bits));
        assert_eq!(made, (weight_bits, more_bits));
        assert_eq!(chosen.report.weight_bits, weight_bits);
        Ok((made, all))
    }

    #[test]
    fn the_narrowest_weights_that_hold_are_chosen() {
        let found =
            |from: u32| tries(|w, _| Some(if w < from { 0.1 } else { 0.01 })).expect("all fit");
        assert_eq!(found(8), ((8, 0), vec![(8, 0)]));
        assert_eq!(found(9), ((9, 0), vec![(8, 0), (10, 0), (9, 0)]));
        let tried = vec![(8, 0), (10, 0), (12, 0), (11, 0)];
        assert_eq!(found(12), ((12, 0), tried));
    }

    #[test]
    fn activations_get_more_bits_where_weights_do_not_help() {
        let difference = |w: u32, more: u32| Some(0.5 / f64::from((w + 1) * (1 + more)));
        let (found, tried) = tries(difference).expect("all fit");
        assert_eq!((found, tried.len()), ((11, 4), 8));
        // Where nothing holds, the best of those tried.
        let none = |w: u32, more: u32| Some(if (w, more) == (12, 2) { 0.02 } else { 0.03 });
        assert_eq!(tries(none).expect("all fit").0, (12, 2));
    }

    #[test]
    fn widths_that_do_not_fit_are_passed_over() {
        let found = tries(|w, _| (w == 10).then_some(0.001)).expect("ten bits fit");
        assert_eq!(found, ((10, 0), vec![(10, 0)]));
        assert!(tries(|_, _| None).is_err_and(|e| e.is_width()));
    }

    #[test]
    fn some_images_are_held_out_of_enough() {
        assert_eq!(held_out(7), Vec::<usize>::new());
        assert_eq!(held_out(8), [3, 7]);
        assert_eq!(held_out(11), [3, 7]);
    }

    #[test]
    fn undecided_networks_are() {
        assert_eq!(undecide(Head::Softmax, &[1.0, 5.0, 3.0]), [1.0, 3.0, 3.0]);
        assert_eq!(undecide(Head::Softmax, &[1.0]), [1.0]);
        assert_eq!(undecide(Head::Sigmoid, &[1.0, -2.0]), [0.0, 0.0]);
    }
}
