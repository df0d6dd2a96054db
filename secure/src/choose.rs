//! Which algorithm computes each layer: a choice among graphs that give the same integers.

mod candidates;
mod rewrite;

use std::collections::BTreeMap;
use std::fmt;

use channel::Cost;
use winograd::Tile;

use crate::igraph::IntGraph;
use crate::price::{Constants, Objective};
use crate::{Error, IntNode, IntOp, Model};
pub(crate) use candidates::Candidates;
pub(crate) use rewrite::takers;

/// How a product with the server's weights is computed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// As it stands, by oblivious transfer in which the bits of the weights choose.
    Direct,
    /// The bits of the client's share choose; for fully connected layers.
    ClientChooses,
    /// Winograd's convolution.
    Winograd(Tile),
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::ClientChooses => f.write_str("client chooses"),
            Self::Winograd(tile) => write!(f, "winograd {tile}"),
        }
    }
}

/// How the algorithms are chosen.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Algorithms {
    /// Every convolution directly.
    Direct,
    /// The best of each layer.
    Auto(Objective),
    /// Every convolution by the Winograd tile with so many rows and columns of outputs, 2 or 4; one
    /// of 1 x 1, which is a matrix product, directly.
    Winograd {
        /// Rows and columns of outputs.
        outputs: usize,
    },
    /// The named convolutions so, the others directly.
    Layers(BTreeMap<String, Algorithm>),
}

impl Default for Algorithms {
    fn default() -> Self {
        Self::Auto(Objective::Bytes)
    }
}

/// What was chosen for a layer.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct LayerChoice {
    /// The layer.
    pub name: String,
    /// How it is computed.
    pub chosen: Algorithm,
    /// What is possible, each with the truncation that follows.
    pub candidates: Vec<Candidate>,
    /// The reason, as text.
    pub why: String,
}

/// One way to compute a layer.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// How.
    pub algorithm: Algorithm,
    /// Traffic and correlations in faithful mode, the truncation after it included.
    pub cost: Cost,
    /// CPU seconds of both parties, an estimate.
    pub seconds: f64,
}

/// Chooses the algorithm of every layer, where one COT costs `price` bits of refill, and writes the
/// choice into the graph. Whatever was chosen before is undone first. The integers of all
/// tensors that are not accumulators stay the same, for every input; weights and float network are
/// the same.
///
/// # Errors
/// [`Error::Refused`] naming every layer that cannot be computed as asked, and what would work;
/// [`Error::Option`] for a request that makes no sense.
pub fn choose(
    model: &Model,
    algorithms: &Algorithms,
    price: u32,
    constants: &Constants,
) -> Result<(Model, Vec<LayerChoice>), Error> {
    let (graph, weights) = rewrite::direct(&model.public.graph, &model.weights)?;
    algorithms.check(&graph)?;
    let takers = takers(graph.nodes());
    let (mut tiles, mut layers, mut refused) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (index, node) in graph.nodes().iter().enumerate() {
        let Some(candidates) = Candidates::of(&graph, &takers, index, price)? else {
            continue;
        };
        let chosen = match node.op.untiled() {
            // Its guard bits are used otherwise.
            Some((_, tile)) => Algorithm::Winograd(tile),
            None => algorithms.pick(node, &candidates, price, constants),
        };
        if let Err(problem) = candidates.by(chosen, price) {
            refused.push(format!("`{}`: {problem}", node.name));
            continue;
        }
        if let Algorithm::Winograd(tile) = chosen {
            tiles.insert(index, tile);
        }
        let objective = algorithms.objective();
        layers.push(LayerChoice {
            name: node.name.clone(),
            chosen,
            why: candidates.why(chosen, &objective, price, constants),
            candidates: (candidates.possible.iter())
                .map(|p| Candidate {
                    algorithm: p.algorithm,
                    cost: p.cost.clone(),
                    seconds: constants.seconds(&p.work),
                })
                .collect(),
        });
    }
    if !refused.is_empty() {
        return Err(Error::Refused(refused));
    }
    let (graph, weights) = rewrite::tiled(&graph, &weights, &tiles)?;
    let mut public = model.public.clone();
    public.graph = graph;
    let float = model.float.clone();
    let model = Model {
        public,
        weights,
        float,
    };
    Ok((model, layers))
}

/// Why a node of a graph is computed as it is there, by bytes; empty where there is no choice.
pub(crate) fn why(
    graph: &IntGraph,
    takers: &[Vec<usize>],
    node: usize,
    price: u32,
) -> Result<String, Error> {
    let Some(candidates) = Candidates::of(graph, takers, node, price)? else {
        return Ok(String::new());
    };
    let (objective, constants) = (Objective::Bytes, Constants::default());
    let chosen = match graph.nodes()[node].op.untiled() {
        Some((_, tile)) => Algorithm::Winograd(tile),
        None if candidates.is_convolution() => Algorithm::Direct,
        None => candidates.best(&objective, price, &constants),
    };
    Ok(candidates.why(chosen, &objective, price, &constants))
}

const fn is_convolution(op: &IntOp) -> bool {
    matches!(op, IntOp::Conv { .. } | IntOp::Winograd { .. })
}

impl Algorithms {
    /// Whether the request makes sense for a graph.
    fn check(&self, graph: &IntGraph) -> Result<(), Error> {
        let bad = |problem: String| {
            let option = "algorithms";
            Err(Error::Option { option, problem })
        };
        match self {
            Self::Auto(objective) => objective.check(),
            Self::Winograd { outputs } if Tile::ALL.iter().all(|t| t.outputs() != *outputs) => {
                bad(format!(
                    "there are Winograd tiles of 2 x 2 and 4 x 4 outputs, none of {outputs} x {outputs}"
                ))
            }
            Self::Layers(layers) => {
                let known = |name: &String| {
                    let mut nodes = graph.nodes().iter();
                    nodes.any(|node| is_convolution(&node.op) && node.name == *name)
                };
                match layers.keys().find(|name| !known(name)) {
                    Some(name) => bad(format!("the network has no convolution `{name}`")),
                    None => Ok(()),
                }
            }
            Self::Direct | Self::Winograd { .. } => Ok(()),
        }
    }

    fn pick(
        &self,
        node: &IntNode,
        candidates: &Candidates,
        price: u32,
        constants: &Constants,
    ) -> Algorithm {
        if !candidates.is_convolution() {
            return candidates.best(&Objective::Bytes, price, constants);
        }
        match self {
            Self::Auto(objective) => candidates.best(objective, price, constants),
            Self::Winograd { outputs } if candidates.is_spatial() => {
                let tiles = Tile::ALL.into_iter().filter(|t| t.outputs() == *outputs);
                // The tile for the kernel, or any: its refusal says what would do.
                let tile = tiles.clone().find(|&t| candidates.is_for(t));
                tile.or_else(|| tiles.clone().next())
                    .map_or(Algorithm::Direct, Algorithm::Winograd)
            }
            Self::Layers(layers) => *layers.get(&node.name).unwrap_or(&Algorithm::Direct),
            Self::Direct | Self::Winograd { .. } => Algorithm::Direct,
        }
    }

    const fn objective(&self) -> Objective {
        match self {
            Self::Auto(objective) => *objective,
            _ => Objective::Bytes,
        }
    }
}
