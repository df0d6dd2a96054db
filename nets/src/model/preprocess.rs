//! From decoded pixels to the network's input, with the same result on every machine.
//!
//! Grey is ITU-R 601 luma, `(19595 R + 38470 G + 7471 B + 2^15) >> 16`; 16-bit samples become
//! 8-bit ones, `(v + 128) / 257`; the sides change by [`Geometry`]; then `(v / 255 - mean) / std`.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::geometry::Geometry;
use super::grid::InputGrid;
use crate::Error;
use crate::shape::Shape;

/// The most samples a picture may have.
const MAX_SAMPLES: usize = 1 << 30;

/// Decoded samples, row by row, channels interleaved.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two depths there are")]
pub enum Samples {
    /// 0..=255.
    Eight(Vec<u8>),
    /// 0..=65535.
    Sixteen(Vec<u16>),
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eight(_) => "Eight(..)",
            Self::Sixteen(_) => "Sixteen(..)",
        })
    }
}

/// A decoded picture, grey or RGB. `Debug` prints no sample, and the samples are erased when it is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    channels: usize,
    samples: Samples,
}

impl Picture {
    /// A picture of 1 channel (grey) or 3 (RGB).
    ///
    /// # Errors
    /// [`Error::Picture`] when the picture is empty or enormous, or the samples do not fill it.
    pub fn new(
        width: usize,
        height: usize,
        channels: usize,
        samples: Samples,
    ) -> Result<Self, Error> {
        let bad = |problem: String| Err(Error::Picture(problem));
        let found = match &samples {
            Samples::Eight(v) => v.len(),
            Samples::Sixteen(v) => v.len(),
        };
        if channels != 1 && channels != 3 {
            return bad(format!("{channels} channels, neither grey nor RGB"));
        }
        match Shape::new(channels, height, width).len() {
            0 => bad("it has no pixels".into()),
            n if n > MAX_SAMPLES => bad(format!("{width}x{height} is too large")),
            n if n != found => bad(format!("{found} samples for {width}x{height}x{channels}")),
            _ => Ok(Self {
                width,
                height,
                channels,
                samples,
            }),
        }
    }

    /// The picture as `channels` planes of 8 bits: grey is repeated, colours become grey.
    fn planes(&self, channels: usize) -> Vec<Vec<u8>> {
        let eight = match &self.samples {
            Samples::Eight(v) => std::borrow::Cow::Borrowed(v.as_slice()),
            Samples::Sixteen(v) => v.iter().map(|&s| to_eight(s)).collect(),
        };
        match (self.channels, channels) {
            (1, n) => vec![eight.to_vec(); n],
            (_, 1) => vec![
                eight
                    .chunks_exact(3)
                    .map(|p| luma(p[0], p[1], p[2]))
                    .collect(),
            ],
            (from, n) => (0..n)
                .map(|c| eight.iter().skip(c).step_by(from).copied().collect())
                .collect(),
        }
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        match &mut self.samples {
            Samples::Eight(v) => v.zeroize(),
            Samples::Sixteen(v) => v.zeroize(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "(65535 + 128) / 257 is 255"
)]
fn to_eight(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

#[expect(clippy::cast_possible_truncation, reason = "the factors sum to 2^16")]
fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + (1 << 15)) >> 16) as u8
}

/// What happens to a picture before the network: part of the public model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Preprocessing {
    /// The network's input shape, 1 or 3 channels.
    pub shape: Shape,
    /// Subtracted after division by 255, per channel.
    #[serde(with = "super::decimal")]
    pub mean: Vec<f64>,
    /// Divided by after that, per channel.
    #[serde(with = "super::decimal")]
    pub std: Vec<f64>,
    /// How the picture gets the sides of the input.
    #[serde(default, skip_serializing_if = "Geometry::is_default")]
    pub geometry: Geometry,
    /// The integers that the values are rounded to, where the network has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<InputGrid>,
}

