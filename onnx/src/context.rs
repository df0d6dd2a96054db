//! The state while a graph is lowered: what every name of the file stands for, and the network so far.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use nets::{FloatModel, Op, Shape, Tensors};
use rten_onnx::onnx::{DataType, TensorProto, ValueInfoProto};

use crate::array::Array;
use crate::decode::decode;
use crate::error::{Fault, unsupported};
use crate::external::External;
use crate::layout::Layout;
use crate::load::Output;
use crate::node::{Node, readable};
use crate::ops;
use crate::proto::{GraphProto, NodeProto};
use crate::value::{Feature, Form, Value};
use crate::{Error, Unsupported};

mod arrange;
mod emit;
mod finish;
mod patterns;
mod prepare;
mod values;

pub(crate) use arrange::{MAX_PLACES, Taken};
use prepare::{needed, only_turned};

/// The most nodes; DenseNet-264 has about a thousand.
pub(crate) const MAX_NODES: usize = 1 << 16;
/// The most bytes of constants and parameters together.
const MAX_CONSTANT_BYTES: usize = 1 << 31;
/// The most outputs.
const MAX_OUTPUTS: usize = 256;

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

/// A network as it was read.
pub(crate) struct Lowered {
    pub(crate) model: FloatModel,
    pub(crate) outputs: Vec<Output>,
    pub(crate) notes: Vec<String>,
}

/// The state while a graph is lowered.
pub(crate) struct Context<'a> {
    proto: &'a GraphProto,
    live: Vec<bool>,
    uses: HashMap<&'a str, usize>,
    makers: HashMap<&'a str, usize>,
    outputs: Vec<&'a str>,
    /// Dimensions that the file tells of values within it.
    told: HashMap<&'a str, Vec<usize>>,
    /// The number of images that the file is made for, if it is fixed and more than one.
    batch: Option<i64>,
    values: HashMap<&'a str, Value>,
    /// The types of constants, by their numbers in ONNX.
    kinds: HashMap<&'a str, i32>,
    /// Constants in the file that were not decoded yet.
    waiting: HashMap<&'a str, &'a TensorProto>,
    pub(crate) external: &'a mut External,
    /// The network so far. Later nodes may still change earlier ones, so that it is checked at the end.
    pub(crate) nodes: Vec<nets::Node<Op>>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) tensors: Tensors,
    stored: HashMap<&'a str, String>,
    names: Names,
    parameters: Names,
    missing: Vec<Unsupported>,
    recorded: HashMap<(String, String), usize>,
    notes: Vec<String>,
    budget: usize,
}

/// Nodes that are being lowered, one after the other: those of the graph, or of a branch within a node.
struct Frame<'a> {
    nodes: &'a [NodeProto],
    next: usize,
    /// The node that has the branch, and the branch.
    within: Option<(&'a NodeProto, &'a GraphProto)>,
}

impl<'a> Context<'a> {
    /// Reads inputs and constants, and finds the nodes that the outputs need.
    pub(crate) fn new(proto: &'a GraphProto, external: &'a mut External) -> Result<Self, Error> {
        if proto.node.len() > MAX_NODES {
            return Err(Error::TooLarge {
                what: "nodes",
                limit: MAX_NODES,
            });
        }
        if proto.output.len() > MAX_OUTPUTS {
            return Err(Error::TooLarge {
                what: "outputs",
                limit: MAX_OUTPUTS,
            });
        }
        let name = |value: &'a ValueInfoProto| value.name.as_deref().unwrap_or_default();
        let outputs: Vec<&str> = proto.output.iter().map(name).collect();
        if outputs.is_empty() {
            return Err(Error::Graph("the graph has no outputs".into()));
        }
        let needed = needed(proto, &outputs)?;
        let told = (proto.value_info.iter()).filter_map(|v| Some((name(v), told(v)?)));
        let mut context = Self {
            proto,
            live: needed.live,
            uses: needed.uses,
            makers: needed.makers,
            outputs,
            told: told.collect(),
            batch: None,
            values: HashMap::new(),
            kinds: HashMap::new(),
            waiting: HashMap::new(),
            external,
            nodes: Vec::new(),
            shapes: Vec::new(),
            tensors: Tensors::new(),
            stored: HashMap::new(),
            names: Names::default(),
            parameters: Names::default(),
            missing: Vec::new(),
            recorded: HashMap::new(),
            notes: Vec::new(),
            budget: MAX_CONSTANT_BYTES,
        };
        context.input()?;
        context.initializers(&proto.initializer);
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
        let found = prepare::input(input, only_turned(self.proto, name))?;
        self.nodes.push(nets::Node {
            name: self.names.unique("input"),
            op: Op::Input { shape: found.shape },
            inputs: Vec::new(),
        });
        self.shapes.push(found.shape);
        self.batch = found.batch;
        self.notes.extend(found.notes);
        let feature = Feature {
            node: 0,
            layout: found.layout,
            form: Form::Itself,
            scale: 1.0,
            shift: 0.0,
            label: "input".into(),
            origin: "input".into(),
            alone: self.uses(name) == 1,
        };
        self.values.insert(name, Value::Feature(feature));
        Ok(())
    }

