//! The inverted residual block of `MobileNetV2` and V3: a 1x1 convolution to more channels, a depthwise
//! convolution, a squeeze-and-excite in some blocks, and a 1x1 convolution to few channels. The input is
//! added where the shape stays the same.

use nets::{Op, Window};

use crate::Error;
use crate::builder::Builder;

/// One block.
pub(super) struct InvertedResidual {
    pub(super) name: String,
    /// Convolution and batch norm of the expansion, if any.
    pub(super) expand: Option<[String; 2]>,
    pub(super) depthwise: [String; 2],
    /// Name of the squeeze-and-excite, and the channels inside it.
    pub(super) excite: Option<(String, usize)>,
    pub(super) project: [String; 2],
    /// Channels in, inside, out.
    pub(super) channels: [usize; 3],
    /// The window of the depthwise convolution.
    pub(super) window: Window,
    pub(super) activation: Op,
}

impl InvertedResidual {
    pub(super) fn build(&self, net: &mut Builder<'_>) -> Result<(), Error> {
        let (input, pointwise) = (net.last(), Window::square(1, 1, 0));
        let [from, inside, to] = self.channels;
        let part = |part: &str| format!("{}.{part}", self.name);
        let mut last = input;
        if let Some([conv, bn]) = &self.expand {
            net.conv_bn([conv, bn], last, [from, inside], pointwise)?;
            last = net.then(&part("relu_expand"), self.activation.clone());
        }
        let [conv, bn] = &self.depthwise;
        net.depthwise_bn([conv, bn], last, inside, self.window)?;
        last = net.then(&part("relu"), self.activation.clone());
        if let Some((name, few)) = &self.excite {
            last = squeeze_excite(net, name, inside, *few)?;
        }
        let [conv, bn] = &self.project;
        last = net.conv_bn([conv, bn], last, [inside, to], pointwise)?;
        if from == to && self.window.stride == [1; 2] {
            net.push(&part("add"), Op::Add, &[input, last]);
        }
        Ok(())
    }
}

/// Each channel times a gate that two layers compute from the means of all channels (Hu et al.,
/// arXiv 1709.01507).
fn squeeze_excite(
    net: &mut Builder<'_>,
    name: &str,
    channels: usize,
    few: usize,
) -> Result<usize, Error> {
    let (input, pointwise) = (net.last(), Window::square(1, 1, 0));
    let part = |part: &str| format!("{name}.{part}");
    let mean = net.then(&part("avgpool"), Op::GlobalAvgPool);
    net.conv_bias(&part("fc1"), mean, [channels, few], pointwise)?;
    let inside = net.then(&part("activation"), Op::Relu);
    net.conv_bias(&part("fc2"), inside, [few, channels], pointwise)?;
    let gate = net.then(&part("scale_activation"), Op::HardSigmoid);
    Ok(net.push(&part("gate"), Op::Gate, &[input, gate]))
}
