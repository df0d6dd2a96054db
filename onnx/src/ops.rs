//! The operators: tables from name to function. The functions are in files by family.

use std::rc::Rc;

use crate::array::Array;
use crate::context::Context;
use crate::error::{Fault, unsupported};
use crate::node::Node;
use crate::value::{Feature, Value};

mod activation;
mod channels;
mod constant;
mod conv;
mod dense;
mod elementwise;
mod fold;
mod layout;
mod movement;
mod norm;
mod pool;
mod quantise;
mod view;

pub(crate) use quantise::Levels;
pub(crate) use view::realize;

/// The values of a node's outputs, in order.
type Outputs = Result<Vec<Value>, Fault>;
/// Lowers a node of which an input is computed from the image, or which makes a constant.
type Lower = for<'a> fn(&mut Context<'a>, &Node<'a>) -> Outputs;
/// Computes a node all of whose inputs are constant.
type Fold = fn(&Node<'_>, &[Option<Rc<Array>>]) -> Result<Array, Fault>;

const LOWER: &[(&str, Lower)] = &[
    ("Add", elementwise::add),
    ("AveragePool", pool::average),
    ("BatchNormalization", norm::batch),
    ("Clip", activation::clip),
    ("Concat", channels::concat),
    ("Constant", constant::constant),
    ("ConstantOfShape", constant::of_shape),
    ("Conv", conv::conv),
    ("DequantizeLinear", quantise::dequantize),
    ("Div", elementwise::div),
    ("Dropout", norm::dropout),
    ("Flatten", layout::flatten),
    ("Gather", channels::gather),
    ("Gemm", dense::gemm),
    ("GlobalAveragePool", pool::global),
    ("HardSigmoid", activation::hard_sigmoid),
    ("HardSwish", activation::hard_swish),
    ("Identity", layout::identity),
    ("LeakyRelu", activation::leaky_relu),
    ("MatMul", dense::matmul),
    ("MaxPool", pool::max),
    ("Mul", elementwise::mul),
    ("PRelu", activation::prelu),
    ("Pad", movement::pad),
    ("QuantizeLinear", quantise::quantize),
    ("ReduceMean", pool::reduce_mean),
    ("Relu", activation::relu),
    ("Reshape", layout::reshape),
    ("Shape", constant::shape),
    ("Sigmoid", activation::sigmoid),
    ("Slice", movement::slice),
    ("Softmax", activation::softmax),
    ("Split", channels::split),
    ("Squeeze", layout::squeeze),
    ("Sub", elementwise::sub),
    ("Sum", elementwise::sum),
    ("Transpose", layout::transpose),
    ("Unsqueeze", layout::unsqueeze),
];

const FOLD: &[(&str, Fold)] = &[
    ("Add", fold::add),
    ("Cast", fold::cast),
    ("Concat", fold::concat),
    ("DequantizeLinear", quantise::dequantized),
    ("Div", fold::div),
    ("Dropout", fold::dropout),
    ("Flatten", fold::flatten),
    ("Gather", fold::gather),
    ("Identity", fold::identity),
    ("Mul", fold::mul),
    ("Reshape", fold::reshape),
    ("Shape", fold::shape),
    ("Slice", fold::slice),
    ("Squeeze", fold::squeeze),
    ("Sub", fold::sub),
    ("Transpose", fold::transpose),
    ("Unsqueeze", fold::unsqueeze),
];

/// Operators that keep the shape of their first input. Where Blindray does not have one of them, the nodes
/// behind it can be checked all the same.
const SHAPE_KEPT: &[&str] = &[
    "Abs",
    "Celu",
    "Clip",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "Log",
    "LogSoftmax",
    "Mish",
    "Neg",
    "Pow",
    "Reciprocal",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tanh",
];

/// A value in place of the output of an operator that Blindray does not have, if its shape is known.
pub(crate) fn stand_in<'a>(context: &mut Context<'a>, node: &Node<'a>, op: &str) -> Vec<Value> {
    if !SHAPE_KEPT.contains(&op) {
        return Vec::new();
    }
    context
        .plain(node, 0)
        .map(Value::Feature)
        .into_iter()
        .collect()
}

fn find<T: Copy>(table: &[(&str, T)], op: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == op).map(|(_, f)| *f)
}

/// Whether an operator is in the tables.
pub(crate) fn known(op: &str) -> bool {
    find(LOWER, op).is_some() || find(FOLD, op).is_some()
}

/// Folds or lowers a node.
pub(crate) fn apply<'a>(
    context: &mut Context<'a>,
    node: &Node<'a>,
    op: &str,
    all_const: bool,
) -> Outputs {
    if let Some(fold) = find(FOLD, op).filter(|_| all_const) {
        let inputs = (0..node.proto.input.len()).map(|i| context.optional(node, i));
        let inputs = inputs.collect::<Result<Vec<_>, Fault>>()?;
        return constant(fold(node, &inputs)?);
    }
    match find(LOWER, op) {
        Some(lower) => lower(context, node),
        None => unsupported(""),
    }
}

fn feature(feature: Feature) -> Outputs {
    Ok(vec![Value::Feature(feature)])
}

fn constant(array: Array) -> Outputs {
    Ok(vec![Value::Const(Rc::new(array))])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FOLD, LOWER};

    /// The names in the last column of the README's table of operators.
    #[test]
    fn the_readme_names_every_operator() {
        let readme = include_str!("../README.md");
        let rows = readme
            .lines()
            .skip_while(|line| *line != "| operators | names |");
        let cells = rows.skip(2).map_while(|row| row.rsplit('|').nth(1));
        let words = cells.flat_map(|cell| cell.split([' ', ',']));
        let upper = |word: &&str| word.starts_with(|c: char| c.is_uppercase());
        let told: BTreeSet<&str> = words.filter(upper).collect();
        let known = LOWER.iter().map(|(name, _)| *name);
        let known: BTreeSet<&str> = known.chain(FOLD.iter().map(|(name, _)| *name)).collect();
        assert_eq!(told, known);
    }
}
