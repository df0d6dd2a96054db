//! The algorithms that a layer can be computed by, what each costs, and why one is best.

use std::collections::BTreeSet;

use channel::Cost;
use linear::{LinearShape, Refusal, Work};
use nets::{Algorithm, IntGraph, truncation};
use nonlinear::{Prices, Range, TruncFaithful, TruncReduce};
use ot::CotPrice;
use ring_arith::Bits;

use super::Candidate;
use crate::Error;
use crate::algorithms::{self, algorithms};
use crate::price::{CpuModel, Objective, nonlinear_work};
use crate::step::{ELEMENTS, FLIGHT, range};

/// One algorithm, priced with the truncation that follows it.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    pub(crate) algorithm: Algorithm,
    pub(crate) cost: Cost,
    pub(crate) work: Work,
    /// What it needs once in a session, by name.
    pub(crate) set_ups: Vec<(String, Cost)>,
    homomorphic: bool,
}

/// By what candidates are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measures<'a> {
    pub(crate) objective: Objective,
    pub(crate) price: CotPrice,
    pub(crate) cpu: &'a CpuModel,
}

impl Measures<'_> {
    /// What is compared first, and what decides between equals.
    pub(crate) fn of(&self, cost: &Cost, work: &Work) -> (f64, f64) {
        self.objective.measure(cost, work, self.price, self.cpu)
    }
}

/// What candidates are not considered for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Avoided {
    /// Homomorphic encryption.
    pub(crate) homomorphic: bool,
    /// What a session would need once, by name.
    pub(crate) set_ups: BTreeSet<String>,
}

impl Avoided {
    fn allows(&self, candidate: &Priced) -> bool {
        if self.homomorphic && candidate.homomorphic {
            return false;
        }
        let mut set_ups = candidate.set_ups.iter();
        set_ups.all(|(name, _)| !self.set_ups.contains(name))
    }
}

/// What follows the product, with shifts that do not count guard bits.
#[derive(Clone, Copy, Debug)]
enum After {
    /// Nothing that could remove guard bits, so that a truncation for them is added.
    Other,
    /// Truncation into a narrower ring.
    Reduce(u32),
    /// Truncation in the same ring, and what is known of the values.
    Within(u32, Range),
}

impl After {
    fn new(graph: &IntGraph, node: usize, guard: u32) -> Self {
        match truncation(graph, node) {
            Some(cut) if cut.shift <= guard => Self::Other,
            Some(cut) if cut.narrows => Self::Reduce(cut.shift - guard),
            Some(cut) => {
                let known = match range(graph.input_type(cut.node, 0), cut.shift) {
                    Range::Any => Range::Any,
                    // They cost the same, and of this one there is no shift that does not fit.
                    Range::Nonnegative | Range::Half | Range::From(_) => Range::Nonnegative,
                };
                Self::Within(cut.shift - guard, known)
            }
            None => Self::Other,
        }
    }

    /// The cost of truncating n values of `bits` bits, with `guard` guard bits more.
    fn cost(self, n: usize, bits: Bits, guard: u32, price: CotPrice) -> Cost {
        let wide = Bits::of(bits.get() + guard);
        let price = Prices::with_flights(price, FLIGHT, n);
        let reduce = |shift| {
            let step = TruncReduce::new(wide, shift, true, price);
            ELEMENTS.rounds(n, |n| step.rounds(n)).cost()
        };
        match self {
            Self::Other => reduce(guard),
            Self::Reduce(shift) => reduce(shift + guard),
            Self::Within(shift, known) => {
                let step = TruncFaithful::new(wide, shift + guard, price).within(known);
                ELEMENTS.rounds(n, |n| step.rounds(n)).cost()
            }
        }
    }
}

/// All algorithms for a linear layer.
#[derive(Debug)]
pub(crate) struct Candidates {
    /// How it is computed in the graph.
    current: Algorithm,
    /// The algorithms that are possible, the plainest first.
    possible: Vec<Priced>,
    /// The algorithms that are not, and why.
    refused: Vec<(Algorithm, Refusal)>,
    /// Rows and columns of a convolution's kernel.
    kernel: Option<[usize; 2]>,
}

