//! A network as it is planned.

use std::collections::BTreeSet;
use std::sync::Arc;

use channel::Cost;
use linear::{SetUp, Timing, Work};
use nets::IntGraph;
use ot::CotPrice;
use sharing::Session;

use crate::Error;
use crate::draft::{Draft, Task, Wanted};
use crate::limits::Limits;
use crate::noise::{self, noise};
use crate::quotients::Group;
use crate::report::{LayerPlan, Mode};
use crate::spread::Spread;
use crate::step::Step;

/// An integer graph that is planned and ready for secure runs.
///
/// **Functionality.** The client gives an input, the server [`nets::PrivateWeights`]; the client learns
/// the output, the server nothing. In [`Mode::Faithful`] the output is that of
/// [`nets::run_integer`], whatever the input. In [`Mode::Fast`] a truncation into a narrower ring gives
/// floor(x / 2^d) + \[x mod 2^d > t\], of x *without* the rounding constant, where the threshold t is uniform
/// among 0 … 2^d − 1, fresh for every value, and *known to the client*: the ideal functionality hands it over. The
/// result is right on average, and only while no accumulator exceeds 2^(l-1) - 2^d, which calibration makes likely
/// but not certain. The output is then a function of the inputs and of the thresholds of truncations that come before
/// other protocols. Truncations whose results reach the output by local steps alone are exact in both
/// modes, and so are those inside one ring (uniform widths). Graph and mode are public and must be the same on
/// both sides.
///
/// **Protocol.** The protocols of `linear` and `nonlinear`, each as soon as its inputs are there, so that branches of the graph
/// run side by side ([`sharing::Party`]). The client's input x is shared without traffic, as (0, x). A share of a tensor is
/// erased after its last use.
///
/// What linear layers need in a session, keys say, is made before its first run. A network may be planned with a phase ahead of the inputs
/// ([`SecureNetwork::ahead`]). A layer whose results carry noise is followed by an exact truncation in either mode: a fast one begins with an
/// exact one that takes off the noise and nothing else, so that no opened value depends on it.
///
/// **Security.** Semi-honest. Each protocol takes shares and gives fresh shares, and only the
/// output is opened, to the client.
///
/// **Cost.** Exactly [`SecureNetwork::plan`], layer by layer, and [`SecureNetwork::cost`] in all. Besides, once in a session
/// [`SecureNetwork::set_up_cost`], and for each phase ahead [`SecureNetwork::ahead_cost`].
#[derive(Debug)]
pub struct SecureNetwork {
    graph: Arc<IntGraph>,
    pub(crate) mode: Mode,
    pub(crate) price: CotPrice,
    /// What is run.
    pub(crate) spread: Spread,
    /// For each node of the spread graph its protocol.
    pub(crate) steps: Vec<Step>,
    /// The nodes of the spread graph of which a part runs ahead of the input.
    pub(crate) online: Vec<usize>,
    /// What a session must have before it runs the network, in this order.
    set_up: Vec<Arc<dyn SetUp>>,
    pub(crate) groups: Vec<Group>,
    /// For each node of the spread graph the nodes that must have ended before it begins.
    pub(crate) needs: Vec<Vec<usize>>,
    /// Whether they run one after the other.
    pub(crate) in_turn: bool,
    plan: Vec<LayerPlan>,
    /// For each node of the spread graph its place in the plan, if it is there.
    pub(crate) layers: Vec<Option<usize>>,
    cost: Cost,
}

impl SecureNetwork {
    /// Plans the runs of a graph within the default [`Limits`]. `cot_price` is the [`Session::cot_price`] of the
    /// sessions. One plan serves any number of images and sessions.
    ///
    /// # Errors
    /// As [`SecureNetwork::within`].
    pub fn new(graph: Arc<IntGraph>, mode: Mode, cot_price: CotPrice) -> Result<Self, Error> {
        Self::within(&Limits::default(), graph, mode, cot_price)
    }

    /// The same within other limits. Time and memory of a plan grow with the nodes of the graph and with what the
    /// limits allow, whatever its tensors are.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a network that exceeds a limit; [`Error::Algorithm`] for a layer whose algorithm
    /// is not known or not possible, or has a noise that something else than a truncation would see; [`Error::Linear`] and
    /// [`Error::Nonlinear`] for a geometry that these crates refuse.
    pub fn within(
        limits: &Limits,
        graph: Arc<IntGraph>,
        mode: Mode,
        cot_price: CotPrice,
    ) -> Result<Self, Error> {
        let (price, ahead) = (cot_price, false);
        Self::planned(limits, graph, Wanted { mode, price, ahead })
    }

    /// The same for runs with a phase ahead of the inputs ([`SecureNetwork::serve_ahead`], [`SecureNetwork::prepare_ahead`]): of linear layers
    /// whose algorithms have one, only what is left online is part of a run.
    ///
    /// # Errors
    /// As [`SecureNetwork::within`].
    pub fn ahead(
        limits: &Limits,
        graph: Arc<IntGraph>,
        mode: Mode,
        cot_price: CotPrice,
    ) -> Result<Self, Error> {
        let (price, ahead) = (cot_price, true);
        Self::planned(limits, graph, Wanted { mode, price, ahead })
    }

