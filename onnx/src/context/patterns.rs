//! What several operators together are, where Blindray does not have it.

use super::Context;
use crate::node::Node;

/// How many nodes before an operator are looked at.
const REACH: usize = 12;

impl<'a> Context<'a> {
    /// The name of the pattern that a node is part of, as far as it is known.
    pub(super) fn pattern(&self, node: &Node<'a>, op: &str) -> Option<&'static str> {
        match op {
            "Sqrt" | "Pow" | "Div" | "Reciprocal" => {
                let before = self.before(node);
                let has = |op: &str| before.contains(&op);
                if has("ReduceMean") && has("Sub") {
                    Some("part of a layer, group or instance normalisation (LayerNorm)")
                } else if has("Exp") && (has("ReduceSum") || has("ReduceMax")) {
                    Some("part of a softmax, as in attention")
                } else if has("ReduceSum") || has("ReduceMean") || has("ReduceL2") {
                    Some("part of a normalisation by the root of a sum of squares")
                } else {
                    None
                }
            }
            "LayerNormalization" | "SimplifiedLayerNormalization" => {
                Some("LayerNorm: it needs the variance of every image")
            }
            "GroupNormalization" => Some("GroupNorm: it needs the variance of every image"),
            "InstanceNormalization" => Some(
                "InstanceNorm, or GroupNorm as exporters write it: it needs the variance of every image",
            ),
            "LRN" => Some("local response normalisation"),
            "Attention" | "MultiHeadAttention" => Some("attention"),
            "ConvInteger" | "MatMulInteger" | "DynamicQuantizeLinear" => {
                Some("scales that every image has of its own: quantise the network statically")
            }
            _ => None,
        }
    }

    /// The operators just before a node.
    fn before(&self, node: &Node<'a>) -> Vec<&'a str> {
        let mut open: Vec<&str> = node.proto.input.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        let mut next = 0;
        while next < open.len() && found.len() < REACH {
            if let Some(&maker) = self.makers.get(open[next]) {
                let maker = &self.proto.node[maker];
                found.push(maker.op_type.as_deref().unwrap_or_default());
                open.extend(maker.input.iter().map(String::as_str));
            }
            next += 1;
        }
        found
    }
}
