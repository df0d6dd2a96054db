//! What stands in for an operator that Blindray does not have, so that the nodes behind it can be looked at.

use super::{Operator, find};
use crate::context::Context;
use crate::node::Node;
use crate::value::Value;

/// Operators that keep the shape of their first input. Where Blindray does not have one of them, the nodes
/// behind it can be checked all the same.
const SHAPE_KEPT: &[&str] = &[
    "Acos",
    "Asin",
    "Atan",
    "Ceil",
    "Cos",
    "Floor",
    "GroupNormalization",
    "Hardmax",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
    "RMSNormalization",
    "Round",
    "Shrink",
    "Sign",
    "Sin",
    "Softsign",
    "Sqrt",
    "Tan",
];

/// A value in place of the output of an operator that Blindray does not have, if it has the shape of its input.
pub(crate) fn stand_in<'a>(context: &mut Context<'a>, node: &Node<'a>, op: &str) -> Vec<Value> {
    if !SHAPE_KEPT.contains(&op) && !find(op).is_some_and(|op| op.keeps_shape()) {
        return Vec::new();
    }
    let dims = context.viewed(node, 0).map(|x| x.dims().to_vec());
    let made = dims.map(|dims| Value::Feature(context.stand_in(&node.label(), dims)));
    made.into_iter().collect()
}

impl Operator {
    /// Whether the result has the shape of the first input, as that of an activation.
    fn keeps_shape(&self) -> bool {
        const KEPT: &[&str] = &[
            "Celu",
            "Clip",
            "Elu",
            "Erf",
            "Exp",
            "Gelu",
            "HardSigmoid",
            "HardSwish",
            "LeakyRelu",
            "Log",
            "LogSoftmax",
            "Mish",
            "PRelu",
            "Pow",
            "Reciprocal",
            "Relu",
            "Selu",
            "Sigmoid",
            "Softmax",
            "Softplus",
            "Tanh",
        ];
        KEPT.contains(&self.name)
    }
}
