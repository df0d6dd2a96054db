//! `MobileNetV2` (Sandler et al., arXiv 1801.04381), with the names of torchvision or of Keras. The version
//! of Keras pads an even side at stride 2 only on the right or below.

use nets::{Op, StateDict, Window};

use super::inverted_residual::InvertedResidual;
use crate::Error;
use crate::builder::Builder;
use crate::metadata::dimensions;

/// Channels out and stride of each block, at width 1.
const BLOCKS: [(usize, usize); 17] = [
    (16, 1),
    (24, 2),
    (24, 1),
    (32, 2),
    (32, 1),
    (32, 1),
    (64, 2),
    (64, 1),
    (64, 1),
    (64, 1),
    (96, 1),
    (96, 1),
    (96, 1),
    (160, 2),
    (160, 1),
    (160, 1),
    (320, 1),
];
/// Channels inside a block for each channel of its input.
const EXPANSION: usize = 6;
const RELU6: Op = Op::Clip { top: 6.0 };

pub(super) fn build(net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
    let stem = [net.input().channels, 32];
    let names = ["features.0.0", "features.0.1"];
    net.conv_bn(names, 0, stem, Window::square(3, 2, 1))?;
    net.then("features.0.2", RELU6);
    let mut from = 32;
    for (i, (to, stride)) in BLOCKS.into_iter().enumerate() {
        let name = format!("features.{}", i + 1);
        let part = |part: &str| format!("{name}.conv.{part}");
        let first = i == 0;
        let [depthwise, project] = if first {
            [["0.0", "0.1"], ["1", "2"]]
        } else {
            [["1.0", "1.1"], ["2", "3"]]
        };
        let inside = if first { from } else { EXPANSION * from };
        let block = InvertedResidual {
            expand: (!first).then(|| ["0.0", "0.1"].map(part)),
            depthwise: depthwise.map(part),
            excite: None,
            project: project.map(part),
            channels: [from, inside, to],
            window: Window::square(3, stride, 1),
            activation: RELU6,
            name,
        };
        block.build(net)?;
        from = to;
    }
    let (last, window) = (net.last(), Window::square(1, 1, 0));
    let names = ["features.18.0", "features.18.1"];
    net.conv_bn(names, last, [from, 1280], window)?;
    net.then("features.18.2", RELU6);
    net.head("classifier.1", 1280, classes)
}

/// Whether the tensors have the names of Keras's version.
pub(super) fn is_keras(dict: &StateDict) -> bool {
    dict.tensors.contains("Conv1.conv.weight")
}

/// Numbers of channels in the version of Keras, read off the tensors: of the stem, inside and out of each
/// block, and of the layers behind the blocks.
pub(super) struct Keras {
    stem: usize,
    blocks: Vec<[usize; 2]>,
    last: usize,
    hidden: usize,
}

impl Keras {
    pub(super) fn read(dict: &StateDict) -> Result<Self, Error> {
        let first = |name: &str| dimensions::<4>(dict, name).map(|d| d[0]);
        let block = |i: usize| {
            let inside = first(&format!("blocks.{i}.depthwise.conv.weight"))?;
            Ok([inside, first(&format!("blocks.{i}.project.conv.weight"))?])
        };
        Ok(Self {
            stem: first("Conv1.conv.weight")?,
            blocks: (0..BLOCKS.len()).map(block).collect::<Result<_, Error>>()?,
            last: first("Conv_1.conv.weight")?,
            hidden: dimensions::<2>(dict, "fc1.weight")?[0],
        })
    }

    pub(super) fn build(&self, net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
        let stem = [net.input().channels, self.stem];
        let window = same(net, 2)?;
        net.conv_bn(["Conv1.conv", "Conv1.bn"], 0, stem, window)?;
        net.then("Conv1.relu", RELU6);
        let mut from = self.stem;
        for (i, (&[inside, to], (_, stride))) in self.blocks.iter().zip(BLOCKS).enumerate() {
            let name = format!("blocks.{i}");
            let part = |part: &str| ["conv", "bn"].map(|kind| format!("{name}.{part}.{kind}"));
            let block = InvertedResidual {
                expand: (i > 0).then(|| part("expand")),
                depthwise: part("depthwise"),
                excite: None,
                project: part("project"),
                channels: [from, inside, to],
                window: same(net, stride)?,
                activation: RELU6,
                name: name.clone(),
            };
            block.build(net)?;
            from = to;
        }
        let last = net.last();
        let names = ["Conv_1.conv", "Conv_1.bn"];
        net.conv_bn(names, last, [from, self.last], Window::square(1, 1, 0))?;
        net.then("Conv_1.relu", RELU6);
        net.head("fc1", self.last, self.hidden)?;
        net.then("fc1.relu", Op::Relu);
        net.linear("fc2", [self.hidden, classes], false)
    }
}

/// A 3x3 window with padding such that the output has a `stride`-th of the rows and columns. Where the padding
/// of both sides differs, there is more below and on the right.
fn same(net: &Builder<'_>, stride: usize) -> Result<Window, Error> {
    let shape = net.shape()?;
    let pad = |side: usize| {
        let total = (3 + (side.div_ceil(stride) - 1) * stride).saturating_sub(side);
        [total / 2, total - total / 2]
    };
    let ([top, bottom], [left, right]) = (pad(shape.height), pad(shape.width));
    Ok(Window {
        padding: [top, left, bottom, right],
        ..Window::square(3, stride, 0)
    })
}
