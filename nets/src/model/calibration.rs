//! What inputs a model was made for, as far as its clients may know.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::preprocess::{Picture, Preprocessing};

/// A millionth, the unit of differences of probabilities.
const MILLION: f64 = 1e6;
/// Statistics are known to so many of the 256 levels of a pixel.
const STEP: f64 = 8.0;
/// An interval is at least this many levels wider than what was seen, at either end.
const LEAST: f64 = 24.0;

/// The longest text of faults.
const MAX_FAULTS: usize = 512;

/// What decided how much room the tensors of a model have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "whoever shows it must show each")]
pub enum Room {
    /// The calibration images, and a margin.
    Calibrated,
    /// The calibration images and variants of them, a margin, and how few images there were.
    Robust,
    /// A proof for every picture.
    Proved,
}

/// How near the integer network was to its float network, in millionths of a probability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "these are the parts")]
pub struct Accuracy {
    /// The largest difference that was allowed.
    pub asked: u32,
    /// The largest difference found on the images that it was judged by.
    pub found: u32,
}

impl Accuracy {
    /// Of differences of probabilities, in 0..1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a million"
    )]
    pub fn new(asked: f64, found: f64) -> Self {
        let millionths = |v: f64| (v.clamp(0.0, 1.0) * MILLION).round() as u32;
        Self {
            asked: millionths(asked),
            found: millionths(found),
        }
    }
}

/// Mean and standard deviation of the pixels of one channel, in levels of 0..=255, from the least to the greatest that
/// are expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "these are the parts")]
pub struct Levels {
    /// Of the means of images.
    pub mean: [u8; 2],
    /// Of the standard deviations of images.
    pub deviation: [u8; 2],
}

/// What inputs a model was made for: part of the public model, so that a client can tell whether its image is like
/// these before it sends anything. The statistics are those of whole images, widened and rounded to a few levels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "these are the parts")]
pub struct Calibration {
    /// Number of calibration images.
    pub images: usize,
    /// What decided how much room the tensors have.
    pub ranges: Room,
    /// For each channel of the input.
    pub levels: Vec<Levels>,
    /// How near the integer network was to its float network, where it was to be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    /// The faults that the import found and that whoever imported it accepted, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// Mean and standard deviation of some levels.
fn moments(levels: impl Iterator<Item = f64> + Clone) -> [f64; 2] {
    let sum = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0))
    };
    let (total, count) = sum(&mut levels.clone());
    let mean = total / f64::max(count, 1.0);
    let (squares, _) = sum(&mut levels.map(|v| (v - mean).powi(2)));
    [mean, (squares / f64::max(count, 1.0)).sqrt()]
}

/// The interval of what is expected after such values: as much wider at either end as it is wide, at least
/// [`LEAST`] levels.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn widened(values: impl Iterator<Item = f64> + Clone) -> [u8; 2] {
    let low = values.clone().fold(255.0, f64::min);
    let high = values.fold(0.0, f64::max).max(low);
    let more = (high - low).max(LEAST);
    let ends = [
        ((low - more) / STEP).floor() * STEP,
        ((high + more) / STEP).ceil() * STEP,
    ];
    ends.map(|end| end.clamp(0.0, 255.0) as u8)
}

impl Calibration {
    /// Of the input values of calibration images.
    #[must_use]
    pub fn of(samples: &[Vec<f32>], preprocessing: &Preprocessing, ranges: Room) -> Self {
        let plane = preprocessing.shape.plane();
        let channels = preprocessing.mean.iter().zip(&preprocessing.std);
        let of_channel = |(c, (mean, std)): (usize, (&f64, &f64))| {
            let level = |&v: &f32| 255.0 * f64::from(v).mul_add(*std, *mean).clamp(0.0, 1.0);
            let found = samples.iter().map(|sample| {
                let values = &sample[c * plane..][..plane];
                moments(values.iter().map(level))
            });
            let found: Vec<[f64; 2]> = found.collect();
            Levels {
                mean: widened(found.iter().map(|m| m[0])),
                deviation: widened(found.iter().map(|m| m[1])),
            }
        };
        Self {
            images: samples.len(),
            ranges,
            levels: channels.enumerate().map(of_channel).collect(),
            accuracy: None,
            accepted: None,
        }
    }

    /// Says of the model which faults were accepted, in words of which as many are kept as fit.
    pub fn accept(&mut self, faults: &str) {
        let shown = faults.chars().filter(|c| !c.is_control());
        let mut text = String::new();
        for c in shown {
            if text.len() + c.len_utf8() > MAX_FAULTS {
                break;
            }
            text.push(c);
        }
        self.accepted = Some(text);
    }

