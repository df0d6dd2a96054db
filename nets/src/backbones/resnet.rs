//! ResNet-18 and ResNet-50 (He et al., arXiv 1512.03385), with torchvision's names.

use super::Builder;
use crate::{Error, Op, Window};

/// Widths of the stages.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// Channels out of a bottleneck over its width.
const EXPANSION: usize = 4;

/// Stages of so many blocks, of two convolutions or of bottlenecks.
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
            let to = if bottleneck { EXPANSION * width } else { width };
            let layers: &[([usize; 2], Window)] = if bottleneck {
                &[
                    ([from, width], Window::square(1, 1, 0)),
                    ([width, width], Window::square(3, stride, 1)),
                    ([width, to], Window::square(1, 1, 0)),
                ]
            } else {
                &[
                    ([from, to], Window::square(3, stride, 1)),
                    ([to, to], Window::square(3, 1, 1)),
                ]
            };
            residual(net, &name, layers, stride)?;
            from = to;
        }
    }
    net.head("fc", from, classes)
}

/// The layers, `ReLU` between, plus the input, projected where the shape changes.
fn residual(
    net: &mut Builder<'_>,
    name: &str,
    layers: &[([usize; 2], Window)],
    stride: usize,
) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str| format!("{name}.{part}");
    let (from, to) = (layers[0].0[0], layers[layers.len() - 1].0[1]);
    let mut last = input;
    for (i, &(channels, window)) in layers.iter().enumerate() {
        let names = [
            format!("{name}.conv{}", i + 1),
            format!("{name}.bn{}", i + 1),
        ];
        last = net.conv_bn([&names[0], &names[1]], last, channels, window)?;
        if i + 1 < layers.len() {
            last = net.then(&format!("{name}.relu{}", i + 1), Op::Relu);
        }
    }
    let mut shortcut = input;
    if from != to || stride != 1 {
        let names = [part("downsample.0"), part("downsample.1")];
        let window = Window::square(1, stride, 0);
        shortcut = net.conv_bn([&names[0], &names[1]], input, [from, to], window)?;
    }
    net.push(&part("add"), Op::Add, &[last, shortcut]);
    net.then(&part("relu"), Op::Relu);
    Ok(())
}
