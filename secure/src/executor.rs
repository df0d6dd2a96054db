//! The secure executor: runs an integer graph between two parties.

use std::rc::Rc;
use std::sync::Arc;

use channel::{Cost, Role};
use linear::{Timing, Work};
use nets::{IntGraph, PrivateWeights};
use nonlinear::{ChannelSigns, Quotients};
use ot::CotPrice;
use ring_arith::slices;
use sharing::{Input, Party, Session};
use zeroize::Zeroizing;

use crate::Error;
use crate::draft::Draft;
use crate::limits::Limits;
use crate::quotients::{Group, Member, Part};
use crate::report::{LayerPlan, Mode, Progress, RunReport};
use crate::run::Run;
use crate::spread::{Origin, Spread};
use crate::step::{ELEMENTS, Step, planes};
use crate::weights::ServerWeights;

/// A share of a tensor, erased when dropped.
pub(crate) type Share = Zeroizing<Vec<u64>>;

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
/// **Protocol.** The protocols of `linear` and `nonlinear`, each as soon as its inputs are there, so that branches of the graph
/// run side by side ([`sharing::Party`]). The client's input x is shared without traffic, as (0, x). A share of a tensor is
/// erased after its last use.
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
    /// What is run.
    pub(crate) spread: Spread,
    /// For each node of the spread graph its protocol.
    steps: Vec<Step>,
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

/// The secret that a party brings to a run.
pub(crate) enum Secret<'a> {
    /// The server's weights.
    Weights(&'a ServerWeights),
    /// The client's image.
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
        let spread = Spread::new(&graph);
        let draft = Draft::new(limits, &spread.graph, mode, cot_price)?;

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
        Ok(Self {
            graph,
            mode,
            price: cot_price,
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
        Ok(self.walk(session, &Secret::Weights(weights), progress)?.1)
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
        let (output, report) = self.walk(session, &image, progress)?;
        let bits = self.graph.output().bits();
        Ok((output.iter().map(|&y| bits.to_signed(y)).collect(), report))
    }

    fn walk(
        &self,
        session: &mut Session,
        secret: &Secret<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Share, RunReport), Error> {
        assert_eq!(
            session.cot_price(),
            self.price,
            "the plan is for another price"
        );
        session.mark();
        let (output, layers) = session.run(async |party| {
            let run = Run::new(self, party, secret, progress);
            run.finish().await
        })?;
        let report = RunReport {
            mode: self.mode,
            layers,
            cost: session.measured(),
        };
        Ok((output, report))
    }

    /// The group of a node of the spread graph.
    pub(crate) fn group(&self, node: usize) -> Option<usize> {
        match &self.steps[node] {
            Step::Grouped(member) => Some(member.group),
            _ => None,
        }
    }

    /// Computes one node of the spread graph; `state` is that of its group.
    pub(crate) async fn step(
        &self,
        party: &Party<'_>,
        index: usize,
        inputs: &[Rc<Share>],
        state: Option<&Quotients>,
        secret: &Secret<'_>,
    ) -> Result<Vec<u64>, Error> {
        let (role, graph) = (party.role(), &self.spread.graph);
        let inputs: Vec<&[u64]> = inputs.iter().map(|share| share.as_slice()).collect();
        let Some(&x) = inputs.first() else {
            return Ok(self.input(role, secret));
        };
        let shape = graph.input_type(index, 0).shape;
        Ok(match &self.steps[index] {
            Step::Input => self.input(role, secret),
            Step::Local(step) => step.run(role, &inputs, shape, &graph.types()[index]),
            Step::Linear(step) => match secret {
                Secret::Weights(weights) => {
                    let node = self.spread.origins[index].node;
                    let prepared = weights.prepared(node, step.as_ref())?;
                    let parameters = weights.parameters(node);
                    step.serve(party, parameters, &prepared, x).await?
                }
                Secret::Image(_) => step.request(party, x).await?,
            },
            &Step::Grouped(member) => {
                let signs = self.signs(secret, index);
                let leads = member.leads(index, &self.groups);
                let state = state.expect("a group has a state");
                self.grouped(party, (member, leads), x, state, signs)
                    .await?
            }
            Step::TruncReduce { step, less } => {
                let lowered = (*less > 0 && role.is_server()).then(|| {
                    let bits = graph.input_type(index, 0).bits();
                    let mut y = Zeroizing::new(x.to_vec());
                    slices::add_constant(bits, &mut y, bits.reduce(less.wrapping_neg()));
                    y
                });
                let x = lowered.as_ref().map_or(x, |y| y.as_slice());
                each(party, x, async |p, x| step.run(p, x).await).await?
            }
            Step::Trunc(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::Extend(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::Relu(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::ChannelExtend { step, after } => {
                step.run(party, x, self.signs(secret, *after)).await?
            }
            Step::SignedRelu(step) => step.run(party, x, self.signs(secret, index)).await?,
            Step::Clip(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::HardSwish(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::Gate(step) => party.alone(|s| step.run(s, inputs[1], x))?,
            Step::MaxPool(step) => {
                planes(shape)
                    .run_rows(party, x, shape.plane(), async |party, x| {
                        step.run(party, x).await
                    })
                    .await?
            }
            Step::ArgMax(step) => step.run(party, x).await?.index,
            Step::Reveal(step) => step.run(party, x).await?.unwrap_or_default(),
        })
    }

    /// A node's part of a protocol that it has in common with others; the one that leads begins it.
    async fn grouped(
        &self,
        party: &Party<'_>,
        (member, leads): (Member, bool),
        x: &[u64],
        state: &Quotients,
        signs: Option<ChannelSigns<'_>>,
    ) -> Result<Vec<u64>, Error> {
        let protocol = &self.groups[member.group].protocol;
        let own = async {
            match member.part {
                Part::Quotient => protocol.run(party, x, state).await,
                Part::Rectifier(number) => protocol.rectify(party, number, state, signs).await,
                Part::Extension(number) => protocol.extend(party, number, state).await,
            }
        };
        if !leads {
            return Ok(own.await?);
        }
        let (_, own) = party.both(protocol.run(party, x, state), own).await?;
        Ok(own)
    }

    /// The client's image as shares, (0, x).
    fn input(&self, role: Role, secret: &Secret<'_>) -> Vec<u64> {
        let x = self.graph.input();
        let sharing = Input {
            owner: Role::Client,
            bits: x.bits(),
        };
        let image = match secret {
            Secret::Weights(_) => None,
            Secret::Image(image) => Some(image.as_slice()),
        };
        sharing.local(role, image, x.shape.len())
    }

    /// The secret shifts and signs of a node of the spread graph; `None` at the client, and where it has none.
    fn signs<'a>(&self, secret: &Secret<'a>, node: usize) -> Option<ChannelSigns<'a>> {
        let Secret::Weights(weights) = secret else {
            return None;
        };
        let Origin { node, channels } = &self.spread.origins[node];
        let layer = PrivateWeights::layer(weights.weights(), *node)?;
        Some(ChannelSigns {
            signs: &layer.weights[channels.clone()],
            shifts: &layer.bias[channels.clone()],
        })
    }
}

/// Runs an elementwise protocol on a whole tensor.
async fn each(
    party: &Party<'_>,
    x: &[u64],
    step: impl AsyncFn(&Party<'_>, &[u64]) -> Result<Vec<u64>, nonlinear::Error>,
) -> Result<Vec<u64>, Error> {
    Ok(ELEMENTS.run(party, x, step).await?)
}
