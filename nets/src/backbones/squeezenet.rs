//! `SqueezeNet` 1.1 (Iandola et al., arXiv 1602.07360), with torchvision's names.

use super::Builder;
use crate::{Error, Op, Window};

/// Fire modules: number in `features`, channels in, squeezed, and of each expansion.
const FIRES: [(usize, [usize; 3]); 8] = [
    (3, [64, 16, 64]),
    (4, [128, 16, 64]),
    (6, [128, 32, 128]),
    (7, [256, 32, 128]),
    (9, [256, 48, 192]),
    (10, [384, 48, 192]),
    (11, [384, 64, 256]),
    (12, [512, 64, 256]),
];

pub(super) fn build(net: &mut Builder<'_>, classes: usize) -> Result<(), Error> {
    let stem = [net.input().channels, 64];
    net.conv_bias("features.0", 0, stem, Window::square(3, 2, 0))?;
    net.then("features.1", Op::Relu);
    pool(net, "features.2")?;
    for (number, channels) in FIRES {
        fire(net, &format!("features.{number}"), channels)?;
        // Pools are where the numbers skip one.
        if number == 4 || number == 7 {
            pool(net, &format!("features.{}", number + 1))?;
        }
    }
    let last = net.last();
    net.conv_bias(
        "classifier.1",
        last,
        [512, classes],
        Window::square(1, 1, 0),
    )?;
    net.then("classifier.2", Op::Relu);
    net.then("classifier.3", Op::GlobalAvgPool);
    net.then("flatten", Op::Flatten);
    Ok(())
}

/// Max-pool of 3x3 by 2 whose last window may hang over the edge.
fn pool(net: &mut Builder<'_>, name: &str) -> Result<(), Error> {
    let shape = net.shape()?;
    let over = |side: usize| usize::from(side.is_multiple_of(2));
    let window = Window {
        kernel: [3; 2],
        stride: [2; 2],
        padding: [0, 0, over(shape.height), over(shape.width)],
    };
    net.then(name, Op::MaxPool { window });
    Ok(())
}

/// 1x1 to few channels, then 1x1 and 3x3 side by side.
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
