//! One node of a run.

use std::rc::Rc;

use channel::Role;
use nets::PrivateWeights;
use nonlinear::{ChannelSigns, Quotients};
use sharing::{Input, Party};
use zeroize::Zeroizing;

use crate::Error;
use crate::ahead::Ahead;
use crate::executor::SecureNetwork;
use crate::quotients::{Member, Part};
use crate::spread::Origin;
use crate::step::{CURVES, ELEMENTS, Step, ahead_of, planes};
use crate::weights::ServerWeights;

/// A share of a tensor, erased when dropped.
pub(crate) type Share = Zeroizing<Vec<u64>>;

/// The secrets that a party brings to a run.
pub(crate) struct Secrets<'a> {
    pub(crate) own: Secret<'a>,
    /// What the phase ahead left for this run.
    pub(crate) ahead: Ahead,
}

pub(crate) enum Secret<'a> {
    /// The server's weights.
    Weights(&'a ServerWeights),
    /// The client's image.
    Image(Share),
}

impl SecureNetwork {
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
        secrets: &Secrets<'_>,
    ) -> Result<Vec<u64>, Error> {
        let Secrets { own: secret, ahead } = secrets;
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
            Step::Online(step) => {
                let place = self.online.binary_search(&index);
                let place = place.expect("it is among those that run ahead");
                let share = ahead.share(place, step.as_ref());
                let protocol = ahead_of(step.as_ref());
                match secret {
                    Secret::Weights(weights) => {
                        let parameters = weights.parameters(self.spread.origins[index].node);
                        protocol.serve_online(party, parameters, &share, x).await?
                    }
                    Secret::Image(_) => {
                        let r = ahead.r(place, step.as_ref());
                        protocol.request_online(party, &r, &share, x).await?
                    }
                }
            }
            &Step::Grouped(member) => {
                let signs = self.signs(secret, index);
                let leads = member.leads(index, &self.groups);
                let state = state.expect("a group has a state");
                self.grouped(party, (member, leads), x, state, signs)
                    .await?
            }
            Step::TruncReduce(cut) => cut.run(party, x).await?,
            Step::Trunc(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::Extend(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::Relu(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::ChannelExtend { step, after } => {
                step.run(party, x, self.signs(secret, *after)).await?
            }
            Step::SignedRelu(step) => step.run(party, x, self.signs(secret, index)).await?,
            Step::Clip(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::HardSwish(step) => each(party, x, async |p, x| step.run(p, x).await).await?,
            Step::Curve(step) => {
                CURVES
                    .run(party, x, async |p, x| step.run(p, x).await)
                    .await?
            }
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
        let x = self.graph().input();
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
pub(crate) async fn each(
    party: &Party<'_>,
    x: &[u64],
    step: impl AsyncFn(&Party<'_>, &[u64]) -> Result<Vec<u64>, nonlinear::Error>,
) -> Result<Vec<u64>, Error> {
    Ok(ELEMENTS.run(party, x, step).await?)
}
