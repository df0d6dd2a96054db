//! Inputs of networks with scales of their own.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The integers that input values are rounded to, of a network that begins with an [`crate::Op::Quantise`]: the
/// nearest to value / scale, the even one of two, in single precision as the network's runtime computes it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the parts of one operation")]
pub struct InputGrid {
    /// The distance of neighbours.
    pub scale: f32,
    /// The least integer.
    pub low: i32,
    /// The greatest integer.
    pub high: i32,
}

/// The most that a level can be.
const MAX_LEVEL: i32 = 1 << 16;

impl InputGrid {
    /// The integer for a value; 0 for NaN.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "casts saturate")]
    pub fn encode(&self, value: f32) -> i64 {
        let level = (value / self.scale).round_ties_even() as i64;
        level.clamp(self.low.into(), self.high.into())
    }

    /// Refuses a scale that is none, and levels without zero among them.
    pub(super) fn check(&self) -> Result<(), Error> {
        let around = (-MAX_LEVEL..=0).contains(&self.low) && (0..=MAX_LEVEL).contains(&self.high);
        if self.scale.is_normal() && self.scale > 0.0 && around && self.low < self.high {
            return Ok(());
        }
        let Self { scale, low, high } = self;
        let problem = format!("inputs in steps of {scale} from {low} to {high}");
        Err(Error::Damaged(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::InputGrid;

    #[test]
    fn values_round_to_even_levels_and_saturate() {
        let levels = InputGrid {
            scale: 0.5,
            low: -3,
            high: 4,
        };
        let values = [0.25, 0.75, -0.25, -0.75, 1.0, 9.0, -9.0, f32::NAN];
        let found = values.map(|v| levels.encode(v));
        assert_eq!(found, [0, 2, 0, -2, 2, 4, -3, 0]);
        levels.check().expect("it is one");
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(InputGrid { scale, ..levels }.check().is_err());
        }
        assert!(InputGrid { low: 1, ..levels }.check().is_err());
        assert!(
            InputGrid {
                high: 1 << 20,
                ..levels
            }
            .check()
            .is_err()
        );
    }
}