impl Preprocessing {
    /// Stretches a picture to `shape`, then subtracts `mean` and divides by `std`.
    #[must_use]
    pub fn new(shape: Shape, mean: Vec<f64>, std: Vec<f64>) -> Self {
        Self {
            shape,
            mean,
            std,
            geometry: Geometry::default(),
            grid: None,
        }
    }

    /// Checks that the fields fit together.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn check(&self) -> Result<(), Error> {
        let channels = self.shape.channels;
        let good = (channels == 1 || channels == 3)
            && self.shape.check().is_ok()
            && self.mean.len() == channels
            && self.std.len() == channels
            && self.mean.iter().all(|m| m.is_finite())
            && self.std.iter().all(|s| s.is_finite() && *s > 0.0);
        if !good {
            return Err(Error::Damaged("preprocessing does not make sense".into()));
        }
        self.grid.as_ref().map_or(Ok(()), InputGrid::check)?;
        self.geometry.check(self.shape)
    }

    /// Number of inputs that the network gets for one picture. Their logits are averaged.
    #[must_use]
    pub const fn views(&self) -> usize {
        self.geometry.views()
    }

    /// The 8-bit pixels that the network sees in one of the views, channel by channel and row by row.
    ///
    /// # Panics
    /// When there is no such view, or the preprocessing does not pass [`Preprocessing::check`].
    #[must_use]
    pub fn pixels(&self, picture: &Picture, view: usize) -> Vec<u8> {
        assert!(view < self.views(), "view {view} of {}", self.views());
        let mut planes = picture.planes(self.shape.channels);
        let mut pixels = Vec::with_capacity(self.shape.len());
        for plane in &mut planes {
            let mut resized = self.geometry.view(plane, picture.sides(), self.shape, view);
            pixels.extend_from_slice(&resized);
            resized.zeroize();
            plane.zeroize();
        }
        pixels
    }

    /// The input values of such pixels.
    ///
    /// # Errors
    /// [`Error::InputLength`].
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the network's input is f32"
    )]
    pub fn values(&self, pixels: &[u8]) -> Result<Vec<f32>, Error> {
        if pixels.len() != self.shape.len() {
            return Err(Error::InputLength {
                expected: self.shape.len(),
                found: pixels.len(),
            });
        }
        let plane = self.shape.plane();
        let value = |(i, &p): (usize, &u8)| {
            let c = i / plane;
            ((f64::from(p) / 255.0 - self.mean[c]) / self.std[c]) as f32
        };
        Ok(pixels.iter().enumerate().map(value).collect())
    }

    /// Input values in the unit of the integers that they are rounded to, where the network has its own.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "levels are small")]
    pub fn rounded(&self, values: Vec<f32>) -> Vec<f32> {
        match &self.grid {
            Some(grid) => values.iter().map(|&v| grid.encode(v) as f32).collect(),
            None => values,
        }
    }

    /// The largest magnitude that an input value can have.
    #[must_use]
    pub fn bound(&self) -> f64 {
        let ends = |(m, s): (&f64, &f64)| (m.abs().max((1.0 - m).abs())) / s;
        self.mean
            .iter()
            .zip(&self.std)
            .map(ends)
            .fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_16_bits_round_to_8() {
        for v in 0..=u16::MAX {
            assert_eq!(f64::from(to_eight(v)), (f64::from(v) / 257.0).round());
        }
    }

    #[test]
    fn luma_keeps_grey() {
        for v in 0..=255 {
            assert_eq!(luma(v, v, v), v);
        }
        assert_eq!(
            [luma(255, 0, 0), luma(0, 255, 0), luma(0, 0, 255)],
            [76, 150, 29]
        );
    }

    #[test]
    fn bad_pictures_are_refused() {
        for (w, h, c, n) in [
            (0, 1, 1, 0),
            (1, 1, 2, 2),
            (2, 2, 1, 3),
            (1 << 40, 1 << 40, 1, 1),
        ] {
            let made = Picture::new(w, h, c, Samples::Eight(vec![0; n]));
            assert!(matches!(made, Err(Error::Picture(_))), "{w}x{h}x{c}");
        }
    }
}
