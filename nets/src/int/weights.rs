//! The integer weights of a network, which are the server's secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::interval::{Interval, proved};
use super::op::{IntGraph, IntOp};
use crate::Error;

/// The secret parameters of one node: weights and biases of a linear layer, or signs and shifts of an
/// [`crate::IntOp::SignedRelu`].
#[derive(Clone, PartialEq, Eq, Default, Zeroize, ZeroizeOnDrop)]
pub struct LayerWeights {
    /// Weights, row-major `[out, in / groups, rows, columns]` or `[out, in]`. For
    /// [`crate::IntOp::SignedRelu`] the sign of each channel: -1 if it is negative, else 0.
    pub weights: Vec<i32>,
    /// One bias for each output channel, or one for each output value, at the scale of the products. The
    /// rounding constant of the truncation that follows is included. For [`crate::IntOp::SignedRelu`] the
    /// shift of each channel.
    pub bias: Vec<i64>,
}

impl fmt::Debug for LayerWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = (self.weights.len(), self.bias.len());
        f.debug_tuple("LayerWeights").field(&sizes).finish()
    }
}

/// The integer weights of a network, by the numbers of the nodes: the server's secret. `Debug` prints
/// sizes only. Copies share the weights, and the last copy erases them when it is dropped.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrivateWeights {
    layers: BTreeMap<usize, Arc<LayerWeights>>,
}

impl PrivateWeights {
    /// Checks that these are the weights of a graph, and that they prove its claims.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the first layer that does not fit.
    pub fn new(graph: &IntGraph, layers: BTreeMap<usize, LayerWeights>) -> Result<Self, Error> {
        let layers = layers.into_iter();
        let layers = layers.map(|(node, layer)| (node, Arc::new(layer)));
        let this = Self {
            layers: layers.collect(),
        };
        this.check(graph)?;
        Ok(this)
    }

    /// The same weights for a graph in which their nodes have these numbers.
    ///
    /// # Errors
    /// As [`PrivateWeights::new`].
    pub fn renumbered(
        &self,
        graph: &IntGraph,
        number: impl Fn(usize) -> usize,
    ) -> Result<Self, Error> {
        let layers = self.layers.iter();
        let layers = layers.map(|(&node, layer)| (number(node), Arc::clone(layer)));
        let this = Self {
            layers: layers.collect(),
        };
        this.check(graph)?;
        Ok(this)
    }

    /// The weights of a node.
    #[must_use]
    pub fn layer(&self, node: usize) -> Option<&LayerWeights> {
        self.layers.get(&node).map(Arc::as_ref)
    }

    /// Nodes and their weights.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &LayerWeights)> {
        self.layers.iter().map(|(&node, layer)| (node, &**layer))
    }

    /// Checks that these are the weights of a graph, and that they prove its claims.
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
                return bad("it has no secret parameters");
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
        self.check_claims(graph)
    }

    /// Proves every claim, for all inputs of the network's ring.
    fn check_claims(&self, graph: &IntGraph) -> Result<(), Error> {
        let nodes = graph.nodes().iter();
        let claims = nodes.filter(|node| node.op == IntOp::Claim);
        let claims: Vec<_> = claims.collect();
        if claims.is_empty() {
            return Ok(());
        }
        let proofs = proved(graph, self, Interval::ring(graph.input().bits()));
        let holds = |x: usize| {
            let half = Interval::half(graph.types()[x].bits());
            proofs[x].values.is_within(half)
        };
        match claims.into_iter().find(|claim| !holds(claim.inputs[0])) {
            None => Ok(()),
            Some(claim) => Err(Error::Weights {
                node: claim.name.clone(),
                problem: "they do not prove the claim that the values fit half of their ring"
                    .into(),
            }),
        }
    }
}

/// [`crate::IntOp::parameters`] of a node.
fn sizes(graph: &IntGraph, node: usize) -> Option<(usize, usize, u32)> {
    let source = graph.nodes().get(node)?;
    let x = graph.types()[*source.inputs.first()?].shape;
    source.op.parameters(x)
}
