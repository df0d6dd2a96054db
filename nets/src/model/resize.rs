//! Antialiased resize of 8-bit planes, bit-compatible with Pillow's `BILINEAR`, `BICUBIC` and `LANCZOS`.
//!
//! Columns first, then rows, as Pillow does up to version 12. Version 13 takes the rows first where a tall
//! picture loses height, which changes samples by one, and by more where a sharper filter overshoots black or
//! white in the first pass.

use std::f64::consts::PI;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Fractional bits of the filter weights: 8-bit samples and the sum leave this much of 32 bits.
const PRECISION: u32 = 32 - 8 - 2;

/// Which weights the samples around a place have in the resized sample there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Filter {
    /// A triangle that reaches one sample to either side.
    #[default]
    Bilinear,
    /// Keys' cubic with a = -1/2, which reaches two samples to either side.
    Bicubic,
    /// A windowed sinc, which reaches three samples to either side.
    Lanczos,
}

impl Filter {
    /// Samples to either side.
    const fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight of a sample at distance `x`.
    fn weight(self, x: f64) -> f64 {
        /// Keys' parameter.
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    (x * PI).sin() / (x * PI)
}

/// The weights of the input samples for one output sample: the first of these, and the values.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// The weights for the output samples `part` when `input` samples become `output`. The filter is as wide
/// as its support in output samples when shrinking, which is the antialiasing, and in input samples when
/// enlarging.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "sides of pictures are small and the ends are clamped"
)]
fn taps(input: usize, output: usize, part: Range<usize>, filter: Filter) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    let per_sample = 1.0 / widening;
    part.map(|i| {
        let centre = (i as f64 + 0.5) * scale;
        let start = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(input);
        let weight = |x: usize| filter.weight((x as f64 - centre + 0.5) * per_sample);
        let weights: Vec<f64> = (start..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let one = f64::from(1 << PRECISION);
        // Halves away from zero, as Pillow rounds.
        let fixed = |w: &f64| {
            let w = w / sum * one;
            (w + 0.5_f64.copysign(w)) as i32
        };
        let weights = weights.iter().map(fixed).collect();
        Taps { start, weights }
    })
    .collect()
}

/// One output sample from `line`, samples `stride` apart, rounded and clipped to 8 bits.
#[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn sample(taps: &Taps, line: &[u8], stride: usize) -> u8 {
    let inputs = line[taps.start * stride..].iter().step_by(stride);
    let products = inputs.zip(&taps.weights).map(|(&p, &w)| i32::from(p) * w);
    let sum = (1 << (PRECISION - 1)) + products.sum::<i32>();
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Resizes a plane of `[rows, columns]`: columns first, each pass rounded to 8 bits.
///
/// # Panics
/// When the plane does not have `from[0] * from[1]` samples.
#[must_use]
pub fn resize(plane: &[u8], from: [usize; 2], to: [usize; 2], filter: Filter) -> Vec<u8> {
    resize_part(plane, from, to, [0..to[0], 0..to[1]], filter)
}

/// The rows and columns `part` of what [`resize`] gives; nothing else is computed.
pub(crate) fn resize_part(
    plane: &[u8],
    from: [usize; 2],
    to: [usize; 2],
    part: [Range<usize>; 2],
    filter: Filter,
) -> Vec<u8> {
    assert_eq!(
        plane.len(),
        from[0] * from[1],
        "the plane has from[0] * from[1] samples"
    );
    let [rows, columns] = part;
    let width = columns.len();
    let narrow: Vec<u8> = if from[1] == to[1] {
        let cut = |row: &[u8]| row[columns.clone()].to_vec();
        plane.chunks_exact(from[1]).flat_map(cut).collect()
    } else {
        let taps = taps(from[1], to[1], columns, filter);
        let line = |row| taps.iter().map(move |t| sample(t, row, 1));
        plane.chunks_exact(from[1]).flat_map(line).collect()
    };
    if from[0] == to[0] {
        return narrow[rows.start * width..rows.end * width].to_vec();
    }
    let taps = taps(from[0], to[0], rows, filter);
    let row = |t| {
        (0..width)
            .map(|c| sample(t, &narrow[c..], width))
            .collect::<Vec<_>>()
    };
    taps.iter().flat_map(row).collect()
}
