//! Building a graph node by node.

use super::{Arity, Graph, Node, Operator};
use crate::Error;

/// The most nodes that a graph may have.
pub(super) const MAX_NODES: usize = 1 << 16;

/// The error for a graph of more.
pub(super) fn too_many_nodes() -> Error {
    Error::shape("graph", format!("it has more than {MAX_NODES} nodes"))
}

/// A graph that is being built. Every node is checked when it is pushed; the first problem is kept and
/// reported by [`GraphBuilder::finish`], so that building reads as a plain list of nodes.
#[derive(Debug)]
pub struct GraphBuilder<O: Operator> {
    nodes: Vec<Node<O>>,
    types: Vec<O::Type>,
    problem: Option<Error>,
}

impl<O: Operator> Default for GraphBuilder<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: Operator> GraphBuilder<O> {
    /// A graph without nodes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            types: Vec::new(),
            problem: None,
        }
    }

    /// Appends a node that takes the outputs of earlier ones, and returns its number.
    pub fn push(&mut self, name: impl Into<String>, op: O, inputs: &[usize]) -> usize {
        let node = Node {
            name: name.into(),
            op,
            inputs: inputs.to_vec(),
        };
        if self.problem.is_none() {
            match self.infer(&node) {
                Ok(found) => self.types.push(found),
                Err(problem) => self.problem = Some(O::misfit(&node.name, problem)),
            }
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The nodes so far.
    #[must_use]
    pub fn nodes(&self) -> &[Node<O>] {
        &self.nodes
    }

    /// The type of a node's output, if this node and all before it fit.
    #[must_use]
    pub fn type_of(&self, node: usize) -> Option<&O::Type> {
        self.types.get(node)
    }

    /// The graph; its output is the last node's.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Width`] for the first node that does not fit, or for what the
    /// operations demand of the whole.
    pub fn finish(self) -> Result<Graph<O>, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if self.nodes.is_empty() {
            return Err(Error::shape("input", "the graph has no nodes"));
        }
        let mut consumers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&i| consumers[i].push(index));
        }
        let graph = Graph {
            nodes: self.nodes,
            types: self.types,
            consumers,
        };
        O::check_graph(&graph)?;
        Ok(graph)
    }

    fn infer(&self, node: &Node<O>) -> Result<O::Type, String> {
        if self.nodes.len() == MAX_NODES {
            return Err(format!("the graph has more than {MAX_NODES} nodes"));
        }
        let arity = node.op.arity();
        if (arity == Arity::Exactly(0)) != self.nodes.is_empty() {
            return Err("the first node, and no other, is the input".into());
        }
        match arity {
            Arity::Exactly(n) if node.inputs.len() != n => {
                return Err(format!("it takes {n} inputs"));
            }
            Arity::AtLeastOne if node.inputs.is_empty() => {
                return Err("it takes an input".into());
            }
            Arity::Exactly(_) | Arity::AtLeastOne => {}
        }
        let inputs: Option<Vec<_>> = (node.inputs.iter())
            .map(|&i| self.types.get(i).copied())
            .collect();
        node.op
            .infer(&inputs.ok_or("it takes the output of a later node")?)
    }
}
