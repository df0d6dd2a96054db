//! Checked graphs, generic over their operations.
//!
//! Both kinds of network, of floats ([`crate::Op`]) and of integers ([`crate::IntOp`]), are a
//! [`Graph`]: nodes in topological order, whose inputs, arities and types were checked once, when
//! the graph was made. Whoever walks a graph afterwards relies on that. Every query is a loop whose
//! time is linear in the size of the graph.

mod builder;
mod rewrite;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;
pub use builder::GraphBuilder;
pub use rewrite::Rewriter;

/// How many inputs an operation takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum Arity {
    /// Exactly this many; 0 for the input of the graph.
    Exactly(usize),
    /// One or more.
    AtLeastOne,
}

/// An operation that a graph can be made of.
pub trait Operator: Clone + PartialEq + fmt::Debug {
    /// What is known of a tensor before any run: its shape, and whatever else the operations check.
    type Type: Copy + PartialEq + fmt::Debug;

    /// The name of the operation in reports.
    fn name(&self) -> &'static str;

    /// How many inputs the operation takes.
    fn arity(&self) -> Arity;

    /// The type of the output, given the types of the inputs, whose number fits the arity.
    ///
    /// # Errors
    /// What does not fit, as a phrase that can stand behind the name of the node.
    fn infer(&self, inputs: &[Self::Type]) -> Result<Self::Type, String>;

    /// The error for a node that does not fit.
    #[must_use]
    fn misfit(node: &str, problem: String) -> Error {
        Error::shape(node, problem)
    }

    /// Checks what concerns the graph as a whole, once every node is typed.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Width`].
    fn check_graph(graph: &Graph<Self>) -> Result<(), Error>;
}

/// A node: an operation, and the nodes that it takes its inputs from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Node<O> {
    /// Its name, for people.
    pub name: String,
    /// What it computes.
    #[serde(flatten)]
    pub op: O,
    /// The numbers of the nodes before it whose outputs it takes.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<usize>,
}

/// What a path from a node towards the output meets at a consumer; see [`Graph::all_paths_end`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum PathStep {
    /// The path ends here, at what is looked for.
    Ends,
    /// The path goes on behind the consumer.
    Passes,
    /// The path ends here, without what is looked for.
    Blocks,
}

/// A checked graph: nodes in topological order, the input first, the output last.
///
/// ```
/// use nets::{GraphBuilder, Op, Shape};
///
/// let mut builder = GraphBuilder::new();
/// let x = builder.push("input", Op::Input { shape: Shape::new(1, 2, 2) }, &[]);
/// builder.push("relu", Op::Relu, &[x]);
/// let graph = builder.finish()?;
/// assert_eq!(graph.types()[1], Shape::new(1, 2, 2));
/// assert_eq!(graph.consumers(0), [1]);
/// # Ok::<(), nets::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Graph<O: Operator> {
    nodes: Vec<Node<O>>,
    types: Vec<O::Type>,
    consumers: Vec<Vec<usize>>,
}

impl<O: Operator> Graph<O> {
    /// Checks nodes and infers the type of every tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Width`] naming the first node that does not fit.
    pub fn new(nodes: Vec<Node<O>>) -> Result<Self, Error> {
        if nodes.len() > builder::MAX_NODES {
            return Err(builder::too_many_nodes());
        }
        let mut builder = GraphBuilder::new();
        for Node { name, op, inputs } in nodes {
            builder.push(name, op, &inputs);
        }
        builder.finish()
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node<O>] {
        &self.nodes
    }

    /// The nodes, for building another graph of them.
    #[must_use]
    pub fn into_nodes(self) -> Vec<Node<O>> {
        self.nodes
    }

    /// Number of nodes; there is always one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no graph is empty")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The type of each node's output.
    #[must_use]
    pub fn types(&self) -> &[O::Type] {
        &self.types
    }

