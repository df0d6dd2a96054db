//! Networks as code: functions that build a float graph from a source of parameters.

mod chestnet;
mod densenet121;
mod densenet_bc;
mod inverted_residual;
mod mobilenet_v2;
mod mobilenet_v3;
mod resnet;
mod resnet20;
mod seeded;
mod shufflenet_v2;
mod squeezenet;
mod torchvision;
mod x;

use crate::import::Source;
use crate::replace::{XOpOptions, replace_convolutions};
pub(crate) use seeded::Seeded;

use crate::{Error, FloatModel, Graph, Op, Shape, StateDict, Tensor, Tensors, Window};

/// The names [`backbone`] knows.
pub const BACKBONES: [&str; 13] = [
    "chestnet",
    "densenet-bc100",
    "densenet121",
    "mobilenet-v2",
    "mobilenet-v3-large",
    "mobilenet-v3-small",
    "resnet18",
    "resnet20",
    "resnet50",
    "shufflenet-v2",
    "shufflenet-v2-x0.5",
    "squeezenet",
    "squeezenet-1.0",
];

/// Builds a backbone with the weights of a PyTorch state dict.
///
/// Sizes, labels and preprocessing come from the tensors' shapes and from the metadata. `NAME-x` is
/// the backbone with X-operators ([`crate::replace_convolutions`]), trained as such; r and g are in the
/// metadata, `xop_spatial` and `xop_groups`, else 1/2 and 1, and `xop_pointwise` groups 1 × 1 layers.
///
/// # Errors
/// [`Error::UnknownNetwork`], [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::Metadata`].
pub fn backbone(arch: &str, weights: StateDict) -> Result<Source, Error> {
    if let Some(base) = arch.strip_suffix("-x") {
        return x::source(base, weights);
    }
    match arch {
        "chestnet" => chestnet::source(weights),
        "densenet-bc100" => densenet_bc::source(weights),
        "resnet20" => resnet20::source(weights),
        _ => torchvision::Arch::named(arch)
            .ok_or_else(|| unknown(arch))?
            .source(weights),
    }
}

/// Builds one of torchvision's backbones (all of [`BACKBONES`] but `chestnet`, `densenet-bc100` and
/// `resnet20`; `shufflenet-v2` is x1.0, `squeezenet` 1.1) for any input size and number of classes,
/// with random weights: for cost studies. The same seed gives the same weights. `NAME-x` is the
/// backbone with X-operators at r = 1/2, g = 1, if it has dense convolutions larger than 1 × 1 behind
/// the first.
///
/// # Errors
/// [`Error::UnknownNetwork`]; [`Error::Shape`] for an input that is too small; [`Error::Option`] for
/// the `-x` form of a network that has nothing to replace.
pub fn backbone_seeded(
    arch: &str,
    input: Shape,
    classes: usize,
    seed: [u8; 32],
) -> Result<Source, Error> {
    if let Some(base) = arch.strip_suffix("-x") {
        let plain = backbone_seeded(base, input, classes, seed)?;
        return Ok(replace_convolutions(&plain, &XOpOptions::default(), seed)?.source);
    }
    let arch = torchvision::Arch::named(arch).ok_or_else(|| unknown(arch))?;
    input
        .check()
        .map_err(|problem| Error::shape("input", problem))?;
    arch.with(&mut Seeded(seed), input, classes)
}

fn unknown(arch: &str) -> Error {
    Error::UnknownNetwork {
        name: arch.into(),
        known: BACKBONES.join(", "),
    }
}

/// Where a backbone's parameters come from.
pub(crate) trait Parameters {
    /// The parameter of this name, which must have this shape.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, Error>;
}

impl Parameters for StateDict {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        self.tensors.values(name, shape)?;
        self.tensors.tensor(name).cloned()
    }
}

