//! ChestNet, the small network of the demonstration: stages of residual blocks, with the names of
//! torchvision's BasicBlock, or of plain blocks.
//!
//! Kinds, widths and numbers of blocks are read off the tensors. The metadata have `input`, `stem_stride`,
//! `pool`, `mean`, `std`, `bn_eps` and `labels`.

use nets::{Head, Op, Preprocessing, Shape, Source, StateDict, Window};

use super::resnet::{basic, projection, residual};
use crate::Error;
use crate::builder::Builder;
use crate::metadata::{dimensions, labels, per_channel};

/// The most stages and blocks looked for.
const MOST: usize = 64;

pub(super) fn source(mut dict: StateDict) -> Result<Source, Error> {
    let [stem, channels, kernel, _] = dimensions(&dict, "conv1.weight")?;
    let [outputs, _] = dimensions(&dict, "fc.weight")?;
    let input = input(&dict, channels)?;
    let preprocessing = Preprocessing::new(
        input,
        per_channel(&dict, "mean", &vec![0.5; channels])?,
        per_channel(&dict, "std", &vec![0.25; channels])?,
    );
    preprocessing.check().map_err(|_| Error::Metadata {
        key: "std".into(),
        problem: "the preprocessing does not make sense".into(),
    })?;
    let labels = labels(&dict, outputs, &[])?;
    let stride = one(&dict, "stem_stride", 2)?;
    let eps = one(&dict, "bn_eps", 1e-5)?;
    let pooled = dict.metadata.get("pool").is_some_and(|p| p == "max");
    let stages = stages(&dict)?;

    let mut net = Builder::new(&mut dict, input, eps);
    let window = Window::square(kernel, stride, kernel / 2);
    net.conv_bn(["conv1", "bn1"], 0, [channels, stem], window)?;
    net.then("relu", Op::Relu);
    if pooled {
        net.then(
            "maxpool",
            Op::MaxPool {
                window: Window::square(3, 2, 1),
            },
        );
    }
    let mut from = stem;
    for (stage, blocks) in stages.iter().enumerate() {
        for (number, &(block, to)) in blocks.iter().enumerate() {
            let stride = if stage > 0 && number == 0 { 2 } else { 1 };
            let name = format!("layer{}.{number}", stage + 1);
            match block {
                Block::Residual => {
                    residual(&mut net, &name, &basic([from, to], stride), projection)?;
                }
                Block::Plain => plain(&mut net, &name, [from, to], stride)?,
            }
            from = to;
        }
    }
    net.head("fc", from, outputs)?;
    let float = net.finish()?;
    let arch = "chestnet".into();
    Ok(Source {
        arch,
        float,
        preprocessing,
        labels,
        head: Head::Softmax,
        parts: Vec::new(),
    })
}

/// The kinds of block that a stage can have.
#[derive(Clone, Copy)]
enum Block {
    /// Two convolutions and a shortcut.
    Residual,
    /// One convolution.
    Plain,
}

/// A convolution, its batch norm and a `ReLU`.
fn plain(
    net: &mut Builder<'_>,
    name: &str,
    channels: [usize; 2],
    stride: usize,
) -> Result<(), Error> {
    let [conv, bn, relu] = ["conv", "bn", "relu"].map(|part| format!("{name}.{part}"));
    let last = net.last();
    net.conv_bn([&conv, &bn], last, channels, Window::square(3, stride, 1))?;
    net.then(&relu, Op::Relu);
    Ok(())
}

/// Kinds and widths of the blocks of each stage.
fn stages(dict: &StateDict) -> Result<Vec<Vec<(Block, usize)>>, Error> {
    let block = |stage: usize, number: usize| {
        let kinds = [("conv1", Block::Residual), ("conv", Block::Plain)];
        let named =
            kinds.map(|(conv, kind)| (format!("layer{stage}.{number}.{conv}.weight"), kind));
        let found = named.iter().find(|(name, _)| dict.tensors.contains(name));
        found.map(|(name, kind)| Ok((*kind, dimensions::<4>(dict, name)?[0])))
    };
    let mut stages = Vec::new();
    for stage in 1..=MOST {
        let blocks = (0..MOST).map_while(|number| block(stage, number));
        let blocks = blocks.collect::<Result<Vec<_>, Error>>()?;
        if blocks.is_empty() {
            break;
        }
        stages.push(blocks);
    }
    Ok(stages)
}

fn input(dict: &StateDict, channels: usize) -> Result<Shape, Error> {
    let bad = |problem: String| Error::Metadata {
        key: "input".into(),
        problem,
    };
    let shape = dict
        .numbers("input")?
        .ok_or_else(|| bad("it is missing".into()))?;
    match shape[..] {
        [c, height, width] if c == channels => Ok(Shape::new(c, height, width)),
        _ => Err(bad(format!("{shape:?} for {channels} channels"))),
    }
}

/// A number of the metadata; `default` if it is not there.
fn one<T: std::str::FromStr + Copy>(dict: &StateDict, key: &str, default: T) -> Result<T, Error> {
    match dict.numbers(key)?.as_deref() {
        None => Ok(default),
        Some([value]) => Ok(*value),
        Some(values) => {
            let problem = format!("{} numbers instead of one", values.len());
            Err(Error::Metadata {
                key: key.into(),
                problem,
            })
        }
    }
}