impl Candidates {
    /// The candidates for a node; `None` if it is no product with weights.
    pub(crate) fn new(
        graph: &IntGraph,
        node: usize,
        price: CotPrice,
    ) -> Result<Option<Self>, Error> {
        let Some((layer, current)) = algorithms::layer(graph, node)? else {
            return Ok(None);
        };
        let after = After::new(graph, node, current.guard_bits());
        let n = graph.types()[node].shape.len();
        let mut this = Self {
            current: current.clone(),
            possible: Vec::new(),
            refused: Vec::new(),
            kernel: match &layer.shape {
                LinearShape::Conv(spec) => Some(spec.kernel()),
                LinearShape::FullyConnected { .. } => None,
            },
        };
        for candidate in algorithms() {
            let algorithm = algorithms::attribute(*candidate);
            match candidate.plan(&layer) {
                Ok(protocol) => {
                    let guard = algorithm.guard_bits();
                    let truncation = after.cost(n, layer.bits, guard, price);
                    let set_ups = protocol.set_up();
                    let set_ups = set_ups.iter().map(|one| (one.name(), one.cost()));
                    this.possible.push(Priced {
                        algorithm,
                        homomorphic: algorithms::is_homomorphic(*candidate),
                        set_ups: set_ups.collect(),
                        work: protocol.work().plus(&nonlinear_work(&truncation)),
                        cost: protocol.cost().then(truncation),
                    });
                }
                Err(refusal) => this.refused.push((algorithm, refusal)),
            }
        }
        Ok(Some(this))
    }

    /// How the layer is computed in the graph.
    pub(crate) const fn current(&self) -> &Algorithm {
        &self.current
    }

    /// Rows and columns of the kernel, if it is a convolution.
    pub(crate) const fn kernel(&self) -> Option<[usize; 2]> {
        self.kernel
    }

    /// The algorithms that are possible, with estimates of their seconds.
    pub(crate) fn priced(&self, cpu: &CpuModel) -> Vec<Candidate> {
        let priced = self.possible.iter().map(|p| Candidate {
            algorithm: p.algorithm.clone(),
            cost: p.cost.clone(),
            seconds: cpu.seconds(&p.work),
        });
        priced.collect()
    }

    /// The best of those that are not avoided; the plainest among equals.
    ///
    /// # Panics
    /// If nothing is possible. The direct algorithm always is.
    pub(crate) fn best(&self, measures: &Measures<'_>, avoided: &Avoided) -> &Priced {
        let measure = |p: &Priced| measures.of(&p.cost, &p.work);
        let mut best = &self.possible[0];
        for next in &self.possible[1..] {
            if avoided.allows(next) && measure(next) < measure(best) {
                best = next;
            }
        }
        best
    }

    /// Checks that an algorithm is possible; if not, says why and what would be.
    pub(crate) fn check(&self, algorithm: &Algorithm) -> Result<(), String> {
        if self.possible.iter().any(|p| p.algorithm == *algorithm) {
            return Ok(());
        }
        match self.refused.iter().find(|(a, _)| a == algorithm) {
            Some((_, refusal)) => Err(refusal.to_string()),
            None => Err(format!(
                "there is no algorithm {algorithm}; direct is possible"
            )),
        }
    }

    /// Why this algorithm, in one line.
    pub(crate) fn why(&self, chosen: &Algorithm, measures: &Measures<'_>) -> String {
        let measure = |p: &Priced| measures.of(&p.cost, &p.work).0;
        let unit = measures.objective.unit();
        let mine = self.possible.iter().find(|p| p.algorithm == *chosen);
        let mine = mine.map_or(f64::NAN, measure);
        let others = self.possible.iter().filter(|p| p.algorithm != *chosen);
        let mut parts: Vec<String> = others
            .map(|p| {
                let times = measure(p) / mine;
                let takes = format!("{} takes {times:.2} times the {unit}", p.algorithm);
                let keys: u64 = p.set_ups.iter().map(|(_, cost)| cost.bytes()).sum();
                if times < 1.0 && keys > 0 {
                    return format!("{takes}, and {keys} bytes of keys for the session");
                }
                takes
            })
            .collect();
        for reason in self.refused.iter().filter_map(|(_, why)| why.short()) {
            if !parts.iter().any(|part| part == reason) {
                parts.push(reason.to_owned());
            }
        }
        format!("{chosen}: {}", parts.join("; "))
    }
}
