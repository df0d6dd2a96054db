//! Building of a network, layer by layer, from a source of parameters.

use nets::{FloatModel, GraphBuilder, Op, Shape, StateDict, Tensor, Tensors, Window};

use crate::Error;

/// Where a backbone's parameters come from.
pub(crate) trait Parameters {
    /// The parameter of this name, which must have this shape.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, Error>;
}

impl Parameters for StateDict {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        self.tensors.values(name, shape)?;
        Ok(self.tensors.tensor(name)?.clone())
    }
}

/// Builds a float model layer by layer. A layer takes the output of the node before, unless an input is given.
pub(crate) struct Builder<'a> {
    source: &'a mut dyn Parameters,
    graph: GraphBuilder<Op>,
    tensors: Tensors,
    input: Shape,
    eps: f64,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(source: &'a mut dyn Parameters, input: Shape, eps: f64) -> Self {
        let mut graph = GraphBuilder::new();
        graph.push("input", Op::Input { shape: input }, &[]);
        Self {
            source,
            graph,
            tensors: Tensors::new(),
            input,
            eps,
        }
    }

    /// The shape of the input.
    pub(crate) fn input(&self) -> Shape {
        self.input
    }

    /// The shape of the last node.
    pub(crate) fn shape(&self) -> Result<Shape, Error> {
        let shape = self.graph.type_of(self.last()).copied();
        shape.ok_or_else(|| nets::Error::shape("input", "it does not fit the network").into())
    }

    pub(crate) fn last(&self) -> usize {
        self.graph.nodes().len() - 1
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
        self.convolution(name, input, channels, window, 1, true)
    }

    /// A depthwise convolution, then its batch norm.
    pub(crate) fn depthwise_bn(
        &mut self,
        [conv, bn]: [&str; 2],
        input: usize,
        channels: usize,
        window: Window,
    ) -> Result<usize, Error> {
        let node = self.convolution(conv, input, [1, channels], window, channels, false)?;
        self.bn(bn, node, channels)
    }

    /// A convolution without bias.
    pub(crate) fn conv(
        &mut self,
        name: &str,
        input: usize,
        channels: [usize; 2],
        window: Window,
    ) -> Result<usize, Error> {
        self.convolution(name, input, channels, window, 1, false)
    }

    /// A convolution in groups, each of `per_group` input channels.
    fn convolution(
        &mut self,
        name: &str,
        input: usize,
        [per_group, to]: [usize; 2],
        window: Window,
        groups: usize,
        bias: bool,
    ) -> Result<usize, Error> {
        let [rows, columns] = window.kernel;
        let weight = self.take(format!("{name}.weight"), &[to, per_group, rows, columns])?;
        let bias = bias.then(|| self.take(format!("{name}.bias"), &[to]));
        let op = Op::Conv2d {
            out_channels: to,
            groups,
            window,
            weight,
            bias: bias.transpose()?,
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
            graph: self.graph.finish()?,
            tensors: self.tensors,
        };
        model.check()?;
        Ok(model)
    }
}
