//! `ShuffleNetV2` (Ma et al., arXiv 1807.11164), with torchvision's names.

use nets::{Op, Window};

use crate::Error;
use crate::builder::Builder;

/// Channels out of the stages, at two widths.
pub(super) const WHOLE: [usize; 3] = [116, 232, 464];
pub(super) const HALF: [usize; 3] = [48, 96, 192];
/// Units of the stages.
const UNITS: [usize; 3] = [4, 8, 4];
const STEM: usize = 24;
const LAST: usize = 1024;
const POINTWISE: Window = Window::square(1, 1, 0);

pub(super) fn build(
    net: &mut Builder<'_>,
    widths: [usize; 3],
    classes: usize,
) -> Result<(), Error> {
    let stem = [net.input().channels, STEM];
    let window = Window::square(3, 2, 1);
    net.conv_bn(["conv1.0", "conv1.1"], 0, stem, window)?;
    net.then("conv1.2", Op::Relu);
    net.then("maxpool", Op::MaxPool { window });
    let mut from = STEM;
    for (stage, (to, units)) in widths.into_iter().zip(UNITS).enumerate() {
        for i in 0..units {
            // Stage 1 is the stem.
            unit(net, &format!("stage{}.{i}", stage + 2), [from, to], i == 0)?;
            from = to;
        }
    }
    let last = net.last();
    net.conv_bn(["conv5.0", "conv5.1"], last, [from, LAST], POINTWISE)?;
    net.then("conv5.2", Op::Relu);
    net.head("fc", LAST, classes)
}

/// A unit: half of the channels as they are, and three convolutions of the others. With `down` it is two
/// convolutions of all channels and three of all, with half of the rows and columns. A shuffle follows.
fn unit(
    net: &mut Builder<'_>,
    name: &str,
    [from, to]: [usize; 2],
    down: bool,
) -> Result<(), Error> {
    let (input, half) = (net.last(), to / 2);
    let part = |part: &str| format!("{name}.{part}");
    let window = Window::square(3, if down { 2 } else { 1 }, 1);
    let [left, right, inside] = if down {
        let names = ["branch1.0", "branch1.1", "branch1.2", "branch1.3"].map(part);
        let last = net.depthwise_bn([&names[0], &names[1]], input, from, window)?;
        net.conv_bn([&names[2], &names[3]], last, [from, half], POINTWISE)?;
        [net.then(&part("branch1.4"), Op::Relu), input, from]
    } else {
        let mut slice = |start, name| {
            let channels = half;
            net.push(&part(name), Op::Slice { start, channels }, &[input])
        };
        [slice(0, "left"), slice(half, "right"), half]
    };
    let names = [0, 1, 3, 4, 5, 6].map(|i| part(&format!("branch2.{i}")));
    net.conv_bn([&names[0], &names[1]], right, [inside, half], POINTWISE)?;
    let last = net.then(&part("branch2.2"), Op::Relu);
    let last = net.depthwise_bn([&names[2], &names[3]], last, half, window)?;
    net.conv_bn([&names[4], &names[5]], last, [half; 2], POINTWISE)?;
    let right = net.then(&part("branch2.7"), Op::Relu);
    net.push(&part("concat"), Op::Concat, &[left, right]);
    net.then(&part("shuffle"), Op::ChannelShuffle { groups: 2 });
    Ok(())
}
