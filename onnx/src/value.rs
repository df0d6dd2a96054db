//! What a name in the file stands for while the graph is lowered.

use std::rc::Rc;

use crate::array::Array;
use crate::ops::Levels;

/// The value of a name.
#[derive(Clone)]
pub(crate) enum Value {
    /// A constant, known without any image.
    Const(Rc<Array>),
    /// Computed from the image.
    Feature(Feature),
    /// The output of an operator that is not known.
    Unknown,
}

/// The output of a node of the network, with what is still to be done to it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Feature {
    /// The node of the network's graph.
    pub(crate) node: usize,
    /// Its dimensions as ONNX has them. The first is the batch, which is 1.
    pub(crate) dims: Vec<usize>,
    /// What is still to be done to the node's output.
    pub(crate) view: View,
    /// The node that asked for the view, for messages and names.
    pub(crate) label: String,
    /// Whether nothing else takes the node's output.
    pub(crate) alone: bool,
}

/// What is still to be done to a node's output, as part of a pattern that spans several ONNX nodes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum View {
    /// Nothing.
    Plain,
    /// Take rows and columns at these steps.
    Strided([usize; 2]),
    /// Add zeros above, left, below, right.
    Padded([usize; 4]),
    /// Channels were split into this number of groups, which are a further dimension.
    Grouped(usize),
    /// Channels were taken from this number of groups in turn, still with a further dimension.
    Shuffled(usize),
    /// (x + 3) times this factor: a hard-sigmoid may follow.
    Ramp(f32),
    /// Hard-sigmoid, clip(x + 3, 0, 6) / 6, times this factor.
    Gate(f32),
    /// Integers of a grid, which are not read as numbers again yet.
    Levels(Levels),
    /// Hard-swish times this factor.
    Swish(f32),
}
