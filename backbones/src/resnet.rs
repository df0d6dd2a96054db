//! ResNet-18 and ResNet-50 (He et al., arXiv 1512.03385), with torchvision's names.

use nets::{Op, Window};

use crate::Error;
use crate::builder::Builder;

/// Widths of the stages.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// Channels out of a bottleneck for each channel inside.
const EXPANSION: usize = 4;

/// Stages with these numbers of blocks, which are bottlenecks or have two convolutions.
pub(super) fn build(
    net: &mut Builder<'_>,
    blocks: [usize; 4],
    bottleneck: bool,
    classes: usize,
) -> Result<(), Error> {
    let stem = [net.input().channels, WIDTHS[0]];
    net.conv_bn(["conv1", "bn1"], 0, stem, Window::square(7, 2, 3))?;
    net.then("relu", Op::Relu);
    let window = Window::square(3, 2, 1);
    net.then("maxpool", Op::MaxPool { window });
    let mut from = WIDTHS[0];
    for (stage, (&width, blocks)) in WIDTHS.iter().zip(blocks).enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let name = format!("layer{}.{block}", stage + 1);
            if bottleneck {
                let to = EXPANSION * width;
                let layers = [
                    ([from, width], Window::square(1, 1, 0)),
                    ([width, width], Window::square(3, stride, 1)),
                    ([width, to], Window::square(1, 1, 0)),
                ];
                residual(net, &name, &layers, projection)?;
                from = to;
            } else {
                residual(net, &name, &basic([from, width], stride), projection)?;
                from = width;
            }
        }
    }
    net.head("fc", from, classes)
}

/// Channels and window of a convolution.
pub(super) type Layer = ([usize; 2], Window);
/// Brings the input of a block to the shape of its output, given the name of the block, the input, the
/// channels in and out, and the stride.
pub(super) type Shortcut =
    fn(&mut Builder<'_>, &str, usize, [usize; 2], usize) -> Result<usize, Error>;

/// The layers of a basic block.
pub(super) const fn basic([from, to]: [usize; 2], stride: usize) -> [Layer; 2] {
    [
        ([from, to], Window::square(3, stride, 1)),
        ([to, to], Window::square(3, 1, 1)),
    ]
}

/// A residual block: the layers with a `ReLU` after each, where the input is added before the last `ReLU`.
/// If the input has another shape than the sum, `shortcut` brings it to that shape.
pub(super) fn residual(
    net: &mut Builder<'_>,
    name: &str,
    layers: &[Layer],
    shortcut: Shortcut,
) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str, i: usize| format!("{name}.{part}{i}");
    let mut last = input;
    for (i, &(channels, window)) in (1..).zip(layers) {
        let names = [part("conv", i), part("bn", i)];
        last = net.conv_bn([&names[0], &names[1]], last, channels, window)?;
        if i < layers.len() {
            last = net.then(&part("relu", i), Op::Relu);
        }
    }
    let (from, to) = (layers[0].0[0], layers[layers.len() - 1].0[1]);
    let stride = layers.iter().map(|(_, window)| window.stride[0]).product();
    let other = if from != to || stride != 1 {
        shortcut(net, name, input, [from, to], stride)?
    } else {
        input
    };
    net.push(&format!("{name}.add"), Op::Add, &[last, other]);
    net.then(&part("relu", layers.len()), Op::Relu);
    Ok(())
}

/// A 1x1 convolution of the input.
pub(super) fn projection(
    net: &mut Builder<'_>,
    name: &str,
    input: usize,
    channels: [usize; 2],
    stride: usize,
) -> Result<usize, Error> {
    let names = ["0", "1"].map(|i| format!("{name}.downsample.{i}"));
    let window = Window::square(1, stride, 0);
    net.conv_bn([&names[0], &names[1]], input, channels, window)
}
