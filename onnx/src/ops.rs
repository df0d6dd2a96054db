//! The operators: how a node is folded or lowered. The table of all is in `table`, the functions are in files by family.

use std::rc::Rc;

use crate::array::Array;
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;
use crate::value::{Feature, Value};

mod activation;
mod constant;
mod conv;
mod dense;
mod elementwise;
mod fold;
mod form;
mod kind;
mod layout;
mod movement;
mod norm;
mod pool;
mod product;
mod quant;
mod reduce;
mod resize;
mod stand_in;
mod table;
mod transposed;

pub(crate) use form::realize;
pub(crate) use stand_in::stand_in;
pub use table::{OPERATORS, Operator, operators};

/// The values of a node's outputs, in order.
type Outputs = Result<Vec<Value>, Fault>;
/// Lowers a node of which an input is computed from the image, or which makes a constant.
type Lower = for<'a> fn(&mut Context<'a>, &Node<'a>) -> Outputs;
/// Computes a node all of whose inputs are constant.
type Fold = fn(&Node<'_>, &[Option<Rc<Array>>]) -> Result<Array, Fault>;

fn find(op: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.name == op)
}

/// Whether an operator is in the table.
pub(crate) fn known(op: &str) -> bool {
    find(op).is_some()
}

/// Folds or lowers a node.
pub(crate) fn apply<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    op: &str,
    all_const: bool,
) -> Outputs {
    let Some(operator) = find(op) else {
        return unsupported("");
    };
    let opset = node.opset;
    if opset == 0 {
        return invalid("the graph or function around it names no opset");
    }
    if opset < operator.since || operator.until.is_some_and(|last| opset > last) {
        return unsupported(format!("which opset {opset} does not have"));
    }
    if let Some(fold) = operator.fold.filter(|_| all_const) {
        let inputs = (0..node.proto.input.len()).map(|i| context.optional(node, i));
        let inputs = inputs.collect::<Result<Vec<_>, Fault>>()?;
        let array = fold(node, &inputs)?;
        if let Some(kind) = kind::of_result(context, node, op) {
            kind::check(kind, &array)?;
            context.set_kind(node, Some(kind));
        }
        return constant(array);
    }
    match operator.lower {
        Some(lower) => lower(context, node),
        None => unsupported("of something computed from the image"),
    }
}

fn feature(feature: Feature) -> Outputs {
    Ok(vec![Value::Feature(feature)])
}

fn constant(array: Array) -> Outputs {
    Ok(vec![Value::Const(Rc::new(array))])
}
