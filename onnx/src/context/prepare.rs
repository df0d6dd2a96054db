//! What is found out before the first node is lowered: the input's shape, and the nodes that the output needs.

use std::collections::HashMap;

use nets::Shape;
use rten_onnx::onnx::{DataType, GraphProto, ValueInfoProto};

use crate::Error;
use crate::array::elements;
use crate::node::{Node, readable};

/// The shape of the input, as dimensions of ONNX and as a shape of `nets`.
pub(super) fn input_shape(input: &ValueInfoProto) -> Result<(Vec<usize>, Shape), Error> {
    let fail = |problem: &str| Error::Graph(format!("the input {problem}"));
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| fail("has no tensor type"))?;
    if tensor.elem_type != Some(DataType::FLOAT) {
        return Err(fail("is not of 32-bit floats"));
    }
    let dims = &tensor
        .shape
        .as_ref()
        .ok_or_else(|| fail("has no shape"))?
        .dim;
    if dims.len() != 2 && dims.len() != 4 {
        return Err(fail(&format!(
            "has {} dimensions, not batch, channels, rows, columns",
            dims.len()
        )));
    }
    let mut sizes = vec![1];
    if !matches!(dims[0].dim_value, None | Some(1)) {
        return Err(fail(
            "is a batch of several images; export the network with a batch of one",
        ));
    }
    for dim in &dims[1..] {
        let size = dim
            .dim_value
            .and_then(|v| usize::try_from(v).ok())
            .filter(|&v| v > 0);
        sizes
            .push(size.ok_or_else(|| fail("has a size that is not fixed; only the batch may be"))?);
    }
    elements(&sizes).map_err(|problem| fail(&problem))?;
    let shape = if let [_, c, h, w] = sizes[..] {
        Shape::new(c, h, w)
    } else {
        Shape::vector(sizes[1])
    };
    Ok((sizes, shape))
}

/// The nodes that the output needs, and how often they take each name.
pub(super) fn needed<'a>(
    proto: &'a GraphProto,
    opset: i64,
    output: &'a str,
) -> Result<(Vec<bool>, HashMap<&'a str, usize>), Error> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in proto.node.iter().enumerate() {
        for name in node.output.iter().filter(|n| !n.is_empty()) {
            if makers.insert(name, index).is_some() {
                let node = Node {
                    proto: node,
                    index,
                    opset,
                };
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
    let mut uses = HashMap::from([(output, 1)]);
    let mut open = vec![output];
    while let Some(name) = open.pop() {
        let Some(&index) = makers.get(name) else {
            continue;
        };
        if std::mem::replace(&mut live[index], true) {
            continue;
        }
        for input in proto.node[index].input.iter().filter(|n| !n.is_empty()) {
            *uses.entry(input).or_insert(0) += 1;
            open.push(input);
        }
    }
    Ok((live, uses))
}
