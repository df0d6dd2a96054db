//! The choice of the algorithm that computes each layer, among graphs that give the same integers.

mod candidates;

use std::collections::BTreeMap;

use channel::Cost;
use nets::{Algorithm, IntGraph, Model, with_algorithms, without_algorithms};
use ot::CotPrice;

use crate::price::{CpuModel, Objective};
use crate::{Error, algorithms};
use candidates::Candidates;

/// How the algorithms are chosen.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Algorithms {
    /// Every convolution directly, and every fully connected layer by whatever sends the fewest bytes.
    Direct,
    /// For each layer the best algorithm by this objective.
    Auto(Objective),
    /// Every convolution larger than 1 x 1 by the Winograd tile with this many rows and columns of
    /// outputs, 2 or 4; all other layers as [`Algorithms::Direct`].
    Winograd {
        /// Rows and columns of outputs.
        outputs: usize,
    },
    /// The named layers by these algorithms, all others as [`Algorithms::Direct`].
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
    /// The layer's node in the new graph.
    pub node: usize,
    /// Its name.
    pub name: String,
    /// The algorithm that was chosen.
    pub chosen: Algorithm,
    /// All algorithms that are possible.
    pub candidates: Vec<Candidate>,
    /// The reason, in one line.
    pub why: String,
}

/// An algorithm that can compute a layer.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Traffic and correlations in faithful mode, including the truncation that follows.
    pub cost: Cost,
    /// An estimate of the CPU seconds of both parties together.
    pub seconds: f64,
}

/// Chooses the algorithm of every layer and writes the choices into the graph. `price` is that of one COT.
/// Earlier choices are undone first. For every input, the integers of all tensors that are not
/// accumulators stay the same; weights and float network are the same. The choices are returned in the
/// order of the layers.
///
/// # Errors
/// [`Error::Refused`] naming every layer that cannot be computed as asked, and what would work;
/// [`Error::Option`] for a request that makes no sense.
pub fn choose_algorithms(
    model: &Model,
    algorithms: &Algorithms,
    price: CotPrice,
    cpu: &CpuModel,
) -> Result<(Model, Vec<LayerChoice>), Error> {
    let (graph, weights) = without_algorithms(&model.public.graph, &model.weights)?;
    algorithms.check(&graph)?;
    let objective = algorithms.objective();
    let (mut chosen, mut layers, mut refused) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (index, node) in graph.nodes().iter().enumerate() {
        let Some(candidates) = Candidates::new(&graph, index, price)? else {
            continue;
        };
        // Guard bits that could not be undone are used by something else than a truncation.
        let stays = candidates.current().guard_bits() > 0;
        let by = match stays {
            true => candidates.current().clone(),
            false => algorithms.pick(&node.name, &candidates, price, cpu),
        };
        if let Err(problem) = candidates.check(&by) {
            refused.push(format!("`{}`: {problem}", node.name));
            continue;
        }
        layers.push(LayerChoice {
            node: index,
            name: node.name.clone(),
            why: candidates.why(&by, &objective, price, cpu),
            candidates: candidates.priced(cpu),
            chosen: by.clone(),
        });
        if !stays {
            chosen.insert(index, by);
        }
    }
    if !refused.is_empty() {
        return Err(Error::Refused(refused));
    }
    let (graph, weights, place) = with_algorithms(&graph, &weights, &chosen)?;
    for layer in &mut layers {
        layer.node = place[&layer.node];
    }
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

/// For each linear layer of a graph, by its node, how its algorithm compares with the others in bytes.
///
/// # Errors
/// [`Error::Linear`] for a layer that is too large.
pub fn reasons(graph: &IntGraph, price: CotPrice) -> Result<BTreeMap<usize, String>, Error> {
    let (objective, cpu) = (Objective::Bytes, CpuModel::default());
    let mut reasons = BTreeMap::new();
    for node in 0..graph.len() {
        if let Some(candidates) = Candidates::new(graph, node, price)? {
            let why = candidates.why(candidates.current(), &objective, price, &cpu);
            reasons.insert(node, why);
        }
    }
    Ok(reasons)
}

impl Algorithms {
    /// Checks that the request makes sense for a graph.
    fn check(&self, graph: &IntGraph) -> Result<(), Error> {
        let bad = |problem: String| {
            let option = "algorithms";
            Err(Error::Option { option, problem })
        };
        match self {
            Self::Auto(objective) => objective.check(),
            Self::Winograd { outputs } if winograd_tiles(*outputs).next().is_none() => {
                bad(format!(
                    "there are Winograd tiles of 2 x 2 and 4 x 4 outputs, none of {outputs} x {outputs}"
                ))
            }
            Self::Layers(layers) => {
                let known = |name: &String| {
                    let mut nodes = graph.nodes().iter();
                    nodes.any(|node| node.op.is_linear() && node.name == *name)
                };
                match layers.keys().find(|name| !known(name)) {
                    Some(name) => bad(format!("the network has no linear layer `{name}`")),
                    None => Ok(()),
                }
            }
            Self::Direct | Self::Winograd { .. } => Ok(()),
        }
    }

    fn pick(
        &self,
        name: &str,
        candidates: &Candidates,
        price: CotPrice,
        cpu: &CpuModel,
    ) -> Algorithm {
        let best = |objective: &Objective| candidates.best(objective, price, cpu).clone();
        let plain = || match candidates.kernel() {
            Some(_) => Algorithm::DIRECT,
            None => best(&Objective::Bytes),
        };
        match self {
            Self::Auto(objective) => best(objective),
            Self::Winograd { outputs } => match candidates.kernel() {
                None | Some([1, 1]) => plain(),
                Some(kernel) => {
                    // If no tile fits the kernel, any tile is picked: its refusal says what is possible.
                    let fits = winograd_tiles(*outputs).find(|tile| tile.kernel() == kernel);
                    let tile = fits.or_else(|| winograd_tiles(*outputs).next());
                    tile.map_or(Algorithm::DIRECT, |tile| algorithms::attribute(tile))
                }
            },
            Self::Layers(layers) => layers.get(name).cloned().unwrap_or_else(plain),
            Self::Direct => plain(),
        }
    }

    const fn objective(&self) -> Objective {
        match self {
            Self::Auto(objective) => *objective,
            _ => Objective::Bytes,
        }
    }
}

/// The Winograd tiles with this many rows and columns of outputs.
fn winograd_tiles(outputs: usize) -> impl Iterator<Item = &'static winograd::Tile> {
    let tiles = winograd::Tile::ALL.iter();
    tiles.filter(move |tile| tile.outputs() == outputs)
}
