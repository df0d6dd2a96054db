//! ResNet-20 for CIFAR-10 (He et al., 2015), option-A shortcuts: no parameters in them.

use super::{Builder, CIFAR10, labels, per_channel};
use crate::import::Source;
use crate::{Error, Head, Op, Preprocessing, Shape, StateDict, Window};

const INPUT: Shape = Shape::new(3, 32, 32);
const WIDTHS: [usize; 3] = [16, 32, 64];
const BLOCKS: usize = 3;
pub(super) fn source(mut dict: StateDict) -> Result<Source, Error> {
    let [outputs, _] = super::dimensions(&dict, "linear.weight")?;
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
            basic_block(&mut net, &format!("layer{}.{block}", layer + 1), from, to)?;
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
    })
}

/// Two 3x3 convolutions and the shortcut: as is, or every second pixel with channels of zeros.
fn basic_block(net: &mut Builder<'_>, name: &str, from: usize, to: usize) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str| format!("{name}.{part}");
    let stride = if from == to { 1 } else { 2 };
    let names = [part("conv1"), part("bn1"), part("conv2"), part("bn2")];
    net.conv_bn(
        [&names[0], &names[1]],
        input,
        [from, to],
        Window::square(3, stride, 1),
    )?;
    let middle = net.then(&part("relu1"), Op::Relu);
    let sum = net.conv_bn(
        [&names[2], &names[3]],
        middle,
        [to, to],
        Window::square(3, 1, 1),
    )?;
    let mut shortcut = input;
    if from != to {
        let (front, back) = ((to - from) / 2, (to - from).div_ceil(2));
        shortcut = net.push(&part("shortcut"), Op::Subsample { stride }, &[shortcut]);
        shortcut = net.push(
            &part("shortcut.pad"),
            Op::PadChannels { front, back },
            &[shortcut],
        );
    }
    net.push(&part("add"), Op::Add, &[sum, shortcut]);
    net.then(&part("relu2"), Op::Relu);
    Ok(())
}
