//! The ways to compute a layer that give the same integers, what each costs, and why one is best.

use channel::{Cost, Role};
use linear::{Conv2d, ConvSpec, FullyConnected};
use nonlinear::{TruncFaithful, TruncReduce};
use ring_arith::Bits;
use winograd::{Tile, WinogradConv};

use super::{Algorithm, rewrite};
use crate::igraph::{IntGraph, IntOp, TensorType};
use crate::plan::{chunked, conv_spec};
use crate::price::{Constants, Objective, Work};
use crate::{Error, Window, tiled};

/// One way, with the truncation that follows it.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    pub(crate) algorithm: Algorithm,
    pub(crate) cost: Cost,
    pub(crate) work: Work,
}

/// Why a tile does not do.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The geometry, the ring or the weights.
    Tile(winograd::Error),
    /// The graph's own limits.
    Size(String),
}

impl Refusal {
    /// With what would work.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Tile(error) => error.to_string(),
            Self::Size(problem) => format!("{problem}; the direct convolution does"),
        }
    }

    fn short(&self) -> String {
        match self {
            Self::Tile(winograd::Error::Stride { stride, .. }) => {
                format!("stride {} x {}", stride[0], stride[1])
            }
            Self::Tile(winograd::Error::Guard { tile, bits }) => {
                format!(
                    "a ring of {bits} + {} bits exceeds 64 ({tile})",
                    tile.guard_bits()
                )
            }
            Self::Tile(winograd::Error::WeightBits { tile, bits }) => {
                format!("weights of {bits} bits grow beyond 32 ({tile})")
            }
            other => other.advice(),
        }
    }
}

/// What happens to a convolution's result next.
#[derive(Clone, Copy, Debug)]
enum After {
    /// Nothing that could remove guard bits.
    Other,
    /// Truncation into a narrower ring.
    Reduce(u32),
    /// Truncation in the same ring.
    Within(u32),
}

/// A convolution of the graph, whichever way it is computed there.
#[derive(Clone, Copy, Debug)]
struct Conv {
    spec: ConvSpec,
    x: TensorType,
    outputs: TensorType,
    weight_bits: Bits,
    after: After,
}

impl Conv {
    fn of(
        graph: &IntGraph,
        takers: &[Vec<usize>],
        node: usize,
        groups: usize,
        window: Window,
        weight_bits: u32,
    ) -> Result<Self, Error> {
        let guard = (graph.nodes()[node].op.untiled()).map_or(0, |(_, tile)| tile.guard_bits());
        let (x, outputs) = (*graph.input_type(node, 0), graph.types()[node]);
        let after = match rewrite::truncation(graph.nodes(), takers, node) {
            Some((_, shift)) if shift <= guard => After::Other,
            Some((taker, shift)) => match graph.nodes()[taker].op {
                IntOp::TruncReduce { .. } => After::Reduce(shift - guard),
                _ => After::Within(shift - guard),
            },
            None => After::Other,
        };
        Ok(Self {
            spec: conv_spec(&x, &outputs, groups, window)?,
            x,
            outputs,
            weight_bits: Bits::of(weight_bits),
            after,
        })
    }

    fn direct(&self, price: u32) -> Result<Priced, Error> {
        let conv = Conv2d {
            spec: self.spec,
            weight_bits: self.weight_bits,
            bits: self.x.bits(),
        };
        let products = conv.products()?;
        let cost = products.cost();
        let work = Work::products(&products, &cost);
        Ok(self.with_truncation(Algorithm::Direct, cost, work, price))
    }

    fn winograd(&self, tile: Tile, price: u32) -> Result<Priced, Refusal> {
        tiled::check_size(tile, self.x.shape, self.outputs.shape).map_err(Refusal::Size)?;
        let conv = WinogradConv::new(self.spec, tile, self.weight_bits, self.x.bits());
        let conv = conv.map_err(Refusal::Tile)?;
        let cost = conv.cost();
        let work = Work::transformed(conv.products(), &cost);
        Ok(self.with_truncation(Algorithm::Winograd(tile), cost, work, price))
    }

    fn with_truncation(&self, algorithm: Algorithm, cost: Cost, work: Work, price: u32) -> Priced {
        let guard = match algorithm {
            Algorithm::Winograd(tile) => tile.guard_bits(),
            _ => 0,
        };
        let n = self.outputs.shape.len();
        let bits = Bits::of(self.x.bits().get() + guard);
        let reduce = |shift| {
            let step = TruncReduce::new(bits, shift, true, price);
            chunked(n, |n| step.cost(n))
        };
        let after = match self.after {
            After::Other => reduce(guard),
            After::Reduce(shift) => reduce(shift + guard),
            After::Within(shift) => {
                let step = TruncFaithful::new(bits, shift + guard, price);
                chunked(n, |n| step.cost(n))
            }
        };
        Priced {
            algorithm,
            work: work.plus(Work::nonlinear(&after)),
            cost: cost.then(after),
        }
    }
}