    /// The type of a node's `k`-th input.
    ///
    /// # Panics
    /// If the node has no such input.
    #[must_use]
    pub fn input_type(&self, node: usize, k: usize) -> &O::Type {
        &self.types[self.nodes[node].inputs[k]]
    }

    /// The type of the graph's input.
    #[must_use]
    pub fn input(&self) -> &O::Type {
        &self.types[0]
    }

    /// The type of the graph's output.
    #[must_use]
    pub fn output(&self) -> &O::Type {
        &self.types[self.types.len() - 1]
    }

    /// The nodes that take a node's output, in order; a node that takes it twice is listed twice.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn consumers(&self, node: usize) -> &[usize] {
        &self.consumers[node]
    }

    /// The consumer of a node's output, if there is only one and the output is not the graph's.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn sole_consumer(&self, node: usize) -> Option<usize> {
        match *self.consumers(node) {
            [consumer] if node + 1 < self.len() => Some(consumer),
            _ => None,
        }
    }

    /// For each node, the last node that takes its output, or itself if there is none. After that node
    /// the output may be erased.
    #[must_use]
    pub fn last_use(&self) -> Vec<usize> {
        let last = |(node, consumers): (usize, &Vec<usize>)| *consumers.last().unwrap_or(&node);
        self.consumers.iter().enumerate().map(last).collect()
    }

    /// For each node, whether every path from it towards the output meets what is looked for before the
    /// output; `step` says what a path meets at a consumer. For the output itself this is false.
    #[must_use]
    pub fn all_paths_end(&self, step: impl Fn(usize, &O) -> PathStep) -> Vec<bool> {
        let mut ends = vec![false; self.len()];
        for node in (0..self.len().saturating_sub(1)).rev() {
            ends[node] = self.consumers[node].iter().all(|&consumer| {
                match step(consumer, &self.nodes[consumer].op) {
                    PathStep::Ends => true,
                    PathStep::Passes => ends[consumer],
                    PathStep::Blocks => false,
                }
            });
        }
        ends
    }

    /// The nodes that `output` depends on, itself and the input included.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn reaching(&self, output: usize) -> Vec<bool> {
        let mut live = vec![false; self.len()];
        live[output] = true;
        for node in (1..=output).rev() {
            if live[node] {
                self.nodes[node].inputs.iter().for_each(|&i| live[i] = true);
            }
        }
        live
    }

    /// The graph that ends with `output`, without the nodes that it does not depend on.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Width`] if the rest is not a graph that the operations accept as a whole.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn pruned(&self, output: usize) -> Result<Self, Error> {
        let mut rewriter = Rewriter::new(self);
        for (node, _) in self.reaching(output).iter().enumerate().filter(|n| *n.1) {
            rewriter.keep(node);
        }
        Ok(rewriter.finish()?.0)
    }

    /// The largest number of values that a run keeps at one time, where `len` gives the size of a tensor.
    pub(crate) fn live(&self, len: impl Fn(&O::Type) -> usize) -> usize {
        let mut ends = vec![0_usize; self.len()];
        for (node, last) in self.last_use().into_iter().enumerate() {
            ends[last] = ends[last].saturating_add(len(&self.types[node]));
        }
        let (mut now, mut most) = (0_usize, 0);
        for (t, end) in self.types.iter().zip(ends) {
            now = now.saturating_add(len(t));
            most = most.max(now);
            now = now.saturating_sub(end);
        }
        most
    }
}

/// The types follow from the nodes, so the nodes are what is printed and stored.
impl<O: Operator> fmt::Debug for Graph<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}

impl<O: Operator + Serialize> Serialize for Graph<O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.nodes.serialize(serializer)
    }
}

impl<'de, O: Operator + Deserialize<'de>> Deserialize<'de> for Graph<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nodes = Vec::<Node<O>>::deserialize(deserializer)?;
        Self::new(nodes).map_err(de::Error::custom)
    }
}
