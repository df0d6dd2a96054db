//! The choice of the algorithm that computes each layer, among graphs that give the same integers.

mod candidates;

use std::collections::BTreeMap;

use channel::Cost;
use linear::Work;
use nets::{Algorithm, IntGraph, Model, with_algorithms, without_algorithms};
use ot::CotPrice;

use crate::price::{CpuModel, Objective};
use crate::{Error, algorithms};
use candidates::{Avoided, Candidates, Measures};

/// How the algorithms are chosen.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Algorithms {
    /// Every convolution directly, and every fully connected layer by whatever sends the fewest bytes.
    Direct,
    /// For each layer the best algorithm by this objective; of all layers together, keys that a session needs once included.
    Auto(Objective),
    /// The same without homomorphic encryption: by oblivious transfers alone.
    Ot(Objective),
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
    let measures = algorithms.measures(price, cpu);
    let (mut chosen, mut layers, mut refused) = (BTreeMap::new(), Vec::new(), Vec::new());
    let (picked, _) = picked(&graph, algorithms, &measures)?;
    for picked in picked {
        let Picked {
            node: index,
            candidates,
            by,
            stays,
        } = picked;
        let node = &graph.nodes()[index];
        if let Err(problem) = candidates.check(&by) {
            refused.push(format!("`{}`: {problem}", node.name));
            continue;
        }
        layers.push(LayerChoice {
            node: index,
            name: node.name.clone(),
            why: candidates.why(&by, &measures),
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

/// The algorithms that a graph without earlier choices gets. Where a layer cannot be computed as asked, it is by whatever is best.
pub(crate) fn algorithms_for(
    graph: &IntGraph,
    algorithms: &Algorithms,
    price: CotPrice,
    cpu: &CpuModel,
) -> Result<BTreeMap<usize, Algorithm>, Error> {
    let measures = algorithms.measures(price, cpu);
    let (picked, without) = picked(graph, algorithms, &measures)?;
    let changing = picked.into_iter().filter(|layer| !layer.stays);
    let chosen = changing.map(|layer| {
        let by = match layer.candidates.check(&layer.by) {
            Ok(()) => layer.by,
            Err(_) => {
                let best = layer.candidates.best(&measures, &without);
                best.algorithm.clone()
            }
        };
        (layer.node, by)
    });
    Ok(chosen.collect())
}

/// A layer, and the algorithm that it gets.
struct Picked {
    node: usize,
    candidates: Candidates,
    by: Algorithm,
    /// Whether that is its algorithm in the graph, whose guard bits are used by something else than a truncation.
    stays: bool,
}

/// The layers of a graph without earlier choices that could be undone, in order, and what they do without.
fn picked(
    graph: &IntGraph,
    algorithms: &Algorithms,
    measures: &Measures<'_>,
) -> Result<(Vec<Picked>, Avoided), Error> {
    let mut all = Vec::new();
    for index in 0..graph.len() {
        if let Some(candidates) = Candidates::new(graph, index, measures.price)? {
            all.push((index, candidates));
        }
    }
    let without = algorithms.avoided(&all, measures);
    let picked = all.into_iter().map(|(node, candidates)| {
        let stays = candidates.current().guard_bits() > 0;
        let by = match stays {
            true => candidates.current().clone(),
            false => {
                let name = &graph.nodes()[node].name;
                algorithms.pick(name, &candidates, measures, &without)
            }
        };
        Picked {
            node,
            candidates,
            by,
            stays,
        }
    });
    Ok((picked.collect(), without))
}

impl Algorithms {
    /// Checks that the request makes sense for a graph.
    fn check(&self, graph: &IntGraph) -> Result<(), Error> {
        let bad = |problem: String| {
            let option = "algorithms";
            Err(Error::Option { option, problem })
        };
        match self {
            Self::Auto(objective) | Self::Ot(objective) => objective.check(),
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
        measures: &Measures<'_>,
        without: &Avoided,
    ) -> Algorithm {
        let best = || candidates.best(measures, without).algorithm.clone();
        let plain = || match candidates.kernel() {
            Some(_) => Algorithm::DIRECT,
            None => best(),
        };
        match self {
            Self::Auto(_) | Self::Ot(_) => best(),
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

    /// What layers do without so that all of them together are best.
    ///
    /// What a session needs once, such as keys, pays if many layers use it. So the layers are chosen first as if it were free. Then it is left
    /// out what costs more than it saves, that by which most is saved first.
    fn avoided(&self, all: &[(usize, Candidates)], measures: &Measures<'_>) -> Avoided {
        let mut avoided = Avoided::default();
        if !matches!(self, Self::Auto(_)) {
            avoided.homomorphic = true;
            return avoided;
        }
        let (mut least, mut needed) = total(all, measures, &avoided);
        loop {
            let best = needed.keys().map(|name| {
                let mut fewer = avoided.clone();
                fewer.set_ups.insert(name.clone());
                let (sum, left) = total(all, measures, &fewer);
                (sum, left, fewer)
            });
            let best = best.min_by(|a, b| a.0.0.total_cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)));
            match best.filter(|best| best.0 < least) {
                Some(best) => (least, needed, avoided) = best,
                None => return avoided,
            }
        }
    }

    /// By what the candidates are compared.
    const fn measures<'a>(&self, price: CotPrice, cpu: &'a CpuModel) -> Measures<'a> {
        Measures {
            objective: self.objective(),
            price,
            cpu,
        }
    }

    const fn objective(&self) -> Objective {
        match self {
            Self::Auto(objective) | Self::Ot(objective) => *objective,
            Self::Direct | Self::Winograd { .. } | Self::Layers(_) => Objective::Bytes,
        }
    }
}

/// The measure of all layers together and of what they need once, and what that is.
fn total(
    all: &[(usize, Candidates)],
    measures: &Measures<'_>,
    avoided: &Avoided,
) -> ((f64, f64), BTreeMap<String, Cost>) {
    let mut needed = BTreeMap::new();
    let mut sum = (0.0, 0.0);
    let mut add = |(first, second): (f64, f64)| sum = (sum.0 + first, sum.1 + second);
    for (_, candidates) in all {
        let best = candidates.best(measures, avoided);
        add(measures.of(&best.cost, &best.work));
        needed.extend(best.set_ups.iter().cloned());
    }
    for cost in needed.values() {
        add(measures.of(cost, &Work::default()));
    }
    (sum, needed)
}

/// The Winograd tiles with this many rows and columns of outputs.
fn winograd_tiles(outputs: usize) -> impl Iterator<Item = &'static winograd::Tile> {
    let tiles = winograd::Tile::ALL.iter();
    tiles.filter(move |tile| tile.outputs() == outputs)
}
