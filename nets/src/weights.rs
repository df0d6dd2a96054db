//! The server's integers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use winograd::Filters;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Error;
use crate::filters::FilterCache;
use crate::igraph::{IntGraph, IntOp};
use crate::infer::conv_weights;
use crate::tiled::Tiled;

/// The weights of one linear layer, or the signs and shifts of an [`IntOp::SignedRelu`].
#[derive(Clone, PartialEq, Eq, Default, Zeroize, ZeroizeOnDrop)]
pub struct LayerWeights {
    /// Weights, row-major `[out, in / groups, rows, columns]` or `[out, in]`; for
    /// [`IntOp::SignedRelu`] -1 or 0 per channel.
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
    filters: FilterCache,
}

impl PrivateWeights {
    /// Checks that these are the weights of a graph.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the first layer that does not fit.
    pub fn new(graph: &IntGraph, layers: BTreeMap<usize, LayerWeights>) -> Result<Self, Error> {
        let filters = FilterCache::default();
        let this = Self { layers, filters };
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

    /// The transformed weights of a Winograd convolution, kept for the next run.
    ///
    /// # Panics
    /// If these are not the weights of its graph.
    pub(crate) fn filters(&self, node: usize, step: &Tiled) -> Result<Arc<Filters>, Error> {
        self.filters.of(node, step, &self.layers[&node])
    }

    /// Checks that these are the weights of a graph.
    ///
    /// # Errors
    /// [`Error::Weights`].
    pub fn check(&self, graph: &IntGraph) -> Result<(), Error> {
        let linear = graph.nodes().iter().filter(|n| n.op.has_weights()).count();
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

/// Number of weights, of outputs, and bits of a weight of a linear node.
pub(crate) fn sizes(graph: &IntGraph, node: usize) -> Option<(usize, usize, u32)> {
    let x = |_: ()| graph.input_type(node, 0).shape;
    match graph.nodes().get(node)?.op {
        IntOp::Conv {
            out_channels,
            groups,
            window,
            weight_bits,
            ..
        }
        | IntOp::Winograd {
            out_channels,
            groups,
            window,
            weight_bits,
            ..
        } => Some((
            conv_weights(x(()), out_channels, groups, window),
            out_channels,
            weight_bits,
        )),
        IntOp::FullyConnected {
            out_features,
            weight_bits,
            ..
        } => Some((x(()).len() * out_features, out_features, weight_bits)),
        IntOp::SignedRelu => {
            let channels = x(()).channels;
            Some((channels, channels, 1))
        }
        _ => None,
    }
}
