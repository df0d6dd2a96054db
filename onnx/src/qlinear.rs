//! Operators that compute with the integers of grids, as ONNX Runtime's quantiser writes them, put as what they stand for:
//! integers become numbers, the ordinary operator computes with these, and its result is rounded to a grid again.
//!
//! A node becomes a few nodes for each tensor that it takes or gives. Their number and the names that they repeat are
//! bounded, whatever the file has.

use std::collections::{HashMap, HashSet};

use rten_onnx::onnx::TensorProto;

use crate::context::MAX_NODES;
use crate::fresh::Fresh;
use crate::proto::{AttributeProto, GraphProto, NodeProto};

/// The longest name, in bytes, of what is put otherwise.
const MAX_NAME: usize = 512;
/// The domain of ONNX Runtime's own operators.
const MICROSOFT: &str = "com.microsoft";

/// Operators that give some of the integers that they take, so that these may as well be numbers meanwhile.
const MOVES: &[&str] = &[
    "DepthToSpace",
    "Flatten",
    "Gather",
    "GlobalMaxPool",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Names of a tensor's scale and zero point; the zero point may be left out.
#[derive(Clone)]
struct Grid {
    scale: String,
    zero: String,
}

/// A tensor of integers, and what they stand for.
struct Integers {
    name: String,
    grid: Grid,
    /// The axis along which there are several scales.
    axis: i64,
}

/// An operator in terms of numbers.
struct Plan {
    /// The ordinary operator.
    op: &'static str,
    inputs: Vec<Integers>,
    /// Integers in units of the product of the scales of both inputs, and the axis along which these differ.
    bias: Option<(String, i64)>,
    /// None for a result that stays numbers.
    output: Option<Grid>,
}

/// Puts every node of a graph that computes with the integers of grids as nodes that compute with numbers. What is not
/// possible stays as it is, to be refused by its name.
pub(crate) fn as_numbers(graph: &mut GraphProto) {
    let own = |node: &NodeProto| plan(node).is_some() || renamed(node);
    let quantises = |node: &NodeProto| operator(node) == ("", "QuantizeLinear");
    if !graph.node.iter().any(|node| own(node) || quantises(node)) {
        return;
    }
    let mut rewrite = Rewrite {
        names: Fresh::of(graph),
        numbers: numbers(graph),
        grids: HashMap::new(),
        nodes: Vec::with_capacity(graph.node.len()),
    };
    for node in std::mem::take(&mut graph.node) {
        rewrite.node(node);
    }
    graph.node = rewrite.nodes;
}

/// The domain and the name of a node's operator.
fn operator(node: &NodeProto) -> (&str, &str) {
    let domain = match node.domain.as_deref() {
        None | Some("ai.onnx") => "",
        Some(domain) => domain,
    };
    (domain, node.op_type.as_deref().unwrap_or_default())
}

/// Whether ONNX Runtime has the same operator under its own domain as ONNX, which lacked types of integers before.
pub(crate) fn renamed(node: &NodeProto) -> bool {
    let pair = ["QuantizeLinear", "DequantizeLinear"];
    matches!(operator(node), (MICROSOFT, op) if pair.contains(&op))
}

/// The names of constants that are one number.
fn numbers(graph: &GraphProto) -> HashSet<String> {
    let one = |tensor: &TensorProto| tensor.dims.iter().all(|&side| side == 1);
    let given = graph.initializer.iter().filter(|tensor| one(tensor));
    let given = given.filter_map(|tensor| tensor.name.clone());
    let made = graph.node.iter().filter(|node| {
        let value = attribute(node, "value").and_then(|value| value.t.as_ref());
        operator(node) == ("", "Constant") && value.is_some_and(one)
    });
    given
        .chain(made.flat_map(|node| node.output.clone()))
        .collect()
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    let mut all = node.attribute.iter();
    all.find(|a| a.name.as_deref() == Some(name))
}

/// What a node computes in terms of numbers; none for another operator, and for a form of it that is not understood.
fn plan(node: &NodeProto) -> Option<Plan> {
    let input = |at: usize| node.input.get(at).filter(|name| !name.is_empty()).cloned();
    let grid = |at: usize| {
        let (scale, zero) = (input(at)?, input(at + 1).unwrap_or_default());
        Some(Grid { scale, zero })
    };
    let integers = |at: usize, axis: i64| {
        let (name, grid) = (input(at)?, grid(at + 1)?);
        Some(Integers { name, grid, axis })
    };
    let int = |name, default| attribute(node, name).map_or(Some(default), AttributeProto::int);
    let several = |op, inputs: Vec<Integers>, output| Plan {
        op,
        inputs,
        bias: None,
        output: Some(output),
    };
    let one = |op| Some(several(op, vec![integers(0, 1)?], grid(3)?));
    let two = |op, axis| {
        let inputs = vec![integers(0, 1)?, integers(3, axis)?];
        Some(several(op, inputs, grid(6)?))
    };
    let channels_first = int("channels_last", 0)? == 0;
    match operator(node) {
        ("", "QLinearConv") => {
            let bias = input(8).map(|name| (name, 0));
            two("Conv", 0).map(|plan| Plan { bias, ..plan })
        }
        ("", "QLinearMatMul") => two("MatMul", -1),
        (MICROSOFT, "QLinearAdd") => two("Add", 1),
        (MICROSOFT, "QLinearMul") => two("Mul", 1),
        (MICROSOFT, "QGemm") => {
            if attribute(node, "alpha").is_some_and(|a| a.float() != Some(1.0)) {
                return None;
            }
            let columns = i64::from(int("transB", 0)? == 0);
            Some(Plan {
                op: "Gemm",
                inputs: vec![integers(0, 1)?, integers(3, columns)?],
                bias: input(6).map(|name| (name, -1)),
                output: grid(7),
            })
        }
        (MICROSOFT, "QLinearSigmoid") => one("Sigmoid"),
        (MICROSOFT, "QLinearLeakyRelu") => one("LeakyRelu"),
        (MICROSOFT, "QLinearSoftmax") if attribute(node, "axis").is_some() => one("Softmax"),
        (MICROSOFT, "QLinearAveragePool") if channels_first => one("AveragePool"),
        (MICROSOFT, "QLinearGlobalAveragePool") if channels_first => one("GlobalAveragePool"),
        (MICROSOFT, "QLinearConcat") => {
            let parts = (2..node.input.len()).step_by(3);
            let parts: Option<Vec<_>> = parts.map(|at| integers(at, 1)).collect();
            Some(several("Concat", parts?, grid(0)?))
        }
        _ => None,
    }
}

struct Rewrite {
    names: Fresh,
    /// Names of constants that are one number.
    numbers: HashSet<String>,
    /// The grids of tensors of integers so far.
    grids: HashMap<String, Grid>,
    nodes: Vec<NodeProto>,
}

impl Rewrite {
    fn node(&mut self, mut node: NodeProto) {
        if renamed(&node) {
            node.domain = None;
        }
        if !self.has_room(&node) {
            return self.nodes.push(node);
        }
        if let Some(plan) = plan(&node) {
            return self.planned(node, plan);
        }
        let (first, output) = (node.input.first(), node.output.first());
        let is_usual = attribute(&node, "output_dtype").is_none();
        if operator(&node) == ("", "QuantizeLinear") && is_usual {
            // The axis of several scales may be another one once values are moved.
            let scale = node.input.get(1);
            let scale = scale.filter(|&scale| self.numbers.contains(scale));
            let grid = scale.map(|scale| Grid {
                scale: scale.clone(),
                zero: node.input.get(2).cloned().unwrap_or_default(),
            });
            self.grids.extend(output.cloned().zip(grid));
        }
        let grid = first.and_then(|name| self.grids.get(name)).cloned();
        match (grid, operator(&node)) {
            (Some(grid), ("", op)) if MOVES.contains(&op) => self.moved(node, &grid),
            _ => self.nodes.push(node),
        }
    }

    /// Whether a node may become several: else it is refused by its name, or the graph by its number of nodes.
    fn has_room(&self, node: &NodeProto) -> bool {
        let tensors = node.input.iter().chain(&node.output);
        let mut names = tensors.clone().chain(&node.name);
        let made = 2 + tensors.count();
        self.nodes.len() + made <= MAX_NODES && names.all(|name| name.len() <= MAX_NAME)
    }

    /// A node in terms of numbers.
    fn planned(&mut self, mut node: NodeProto, plan: Plan) {
        let scales: Vec<String> = (plan.inputs.iter())
            .map(|input| input.grid.scale.clone())
            .collect();
        let numbers = plan.inputs.into_iter();
        let numbers = numbers.map(|integers| self.numbers(&node, integers));
        let mut inputs: Vec<String> = numbers.collect();
        if let Some((name, axis)) = plan.bias {
            let scale = self.fresh(&node);
            self.push(&node, "Mul", scales, scale.clone());
            let zero = String::new();
            let grid = Grid { scale, zero };
            inputs.push(self.numbers(&node, Integers { name, grid, axis }));
        }
        node.input = inputs;
        node.domain = None;
        node.op_type = Some(plan.op.to_owned());
        self.finish(node, plan.output.as_ref());
    }

    /// A node that moves integers moves numbers.
    fn moved(&mut self, mut node: NodeProto, grid: &Grid) {
        let integers = Integers {
            name: std::mem::take(&mut node.input[0]),
            grid: grid.clone(),
            axis: 1,
        };
        node.input[0] = self.numbers(&node, integers);
        self.finish(node, Some(grid));
    }

    /// Adds a node whose outputs are rounded to a grid.
    fn finish(&mut self, mut node: NodeProto, grid: Option<&Grid>) {
        let mut rounded = Vec::new();
        for output in node.output.iter_mut().filter(|name| !name.is_empty()) {
            let Some(grid) = grid else { break };
            let fresh = self.names.like(output);
            let integers = std::mem::replace(output, fresh.clone());
            if self.numbers.contains(&grid.scale) {
                self.grids.insert(integers.clone(), grid.clone());
            }
            rounded.push((with(fresh, grid), integers));
        }
        self.nodes.push(node);
        let at = self.nodes.len() - 1;
        for (inputs, integers) in rounded {
            let made = following(&self.nodes[at], "QuantizeLinear", inputs, integers);
            self.nodes.push(made);
        }
    }

    /// The numbers that integers stand for.
    fn numbers(&mut self, node: &NodeProto, integers: Integers) -> String {
        let Integers { name, grid, axis } = integers;
        let numbers = self.fresh(node);
        let inputs = with(name, &grid);
        self.push(node, "DequantizeLinear", inputs, numbers.clone());
        let along = AttributeProto {
            name: Some("axis".into()),
            i: Some(axis),
            ..AttributeProto::default()
        };
        let made = self.nodes.last_mut().expect("it was added");
        made.attribute.push(along);
        numbers
    }

    fn push(&mut self, node: &NodeProto, op: &str, inputs: Vec<String>, output: String) {
        self.nodes.push(following(node, op, inputs, output));
    }

    fn fresh(&mut self, node: &NodeProto) -> String {
        let output = node.output.first().map_or("", String::as_str);
        self.names.like(output)
    }
}

/// A tensor with its scale and its zero point.
fn with(name: String, grid: &Grid) -> Vec<String> {
    let mut inputs = vec![name, grid.scale.clone()];
    if !grid.zero.is_empty() {
        inputs.push(grid.zero.clone());
    }
    inputs
}

/// A node that belongs to another, whose name messages give.
fn following(node: &NodeProto, op: &str, input: Vec<String>, output: String) -> NodeProto {
    let named = node.name.clone().filter(|name| !name.is_empty());
    NodeProto {
        name: named.or_else(|| node.output.first().cloned()),
        op_type: Some(op.to_owned()),
        input,
        output: vec![output],
        opset: node.opset,
        ..NodeProto::default()
    }
}
