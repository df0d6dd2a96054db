//! The plan of a graph, node by node.

use linear::Timing;
use nets::{IntGraph, IntOp};
use ot::CotPrice;

use crate::Error;
use crate::limits::{Limits, Spent};
use crate::price::float;
use crate::quotients::{Group, groups};
use crate::report::Mode;
use crate::step::{FLIGHT, Step, ahead_of, hidden};
use crate::timetable::Timetable;

/// What is planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) limits: &'a Limits,
    /// The spread graph.
    pub(crate) graph: &'a IntGraph,
    /// For each node how many low bits of its value are noise.
    pub(crate) noise: &'a [u32],
    pub(crate) wanted: Wanted,
}

impl Task<'_> {
    /// Whether a node is a truncation into a narrower ring that cuts off nothing but noise.
    fn cuts_noise_alone(&self, node: usize) -> bool {
        let node = &self.graph.nodes()[node];
        matches!(node.op, IntOp::TruncReduce { shift, .. } if shift == self.noise[node.inputs[0]])
    }
}

/// How it is to be run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) mode: Mode,
    /// That of a COT.
    pub(crate) price: CotPrice,
    /// Whether linear layers run ahead of the input where their protocols can.
    pub(crate) ahead: bool,
}

/// A plan of the spread graph.
pub(crate) struct Draft {
    pub(crate) steps: Vec<Step>,
    pub(crate) groups: Vec<Group>,
    pub(crate) needs: Vec<Vec<usize>>,
    /// For each node when it speaks; `None` for one that each party computes by itself.
    pub(crate) timings: Vec<Option<Timing>>,
    pub(crate) timetable: Timetable,
    /// Whether the nodes run one after the other.
    pub(crate) in_turn: bool,
}

/// The most values that the nodes under way may keep together (AGREEMENT). A graph that would keep more runs node after node, as its own limit
/// counts.
const MOST_KEPT: u64 = 1 << 26;

/// What a node under way takes, in values, whatever its tensor.
const EACH: u64 = 1 << 12;

impl Draft {
    /// Plans a graph.
    pub(crate) fn new(task: &Task<'_>) -> Result<Self, Error> {
        let prompt = Self::with(task, Some(&|_| false))?;
        let takes = |node: usize| {
            let values = task.graph.types()[node].shape.len() as u64 + EACH;
            values.saturating_add(prompt.said(node))
        };
        if prompt.timetable.most_kept(&prompt.needs, takes) > MOST_KEPT {
            return Self::with(task, None);
        }
        prompt.at_leisure(task)
    }

    /// What a linear layer that speaks in rounds has in memory besides tensors, in values: what is said in it, and what that becomes when it is
    /// taken apart, some four times as much.
    fn said(&self, node: usize) -> u64 {
        match (&self.steps[node], &self.timings[node]) {
            (Step::Linear(_), Some(Timing::Rounds(rounds))) => rounds.cost().bytes() / 2,
            _ => 0,
        }
    }

    /// Plans a graph in which some rectifiers are patient; without that function, node after node.
    fn with(task: &Task<'_>, patient: Option<&dyn Fn(usize) -> bool>) -> Result<Self, Error> {
        let Task { graph, wanted, .. } = *task;
        let Wanted { mode, price, .. } = wanted;
        let hidden = hidden(graph);
        let exact = |node: usize| {
            let always = mode == Mode::Faithful || !hidden[node];
            always || task.cuts_noise_alone(node)
        };
        let (groups, members) = match patient {
            Some(patient) => groups(graph, exact, patient, price),
            None => (Vec::new(), vec![None; graph.len()]),
        };
        let in_turn = patient.is_none();
        let mut spent = Spent::default();
        let mut draft = Self {
            steps: Vec::new(),
            groups,
            needs: Vec::new(),
            timings: Vec::new(),
            timetable: Timetable::default(),
            in_turn,
        };
        for (node, &member) in members.iter().enumerate() {
            let step = match member {
                Some(member) => Step::Grouped(member),
                None => Step::new(task, node, exact(node))?,
            };
            let timing = step.timing(graph, node, &draft.groups);
            if let Some(timing) = &timing {
                spent.add(&timing.cost(), task.limits)?;
            }
            if let Step::Online(step) = &step {
                let one = ahead_of(step.as_ref()).ahead_rounds(1);
                spent.add(&one.cost(), task.limits)?;
            }
            let needs = match member {
                // What it takes of the quotient comes in the course of the protocol.
                Some(member) => vec![draft.groups[member.group].input],
                None => graph.nodes()[node].inputs.clone(),
            };
            draft.timetable.add(&needs, timing.clone(), in_turn);
            draft.needs.push(needs);
            draft.timings.push(timing);
            draft.steps.push(step);
        }
        Ok(draft)
    }

    /// The same plan with rectifiers that take their time where it delays nothing.
    fn at_leisure(self, task: &Task<'_>) -> Result<Self, Error> {
        let Task { graph, wanted, .. } = *task;
        if self.groups.is_empty() {
            return Ok(self);
        }
        let slack = self.timetable.slack(&self.needs);
        let mut patient = vec![false; graph.len()];
        for group in &self.groups {
            let Some((more, saved)) = group.leisure(graph, wanted.price) else {
                continue;
            };
            let late = group.uses.iter().filter(|&&node| slack[node] >= more);
            let late: Vec<usize> = late.copied().collect();
            // What speaks beside a layer and its truncation keeps their flights from being one.
            let least = float(2 * FLIGHT) / float(late.len() as u64);
            if saved >= least {
                late.iter().for_each(|&node| patient[node] = true);
            }
        }
        let other = Self::with(task, Some(&|node| patient[node]))?;
        if other.timetable.len() > self.timetable.len() {
            return Ok(self);
        }
        Ok(other)
    }
}
