//! The secure executor: runs an integer graph between two parties.

use std::sync::Arc;
use std::time::Instant;

use channel::{Cost, Role};
use linear::Work;
use nets::{IntGraph, PrivateWeights};
use nonlinear::ChannelSigns;
use ot::CotPrice;
use ring_arith::slices;
use sharing::{Input, Session};
use zeroize::Zeroizing;

use crate::Error;
use crate::limits::{Limits, Spent};
use crate::report::{LayerPlan, LayerReport, Mode, Progress, RunReport};
use crate::step::{ELEMENTS, Step, hidden, planes};
use crate::weights::ServerWeights;

/// A share of a tensor, erased when dropped.
type Share = Zeroizing<Vec<u64>>;

/// An integer graph that is planned and ready for secure runs.
///
/// **Functionality.** The client gives an input, the server [`PrivateWeights`]; the client learns
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
/// **Protocol.** The protocols of `linear` and `nonlinear`, node by node. The client's input x is
/// shared without traffic, as (0, x). A share of a tensor is erased after its last use.
///
/// **Security.** Semi-honest. Each protocol takes shares and gives fresh shares, and only the
/// output is opened, to the client.
///
/// **Cost.** Exactly [`SecureNetwork::plan`], layer by layer.
#[derive(Debug)]
pub struct SecureNetwork {
    graph: Arc<IntGraph>,
    mode: Mode,
    price: CotPrice,
    steps: Vec<Step>,
    plan: Vec<LayerPlan>,
    /// For each node its place in the plan, if it is there.
    layer: Vec<Option<usize>>,
    last_use: Vec<usize>,
}

/// The secret that a party brings to a run.
enum Secret<'a> {
    /// The server's weights.
    Weights(&'a ServerWeights),
    /// The client's image, until it is shared.
    Image(Share),
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
    /// is not known or not possible; [`Error::Linear`] and [`Error::Nonlinear`] for a geometry that these crates
    /// refuse.
    pub fn within(
        limits: &Limits,
        graph: Arc<IntGraph>,
        mode: Mode,
        cot_price: CotPrice,
    ) -> Result<Self, Error> {
        limits.check_graph(&graph)?;
        let (mut spent, hidden) = (Spent::default(), hidden(&graph));
        let (mut steps, mut plan, mut layer) = (Vec::new(), Vec::new(), Vec::new());
        for node in 0..graph.len() {
            let exact = mode == Mode::Faithful || !hidden[node];
            let step = Step::new(&graph, node, exact, cot_price)?;
            let entry = step.plan(&graph, node);
            if let Some(layer) = &entry {
                spent.add(layer, limits)?;
            }
            layer.push(entry.is_some().then_some(plan.len()));
            plan.extend(entry);
            steps.push(step);
        }
        let last_use = graph.last_use();
        Ok(Self {
            graph,
            mode,
            price: cot_price,
            steps,
            plan,
            layer,
            last_use,
        })
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

    /// The cost of a whole run, in which each layer is a phase of its own.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.plan.iter().map(|layer| layer.cost.clone()).sum()
    }

    /// The work of both CPUs in a whole run, counted in units.
    #[must_use]
    pub fn work(&self) -> Work {
        let layers = self.plan.iter().map(|layer| &layer.work);
        layers.fold(Work::default(), |sum, work| sum.plus(work))
    }

    /// Runs the server's side of the network on one input of the client.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong; [`nets::Error::Weights`] for weights of another
    /// graph.
    ///
    /// # Panics
    /// If the session is the client's, or has another price of correlations than the plan.
    pub fn serve(
        &self,
        session: &mut Session,
        weights: &ServerWeights,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunReport, Error> {
        assert_eq!(session.role(), Role::Server, "the server serves");
        weights.weights().check(&self.graph)?;
        Ok(self.walk(session, Secret::Weights(weights), progress)?.1)
    }

    /// Runs the client's side of the network on `input`, integers as [`nets::PublicModel::prepare`] gives
    /// them. Returns the integers of the output.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong; [`nets::Error::InputLength`].
    ///
    /// # Panics
    /// If the session is the server's, or has another price of correlations than the plan.
    pub fn infer(
        &self,
        session: &mut Session,
        input: &[i64],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<i64>, RunReport), Error> {
        assert_eq!(session.role(), Role::Client, "the client infers");
        let (expected, found) = (self.graph.input().shape.len(), input.len());
        if expected != found {
            return Err(nets::Error::InputLength { expected, found }.into());
        }
        let bits = self.graph.input().bits();
        let image = input.iter().map(|&x| bits.from_signed(x)).collect();
        let image = Secret::Image(Zeroizing::new(image));
        let (output, report) = self.walk(session, image, progress)?;
        let bits = self.graph.output().bits();
        Ok((output.iter().map(|&y| bits.to_signed(y)).collect(), report))
    }

    fn walk(
        &self,
        session: &mut Session,
        mut secret: Secret<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Share, RunReport), Error> {
        assert_eq!(
            session.cot_price(),
            self.price,
            "the plan is for another price"
        );
        let mut walk = Walk::new(self);
        let mut shares: Vec<Share> = Vec::with_capacity(self.steps.len());
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let start = Instant::now();
            let plan = walk.enter(session, index, progress);
            let share = self.step(session, index, &shares, &mut secret)?;
            shares.push(Zeroizing::new(share));
            if let Some(plan) = plan {
                walk.leave(session, plan, start);
            }
            for &input in node.inputs.iter().filter(|&&i| self.last_use[i] == index) {
                shares[input] = Share::default();
            }
        }
        let output = shares.pop().unwrap_or_default();
        let report = RunReport {
            mode: self.mode,
            layers: walk.layers,
        };
        Ok((output, report))
    }

    fn step(
        &self,
        s: &mut Session,
        index: usize,
        shares: &[Share],
        secret: &mut Secret<'_>,
    ) -> Result<Vec<u64>, Error> {
        let inputs = self.graph.nodes()[index].inputs.iter();
        let inputs: Vec<&[u64]> = inputs.map(|&i| shares[i].as_slice()).collect();
        let Some(&x) = inputs.first() else {
            return Ok(self.input(s.role(), secret));
        };
        let shape = self.graph.input_type(index, 0).shape;
        Ok(match &self.steps[index] {
            Step::Input => self.input(s.role(), secret),
            Step::Local(step) => step.run(s.role(), &inputs, shape, &self.graph.types()[index]),
            Step::Linear(step) => match secret {
                Secret::Weights(weights) => {
                    let prepared = weights.prepared(index, step.as_ref())?;
                    step.serve(s, weights.parameters(index), &prepared, x)?
                }
                Secret::Image(_) => step.request(s, x)?,
            },
            Step::TruncReduce { step, less } => {
                let lowered = (*less > 0 && s.role().is_server()).then(|| {
                    let bits = self.graph.input_type(index, 0).bits();
                    let mut y = Zeroizing::new(x.to_vec());
                    slices::add_constant(bits, &mut y, bits.reduce(less.wrapping_neg()));
                    y
                });
                let x = lowered.as_ref().map_or(x, |y| y.as_slice());
                ELEMENTS.run(x, |x| step.run(s, x))?
            }
            Step::Trunc(step) => ELEMENTS.run(x, |x| step.run(s, x))?,
            Step::Extend(step) => ELEMENTS.run(x, |x| step.run(s, x))?,
            Step::ChannelExtend { step, after } => step.run(s, x, signs(secret, *after))?,
            Step::Relu(step) => ELEMENTS.run(x, |x| step.run(s, x))?,
            Step::SignedRelu(step) => step.run(s, x, signs(secret, index))?,
            Step::Clip(step) => ELEMENTS.run(x, |x| step.run(s, x))?,
            Step::HardSwish(step) => ELEMENTS.run(x, |x| step.run(s, x))?,
            Step::Gate(step) => step.run(s, inputs[1], x)?,
            Step::MaxPool(step) => planes(shape).run_rows(x, shape.plane(), |x| step.run(s, x))?,
            Step::ArgMax(step) => step.run(s, x)?.index,
            Step::Reveal(step) => step.run(s, x)?.unwrap_or_default(),
        })
    }

    /// The client's image as shares, (0, x).
    fn input(&self, role: Role, secret: &mut Secret<'_>) -> Vec<u64> {
        let x = self.graph.input();
        let sharing = Input {
            owner: Role::Client,
            bits: x.bits(),
        };
        let image = match secret {
            Secret::Weights(_) => None,
            Secret::Image(image) => Some(std::mem::take(image)),
        };
        let image = image.as_ref().map(|x| x.as_slice());
        sharing.local(role, image, x.shape.len())
    }
}

