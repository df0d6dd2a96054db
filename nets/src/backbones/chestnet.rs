//! ChestNet, the small residual network of the demonstration, with torchvision's BasicBlock names.
//!
//! Widths and numbers of blocks are read off the tensors; `input`, `stem_stride`, `pool`, `mean`,
//! `std`, `bn_eps` and `labels` off the metadata.

use super::resnet::{basic, projection, residual};
use super::{Builder, dimensions, labels, per_channel};
use crate::import::Source;
use crate::{Error, Head, Op, Preprocessing, Shape, StateDict, Window};

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
        for (block, &to) in blocks.iter().enumerate() {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let name = format!("layer{}.{block}", stage + 1);
            residual(&mut net, &name, &basic([from, to], stride), projection)?;
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
    })
}

/// Widths of the blocks of each stage.
fn stages(dict: &StateDict) -> Result<Vec<Vec<usize>>, Error> {
    let mut stages = Vec::new();
    for stage in 1..=MOST {
        let mut blocks = Vec::new();
        for block in 0..MOST {
            let name = format!("layer{stage}.{block}.conv1.weight");
            if !dict.tensors.contains(&name) {
                break;
            }
            let [width, ..] = dimensions::<4>(dict, &name)?;
            blocks.push(width);
        }
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

/// A number of the metadata, else `default`.
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