    /// In what a picture is unlike the calibration images, in words; `None` where it is like them.
    ///
    /// # Panics
    /// When the preprocessing does not pass [`Preprocessing::check`].
    #[must_use]
    pub fn unlike(&self, picture: &Picture, preprocessing: &Preprocessing) -> Option<String> {
        let mut pixels = preprocessing.pixels(picture, 0);
        let unlike = self.unlike_pixels(&pixels, preprocessing);
        pixels.zeroize();
        unlike
    }

    fn unlike_pixels(&self, pixels: &[u8], preprocessing: &Preprocessing) -> Option<String> {
        let planes = pixels.chunks_exact(preprocessing.shape.plane());
        let several = self.levels.len() > 1;
        for (c, (plane, levels)) in planes.zip(&self.levels).enumerate() {
            let [mean, deviation] = moments(plane.iter().map(|&p| f64::from(p)));
            let checks = [
                ("mean", mean, levels.mean),
                ("deviation", deviation, levels.deviation),
            ];
            for (what, value, [low, high]) in checks {
                if value < f64::from(low) || value > f64::from(high) {
                    let of = if several {
                        format!(" of channel {c}")
                    } else {
                        String::new()
                    };
                    return Some(format!(
                        "the {what} of its pixels{of} is {value:.0} of 255, and {low} to {high} is usual for this model"
                    ));
                }
            }
        }
        None
    }

    /// What is wrong with it for inputs of so many channels.
    pub(super) fn check(&self, channels: usize) -> Result<(), String> {
        let ordered = |ends: [u8; 2]| ends[0] <= ends[1];
        let good = self.images > 0
            && self.levels.len() == channels
            && (self.levels.iter()).all(|l| ordered(l.mean) && ordered(l.deviation))
            // It is shown to people.
            && self.accepted.as_ref().is_none_or(|text| {
                text.len() <= MAX_FAULTS && !text.chars().any(char::is_control)
            });
        match good {
            true => Ok(()),
            false => Err("the statistics of its calibration make no sense".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Samples;
    use crate::shape::Shape;

    #[test]
    fn pictures_far_outside_are_told_apart() {
        let preprocessing = Preprocessing::new(Shape::new(1, 4, 4), vec![0.5], vec![0.25]);
        let values = |level: u8| {
            let pixels: Vec<u8> = (0..16).map(|i| level + i).collect();
            preprocessing.values(&pixels).expect("sixteen pixels")
        };
        let samples = [values(30), values(50)];
        let found = Calibration::of(&samples, &preprocessing, Room::Robust);
        assert_eq!((found.images, found.levels.len()), (2, 1));
        // Means of 37.5 and 57.5, 24 more at either end; deviations of 4.6.
        assert_eq!(found.levels[0].mean, [8, 88]);
        assert_eq!(found.levels[0].deviation, [0, 32]);
        found.check(1).expect("it is sound");
        let told = |pixels: Vec<u8>| {
            let picture = Picture::new(4, 4, 1, Samples::Eight(pixels)).expect("a picture");
            found.unlike(&picture, &preprocessing)
        };
        assert_eq!(told(vec![60; 16]), None);
        let white = told(vec![255; 16]).expect("it is too bright");
        assert!(
            white.contains("mean") && white.contains("255 of 255"),
            "{white}"
        );
        let hard = told((0..16).map(|i| 150 * (i % 2)).collect()).expect("too much contrast");
        assert!(hard.contains("deviation"), "{hard}");
    }

    #[test]
    fn nonsense_is_refused() {
        let preprocessing = Preprocessing::new(Shape::new(1, 1, 1), vec![0.0], vec![1.0]);
        let good = Calibration::of(&[vec![0.5]], &preprocessing, Room::Proved);
        good.check(1).expect("it is sound");
        assert!(good.check(3).is_err());
        let mut turned = good.clone();
        turned.levels[0].mean = [9, 8];
        assert!(turned.check(1).is_err());
        let none = Calibration {
            images: 0,
            ..good.clone()
        };
        assert!(none.check(1).is_err());
        for text in ["\u{1b}[2J".to_owned(), "x".repeat(MAX_FAULTS + 1)] {
            let accepted = Some(text.clone());
            let hostile = Calibration {
                accepted,
                ..good.clone()
            };
            assert!(hostile.check(1).is_err());
            let mut told = good.clone();
            told.accept(&text);
            told.check(1).expect("it is shortened");
        }
    }
}