/// Builds a float model layer by layer; a layer's input is the node before, unless given.
pub(crate) struct Builder<'a> {
    source: &'a mut dyn Parameters,
    graph: Graph,
    tensors: Tensors,
    eps: f64,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(source: &'a mut dyn Parameters, input: Shape, eps: f64) -> Self {
        let mut graph = Graph::new();
        graph.push("input", Op::Input { shape: input }, &[]);
        Self {
            source,
            graph,
            tensors: Tensors::new(),
            eps,
        }
    }

    /// The shape of the input.
    pub(crate) fn input(&self) -> Shape {
        match self.graph.nodes[0].op {
            Op::Input { shape } => shape,
            _ => unreachable!("new() starts with the input"),
        }
    }

    /// The shape of the last node.
    pub(crate) fn shape(&self) -> Result<Shape, Error> {
        let shapes = self.graph.shapes()?;
        Ok(shapes[shapes.len() - 1])
    }

    pub(crate) fn last(&self) -> usize {
        self.graph.nodes.len() - 1
    }

    pub(crate) fn push(&mut self, name: &str, op: Op, inputs: &[usize]) -> usize {
        self.graph.push(name, op, inputs)
    }

    /// An operation without parameters on the node before.
    pub(crate) fn then(&mut self, name: &str, op: Op) -> usize {
        let last = self.last();
        self.push(name, op, &[last])
    }

    fn take(&mut self, name: String, shape: &[usize]) -> Result<String, Error> {
        let tensor = self.source.take(&name, shape)?;
        self.tensors.insert(name.clone(), tensor);
        Ok(name)
    }

    /// `conv` then `bn`, from `input` with `[from, to]` channels.
    pub(crate) fn conv_bn(
        &mut self,
        [conv, bn]: [&str; 2],
        input: usize,
        [from, to]: [usize; 2],
        window: Window,
    ) -> Result<usize, Error> {
        let node = self.conv(conv, input, [from, to], window)?;
        self.bn(bn, node, to)
    }

    /// `conv` with a bias, from `input` with `[from, to]` channels.
    pub(crate) fn conv_bias(
        &mut self,
        name: &str,
        input: usize,
        channels: [usize; 2],
        window: Window,
    ) -> Result<usize, Error> {
        let made = self.conv(name, input, channels, window)?;
        let taken = self.take(format!("{name}.bias"), &[channels[1]])?;
        if let Op::Conv2d { bias, .. } = &mut self.graph.nodes[made].op {
            *bias = Some(taken);
        }
        Ok(made)
    }

    /// A convolution of each channel apart, then its batch norm.
    pub(crate) fn depthwise_bn(
        &mut self,
        [conv, bn]: [&str; 2],
        input: usize,
        channels: usize,
        window: Window,
    ) -> Result<usize, Error> {
        let made = self.conv(conv, input, [1, channels], window)?;
        if let Op::Conv2d { groups, .. } = &mut self.graph.nodes[made].op {
            *groups = channels;
        }
        self.bn(bn, made, channels)
    }

    /// A convolution without bias.
    pub(crate) fn conv(
        &mut self,
        name: &str,
        input: usize,
        [from, to]: [usize; 2],
        window: Window,
    ) -> Result<usize, Error> {
        let shape = [to, from, window.kernel[0], window.kernel[1]];
        let weight = self.take(format!("{name}.weight"), &shape)?;
        let op = Op::Conv2d {
            out_channels: to,
            groups: 1,
            window,
            weight,
            bias: None,
        };
        Ok(self.push(name, op, &[input]))
    }

    /// A batch norm.
    pub(crate) fn bn(&mut self, name: &str, input: usize, channels: usize) -> Result<usize, Error> {
        let mut part = |part: &str| self.take(format!("{name}.{part}"), &[channels]);
        let op = Op::BatchNorm {
            gamma: part("weight")?,
            beta: part("bias")?,
            mean: part("running_mean")?,
            var: part("running_var")?,
            eps: self.eps,
        };
        Ok(self.push(name, op, &[input]))
    }

    /// Global average pool, flatten and the classifier.
    pub(crate) fn head(&mut self, name: &str, from: usize, to: usize) -> Result<(), Error> {
        self.then("pool", Op::GlobalAvgPool);
        self.then("flatten", Op::Flatten);
        self.linear(name, [from, to], true)
    }

    /// A fully connected layer.
    pub(crate) fn linear(
        &mut self,
        name: &str,
        [from, to]: [usize; 2],
        bias: bool,
    ) -> Result<(), Error> {
        let weight = self.take(format!("{name}.weight"), &[to, from])?;
        let bias = if bias {
            Some(self.take(format!("{name}.bias"), &[to])?)
        } else {
            None
        };
        self.then(
            name,
            Op::Linear {
                out_features: to,
                weight,
                bias,
            },
        );
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<FloatModel, Error> {
        let model = FloatModel {
            graph: self.graph,
            tensors: self.tensors,
        };
        model.check()?;
        Ok(model)
    }
}

const CIFAR10: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// The shape of a tensor that must have `N` dimensions.
pub(crate) fn dimensions<const N: usize>(
    dict: &StateDict,
    name: &str,
) -> Result<[usize; N], Error> {
    let found = dict.tensors.tensor(name)?.shape();
    found.try_into().map_err(|_| Error::TensorContent {
        tensor: name.into(),
        problem: format!("it has {} dimensions, not {N}", found.len()),
    })
}

/// The labels of the metadata, else `default` where it fits, else numbers.
pub(crate) fn labels(
    dict: &StateDict,
    outputs: usize,
    default: &[&str],
) -> Result<Vec<String>, Error> {
    match dict.list("labels") {
        Some(labels) if labels.len() == outputs => Ok(labels),
        Some(labels) => Err(Error::Metadata {
            key: "labels".into(),
            problem: format!("{} labels for {outputs} outputs", labels.len()),
        }),
        None if default.len() == outputs => Ok(default.iter().map(|&l| l.into()).collect()),
        None => Ok((0..outputs).map(|i| i.to_string()).collect()),
    }
}

/// Mean or standard deviation of the metadata, else `default`.
pub(crate) fn per_channel(dict: &StateDict, key: &str, default: &[f64]) -> Result<Vec<f64>, Error> {
    let values = dict.numbers(key)?.unwrap_or_else(|| default.to_vec());
    if values.len() == default.len() && values.iter().all(|v: &f64| v.is_finite()) {
        return Ok(values);
    }
    let problem = format!("{} values for {} channels", values.len(), default.len());
    Err(Error::Metadata {
        key: key.into(),
        problem,
    })
}
