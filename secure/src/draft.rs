//! The plan of a graph, node by node.

use nets::IntGraph;
use ot::CotPrice;

use crate::Error;
use crate::limits::{Limits, Spent};
use crate::price::float;
use crate::quotients::{Group, groups};
use crate::report::Mode;
use crate::step::{FLIGHT, Step, hidden};
use crate::timetable::{Timetable, Timing};

/// A plan of the spread graph.
pub(crate) struct Draft {
    pub(crate) steps: Vec<Step>,
    pub(crate) groups: Vec<Group>,
    pub(crate) needs: Vec<Vec<usize>>,
    pub(crate) timings: Vec<Timing>,
    pub(crate) timetable: Timetable,
}

impl Draft {
    /// Plans a graph, in which some rectifiers are `patient`.
    pub(crate) fn new(
        limits: &Limits,
        graph: &IntGraph,
        mode: Mode,
        price: CotPrice,
        patient: impl Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        let hidden = hidden(graph);
        let exact = |node: usize| mode == Mode::Faithful || !hidden[node];
        let (groups, members) = groups(graph, exact, patient, price);
        let mut spent = Spent::default();
        let mut draft = Self {
            steps: Vec::new(),
            groups,
            needs: Vec::new(),
            timings: Vec::new(),
            timetable: Timetable::default(),
        };
        for (node, &member) in members.iter().enumerate() {
            let step = match member {
                Some(member) => Step::Grouped(member),
                None => Step::new(graph, node, exact(node), price)?,
            };
            let timing = step.timing(graph, node, &draft.groups);
            if let Some(cost) = timing.cost() {
                spent.add(&cost, limits)?;
            }
            let needs = match member {
                // What it takes of the quotient comes in the course of the protocol.
                Some(member) => vec![draft.groups[member.group].input],
                None => graph.nodes()[node].inputs.clone(),
            };
            draft.timetable.add(&needs, timing.clone());
            draft.needs.push(needs);
            draft.timings.push(timing);
            draft.steps.push(step);
        }
        Ok(draft)
    }

    /// The same plan with rectifiers that take their time where it delays nothing.
    pub(crate) fn at_leisure(
        self,
        limits: &Limits,
        graph: &IntGraph,
        mode: Mode,
        price: CotPrice,
    ) -> Result<Self, Error> {
        if self.groups.is_empty() {
            return Ok(self);
        }
        let slack = self.timetable.slack(&self.needs);
        let mut patient = vec![false; graph.len()];
        for group in &self.groups {
            let Some((more, saved)) = group.leisure(graph, price) else {
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
        let other = Self::new(limits, graph, mode, price, |node| patient[node])?;
        if other.timetable.len() > self.timetable.len() {
            return Ok(self);
        }
        Ok(other)
    }
}
