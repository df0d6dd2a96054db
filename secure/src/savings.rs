//! What networks with other operators would cost.

mod activations;
mod convolutions;
mod fused;
mod pools;
mod rewrite;

use std::collections::BTreeMap;
use std::sync::Arc;

use nets::{IntGraph, graph_with_algorithms, graph_without_algorithms};
use ot::CotPrice;
use serde::Serialize;

use crate::choose::algorithms_for;
use crate::price::bytes;
use crate::{Algorithms, CpuModel, Error, Limits, Mode, SecureNetwork};
use rewrite::{Rewrite, Way, way};

/// What one change of operators would do to the traffic of a network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Saving {
    /// The change, in words.
    pub change: &'static str,
    /// How many operators are changed, all that can be.
    pub operators: usize,
    /// Bytes, refill included, of all layers that would not be there, or would cost something else.
    pub now_bytes: u64,
    /// Bytes, refill included, of those that would take their place.
    pub after_bytes: u64,
    /// Flights of a run of the network now.
    pub now_flights: usize,
    /// Flights of a run of the changed network.
    pub after_flights: usize,
}

impl Saving {
    /// The bytes that the change saves; negative where it costs more.
    #[must_use]
    pub const fn saved_bytes(&self) -> i64 {
        self.now_bytes.cast_signed() - self.after_bytes.cast_signed()
    }
}

/// A change, and the ways to make it, of which the cheapest counts.
type Entry = (&'static str, &'static [Way]);

/// All changes, in the order in which they are shown where they save the same.
const CHANGES: [Entry; 10] = [
    ("no ReLU", &[way(activations::no_relu)]),
    (
        "ReLU for hard-swish",
        &[way(activations::relu_for_hard_swish)],
    ),
    ("ReLU for ReLU6", &[way(activations::relu_for_clip)]),
    ("mean-pool for max-pool", &[pools::PRODUCTS, pools::VALUES]),
    ("no squeeze-and-excite", &[way(activations::no_gate)]),
    (
        "X-operators, r = 1/2, g = 1, for dense k x k",
        &[way(convolutions::x_operator)],
    ),
    ("1 x 1 in 4 groups", &[way(convolutions::grouped)]),
    (
        "dense k x k for depthwise, then 1 x 1",
        &[way(fused::separable)],
    ),
    (
        "dense k x k for 1 x 1, then depthwise",
        &[way(fused::expansion)],
    ),
    (
        "dense k x k for 1 x 1, then dense k x k",
        &[way(fused::bottleneck)],
    ),
];

/// What changes of operators would save in a network, each by itself, most first; those that would cost more come last. Changes that find
/// nothing to change are left out, and those of which the changed network is not one that [`Limits::default`] allow.
///
/// Each changed network is planned as a whole, with algorithms chosen anew, so that what a change brings and what it
/// takes are both counted: without a `ReLU`, for one, the extension behind it knows no sign and takes a comparison of its own. A
/// changed network has other weights: these are costs, and what it would find is a matter of training.
///
/// # Errors
/// As [`SecureNetwork::new`] for the network as it is.
pub fn savings(
    graph: &IntGraph,
    algorithms: &Algorithms,
    mode: Mode,
    price: CotPrice,
    cpu: &CpuModel,
) -> Result<Vec<Saving>, Error> {
    let planned = |graph: &IntGraph| planned(graph, algorithms, mode, price, cpu);
    let (plain, _) = graph_without_algorithms(graph)?;
    let plain = plain.pruned(plain.len() - 1)?;
    let now = planned(&plain)?;
    let mut savings = Vec::new();
    for (change, ways) in CHANGES {
        let ways = ways.iter().filter_map(|way| {
            let (changed, operators) = Rewrite::apply(&plain, way).ok()??;
            Some((planned(&changed).ok()?, operators))
        });
        let total = |network: &SecureNetwork| bytes(network.cost(), price);
        let best = ways.min_by(|a, b| total(&a.0).total_cmp(&total(&b.0)));
        let Some((after, operators)) = best else {
            continue;
        };
        let (now_bytes, after_bytes) = differing(&now, &after, price);
        savings.push(Saving {
            change,
            operators,
            now_bytes,
            after_bytes,
            now_flights: now.cost().flights(),
            after_flights: after.cost().flights(),
        });
    }
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.saved_bytes()));
    Ok(savings)
}

/// The plan of a graph without algorithms.
fn planned(
    graph: &IntGraph,
    algorithms: &Algorithms,
    mode: Mode,
    price: CotPrice,
    cpu: &CpuModel,
) -> Result<SecureNetwork, Error> {
    let limits = Limits::default();
    limits.check_graph(graph)?;
    let chosen = algorithms_for(graph, algorithms, price, cpu)?;
    let (graph, _) = graph_with_algorithms(graph, &chosen)?;
    SecureNetwork::within(&limits, Arc::new(graph), mode, price)
}

/// The bytes of the layers that one network has and the other does not have at the same cost.
fn differing(now: &SecureNetwork, after: &SecureNetwork, price: CotPrice) -> (u64, u64) {
    let mut layers: BTreeMap<(&str, &str, u64), i64> = BTreeMap::new();
    for (network, sign) in [(now, 1), (after, -1)] {
        for layer in network.plan() {
            let key = (
                layer.name.as_str(),
                layer.op,
                whole(bytes(&layer.cost, price)),
            );
            *layers.entry(key).or_default() += sign;
        }
    }
    let sum = |sign: i64| -> u64 {
        let only = layers.iter().filter(|(_, count)| **count * sign > 0);
        only.map(|((_, _, bytes), count)| bytes * count.unsigned_abs())
            .sum()
    };
    (sum(1), sum(-1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes of layers within the limits"
)]
const fn whole(bytes: f64) -> u64 {
    bytes.round() as u64
}
