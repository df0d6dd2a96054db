//! The report of an import.

use serde::Serialize;

use crate::accuracy::WidthReport;
use crate::judge::Fault;
use crate::ranges::Ranges;
use crate::widths::LayerWidths;

/// What [`crate::quantise`] chose, and how the result compares with the float network.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The linear layers.
    pub layers: Vec<LayerWidths>,
    /// Bits of a weight in dense layers; layers in which every channel has weights of its own get 4 more.
    pub weight_bits: u32,
    /// Most bits of an activation.
    pub activation_bits: u32,
    /// The widths that were tried, in this order, if the width was to be chosen. They were compared on the
    /// `held_out` images, or on all if these are none.
    pub tried: Vec<WidthReport>,
    /// Number of images that the rounding of weights did not see.
    pub held_out: usize,
    /// Number of calibration images, on all of which the final network was compared.
    pub images: usize,
    /// Number of images on which the float and the integer network have the same top output.
    pub same_top: usize,
    /// Largest difference of a logit between float and integer.
    pub max_logit_difference: f64,
    /// Mean difference of a logit.
    pub mean_logit_difference: f64,
    /// Largest difference of a probability.
    pub max_probability_difference: f64,
    /// Mean difference of a probability.
    pub mean_probability_difference: f64,
    /// Every width has room for this many times the largest value seen.
    pub margin: f64,
    /// Where the network came with scales of its own, and these are kept: by how much of a step, at most, the rounding of
    /// factors moves a value between two of its grids that is not clipped, on any image. Where that does not take it over
    /// the middle between two integers, the integer is that of exact arithmetic. What is not between two grids is as
    /// elsewhere.
    pub own_scales: Option<f64>,
    /// What decided how much room tensors have.
    pub ranges: Ranges,
    /// Number of values that wrapped on these images where this does harm; 0 in a sound import.
    pub wrapped: usize,
    /// Why the integer network should not be used; none in a sound import.
    pub faults: Vec<Fault>,
    /// What is to be said of the network and of the calibration images.
    pub warnings: Vec<String>,
}