    /// Constants are decoded where they are first taken.
    fn initializers(&mut self, tensors: &'a [TensorProto]) {
        for tensor in tensors {
            let name = tensor.name.as_deref().unwrap_or_default();
            self.waiting.insert(name, tensor);
        }
    }

    /// Decodes a tensor of the file.
    pub(crate) fn decode(&mut self, tensor: &TensorProto) -> Result<Array, Error> {
        let array = decode(tensor, self.external)?;
        self.charge(array.bytes())?;
        if let Some(note) = precision(tensor) {
            self.note(note);
        }
        Ok(array)
    }

    /// Lowers every node that the outputs need.
    pub(crate) fn lower(mut self) -> Result<Lowered, Error> {
        let mut frames = vec![Frame {
            nodes: &self.proto.node,
            next: 0,
            within: None,
        }];
        let mut lowered = 0;
        while let Some(frame) = frames.last_mut() {
            let index = frame.next;
            let Some(proto) = frame.nodes.get(index) else {
                let within = frame.within;
                frames.pop();
                if let Some((node, branch)) = within {
                    self.leave(node, branch);
                }
                continue;
            };
            frame.next += 1;
            if frame.within.is_none() && !self.live[index] {
                continue;
            }
            lowered += 1;
            if lowered > MAX_NODES {
                return Err(Error::TooLarge {
                    what: "nodes",
                    limit: MAX_NODES,
                });
            }
            let node = Node::new(proto, index);
            if let Some(branch) = self.step(node)? {
                self.initializers(&branch.initializer);
                frames.push(Frame {
                    nodes: &branch.node,
                    next: 0,
                    within: Some((proto, branch)),
                });
            }
        }
        self.finish()
    }

    /// Gives the outputs of a branch to the node that has it.
    fn leave(&mut self, node: &'a NodeProto, branch: &'a GraphProto) {
        for (to, from) in node.output.iter().zip(&branch.output) {
            let from = from.name.as_deref().unwrap_or_default();
            let value = self.values.get(from).cloned();
            self.values.insert(to, value.unwrap_or(Value::Unknown));
        }
    }

    /// Lowers one node. Returns the branch that takes its place, if it has branches.
    fn step(&mut self, node: Node<'a>) -> Result<Option<&'a GraphProto>, Error> {
        let wrong = |problem| Error::Node {
            node: node.label(),
            op: node.op(),
            problem,
        };
        let mut all_const = true;
        let mut unknown = false;
        for name in node.proto.input.iter().filter(|n| !n.is_empty()) {
            self.arrive(name)?;
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
        if op == "If" && !unknown {
            match self.branch(&node) {
                Ok(branch) => return Ok(Some(branch)),
                Err(Fault::Invalid(problem)) => return Err(wrong(problem)),
                Err(_) => {
                    self.record(&op, &node.label(), "whose condition depends on the image");
                    self.bind(&node, Vec::new(), true)?;
                    return Ok(None);
                }
            }
        }
        let outputs = if unknown && (ops::known(&op) || op == "If") {
            Ok(Vec::new())
        } else if unknown {
            unsupported("")
        } else {
            let outputs = ops::apply(self, &node, &op, all_const);
            outputs.and_then(|outputs| self.one_image_each(outputs))
        };
        match outputs {
            Ok(outputs) => self.bind(&node, outputs, unknown)?,
            // After something that is not there, shapes are only guessed.
            Err(Fault::Invalid(_)) if !self.missing.is_empty() => {
                self.bind(&node, Vec::new(), true)?;
            }
            Err(Fault::Invalid(problem)) => return Err(wrong(problem)),
            Err(Fault::Other(error)) => return Err(error),
            Err(Fault::Unsupported(why)) => {
                match self.pattern(&node, &op) {
                    // A pattern of several operators is named once.
                    Some(pattern)
                        if self.missing.iter().any(|m| m.why == pattern && m.op != op) => {}
                    Some(pattern) => self.record(&op, &node.label(), pattern),
                    None => self.record(&op, &node.label(), why),
                }
                self.missed(&node, &op)?;
            }
            Err(Fault::Elsewhere(Unsupported {
                op: at,
                node: label,
                why,
                ..
            })) => {
                self.record(&at, &label, why);
                self.missed(&node, &op)?;
            }
        }
        Ok(None)
    }

    /// Goes on behind a node that is not there, with values in its place.
    fn missed(&mut self, node: &Node<'a>, op: &str) -> Result<(), Error> {
        let outputs = ops::stand_in(self, node, op);
        self.bind(node, outputs, true)
    }

    /// Decodes a constant that is taken for the first time.
    fn arrive(&mut self, name: &'a str) -> Result<(), Error> {
        if let Some(tensor) = self.waiting.remove(name) {
            let array = self.decode(tensor)?;
            self.kinds
                .extend(tensor.data_type.map(|kind| (name, kind.0)));
            self.values.insert(name, Value::Const(Rc::new(array)));
        }
        Ok(())
    }

    /// The branch of an If whose condition is known.
    fn branch(&self, node: &Node<'a>) -> Result<&'a GraphProto, Fault> {
        let condition = self.constant(node, 0)?;
        let Some(condition) = condition.scalar() else {
            return crate::error::invalid("its condition is not one value");
        };
        let name = if condition == 0.0 {
            "else_branch"
        } else {
            "then_branch"
        };
        match node.graph(name) {
            Some(branch) => Ok(branch),
            None => crate::error::invalid(format!("it has no {name}")),
        }
    }
}

/// The dimensions that the file tells of a value, if all are fixed.
fn told(value: &ValueInfoProto) -> Option<Vec<usize>> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    let mut dims = Vec::new();
    for (axis, dim) in tensor.shape.as_ref()?.dim.iter().enumerate() {
        let fixed = dim.dim_value.and_then(|v| usize::try_from(v).ok());
        // A batch whose size is open has one image.
        let side = fixed.or((axis == 0).then_some(1))?;
        dims.push(side);
    }
    let sound = crate::array::elements(&dims).is_ok_and(|n| n > 0);
    sound.then_some(dims)
}

/// What the user must know of a tensor's type.
fn precision(tensor: &TensorProto) -> Option<&'static str> {
    match tensor.data_type {
        Some(DataType::FLOAT16 | DataType::BFLOAT16) => {
            Some("weights in half precision are taken as they are, and computed with in single")
        }
        _ => None,
    }
}

/// What all operators use of the state.
impl<'a> Context<'a> {
    fn uses(&self, name: &str) -> usize {
        self.uses.get(name).copied().unwrap_or(0)
    }

