//! What is found out before the first node is lowered: the input's shape, and the nodes that the outputs need.

use std::collections::{HashMap, HashSet};

use nets::Shape;
use rten_onnx::onnx::{DataType, TensorShapeProto, ValueInfoProto};

use crate::Error;
use crate::array::elements;
use crate::layout::Layout;
use crate::node::{Node, readable};
use crate::proto::{GraphProto, NodeProto, all};

/// An image has more rows and columns than this: a shape that ends in 1 or 3 has the channels there if there are more.
const FEW_ROWS: usize = 7;

/// The graph's input.
pub(super) struct Input {
    /// Channels, rows and columns.
    pub(super) shape: Shape,
    /// Its dimensions in the file, with one image, and where their values lie.
    pub(super) layout: Layout,
    /// The number of images that the file is made for, if it is fixed and more than one.
    pub(super) batch: Option<i64>,
    /// What the user must know of it.
    pub(super) notes: Vec<String>,
}

/// Dimensions as a person reads them.
fn shown(shape: &TensorShapeProto) -> String {
    let sides = shape.dim.iter().take(8).map(|dim| {
        let name = || dim.dim_param.as_deref().map_or("?".to_owned(), readable);
        dim.dim_value.map_or_else(name, |v| v.to_string())
    });
    format!("[{}]", sides.collect::<Vec<_>>().join(", "))
}

/// The shape of the input. `turned` says that all that take it put the last axis, the channels, before rows and columns.
pub(super) fn input(input: &ValueInfoProto, turned: bool) -> Result<Input, Error> {
    let fail = |problem: &str| Error::Graph(format!("the input {problem}"));
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| fail("has no tensor type"))?;
    let mut notes = Vec::new();
    match tensor.elem_type {
        Some(DataType::FLOAT | DataType::DOUBLE) => {}
        Some(DataType::FLOAT16 | DataType::BFLOAT16) => {
            notes.push("the file computes in half precision; here it is computed in single".into());
        }
        Some(DataType::UINT8) => notes.push(
            "the input is of bytes, values from 0 to 255: with mean 0 and deviation 1/255 they are what the file expects"
                .into(),
        ),
        other => {
            let name = other.map_or("unknown".to_owned(), |t| t.to_string());
            return Err(fail(&format!("is of type {name}, not of floats")));
        }
    }
    let shape = tensor.shape.as_ref().ok_or_else(|| fail("has no shape"))?;
    let expected = "batch, channels, rows and columns (or batch, rows, columns, channels)";
    let mut sizes: Vec<usize> = Vec::new();
    let mut batch = None;
    for (axis, dim) in shape.dim.iter().enumerate() {
        let fixed = dim.dim_value.filter(|&v| v > 0);
        let is_batch = axis == 0 && matches!(shape.dim.len(), 2 | 4);
        if dim.dim_value == Some(0) {
            return Err(fail(&format!("has shape {}, which is empty", shown(shape))));
        }
        if is_batch {
            batch = fixed.filter(|&v| v > 1);
            sizes.push(1);
            continue;
        }
        let size = fixed.and_then(|v| usize::try_from(v).ok());
        sizes.push(size.ok_or_else(|| {
            let shape = shown(shape);
            fail(&format!(
                "has shape {shape}; expected are {expected}, all but the batch fixed numbers: export the network with a fixed size"
            ))
        })?);
    }
    elements(&sizes).map_err(|problem| fail(&problem))?;
    if let Some(batch) = batch {
        notes.push(format!(
            "the file is made for {batch} images at once; here it takes one"
        ));
    }
    let few = |n: usize| matches!(n, 1 | 3);
    let (shape, layout) = match sizes[..] {
        [1, h, w, c] if turned && (few(c) || !few(h)) || few(c) && h.min(w) > FEW_ROWS => {
            notes.push("the file takes rows, columns and channels in this order".into());
            let layout = Layout::row_major(vec![1, c, h, w]);
            (Shape::new(c, h, w), layout.permuted(&[0, 2, 3, 1]))
        }
        [1, c, h, w] => (Shape::new(c, h, w), Layout::row_major(sizes)),
        [h, w, c] if few(c) && h.min(w) > FEW_ROWS => {
            notes.push("the file takes rows, columns and channels in this order".into());
            let layout = Layout::row_major(vec![c, h, w]);
            (Shape::new(c, h, w), layout.permuted(&[1, 2, 0]))
        }
        [c, h, w] => (Shape::new(c, h, w), Layout::row_major(sizes)),
        [1, n] => (Shape::vector(n), Layout::row_major(sizes)),
        _ => {
            let shape = shown(shape);
            return Err(fail(&format!("has shape {shape}; expected are {expected}")));
        }
    };
    Ok(Input {
        shape,
        layout,
        batch,
        notes,
    })
}

