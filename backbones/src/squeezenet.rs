//! `SqueezeNet` 1.0 and 1.1 (Iandola et al., arXiv 1602.07360), with torchvision's names.

use nets::{Op, Window};

use crate::Error;
use crate::builder::Builder;

/// Channels of the fire modules: squeezed, and of each expansion.
const FIRES: [[usize; 2]; 8] = [
    [16, 64],
    [16, 64],
    [32, 128],
    [32, 128],
    [48, 192],
    [48, 192],
    [64, 256],
    [64, 256],
];

/// A version: channels and kernel of the stem, and after which fire modules there is a pool.
pub(super) type Version = (usize, usize, [usize; 2]);
pub(super) const V1_0: Version = (96, 7, [3, 7]);
pub(super) const V1_1: Version = (64, 3, [2, 4]);

pub(super) fn build(
    net: &mut Builder<'_>,
    (stem, kernel, pools): Version,
    classes: usize,
) -> Result<(), Error> {
    let channels = [net.input().channels, stem];
    net.conv_bias("features.0", 0, channels, Window::square(kernel, 2, 0))?;
    net.then("features.1", Op::Relu);
    pool(net, "features.2")?;
    let (mut from, mut number) = (stem, 3);
    for (i, [few, each]) in FIRES.into_iter().enumerate() {
        fire(net, &format!("features.{number}"), [from, few, each])?;
        (from, number) = (2 * each, number + 1);
        if pools.contains(&(i + 1)) {
            pool(net, &format!("features.{number}"))?;
            number += 1;
        }
    }
    let (last, window) = (net.last(), Window::square(1, 1, 0));
    net.conv_bias("classifier.1", last, [from, classes], window)?;
    net.then("classifier.2", Op::Relu);
    net.then("classifier.3", Op::GlobalAvgPool);
    net.then("flatten", Op::Flatten);
    Ok(())
}

/// Max-pool of 3x3 with stride 2 whose last window may reach over the edge.
fn pool(net: &mut Builder<'_>, name: &str) -> Result<(), Error> {
    let shape = net.shape()?;
    let over = |side: usize| usize::from(side.is_multiple_of(2));
    let window = Window {
        padding: [0, 0, over(shape.height), over(shape.width)],
        ..Window::square(3, 2, 0)
    };
    net.then(name, Op::MaxPool { window });
    Ok(())
}

/// A 1x1 convolution to few channels, then the outputs of a 1x1 and a 3x3 convolution of these together.
fn fire(net: &mut Builder<'_>, name: &str, [from, few, each]: [usize; 3]) -> Result<(), Error> {
    let part = |part: &str| format!("{name}.{part}");
    let pointwise = Window::square(1, 1, 0);
    let last = net.last();
    net.conv_bias(&part("squeeze"), last, [from, few], pointwise)?;
    let input = net.then(&part("squeeze_activation"), Op::Relu);
    net.conv_bias(&part("expand1x1"), input, [few, each], pointwise)?;
    let one = net.then(&part("expand1x1_activation"), Op::Relu);
    net.conv_bias(
        &part("expand3x3"),
        input,
        [few, each],
        Window::square(3, 1, 1),
    )?;
    let three = net.then(&part("expand3x3_activation"), Op::Relu);
    net.push(&part("concat"), Op::Concat, &[one, three]);
    Ok(())
}
