//! The list of all algorithms for products with the server's weights. A new back-end is added here and
//! nowhere else; `linear/docs/backends.md` says how.

use linear::{
    ClientChooses, Direct, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape, RingLwe,
};
use nets::{Algorithm, IntGraph, IntOp, LayerShape};
use ring_arith::Bits;
use winograd::Tile;

use crate::Error;

/// All algorithms, the plainest first. Of two that cost the same, the planner takes the earlier one.
static ALGORITHMS: &[&dyn LinearAlgorithm] = &[
    &Direct,
    &ClientChooses,
    &Tile::F2x2_3x3,
    &Tile::F4x4_3x3,
    &Tile::F2x2_5x5,
    &RingLwe { packed: true },
    &RingLwe { packed: false },
    // It hides nothing, and shows what the crate does with noise, keys and phases ahead.
    #[cfg(test)]
    &testkit::Noisy,
];

/// All algorithms for linear layers, the plainest first.
#[must_use]
pub fn algorithms() -> &'static [&'static dyn LinearAlgorithm] {
    ALGORITHMS
}

/// Whether an algorithm rests on homomorphic encryption, and not on oblivious transfers alone: noise comes from nothing else.
pub(crate) fn is_homomorphic(algorithm: &dyn LinearAlgorithm) -> bool {
    algorithm.noisy()
}

/// An algorithm as a graph names it.
pub(crate) fn attribute(algorithm: &dyn LinearAlgorithm) -> Algorithm {
    Algorithm::named(algorithm.name(), algorithm.guard_bits())
}

/// The algorithm of this name.
pub(crate) fn named(name: &str) -> Option<&'static dyn LinearAlgorithm> {
    ALGORITHMS.iter().copied().find(|a| a.name() == name)
}

/// The linear layer that a node is, and the algorithm that the graph names for it; `None` for other nodes.
pub(crate) fn layer(
    graph: &IntGraph,
    node: usize,
) -> Result<Option<(LinearLayer, &Algorithm)>, Error> {
    let IntOp::Linear {
        shape,
        weight_bits,
        by,
        ..
    } = &graph.nodes()[node].op
    else {
        return Ok(None);
    };
    let x = graph.input_type(node, 0);
    let shape = match *shape {
        LayerShape::Conv {
            out_channels,
            groups,
            window,
        } => {
            let spec = linear::ConvSpec::new(
                [x.shape.channels, out_channels],
                [x.shape.height, x.shape.width],
                window.kernel,
                window.stride,
                window.padding,
                groups,
            )?;
            LinearShape::Conv(spec.dilated(window.dilation)?)
        }
        LayerShape::FullyConnected { out_features } => LinearShape::FullyConnected {
            inputs: x.shape.len(),
            outputs: out_features,
        },
    };
    let layer = LinearLayer {
        shape,
        weight_bits: Bits::of(*weight_bits),
        bits: x.bits(),
    };
    Ok(Some((layer, by)))
}

/// The protocol for a linear node, by the algorithm that the graph names.
pub(crate) fn protocol(
    graph: &IntGraph,
    node: usize,
    layer: &LinearLayer,
    by: &Algorithm,
) -> Result<Box<dyn LinearProtocol>, Error> {
    let refused = |problem: String| Error::Algorithm {
        layer: graph.nodes()[node].name.clone(),
        problem,
    };
    let algorithm = named(by.name())
        .filter(|a| a.guard_bits() == by.guard_bits())
        .ok_or_else(|| refused(format!("there is no algorithm {by} with its guard bits")))?;
    algorithm
        .plan(layer)
        .map_err(|refusal| refused(refusal.to_string()))
}