/// Whether a name is taken by nothing but transpositions that put the last of four axes second.
pub(super) fn only_turned(proto: &GraphProto, name: &str) -> bool {
    let takes = |node: &&NodeProto| node.input.iter().any(|input| input == name);
    let mut any = false;
    for node in proto.node.iter().filter(takes) {
        any = true;
        let perm = node
            .attribute
            .iter()
            .find(|a| a.name.as_deref() == Some("perm"));
        if node.op_type.as_deref() != Some("Transpose")
            || perm.is_none_or(|perm| perm.ints != [0, 3, 1, 2])
        {
            return false;
        }
    }
    any
}

/// Which nodes the outputs need, how often each name is taken, and which node makes it.
pub(super) struct Needed<'a> {
    pub(super) live: Vec<bool>,
    pub(super) uses: HashMap<&'a str, usize>,
    pub(super) makers: HashMap<&'a str, usize>,
}

/// Finds the nodes that the outputs need.
pub(super) fn needed<'a>(proto: &'a GraphProto, outputs: &[&'a str]) -> Result<Needed<'a>, Error> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    let constants = proto.initializer.iter().map(|t| &t.name);
    let given = constants.chain(proto.input.iter().map(|v| &v.name));
    let given: HashSet<&str> = given.filter_map(|name| name.as_deref()).collect();
    for node in all(&proto.node) {
        if let Some(name) = node
            .output
            .iter()
            .find(|name| given.contains(name.as_str()))
        {
            let (node, name) = (Node::new(node, 0), readable(name));
            return Err(Error::Node {
                node: node.label(),
                op: node.op(),
                problem: format!("it makes `{name}`, which is a constant or an input already"),
            });
        }
    }
    for (index, node) in proto.node.iter().enumerate() {
        for name in node.output.iter().filter(|n| !n.is_empty()) {
            if makers.insert(name, index).is_some() {
                let node = Node::new(node, index);
                let problem = format!("`{}` is made twice", readable(name));
                return Err(Error::Node {
                    node: node.label(),
                    op: node.op(),
                    problem,
                });
            }
        }
    }
    let mut live = vec![false; proto.node.len()];
    let mut uses: HashMap<&str, usize> = HashMap::new();
    let mut open = Vec::new();
    for &output in outputs {
        *uses.entry(output).or_insert(0) += 1;
        open.push(output);
    }
    while let Some(name) = open.pop() {
        let Some(&index) = makers.get(name) else {
            continue;
        };
        if std::mem::replace(&mut live[index], true) {
            continue;
        }
        for input in taken(&proto.node[index]) {
            *uses.entry(input).or_insert(0) += 1;
            open.push(input);
        }
    }
    Ok(Needed { live, uses, makers })
}

/// The names that a node takes, also within graphs that it holds.
fn taken(node: &NodeProto) -> Vec<&str> {
    let mut names = Vec::new();
    let mut nodes = vec![node];
    while let Some(node) = nodes.pop() {
        let given = node.input.iter().filter(|n| !n.is_empty());
        names.extend(given.map(String::as_str));
        for graph in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
            nodes.extend(&graph.node);
            names.extend(graph.output.iter().filter_map(|o| o.name.as_deref()));
        }
    }
    names
}