    /// The type of a constant input, if it is known.
    pub(crate) fn kind_of(&self, node: &Node<'a>, index: usize) -> Option<i32> {
        self.kinds.get(node.input(index)?).copied()
    }

    /// Says of which type the constant is that a node makes.
    pub(crate) fn set_kind(&mut self, node: &Node<'a>, kind: Option<DataType>) {
        let name = node.proto.output.first().map(String::as_str);
        self.kinds.extend(name.zip(kind.map(|kind| kind.0)));
    }

    /// Says something once that the user must know.
    pub(crate) fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|told| told == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// The number of images of which a list of so many values has `each` of one, if the file is made for that number.
    pub(crate) fn batch_of(&self, values: i64, each: usize) -> Option<usize> {
        let batch = usize::try_from(self.batch?).ok()?;
        let all = batch.checked_mul(each)?;
        (values == -1 || usize::try_from(values) == Ok(all)).then_some(batch)
    }

    /// Refuses what mixes several images, if the file is made for a fixed number of them.
    pub(crate) fn check_batch(&self) -> Result<(), Fault> {
        match self.batch {
            Some(_) => unsupported("that mixes the images of a fixed batch"),
            None => Ok(()),
        }
    }

    /// A shape in the file, for one image where it says how many the file is made for. Returns whether it does.
    pub(crate) fn one_image(&self, shape: &mut [i64]) -> bool {
        match (self.batch, shape.first_mut()) {
            (Some(batch), Some(first)) if *first == batch => {
                *first = 1;
                true
            }
            _ => false,
        }
    }

    /// Refuses values in which several images of a fixed batch are mixed.
    fn one_image_each(&self, outputs: Vec<Value>) -> Result<Vec<Value>, Fault> {
        let mixed = |value: &Value| match value {
            Value::Feature(x) => x.form != Form::Batched && x.dims().first() != Some(&1),
            Value::Const(_) | Value::Unknown => false,
        };
        if self.batch.is_some() && outputs.iter().any(mixed) {
            self.check_batch()?;
        }
        Ok(outputs)
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
                Value::Unknown => {
                    if let Some(dims) = self.told.get(name.as_str()).cloned() {
                        value = Value::Feature(self.stand_in(&node.label(), dims));
                    }
                }
            }
            if !name.is_empty() {
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// A value of these dimensions in the place of one that is not there, so that what takes it can be looked at.
    pub(crate) fn stand_in(&mut self, label: &str, dims: Vec<usize>) -> Feature {
        let shape = match dims[..] {
            [1, c, h, w] => Shape::new(c, h, w),
            _ => Shape::vector(dims.iter().product()),
        };
        let made = self.emit_shaped(label, Op::Input { shape }, &[], shape);
        Feature {
            layout: Layout::row_major(dims),
            ..made
        }
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

    /// Records an operator that Blindray does not have, once for each kind.
    pub(crate) fn record(&mut self, op: &str, node: &str, why: impl Into<String>) {
        let why = why.into();
        let known = self.recorded.get(&(op.to_owned(), why.clone()));
        if let Some(&index) = known {
            self.missing[index].count += 1;
            return;
        }
        self.recorded
            .insert((op.to_owned(), why.clone()), self.missing.len());
        self.missing.push(Unsupported::new(op, node, why));
    }
}
