//! The server's integers.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::op::IntGraph;
use crate::Error;

/// The weights of one linear layer, or the signs and shifts of an [`crate::IntOp::SignedRelu`].
#[derive(Clone, PartialEq, Eq, Default, Zeroize, ZeroizeOnDrop)]
pub struct LayerWeights {
    /// Weights, row-major `[out, in / groups, rows, columns]` or `[out, in]`; for
    /// [`crate::IntOp::SignedRelu`] -1 or 0 per channel.
    pub weights: Vec<i32>,
    /// One bias per output channel at the scale of the products, any rounding constant included;
    /// for a convolution also one per output value.
    pub bias: Vec<i64>,
}

impl fmt::Debug for LayerWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = (self.weights.len(), self.bias.len());
        f.debug_tuple("LayerWeights").field(&sizes).finish()
    }
}

/// The integer weights of a network, by node number: the server's secret. `Debug` prints sizes
/// only; erased on drop.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrivateWeights {
    layers: BTreeMap<usize, LayerWeights>,
}

impl PrivateWeights {
    /// Checks that these are the weights of a graph.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the first layer that does not fit.
    pub fn new(graph: &IntGraph, layers: BTreeMap<usize, LayerWeights>) -> Result<Self, Error> {
        let this = Self { layers };
        this.check(graph)?;
        Ok(this)
    }

    /// The weights of a node.
    #[must_use]
    pub fn layer(&self, node: usize) -> Option<&LayerWeights> {
        self.layers.get(&node)
    }

    /// Nodes and their weights.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &LayerWeights)> {
        self.layers.iter().map(|(&node, layer)| (node, layer))
    }

    /// Checks that these are the weights of a graph.
    ///
    /// # Errors
    /// [`Error::Weights`].
    pub fn check(&self, graph: &IntGraph) -> Result<(), Error> {
        let linear = (0..graph.len())
            .filter(|&n| sizes(graph, n).is_some())
            .count();
        if linear != self.layers.len() {
            let problem = format!("{} layers of weights for {linear}", self.layers.len());
            return Err(Error::Weights {
                node: "graph".into(),
                problem,
            });
        }
        for (&index, layer) in &self.layers {
            let bad = |problem: &str| {
                let node = graph.nodes().get(index).map_or("?", |n| n.name.as_str());
                Err(Error::Weights {
                    node: node.into(),
                    problem: problem.into(),
                })
            };
            let Some((weights, outputs, bits)) = sizes(graph, index) else {
                return bad("it takes none");
            };
            let is_map = graph.nodes()[index].op.is_linear()
                && layer.bias.len() == graph.types()[index].shape.len();
            if layer.weights.len() != weights || (layer.bias.len() != outputs && !is_map) {
                return bad("wrong number of weights or biases");
            }
            let (low, high) = (-1_i64 << (bits - 1), (1_i64 << (bits - 1)) - 1);
            if layer
                .weights
                .iter()
                .any(|&w| !(low..=high).contains(&i64::from(w)))
            {
                return bad("a weight does not fit its width");
            }
        }
        Ok(())
    }
}

/// Number of weights, number of biases, and bits of a weight of a node that has some.
fn sizes(graph: &IntGraph, node: usize) -> Option<(usize, usize, u32)> {
    let source = graph.nodes().get(node)?;
    let x = graph.types()[*source.inputs.first()?].shape;
    source.op.parameters(x)
}