/// All ways to compute a linear layer.
#[derive(Debug)]
pub(crate) struct Candidates {
    /// Those that are possible, the plainest first.
    pub(crate) possible: Vec<Priced>,
    /// Those that are not.
    refused: Vec<Refusal>,
    conv: Option<Conv>,
}

impl Candidates {
    /// For a node; `None` if it is no product with weights.
    pub(crate) fn of(
        graph: &IntGraph,
        takers: &[Vec<usize>],
        node: usize,
        price: u32,
    ) -> Result<Option<Self>, Error> {
        match graph.nodes()[node].op {
            IntOp::Conv {
                groups,
                window,
                weight_bits,
                ..
            }
            | IntOp::Winograd {
                groups,
                window,
                weight_bits,
                ..
            } => {
                let conv = Conv::of(graph, takers, node, groups, window, weight_bits)?;
                let mut this = Self {
                    possible: vec![conv.direct(price)?],
                    refused: Vec::new(),
                    conv: Some(conv),
                };
                for tile in Tile::for_kernel(window.kernel) {
                    match conv.winograd(tile, price) {
                        Ok(priced) => this.possible.push(priced),
                        Err(refusal) => this.refused.push(refusal),
                    }
                }
                Ok(Some(this))
            }
            IntOp::FullyConnected { weight_bits, .. } => {
                let bits = graph.types()[node].bits();
                let layer = FullyConnected {
                    inputs: graph.input_type(node, 0).shape.len(),
                    outputs: graph.types()[node].shape.len(),
                    weight_bits: Bits::of(weight_bits),
                    bits,
                };
                let way = |algorithm, chooser| {
                    let cost = layer.cost_with(chooser)?;
                    let work = Work::fully_connected(&layer, &cost);
                    Ok::<_, Error>(Priced {
                        algorithm,
                        cost,
                        work,
                    })
                };
                Ok(Some(Self {
                    possible: vec![
                        way(Algorithm::Direct, Role::Server)?,
                        way(Algorithm::ClientChooses, Role::Client)?,
                    ],
                    refused: Vec::new(),
                    conv: None,
                }))
            }
            _ => Ok(None),
        }
    }

    /// Whether it is a convolution.
    pub(crate) const fn is_convolution(&self) -> bool {
        self.conv.is_some()
    }

    /// Whether a tile is for its kernel.
    pub(crate) fn is_for(&self, tile: Tile) -> bool {
        self.conv
            .is_some_and(|conv| conv.spec.kernel() == tile.kernel())
    }

    /// Whether it is a convolution that is more than a matrix product.
    pub(crate) fn is_spatial(&self) -> bool {
        self.conv.is_some_and(|conv| conv.spec.kernel() != [1, 1])
    }

    /// The best by an objective. Who chooses in a fully connected layer is not part of the graph:
    /// the session decides by bytes.
    pub(crate) fn best(
        &self,
        objective: &Objective,
        price: u32,
        constants: &Constants,
    ) -> Algorithm {
        let objective = if self.conv.is_some() {
            objective
        } else {
            &Objective::Bytes
        };
        let measure = |p: &Priced| objective.measure(&p.cost, &p.work, price, constants);
        let ahead = |best: &Priced, next: &Priced| measure(next) < measure(best);
        let first = &self.possible[0];
        let best = (self.possible.iter()).fold(
            first,
            |best, next| if ahead(best, next) { next } else { best },
        );
        best.algorithm
    }

    /// By a given algorithm, or why not.
    pub(crate) fn by(&self, algorithm: Algorithm, price: u32) -> Result<(), String> {
        if self.possible.iter().any(|p| p.algorithm == algorithm) {
            return Ok(());
        }
        match (algorithm, &self.conv) {
            (Algorithm::Winograd(tile), Some(conv)) => {
                let refused = conv.winograd(tile, price).err();
                refused.map_or(Ok(()), |refusal| Err(refusal.advice()))
            }
            _ => Err(format!("{algorithm} is not for it; direct does")),
        }
    }

    /// In a sentence, why this one.
    pub(crate) fn why(
        &self,
        chosen: Algorithm,
        objective: &Objective,
        price: u32,
        constants: &Constants,
    ) -> String {
        let measure = |p: &Priced| objective.measure(&p.cost, &p.work, price, constants).0;
        let unit = objective.unit();
        let mine = self.possible.iter().find(|p| p.algorithm == chosen);
        let mine = mine.map_or(f64::NAN, measure);
        let others = self.possible.iter().filter(|p| p.algorithm != chosen);
        let mut parts: Vec<String> = others
            .map(|p| {
                format!(
                    "{} takes {:.2} times the {unit}",
                    p.algorithm,
                    measure(p) / mine
                )
            })
            .collect();
        let mut refused: Vec<String> = self.refused.iter().map(Refusal::short).collect();
        refused.dedup();
        parts.append(&mut refused);
        if let (Some(conv), true) = (&self.conv, parts.is_empty()) {
            parts.push(match conv.spec.kernel() {
                [1, 1] => "1 x 1, a matrix product".to_owned(),
                [h, w] => format!("no Winograd tile for {h} x {w}"),
            });
        }
        format!("{chosen}: {}", parts.join("; "))
    }
}
