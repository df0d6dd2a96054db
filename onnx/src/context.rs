//! The state while a graph is lowered: what every name of the file stands for, and the network so far.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use nets::{FloatModel, Head, Op, Shape, Tensors};
use rten_onnx::onnx::{GraphProto, TensorProto, ValueInfoProto};

use crate::array::Array;
use crate::decode::decode;
use crate::error::{Fault, unsupported};
use crate::external::External;
use crate::node::{Node, readable};
use crate::ops;
use crate::value::{Feature, Value, View};
use crate::{Error, Unsupported};

mod emit;
mod prepare;
mod types;
mod values;

use prepare::{input_shape, needed};

/// The most nodes; DenseNet-264 has about a thousand.
const MAX_NODES: usize = 1 << 16;
/// The most bytes of constants and parameters together.
const MAX_CONSTANT_BYTES: usize = 1 << 31;

/// Names that are taken, and how often each was asked for.
#[derive(Default)]
struct Names(HashMap<String, usize>);

impl Names {
    /// The name, or the name with a number behind it if it is taken.
    fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while self.0.contains_key(&name) {
            let times = self.0.entry(wanted.to_owned()).or_insert(1);
            *times += 1;
            name = format!("{wanted}~{times}");
        }
        self.0.insert(name.clone(), 1);
        name
    }
}

/// The state while a graph is lowered.
pub(crate) struct Context<'a> {
    proto: &'a GraphProto,
    opset: i64,
    live: Vec<bool>,
    uses: HashMap<&'a str, usize>,
    pub(crate) output: &'a str,
    values: HashMap<&'a str, Value>,
    pub(crate) external: &'a mut External,
    /// The network so far. Later nodes may still change earlier ones, so that it is checked at the end.
    pub(crate) nodes: Vec<nets::Node<Op>>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) tensors: Tensors,
    stored: HashMap<&'a str, String>,
    names: Names,
    parameters: Names,
    missing: Vec<Unsupported>,
    recorded: HashSet<Unsupported>,
    budget: usize,
    pub(crate) head: Option<Head>,
}

impl<'a> Context<'a> {
    /// Reads inputs and constants, and finds the nodes that the output needs.
    pub(crate) fn new(
        proto: &'a GraphProto,
        opset: i64,
        external: &'a mut External,
    ) -> Result<Self, Error> {
        if proto.node.len() > MAX_NODES {
            return Err(Error::TooLarge {
                what: "nodes",
                limit: MAX_NODES,
            });
        }
        let output = match proto.output.as_slice() {
            [one] => one.name.as_deref().unwrap_or_default(),
            all => {
                return Err(Error::Graph(format!(
                    "the graph has {} outputs, not 1",
                    all.len()
                )));
            }
        };
        let (live, uses) = needed(proto, opset, output)?;
        let mut context = Self {
            proto,
            opset,
            live,
            uses,
            output,
            values: HashMap::new(),
            external,
            nodes: Vec::new(),
            shapes: Vec::new(),
            tensors: Tensors::new(),
            stored: HashMap::new(),
            names: Names::default(),
            parameters: Names::default(),
            missing: Vec::new(),
            recorded: HashSet::new(),
            budget: MAX_CONSTANT_BYTES,
            head: None,
        };
        context.input()?;
        context.initializers()?;
        Ok(context)
    }

    /// Reads the one input that is no constant.
    fn input(&mut self) -> Result<(), Error> {
        let constant: HashSet<_> = self.proto.initializer.iter().map(|t| &t.name).collect();
        let inputs = self
            .proto
            .input
            .iter()
            .filter(|i| !constant.contains(&i.name));
        let inputs: Vec<&ValueInfoProto> = inputs.collect();
        let [input] = inputs.as_slice() else {
            return Err(Error::Graph(format!(
                "the graph has {} inputs, not 1",
                inputs.len()
            )));
        };
        let name = input.name.as_deref().unwrap_or_default();
        let (dims, shape) = input_shape(input)?;
        self.nodes.push(nets::Node {
            name: self.names.unique("input"),
            op: Op::Input { shape },
            inputs: Vec::new(),
        });
        self.shapes.push(shape);
        let label = "input".into();
        let alone = self.uses(name) == 1;
        let feature = Feature {
            node: 0,
            dims,
            view: View::Plain,
            label,
            alone,
        };
        self.values.insert(name, Value::Feature(feature));
        Ok(())
    }

    fn initializers(&mut self) -> Result<(), Error> {
        let proto = self.proto;
        for tensor in &proto.initializer {
            let name = tensor.name.as_deref().unwrap_or_default();
            if self.uses(name) > 0 {
                let array = self.decode(tensor)?;
                self.values.insert(name, Value::Const(Rc::new(array)));
            }
        }
        Ok(())
    }

