//! One run of a network: which nodes are under way.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use channel::Cost;
use nonlinear::Quotients;
use sharing::Party;

use crate::Error;
use crate::compute::{Secrets, Share};
use crate::executor::SecureNetwork;
use crate::quotients::Group;
use crate::report::{LayerReport, Progress};

/// A node under way: its result, and what it cost.
type Task<'a> = Pin<Box<dyn Future<Output = Result<(Share, Cost), Error>> + 'a>>;

/// A run in progress. Every node begins as soon as its inputs are there, and those under way share their rounds.
///
/// Between two rounds the nodes are gone through in the order of the graph, in which an input comes before its
/// consumers, so both parties begin and go on with the same nodes in the same order. A graph that would keep too much at a time runs node after
/// node.
pub(crate) struct Run<'a, 's> {
    network: &'a SecureNetwork,
    party: &'a Party<'s>,
    secret: &'a Secrets<'a>,
    progress: &'a mut dyn FnMut(Progress<'_>),
    /// Nodes that have begun or can begin.
    ready: BTreeSet<usize>,
    /// For each node how many of its inputs are missing.
    missing: Vec<usize>,
    consumers: Vec<Vec<usize>>,
    tasks: Vec<Option<Task<'a>>>,
    /// The results that are still needed.
    shares: Vec<Option<Rc<Share>>>,
    output: Share,
    /// For each node how many uses of its result are to come.
    uses: Vec<usize>,
    /// What the members of each group hand to each other, until all of them have ended.
    quotients: Vec<Quotients>,
    /// For each group how many members are to end.
    members: Vec<usize>,
    /// What each node cost, and the seconds it took.
    costs: Vec<Cost>,
    seconds: Vec<f64>,
    done_bytes: u64,
    total_bytes: u64,
    /// When the last thing that is accounted for ended.
    clock: Instant,
}

impl<'a, 's: 'a> Run<'a, 's> {
    pub(crate) fn new(
        network: &'a SecureNetwork,
        party: &'a Party<'s>,
        secret: &'a Secrets<'a>,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> Self {
        let (needs, groups) = (&network.needs, &network.groups);
        let mut consumers = vec![Vec::new(); needs.len()];
        for (index, needs) in needs.iter().enumerate() {
            needs.iter().for_each(|&need| consumers[need].push(index));
        }
        let missing: Vec<usize> = needs.iter().map(Vec::len).collect();
        let ready = missing
            .iter()
            .enumerate()
            .filter(|(_, missing)| **missing == 0);
        Self {
            network,
            party,
            secret,
            progress,
            ready: ready.map(|(index, _)| index).collect(),
            missing,
            tasks: needs.iter().map(|_| None).collect(),
            shares: vec![None; needs.len()],
            output: Share::default(),
            uses: consumers.iter().map(Vec::len).collect(),
            consumers,
            quotients: groups.iter().map(|_| Quotients::default()).collect(),
            members: groups.iter().map(Group::members).collect(),
            costs: vec![Cost::none(); needs.len()],
            seconds: vec![0.0; needs.len()],
            done_bytes: 0,
            total_bytes: network.plan().iter().map(|layer| layer.cost.bytes()).sum(),
            clock: Instant::now(),
        }
    }

    /// The share of the output, and what every layer cost.
    pub(crate) async fn finish(mut self) -> Result<(Share, Vec<LayerReport>), Error> {
        let output = std::future::poll_fn(|context| self.go_on(context)).await?;
        let plan = self.network.plan();
        let mut costs = vec![(Cost::none(), 0.0); plan.len()];
        let nodes = self
            .network
            .layers
            .iter()
            .zip(self.costs.into_iter().zip(self.seconds));
        for (layer, (cost, seconds)) in nodes {
            if let Some(layer) = *layer {
                let (sum, time) = &mut costs[layer];
                *sum = std::mem::take(sum).beside(cost);
                *time += seconds;
            }
        }
        let layers = plan.iter().zip(costs);
        let layers = layers.map(|(plan, (cost, seconds))| LayerReport::new(plan, cost, seconds));
        Ok((output, layers.collect()))
    }

    /// What can be done before the next round.
    fn go_on(&mut self, context: &mut Context<'_>) -> Poll<Result<Share, Error>> {
        // The one that the others wait for is the first.
        if let Some(&first) = self.ready.first() {
            self.account(first);
        }
        let mut next = self.ready.first().copied();
        while let Some(node) = next {
            if self.tasks[node].is_none() {
                let task = self.begin(node);
                self.tasks[node] = Some(task);
            }
            let task = self.tasks[node].as_mut().expect("it has begun");
            let outcome = task.as_mut().poll(context);
            self.account(node);
            if let Poll::Ready(outcome) = outcome {
                let (share, cost) = outcome?;
                self.done_bytes += cost.bytes();
                self.costs[node] = cost;
                self.end(node, share);
            } else if self.network.in_turn {
                break;
            }
            next = self.ready.range(node + 1..).next().copied();
        }
        // Nodes whose results nobody takes are run to their end as well: the plan has them.
        if self.ready.is_empty() {
            return Poll::Ready(Ok(std::mem::take(&mut self.output)));
        }
        Poll::Pending
    }

    fn begin(&mut self, node: usize) -> Task<'a> {
        let network = self.network;
        if let Some(layer) = network.layers[node] {
            let plan = &network.plan()[layer];
            (self.progress)(Progress {
                ahead: false,
                layer,
                together: 1,
                layers: network.plan().len(),
                name: &plan.name,
                op: plan.op,
                done_bytes: self.done_bytes,
                total_bytes: self.total_bytes,
            });
            self.party.enter_phase(plan.name.clone());
        }
        let inputs = network.needs[node].iter();
        let inputs = inputs.map(|&input| self.shares[input].clone().expect("it is there"));
        let inputs: Vec<Rc<Share>> = inputs.collect();
        let state = network
            .group(node)
            .map(|group| self.quotients[group].clone());
        let (party, secret) = (self.party.apart(), self.secret);
        Box::pin(async move {
            let share = network
                .step(&party, node, &inputs, state.as_ref(), secret)
                .await?;
            Ok((Share::new(share), party.spent()))
        })
    }

    fn end(&mut self, node: usize, share: Share) {
        self.tasks[node] = None;
        self.ready.remove(&node);
        if node + 1 == self.tasks.len() {
            self.output = share;
        } else if self.uses[node] > 0 {
            self.shares[node] = Some(Rc::new(share));
        }
        for &consumer in &self.consumers[node] {
            self.missing[consumer] -= 1;
            if self.missing[consumer] == 0 {
                self.ready.insert(consumer);
            }
        }
        if let Some(group) = self.network.group(node) {
            self.members[group] -= 1;
            if self.members[group] == 0 {
                self.quotients[group] = Quotients::default();
            }
        }
        for &input in &self.network.needs[node] {
            self.uses[input] -= 1;
            if self.uses[input] == 0 {
                self.shares[input] = None;
            }
        }
    }

    /// Puts the time since the last call down to a node.
    fn account(&mut self, node: usize) {
        let now = Instant::now();
        self.seconds[node] += (now - self.clock).as_secs_f64();
        self.clock = now;
    }
}
