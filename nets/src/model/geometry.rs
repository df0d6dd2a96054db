//! How a picture gets the sides of the network's input: stretched, or resized and cropped.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::preprocess::Picture;
use super::resize::{Filter, resize_part};
use crate::Error;
use crate::shape::Shape;

/// The most pixels to which a model may resize the shorter side.
const MAX_RESIZE: usize = 1 << 13;

/// Which parts of a resized picture the network sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Crops {
    /// The middle.
    #[default]
    Centre,
    /// The corners and the middle, and all five mirrored: ten inputs, whose logits are averaged.
    Ten,
}

/// How the sides of a picture become those of the network's input. The default stretches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it in over the default"
)]
pub struct Geometry {
    /// How samples are weighed.
    pub filter: Filter,
    /// The length that the shorter side gets before the picture is cropped, as by torchvision's `Resize` and
    /// `CenterCrop`. `None` stretches the picture to the sides of the input.
    pub resize: Option<usize>,
    /// What is cropped.
    pub crops: Crops,
}

impl Geometry {
    /// Whether it is the default, which files leave out.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that the crops lie in the resized picture.
    pub(crate) fn check(&self, shape: Shape) -> Result<(), Error> {
        let bad = |problem: String| Err(Error::Damaged(problem));
        match self.resize {
            None if self.crops == Crops::Centre => Ok(()),
            None => bad("ten crops of a picture that is not resized".into()),
            Some(side) if side > MAX_RESIZE => bad(format!("a resize to {side} pixels")),
            Some(side) if side < shape.height.max(shape.width) => {
                bad(format!("{shape} cannot be cropped from a side of {side}"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Inputs of the network for one picture.
    pub(crate) const fn views(&self) -> usize {
        match self.crops {
            Crops::Centre => 1,
            Crops::Ten => 10,
        }
    }

    /// The pixels of one view of a plane of `[rows, columns]`.
    pub(crate) fn view(
        &self,
        plane: &[u8],
        from: [usize; 2],
        shape: Shape,
        view: usize,
    ) -> Vec<u8> {
        let sides = [shape.height, shape.width];
        let (to, part) = self.window(from, sides, view);
        let mut pixels = resize_part(plane, from, to, part, self.filter);
        if view >= 5 {
            pixels
                .chunks_exact_mut(shape.width)
                .for_each(<[u8]>::reverse);
        }
        pixels
    }

    /// The sides after the resize, and the rows and columns of the crop.
    fn window(
        &self,
        from: [usize; 2],
        sides: [usize; 2],
        view: usize,
    ) -> ([usize; 2], [Range<usize>; 2]) {
        let Some(shorter) = self.resize else {
            return (sides, sides.map(|side| 0..side));
        };
        let least = from[0].min(from[1]);
        // The longer side is rounded down.
        let to = from.map(|side| shorter * side / least);
        let ends = [to[0] - sides[0], to[1] - sides[1]];
        let middle = ends.map(halved);
        let [top, left] = match (self.crops, view % 5) {
            (Crops::Ten, 0) => [0, 0],
            (Crops::Ten, 1) => [0, ends[1]],
            (Crops::Ten, 2) => [ends[0], 0],
            (Crops::Ten, 3) => ends,
            _ => middle,
        };
        // The last five are the same parts of the mirrored picture: there an odd rest is halved the other way.
        let left = if view < 5 { left } else { ends[1] - left };
        (to, [top..top + sides[0], left..left + sides[1]])
    }
}

/// Half of it, halves rounded to even, as Python rounds.
const fn halved(n: usize) -> usize {
    n / 2 + (n % 4 == 3) as usize
}

impl Picture {
    /// Rows and columns.
    pub(crate) const fn sides(&self) -> [usize; 2] {
        [self.height, self.width]
    }
}
