//! What networks with other operators would cost.

mod activations;
mod convolutions;
mod fused;
mod kind;
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
#[derive(Clone, PartialEq, Debug, Serialize)]
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
    /// An estimate of the CPU seconds of both parties in a run of the network now.
    pub now_cpu_s: f64,
    /// The same of the changed network.
    pub after_cpu_s: f64,
}

impl Saving {
    /// The bytes that the change saves; negative where it costs more.
    #[must_use]
    pub const fn saved_bytes(&self) -> i64 {
        self.now_bytes.cast_signed() - self.after_bytes.cast_signed()
    }
}

/// A change, the ways to make it, of which the cheapest counts, and whether it leaves something that can learn.
struct Change {
    name: &'static str,
    ways: &'static [Way],
    learns: bool,
}

impl Change {
    const fn new(name: &'static str, ways: &'static [Way]) -> Self {
        let learns = true;
        Self { name, ways, learns }
    }
}

/// All changes, in the order in which they are shown where they save the same.
const CHANGES: [Change; 11] = [
    Change {
        learns: false,
        ..Change::new("no ReLU", &[way(activations::no_relu)])
    },
    Change::new(
        "ReLU for hard-swish",
        &[way(activations::relu_for_hard_swish)],
    ),
    Change::new(
        "ReLU for smooth functions like it",
        &[way(activations::relu_for_curve)],
    ),
    Change::new("ReLU for ReLU6", &[way(activations::relu_for_clip)]),
    Change::new("mean-pool for max-pool", &[pools::PRODUCTS, pools::VALUES]),
    Change::new("no squeeze-and-excite", &[way(activations::no_gate)]),
    Change::new(
        "X-operators, r = 1/2, g = 1, for dense k x k",
        &[way(convolutions::x_operator)],
    ),
    Change::new("1 x 1 in 4 groups", &[way(convolutions::grouped)]),
    Change::new(
        "dense k x k for depthwise, then 1 x 1",
        &[way(fused::separable)],
    ),
    Change::new(
        "dense k x k for 1 x 1, then depthwise",
        &[way(fused::expansion)],
    ),
    Change::new(
        "dense k x k for 1 x 1, then dense k x k",
        &[way(fused::bottleneck)],
    ),
];

/// The name of all changes together.
const TOGETHER: &str = "all that save together, rectifiers kept";

/// What changes of operators would save in a network, each by itself, most first; those that would cost more come last. Changes that find
/// nothing to change are left out, and those of which the changed network is not one that [`Limits::default`] allow.
///
/// Where more than one change saves something, one row is of them together: the one that saves most first, each of the others if it saves
/// something more in what is left. Rectifiers are not left out there, for nothing could be learnt without.
///
/// Each changed network is planned as a whole, with algorithms chosen anew, so that what a change brings and what it
/// takes are both counted: without a `ReLU`, for one, the extension behind it knows no sign and takes a comparison of its own. A
/// changed network has other weights: these are costs, and what it would find is a matter of training. What a session needs once is not
/// counted.
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
    let planner = Planner {
        algorithms,
        mode,
        price,
        cpu,
    };
    let (plain, _) = graph_without_algorithms(graph)?;
    let plain = plain.pruned(plain.len() - 1)?;
    let now = planner.plan(plain)?;
    let mut found: Vec<(Saving, &Change)> = Vec::new();
    for change in &CHANGES {
        if let Some((after, operators)) = planner.changed(&now.graph, change) {
            let saving = planner.saving(change.name, operators, &now.network, &after.network);
            found.push((saving, change));
        }
    }
    let most_first = |saving: &Saving| std::cmp::Reverse(saving.saved_bytes());
    found.sort_by_key(|(saving, _)| most_first(saving));
    let saves = found
        .iter()
        .filter(|(saving, change)| change.learns && saving.saved_bytes() > 0);
    let together = planner.together(&now, saves.map(|(_, change)| *change));
    let mut savings: Vec<Saving> = found.into_iter().map(|(saving, _)| saving).collect();
    savings.extend(together);
    savings.sort_by_key(most_first);
    Ok(savings)
}

/// A graph without algorithms, and its plan.
struct Planned {
    graph: IntGraph,
    network: SecureNetwork,
}

/// How networks are planned.
struct Planner<'a> {
    algorithms: &'a Algorithms,
    mode: Mode,
    price: CotPrice,
    cpu: &'a CpuModel,
}

impl Planner<'_> {
    fn plan(&self, graph: IntGraph) -> Result<Planned, Error> {
        let limits = Limits::default();
        limits.check_graph(&graph)?;
        let chosen = algorithms_for(&graph, self.algorithms, self.price, self.cpu)?;
        let (by, _) = graph_with_algorithms(&graph, &chosen)?;
        let network = SecureNetwork::within(&limits, Arc::new(by), self.mode, self.price)?;
        Ok(Planned { graph, network })
    }

    /// The changed network, and how many operators were changed, if there are any and it can be planned.
    fn changed(&self, graph: &IntGraph, change: &Change) -> Option<(Planned, usize)> {
        let ways = change.ways.iter().filter_map(|way| {
            let (changed, operators) = Rewrite::apply(graph, way).ok()??;
            Some((self.plan(changed).ok()?, operators))
        });
        ways.min_by(|a, b| self.bytes(&a.0).total_cmp(&self.bytes(&b.0)))
    }

    /// These changes together, in this order, each if it saves something; `None` if it is less than two.
    fn together<'c>(
        &self,
        now: &Planned,
        changes: impl Iterator<Item = &'c Change>,
    ) -> Option<Saving> {
        let (mut best, mut made, mut operators): (Option<Planned>, _, _) = (None, 0, 0);
        for change in changes {
            let before = best.as_ref().unwrap_or(now);
            let changed = self.changed(&before.graph, change);
            let better = changed.filter(|(after, _)| self.bytes(after) < self.bytes(before));
            if let Some((after, count)) = better {
                (best, made, operators) = (Some(after), made + 1, operators + count);
            }
        }
        let best = best.filter(|_| made > 1)?;
        Some(self.saving(TOGETHER, operators, &now.network, &best.network))
    }

    fn saving(
        &self,
        change: &'static str,
        operators: usize,
        now: &SecureNetwork,
        after: &SecureNetwork,
    ) -> Saving {
        let (now_bytes, after_bytes) = differing(now, after, self.price);
        Saving {
            change,
            operators,
            now_bytes,
            after_bytes,
            now_flights: now.cost().flights(),
            after_flights: after.cost().flights(),
            now_cpu_s: self.cpu.seconds(&now.work()),
            after_cpu_s: self.cpu.seconds(&after.work()),
        }
    }

    fn bytes(&self, planned: &Planned) -> f64 {
        bytes(planned.network.cost(), self.price)
    }
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
