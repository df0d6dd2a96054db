//! Names for tensors that are put into a graph.

use std::collections::HashSet;

use crate::proto::{GraphProto, all};

/// Gives names that no tensor of a graph has.
pub(crate) struct Fresh {
    taken: HashSet<String>,
    /// The last number that a name was tried with. It only grows, so that all tries together are few, whatever names a file has.
    next: usize,
}

impl Fresh {
    /// For a graph, and the graphs that its nodes hold.
    pub(crate) fn of(graph: &GraphProto) -> Self {
        let mut fresh = Self {
            taken: HashSet::new(),
            next: 0,
        };
        fresh.take(graph);
        for node in all(&graph.node) {
            fresh.taken.extend(node.output.iter().cloned());
            for graph in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
                fresh.take(graph);
            }
        }
        fresh
    }

    /// The names that a graph gives to values, but for those that its nodes make.
    fn take(&mut self, graph: &GraphProto) {
        let constants = graph.initializer.iter().filter_map(|t| t.name.clone());
        let values = graph.input.iter().chain(&graph.value_info);
        self.taken.extend(constants);
        self.taken.extend(values.filter_map(|v| v.name.clone()));
    }

    /// This name, or if it is taken the name with a number behind it.
    pub(crate) fn like(&mut self, like: &str) -> String {
        let mut name = like.to_owned();
        while !self.taken.insert(name.clone()) {
            self.next += 1;
            name = format!("{like}:{}", self.next);
        }
        name
    }
}
