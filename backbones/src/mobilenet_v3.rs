//! `MobileNetV3`, large and small (Howard et al., arXiv 1905.02244), with torchvision's names.

use nets::{Op, Window};

use super::inverted_residual::InvertedResidual;
use crate::Error;
use crate::builder::Builder;

/// A block: side of the kernel, channels inside and out, whether it has a squeeze-and-excite, its activation,
/// and its stride.
type Row = (usize, [usize; 2], bool, Activation, usize);

#[derive(Clone, Copy)]
enum Activation {
    Relu,
    Swish,
}
use Activation::{Relu, Swish};

/// The blocks, and the outputs of the layer before the classifier.
pub(super) struct Variant {
    rows: &'static [Row],
    hidden: usize,
}

pub(super) const LARGE: Variant = Variant {
    rows: &[
        (3, [16, 16], false, Relu, 1),
        (3, [64, 24], false, Relu, 2),
        (3, [72, 24], false, Relu, 1),
        (5, [72, 40], true, Relu, 2),
        (5, [120, 40], true, Relu, 1),
        (5, [120, 40], true, Relu, 1),
        (3, [240, 80], false, Swish, 2),
        (3, [200, 80], false, Swish, 1),
        (3, [184, 80], false, Swish, 1),
        (3, [184, 80], false, Swish, 1),
        (3, [480, 112], true, Swish, 1),
        (3, [672, 112], true, Swish, 1),
        (5, [672, 160], true, Swish, 2),
        (5, [960, 160], true, Swish, 1),
        (5, [960, 160], true, Swish, 1),
    ],
    hidden: 1280,
};

pub(super) const SMALL: Variant = Variant {
    rows: &[
        (3, [16, 16], true, Relu, 2),
        (3, [72, 24], false, Relu, 2),
        (3, [88, 24], false, Relu, 1),
        (5, [96, 40], true, Swish, 2),
        (5, [240, 40], true, Swish, 1),
        (5, [240, 40], true, Swish, 1),
        (5, [120, 48], true, Swish, 1),
        (5, [144, 48], true, Swish, 1),
        (5, [288, 96], true, Swish, 2),
        (5, [576, 96], true, Swish, 1),
        (5, [576, 96], true, Swish, 1),
    ],
    hidden: 1024,
};

/// Channels of the stem.
const STEM: usize = 16;
/// Channels of the last convolution for each channel of the last block.
const LAST: usize = 6;

impl Variant {
    pub(super) fn build(&self, net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
        let stem = [net.input().channels, STEM];
        let names = ["features.0.0", "features.0.1"];
        net.conv_bn(names, 0, stem, Window::square(3, 2, 1))?;
        net.then("features.0.2", Op::HardSwish);
        let mut from = STEM;
        for (i, &row) in self.rows.iter().enumerate() {
            block(&format!("features.{}", i + 1), from, row).build(net)?;
            from = row.1[1];
        }
        let (before, to) = (net.last(), LAST * from);
        let name = format!("features.{}", self.rows.len() + 1);
        let names = [format!("{name}.0"), format!("{name}.1")];
        let window = Window::square(1, 1, 0);
        net.conv_bn([&names[0], &names[1]], before, [from, to], window)?;
        net.then(&format!("{name}.2"), Op::HardSwish);
        net.head("classifier.0", to, self.hidden)?;
        net.then("classifier.1", Op::HardSwish);
        net.linear("classifier.3", [self.hidden, classes], true)
    }
}

fn block(name: &str, from: usize, row: Row) -> InvertedResidual {
    let (kernel, [inside, to], excited, activation, stride) = row;
    // torchvision numbers the parts that are there.
    let mut parts = (0..).map(|i| format!("{name}.block.{i}"));
    let mut part = || parts.next().expect("they do not end");
    let conv_bn = |part: String| ["0", "1"].map(|i| format!("{part}.{i}"));
    InvertedResidual {
        name: name.into(),
        expand: (inside != from).then(|| conv_bn(part())),
        depthwise: conv_bn(part()),
        excite: excited.then(|| (part(), divisible(inside / 4))),
        project: conv_bn(part()),
        channels: [from, inside, to],
        window: Window::square(kernel, stride, kernel / 2),
        activation: match activation {
            Relu => Op::Relu,
            Swish => Op::HardSwish,
        },
    }
}

/// The nearest multiple of eight that is at least eight and at least nine tenths of `channels`.
const fn divisible(channels: usize) -> usize {
    let near = (channels + 4) / 8 * 8;
    if near < 8 || 10 * near < 9 * channels {
        near + 8
    } else {
        near
    }
}
