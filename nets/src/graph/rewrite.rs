//! From one graph to another.

use super::{Graph, GraphBuilder, Operator};
use crate::Error;

/// A graph made from another one, node by node in its order: the one way in which rewritings keep
/// track of where the old nodes' outputs are.
#[derive(Debug)]
pub struct Rewriter<'a, O: Operator, P: Operator = O> {
    old: &'a Graph<O>,
    new: GraphBuilder<P>,
    place: Vec<Option<usize>>,
}

impl<'a, O: Operator, P: Operator> Rewriter<'a, O, P> {
    /// Nothing taken over yet.
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

    /// Where the output of an old node is.
    ///
    /// # Panics
    /// If it was not taken over.
    #[must_use]
    pub fn place(&self, old: usize) -> usize {
        self.place[old].expect("a node's inputs are taken over before it")
    }

    /// Where the inputs of an old node are.
    ///
    /// # Panics
    /// If one was not taken over.
    #[must_use]
    pub fn inputs(&self, old: usize) -> Vec<usize> {
        let inputs = self.old.nodes()[old].inputs.iter();
        inputs.map(|&input| self.place(input)).collect()
    }

    /// Appends a new node that stands for no old one, and returns its number.
    pub fn push(&mut self, name: impl Into<String>, op: P, inputs: &[usize]) -> usize {
        self.new.push(name, op, inputs)
    }

    /// Puts an operation in the place of an old node, under its name and on its inputs.
    ///
    /// # Panics
    /// If an input was not taken over.
    pub fn put(&mut self, old: usize, op: P) -> usize {
        let inputs = self.inputs(old);
        let name = self.old.nodes()[old].name.clone();
        let made = self.new.push(name, op, &inputs);
        self.stand_in(old, made);
        made
    }

    /// Lets a new node stand for an old one.
    pub fn stand_in(&mut self, old: usize, new: usize) {
        self.place[old] = Some(new);
    }

    /// Leaves an old node out: its input stands for it.
    ///
    /// # Panics
    /// If it has no input, or that was not taken over.
    pub fn bypass(&mut self, old: usize) {
        let input = self.place(self.old.nodes()[old].inputs[0]);
        self.stand_in(old, input);
    }

    /// The new graph, and where the old nodes are in it.
    ///
    /// # Errors
    /// As [`GraphBuilder::finish`].
    pub fn finish(self) -> Result<(Graph<P>, Vec<Option<usize>>), Error> {
        Ok((self.new.finish()?, self.place))
    }
}

impl<O: Operator> Rewriter<'_, O> {
    /// Takes an old node over as it is.
    ///
    /// # Panics
    /// If an input was not taken over.
    pub fn keep(&mut self, old: usize) -> usize {
        let op = self.old.nodes()[old].op.clone();
        self.put(old, op)
    }
}
