//! The shape of a layer without strides and dilations.

use super::axis::Axis;
use crate::LinearShape;

/// The shape of a layer without strides and dilations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Geometry {
    /// Channels of the input and of the output.
    pub(crate) channels: [usize; 2],
    pub(crate) groups: usize,
    /// Rows and columns of the kernel.
    pub(super) kernel: [usize; 2],
    pub(crate) axes: [Axis; 2],
}

impl Geometry {
    /// The shape of a layer; `None` if its kernel is beyond all reason.
    pub(crate) fn new(shape: &LinearShape) -> Option<Self> {
        match shape {
            LinearShape::Conv(spec) => Some(Self {
                channels: [spec.input_shape()[0], spec.output_shape()[0]],
                groups: spec.groups(),
                kernel: spec.kernel(),
                axes: [Axis::new(spec, 0)?, Axis::new(spec, 1)?],
            }),
            &LinearShape::FullyConnected { inputs, outputs } => Some(Self {
                channels: [inputs, outputs],
                groups: 1,
                kernel: [1; 2],
                axes: [Axis::point(), Axis::point()],
            }),
        }
    }

    /// Whether every output position depends on one input position only.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.axes.iter().all(Axis::is_point)
    }

    /// Output positions.
    pub(crate) const fn positions(&self) -> usize {
        self.axes[0].outputs * self.axes[1].outputs
    }

    /// Outputs of a group.
    pub(crate) const fn outputs(&self) -> usize {
        self.channels[1] / self.groups
    }

    /// Virtual channels of a group: input channels, each in all phases.
    pub(crate) fn virtual_channels(&self) -> usize {
        let phases = self.axes.each_ref().map(|axis| axis.phases.len());
        self.channels[0] / self.groups * phases[0] * phases[1]
    }

    /// Weights of an output.
    pub(crate) const fn weights(&self) -> usize {
        self.channels[0] / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// The most products with inputs that an output is a sum of.
    pub(crate) fn fan_in(&self) -> usize {
        let taps = |axis: &Axis| axis.phases.iter().map(|p| p.taps.len()).sum::<usize>();
        self.channels[0] / self.groups * taps(&self.axes[0]) * taps(&self.axes[1])
    }
}