    /// Decodes a tensor of the file.
    pub(crate) fn decode(&mut self, tensor: &TensorProto) -> Result<Array, Error> {
        let array = decode(tensor, self.external)?;
        self.charge(array.bytes())?;
        Ok(array)
    }

    /// Lowers every node that the output needs.
    pub(crate) fn lower(mut self) -> Result<(FloatModel, Option<Head>), Error> {
        let proto = self.proto;
        for (index, proto) in proto.node.iter().enumerate() {
            if self.live[index] {
                self.step(Node {
                    proto,
                    index,
                    opset: self.opset,
                })?;
            }
        }
        let output = self.output_feature();
        if !self.missing.is_empty() {
            return Err(Error::Unsupported(self.missing));
        }
        let head = self.head;
        let model = crate::finish::finish(self.nodes, &self.shapes, &self.tensors, output?)?;
        Ok((model, head))
    }

    fn output_feature(&mut self) -> Result<usize, Error> {
        let feature = match self.values.get(self.output) {
            Some(Value::Feature(feature)) => feature.clone(),
            _ => {
                return Err(Error::Graph(
                    "the output does not depend on the input".into(),
                ));
            }
        };
        match self.realize(self.output, feature) {
            Ok(feature) => Ok(feature.node),
            Err(Fault::Other(error)) => Err(error),
            Err(Fault::Invalid(why) | Fault::Unsupported(why)) => {
                self.record("output", "the graph's output", why);
                Ok(0)
            }
        }
    }

    fn step(&mut self, node: Node<'a>) -> Result<(), Error> {
        let wrong = |problem| Error::Node {
            node: node.label(),
            op: node.op(),
            problem,
        };
        let mut all_const = true;
        let mut unknown = false;
        for name in node.proto.input.iter().filter(|n| !n.is_empty()) {
            match self.values.get(name.as_str()) {
                None => {
                    let name = readable(name);
                    return Err(wrong(format!(
                        "it takes `{name}`, which nothing before it makes"
                    )));
                }
                Some(value) => {
                    all_const &= matches!(value, Value::Const(_));
                    unknown |= matches!(value, Value::Unknown);
                }
            }
        }
        let op = node.op();
        let outputs = if unknown && ops::known(&op) {
            Ok(Vec::new())
        } else if unknown {
            unsupported("")
        } else {
            ops::apply(self, &node, &op, all_const)
        };
        match outputs {
            Ok(outputs) => self.bind(&node, outputs, unknown),
            Err(Fault::Unsupported(why)) => {
                self.record(&op, &node.label(), why);
                let outputs = ops::stand_in(self, &node, &op);
                self.bind(&node, outputs, true)
            }
            Err(Fault::Invalid(problem)) => Err(wrong(problem)),
            Err(Fault::Other(error)) => Err(error),
        }
    }
}

/// What all operators use of the state.
impl<'a> Context<'a> {
    fn uses(&self, name: &str) -> usize {
        self.uses.get(name).copied().unwrap_or(0)
    }

    /// Records what the outputs of a node stand for.
    fn bind(&mut self, node: &Node<'a>, outputs: Vec<Value>, unknown: bool) -> Result<(), Error> {
        let mut outputs = outputs.into_iter();
        for (index, name) in node.proto.output.iter().enumerate() {
            let used = self.uses(name);
            let mut value = outputs.next().unwrap_or(Value::Unknown);
            match &mut value {
                Value::Feature(feature) => feature.alone &= used == 1,
                Value::Const(array) => self.charge(array.bytes())?,
                Value::Unknown if used > 0 && !unknown => {
                    self.record(
                        &node.op(),
                        &node.label(),
                        format!("its output {index} is used"),
                    );
                }
                Value::Unknown => {}
            }
            if !name.is_empty() {
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// Takes bytes from the budget of constants and parameters.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        let limit = MAX_CONSTANT_BYTES;
        let left = self.budget.checked_sub(bytes);
        self.budget = left.ok_or(Error::TooLarge {
            what: "bytes of constants",
            limit,
        })?;
        Ok(())
    }

    /// Records an operator that Blindray does not have, once.
    pub(crate) fn record(&mut self, op: &str, node: &str, why: impl Into<String>) {
        let entry = Unsupported {
            op: op.into(),
            node: node.into(),
            why: why.into(),
        };
        if self.recorded.insert(entry.clone()) {
            self.missing.push(entry);
        }
    }
}
