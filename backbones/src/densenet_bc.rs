//! DenseNet-BC for CIFAR-10 (Huang et al., arXiv 1608.06993): three blocks of bottleneck layers,
//! with compression between them. The number of layers and the growth are read off the tensors.

use nets::{Head, Op, Preprocessing, Shape, Source, StateDict, Window};

use crate::Error;
use crate::builder::Builder;
use crate::metadata::{CIFAR10, dimensions, labels, per_channel};

const INPUT: Shape = Shape::new(3, 32, 32);
const BLOCKS: usize = 3;
/// The most layers looked for in a block.
const MOST: usize = 256;

pub(super) fn source(mut dict: StateDict) -> Result<Source, Error> {
    let [outputs, _] = dimensions(&dict, "fc.weight")?;
    let [stem, ..]: [usize; 4] = dimensions(&dict, "conv1.weight")?;
    let [growth, middle, ..]: [usize; 4] = dimensions(&dict, "block1.layer.0.conv2.weight")?;
    let preprocessing = Preprocessing::new(
        INPUT,
        per_channel(&dict, "mean", &[0.4914, 0.4822, 0.4465])?,
        per_channel(&dict, "std", &[0.2023, 0.1994, 0.201])?,
    );
    let labels = labels(&dict, outputs, &CIFAR10)?;
    let layers = |block: usize| {
        let there = |i: &usize| {
            let name = format!("block{block}.layer.{i}.conv1.weight");
            dict.tensors.contains(&name)
        };
        (0..MOST).take_while(there).count()
    };
    let layers: Vec<usize> = (1..=BLOCKS).map(layers).collect();
    let mut shrunk = Vec::new();
    for block in 1..BLOCKS {
        let [to, ..]: [usize; 4] = dimensions(&dict, &format!("trans{block}.conv1.weight"))?;
        shrunk.push(to);
    }

    let mut net = Builder::new(&mut dict, INPUT, 1e-5);
    net.conv("conv1", 0, [INPUT.channels, stem], Window::square(3, 1, 1))?;
    let mut channels = stem;
    for (block, &layers) in layers.iter().enumerate() {
        for layer in 0..layers {
            let name = format!("block{}.layer.{layer}", block + 1);
            bottleneck(&mut net, &name, [channels, middle, growth])?;
            channels += growth;
        }
        if let Some(&to) = shrunk.get(block) {
            transition(&mut net, &format!("trans{}", block + 1), [channels, to])?;
            channels = to;
        }
    }
    let last = net.last();
    net.bn("bn1", last, channels)?;
    net.then("relu", Op::Relu);
    net.head("fc", channels, outputs)?;
    let float = net.finish()?;
    Ok(Source {
        arch: "densenet-bc100".into(),
        float,
        preprocessing,
        labels,
        head: Head::Softmax,
        parts: Vec::new(),
    })
}

/// The input x, and behind it the channels that batch norm, `ReLU`, 1x1 convolution, batch norm, `ReLU` and
/// 3x3 convolution make of x.
fn bottleneck(
    net: &mut Builder<'_>,
    name: &str,
    [from, middle, growth]: [usize; 3],
) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str| format!("{name}.{part}");
    net.bn(&part("bn1"), input, from)?;
    let relu = net.then(&part("relu1"), Op::Relu);
    let names = [part("conv1"), part("bn2")];
    let window = Window::square(1, 1, 0);
    net.conv_bn([&names[0], &names[1]], relu, [from, middle], window)?;
    let relu = net.then(&part("relu2"), Op::Relu);
    let window = Window::square(3, 1, 1);
    let new = net.conv(&part("conv2"), relu, [middle, growth], window)?;
    net.push(&part("concat"), Op::Concat, &[input, new]);
    Ok(())
}

/// Batch norm, `ReLU`, 1x1 convolution, and an average of 2x2.
fn transition(net: &mut Builder<'_>, name: &str, [from, to]: [usize; 2]) -> Result<(), Error> {
    let input = net.last();
    let part = |part: &str| format!("{name}.{part}");
    net.bn(&part("bn1"), input, from)?;
    let relu = net.then(&part("relu"), Op::Relu);
    net.conv(&part("conv1"), relu, [from, to], Window::square(1, 1, 0))?;
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