/// The secret shifts and signs of a node; `None` at the client.
fn signs<'a>(secret: &Secret<'a>, node: usize) -> Option<ChannelSigns<'a>> {
    let Secret::Weights(weights) = secret else {
        return None;
    };
    let layer = PrivateWeights::layer(weights.weights(), node)?;
    Some(ChannelSigns {
        signs: &layer.weights,
        shifts: &layer.bias,
    })
}

/// How far a run has come.
struct Walk<'a> {
    network: &'a SecureNetwork,
    done_bytes: u64,
    total_bytes: u64,
    layers: Vec<LayerReport>,
}

impl<'a> Walk<'a> {
    fn new(network: &'a SecureNetwork) -> Self {
        Self {
            network,
            done_bytes: 0,
            total_bytes: network.plan.iter().map(|layer| layer.cost.bytes()).sum(),
            layers: Vec::with_capacity(network.plan.len()),
        }
    }

    /// Begins a node. Returns its entry in the plan, if it has one.
    fn enter(
        &mut self,
        session: &mut Session,
        node: usize,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Option<&'a LayerPlan> {
        let layer = self.network.layer[node]?;
        let plan = &self.network.plan[layer];
        progress(Progress {
            layer,
            layers: self.network.plan.len(),
            name: &plan.name,
            op: plan.op,
            done_bytes: self.done_bytes,
            total_bytes: self.total_bytes,
        });
        session.enter_phase(plan.name.clone());
        session.mark();
        self.done_bytes += plan.cost.bytes();
        Some(plan)
    }

    /// Ends a node.
    fn leave(&mut self, session: &Session, plan: &LayerPlan, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        self.layers
            .push(LayerReport::new(plan, session.measured(), seconds));
    }
}
