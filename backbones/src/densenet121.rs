//! DenseNet-121 (Huang et al., arXiv 1608.06993), with torchvision's names.

use nets::{Op, Window};

use crate::Error;
use crate::builder::Builder;

/// Number of layers of each block.
const BLOCKS: [usize; 4] = [6, 12, 24, 16];
const STEM: usize = 64;
const GROWTH: usize = 32;
/// Channels between a layer's two convolutions.
const MIDDLE: usize = 4 * GROWTH;

pub(super) fn build(net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
    let stem = [net.input().channels, STEM];
    let names = ["features.conv0", "features.norm0"];
    net.conv_bn(names, 0, stem, Window::square(7, 2, 3))?;
    net.then("features.relu0", Op::Relu);
    let window = Window::square(3, 2, 1);
    net.then("features.pool0", Op::MaxPool { window });
    let mut channels = STEM;
    for (block, layers) in BLOCKS.into_iter().enumerate() {
        for layer in 1..=layers {
            let name = format!("features.denseblock{}.denselayer{layer}", block + 1);
            dense_layer(net, &name, channels)?;
            channels += GROWTH;
        }
        if block + 1 < BLOCKS.len() {
            transition(net, &format!("features.transition{}", block + 1), channels)?;
            channels /= 2;
        }
    }
    let last = net.last();
    net.bn("features.norm5", last, channels)?;
    net.then("relu", Op::Relu);
    net.head("classifier", channels, classes)
}

/// The input x, and behind it the channels that batch norm, `ReLU`, 1x1 convolution, batch norm, `ReLU` and
/// 3x3 convolution make of x.
fn dense_layer(net: &mut Builder<'_>, name: &str, from: usize) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str| format!("{name}.{part}");
    net.bn(&part("norm1"), input, from)?;
    let relu = net.then(&part("relu1"), Op::Relu);
    let names = [part("conv1"), part("norm2")];
    let window = Window::square(1, 1, 0);
    net.conv_bn([&names[0], &names[1]], relu, [from, MIDDLE], window)?;
    let relu = net.then(&part("relu2"), Op::Relu);
    let window = Window::square(3, 1, 1);
    let new = net.conv(&part("conv2"), relu, [MIDDLE, GROWTH], window)?;
    net.push(&part("concat"), Op::Concat, &[input, new]);
    Ok(())
}

/// Batch norm, `ReLU`, 1x1 convolution to half of the channels, and an average of 2x2.
fn transition(net: &mut Builder<'_>, name: &str, from: usize) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str| format!("{name}.{part}");
    net.bn(&part("norm"), input, from)?;
    let relu = net.then(&part("relu"), Op::Relu);
    let window = Window::square(1, 1, 0);
    net.conv(&part("conv"), relu, [from, from / 2], window)?;
    let window = Window::square(2, 2, 0);
    net.then(
        &part("pool"),
        Op::AvgPool {
            window,
            counts_padding: true,
        },
    );
    Ok(())
}
