//! Rewriting one graph into another.

use super::{Graph, GraphBuilder, Operator};
use crate::Error;

/// Builds a new graph from an old one, node by node in the old order, and keeps track of which new node
/// has the output of which old one.
#[derive(Debug)]
pub struct Rewriter<'a, O: Operator, P: Operator = O> {
    old: &'a Graph<O>,
    new: GraphBuilder<P>,
    place: Vec<Option<usize>>,
}

impl<'a, O: Operator, P: Operator> Rewriter<'a, O, P> {
    /// Starts with an empty new graph.
    #[must_use]
    pub fn new(old: &'a Graph<O>) -> Self {
        Self {
            old,
            new: GraphBuilder::new(),
            place: vec![None; old.len()],
        }
    }

    /// The old graph.
    #[must_use]
    pub const fn old(&self) -> &'a Graph<O> {
        self.old
    }

    /// The new graph so far.
    #[must_use]
    pub const fn new_graph(&self) -> &GraphBuilder<P> {
        &self.new
    }

    /// The new node that has the output of an old one.
    ///
    /// # Panics
    /// If there is none yet.
    #[must_use]
    pub fn place(&self, old: usize) -> usize {
        self.place[old].expect("a node is rewritten after its inputs")
    }

    /// The new nodes that have the inputs of an old one.
    ///
    /// # Panics
    /// If one is not there yet.
    #[must_use]
    pub fn inputs(&self, old: usize) -> Vec<usize> {
        let inputs = self.old.nodes()[old].inputs.iter();
        inputs.map(|&input| self.place(input)).collect()
    }

    /// Appends a new node that stands for no old one, and returns its number.
    pub fn push(&mut self, name: impl Into<String>, op: P, inputs: &[usize]) -> usize {
        self.new.push(name, op, inputs)
    }

    /// Puts an operation in the place of an old node, with its name and its inputs, and returns the number
    /// of the new node.
    ///
    /// # Panics
    /// If an input is not in the new graph yet.
    pub fn put(&mut self, old: usize, op: P) -> usize {
        let inputs = self.inputs(old);
        let name = self.old.nodes()[old].name.clone();
        let new = self.new.push(name, op, &inputs);
        self.stand_in(old, new);
        new
    }

    /// Lets a new node have the output of an old one.
    pub fn stand_in(&mut self, old: usize, new: usize) {
        self.place[old] = Some(new);
    }

    /// Leaves an old node out: whatever took its output takes its first input.
    ///
    /// # Panics
    /// If it has no input, or that is not in the new graph yet.
    pub fn bypass(&mut self, old: usize) {
        let input = self.place(self.old.nodes()[old].inputs[0]);
        self.stand_in(old, input);
    }

    /// The new graph, and for each old node the new one that has its output, if any.
    ///
    /// # Errors
    /// As [`GraphBuilder::finish`].
    pub fn finish(self) -> Result<(Graph<P>, Vec<Option<usize>>), Error> {
        Ok((self.new.finish()?, self.place))
    }
}

impl<O: Operator> Rewriter<'_, O> {
    /// Takes an old node into the new graph as it is, and returns the number of the new node.
    ///
    /// # Panics
    /// If an input is not in the new graph yet.
    pub fn keep(&mut self, old: usize) -> usize {
        let op = self.old.nodes()[old].op.clone();
        self.put(old, op)
    }
}
