//! Networks as code: functions that build a float graph from a source of parameters.

mod chestnet;
mod resnet20;

use crate::import::Source;
use crate::{Error, FloatModel, Graph, Op, Shape, StateDict, Tensor, Tensors, Window};

/// The names [`backbone`] knows.
pub const BACKBONES: [&str; 2] = ["chestnet", "resnet20"];

/// Builds a backbone with the weights of a PyTorch state dict.
///
/// Sizes, labels and preprocessing come from the tensors' shapes and from the metadata.
///
/// # Errors
/// [`Error::UnknownNetwork`], [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::Metadata`].
pub fn backbone(arch: &str, weights: StateDict) -> Result<Source, Error> {
    match arch {
        "chestnet" => chestnet::source(weights),
        "resnet20" => resnet20::source(weights),
        _ => Err(Error::UnknownNetwork {
            name: arch.into(),
            known: BACKBONES.join(", "),
        }),
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
        let shape = [to, from, window.kernel[0], window.kernel[1]];
        let weight = self.take(format!("{conv}.weight"), &shape)?;
        let op = Op::Conv2d {
            out_channels: to,
            groups: 1,
            window,
            weight,
            bias: None,
        };
        let node = self.push(conv, op, &[input]);
        let mut part = |part: &str| self.take(format!("{bn}.{part}"), &[to]);
        let op = Op::BatchNorm {
            gamma: part("weight")?,
            beta: part("bias")?,
            mean: part("running_mean")?,
            var: part("running_var")?,
            eps: self.eps,
        };
        Ok(self.push(bn, op, &[node]))
    }

    /// Global average pool, flatten and the classifier.
    pub(crate) fn head(&mut self, name: &str, from: usize, to: usize) -> Result<(), Error> {
        self.then("pool", Op::GlobalAvgPool);
        self.then("flatten", Op::Flatten);
        let weight = self.take(format!("{name}.weight"), &[to, from])?;
        let bias = Some(self.take(format!("{name}.bias"), &[to])?);
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
