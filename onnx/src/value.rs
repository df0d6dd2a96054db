//! What a name in the file stands for while the graph is lowered.

use std::rc::Rc;

use crate::array::Array;

/// The value of a name.
#[derive(Clone)]
pub(crate) enum Value {
    /// Known before any image is.
    Const(Rc<Array>),
    /// Computed from the image.
    Feature(Feature),
    /// The output of an operator nobody knows.
    Unknown,
}

/// The output of a node of the network, seen through a view.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Feature {
    /// The node of the network's graph.
    pub(crate) node: usize,
    /// Its shape as ONNX has it; the first is the batch of one.
    pub(crate) dims: Vec<usize>,
    /// What is still to be done to the node's output.
    pub(crate) view: View,
    /// Who made the view, for messages and names.
    pub(crate) label: String,
    /// Whether nobody else takes the node's output.
    pub(crate) alone: bool,
}

/// What is still to be done to a node's output: parts of a pattern that spans several ONNX nodes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum View {
    /// Nothing.
    Plain,
    /// Every so-many-th row and column.
    Strided([usize; 2]),
    /// Zeros above, left, below, right.
    Padded([usize; 4]),
    /// Channels as so many groups, one more dimension.
    Grouped(usize),
    /// Channels taken from these groups in turn, still one more dimension.
    Shuffled(usize),
    /// x + 3, times this: a hard-sigmoid may follow.
    Ramp(f32),
    /// Hard-sigmoid times this: clip(x + 3, 0, 6) / 6.
    Gate(f32),
    /// Hard-swish times this.
    Swish(f32),
}