    fn planned(limits: &Limits, graph: Arc<IntGraph>, wanted: Wanted) -> Result<Self, Error> {
        limits.check_graph(&graph)?;
        let noise = noise(&graph)?;
        let spread = Spread::new(&graph);
        let noise: Vec<u32> = spread.origins.iter().map(|o| noise[o.node]).collect();
        let draft = Draft::new(&Task {
            limits,
            graph: &spread.graph,
            noise: &noise,
            wanted,
        })?;

        let mut plan: Vec<LayerPlan> = Vec::new();
        let mut places = vec![None; graph.len()];
        let mut layers = Vec::new();
        let timings = draft.steps.iter().zip(&draft.timings).enumerate();
        for (node, (step, timing)) in timings {
            let origin = &spread.origins[node];
            let Some(entry) = step.plan(&spread.graph, node, timing.as_ref().map(Timing::cost))
            else {
                layers.push(None);
                continue;
            };
            let place = *places[origin.node].get_or_insert(plan.len());
            layers.push(Some(place));
            if let Some(sum) = plan.get_mut(place) {
                sum.add(entry);
            } else {
                let name = graph.nodes()[origin.node].name.clone();
                plan.push(LayerPlan {
                    node: origin.node,
                    name,
                    ..entry
                });
            }
        }
        let online = draft.steps.iter().enumerate();
        let online = online.filter(|(_, step)| matches!(step, Step::Online(_)));
        Ok(Self {
            online: online.map(|(node, _)| node).collect(),
            set_up: set_up(&draft.steps),
            graph,
            mode: wanted.mode,
            price: wanted.price,
            spread,
            steps: draft.steps,
            groups: draft.groups,
            needs: draft.needs,
            in_turn: draft.in_turn,
            plan,
            layers,
            cost: draft.timetable.cost(),
        })
    }

    /// The name of the first layer that is computed by homomorphic encryption, if there is one.
    #[must_use]
    pub fn homomorphic(&self) -> Option<&str> {
        let mut layers = self.graph.nodes().iter();
        let found = layers.find(|node| noise::own(&node.op) > 0);
        found.map(|node| node.name.as_str())
    }

    /// How exact its runs are.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What a correlation is worth in its sessions.
    #[must_use]
    pub const fn cot_price(&self) -> CotPrice {
        self.price
    }

    /// The graph.
    #[must_use]
    pub const fn graph(&self) -> &Arc<IntGraph> {
        &self.graph
    }

    /// The layers between the parties, and what each will cost. Layers that each party computes by itself are
    /// not among them.
    #[must_use]
    pub fn plan(&self) -> &[LayerPlan] {
        &self.plan
    }

    /// The cost of a whole run. Layers that run side by side share their flights, so it has fewer than the layers have
    /// by themselves.
    #[must_use]
    pub const fn cost(&self) -> &Cost {
        &self.cost
    }

    /// The cost of what the parties make once in a session before they run the network: keys of linear layers.
    #[must_use]
    pub fn set_up_cost(&self) -> Cost {
        self.set_up.iter().map(|item| item.cost()).sum()
    }

    /// Makes what is missing in the session of what the network needs there once, and says what that cost. Runs and phases ahead do so by
    /// themselves.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong.
    pub fn set_up(&self, session: &mut Session) -> Result<Cost, Error> {
        make(&self.set_up, session)
    }

    /// The same for a run after a phase ahead, in which layers that ran ahead need nothing more.
    pub(crate) fn set_up_after(&self, session: &mut Session) -> Result<Cost, Error> {
        let whole = self.steps.iter();
        let whole = whole.filter(|step| matches!(step, Step::Linear(_)));
        make(&set_up(whole), session)
    }

    /// The work of both CPUs in a whole run, counted in units; without that of a phase ahead.
    #[must_use]
    pub fn work(&self) -> Work {
        let layers = self.plan.iter().map(|layer| &layer.work);
        layers.fold(Work::default(), |sum, work| sum.plus(work))
    }
}

/// Makes what is missing in a session.
fn make(items: &[Arc<dyn SetUp>], session: &mut Session) -> Result<Cost, Error> {
    session.mark();
    for item in items {
        if !item.is_done(session) {
            session.enter_phase(item.name());
            item.run(session)?;
        }
    }
    Ok(session.measured())
}

/// What the protocols of a network need in a session, each once.
fn set_up<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Arc<dyn SetUp>> {
    let mut names = BTreeSet::new();
    let mut items = Vec::new();
    for step in steps {
        if let Step::Linear(step) | Step::Online(step) = step {
            let new = step.set_up().into_iter();
            items.extend(new.filter(|item| names.insert(item.name())));
        }
    }
    items
}
