//! ResNet-20 for CIFAR-10 (He et al., arXiv 1512.03385), with shortcuts that have no parameters (option A).

use nets::{Head, Op, Preprocessing, Shape, Source, StateDict, Window};

use super::resnet::{basic, residual};
use crate::Error;
use crate::builder::Builder;
use crate::metadata::{CIFAR10, labels, per_channel};

const INPUT: Shape = Shape::new(3, 32, 32);
const WIDTHS: [usize; 3] = [16, 32, 64];
const BLOCKS: usize = 3;

pub(super) fn source(mut dict: StateDict) -> Result<Source, Error> {
    let [outputs, _] = crate::metadata::dimensions(&dict, "linear.weight")?;
    let preprocessing = Preprocessing::new(
        INPUT,
        per_channel(&dict, "mean", &[0.485, 0.456, 0.406])?,
        per_channel(&dict, "std", &[0.229, 0.224, 0.225])?,
    );
    let labels = labels(&dict, outputs, &CIFAR10)?;
    let mut net = Builder::new(&mut dict, INPUT, 1e-5);
    net.conv_bn(["conv1", "bn1"], 0, [3, WIDTHS[0]], Window::square(3, 1, 1))?;
    net.then("relu1", Op::Relu);
    let mut from = WIDTHS[0];
    for (layer, &to) in WIDTHS.iter().enumerate() {
        for block in 0..BLOCKS {
            let stride = if from == to { 1 } else { 2 };
            let name = format!("layer{}.{block}", layer + 1);
            residual(&mut net, &name, &basic([from, to], stride), shortcut)?;
            from = to;
        }
    }
    net.head("linear", from, outputs)?;
    let float = net.finish()?;
    let arch = "resnet20".into();
    Ok(Source {
        arch,
        float,
        preprocessing,
        labels,
        head: Head::Softmax,
        parts: Vec::new(),
    })
}

/// Every second row and column of the input, between channels of zeros.
fn shortcut(
    net: &mut Builder<'_>,
    name: &str,
    input: usize,
    [from, to]: [usize; 2],
    stride: usize,
) -> Result<usize, Error> {
    let name = format!("{name}.shortcut");
    net.push(&name, Op::Subsample { stride }, &[input]);
    let (front, back) = ((to - from) / 2, (to - from).div_ceil(2));
    Ok(net.then(&format!("{name}.pad"), Op::PadChannels { front, back }))
}
