//! What an import says of its result.

use serde::Serialize;

use crate::accuracy::WidthReport;
use crate::widths::LayerWidths;

/// What [`crate::quantise`] found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The linear layers.
    pub layers: Vec<LayerWidths>,
    /// Bits of a weight in dense layers; layers in which every channel has weights of its own get 4 more.
    pub weight_bits: u32,
    /// Most bits of an activation.
    pub activation_bits: u32,
    /// The widths tried, in this order, where the width was to be chosen: on the `held_out` images,
    /// or on all where there are few.
    pub tried: Vec<WidthReport>,
    /// Images that the rounding of weights did not see.
    pub held_out: usize,
    /// The calibration images.
    pub images: usize,
    /// Images on which the float and the integer network name the same top output.
    pub same_top: usize,
    /// Largest difference of a logit between float and integer.
    pub max_logit_difference: f64,
    /// Mean difference of a logit.
    pub mean_logit_difference: f64,
    /// Largest difference of a probability.
    pub max_probability_difference: f64,
    /// Mean difference of a probability.
    pub mean_probability_difference: f64,
    /// The factor that every width leaves over the largest value seen.
    pub margin: f64,
    /// Values that wrapped in calibration where this does harm; 0 in a sound import.
    pub wrapped: usize,
}
