//! What a name in the file stands for while the graph is lowered.

use std::mem::discriminant;
use std::rc::Rc;

use crate::array::Array;
use crate::layout::Layout;

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

/// A tensor that is computed from the image: `scale · form(x) + shift`, where x is the output of a node.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Feature {
    /// The node of the network's graph.
    pub(crate) node: usize,
    /// The dimensions as ONNX has them, and where their values lie in the node's output.
    pub(crate) layout: Layout,
    /// The function of the node's output that is still to be computed.
    pub(crate) form: Form,
    /// The factor after that.
    pub(crate) scale: f64,
    /// What is added after that.
    pub(crate) shift: f64,
    /// The node of the file that asked for the form, for messages and names.
    pub(crate) label: String,
    /// The node of the file that the form began with, for messages.
    pub(crate) origin: String,
    /// Whether nothing else takes the node's output.
    pub(crate) alone: bool,
}

impl Feature {
    pub(crate) fn dims(&self) -> &[usize] {
        &self.layout.dims
    }

    /// Whether it is the node's output, with nothing left to be computed.
    pub(crate) fn is_plain(&self) -> bool {
        self.form == Form::Itself && self.is_unscaled()
    }

    /// Whether nothing is left to be computed but the form.
    #[expect(clippy::float_cmp, reason = "exactly these say that nothing is done")]
    pub(crate) fn is_unscaled(&self) -> bool {
        self.scale == 1.0 && self.shift == 0.0
    }

    /// The same tensor with its axes in another order.
    pub(crate) fn permuted(self, order: &[usize]) -> Self {
        Self {
            layout: self.layout.permuted(order),
            ..self
        }
    }

    /// The result of an operation on `x`, led by `axis`, after which that axis has another length.
    pub(crate) fn with_side(self, x: &Self, axis: usize, side: usize) -> Self {
        let mut dims = x.dims().to_vec();
        dims[axis] = side;
        let others = (0..dims.len()).filter(|&other| other != axis);
        let order: Vec<usize> = std::iter::once(axis).chain(others).collect();
        let sides = order.iter().map(|&axis| dims[axis]).collect();
        Self {
            layout: Layout::row_major(sides).restored(&order),
            ..self
        }
    }

    /// The same tensor after another form, or the same with other numbers.
    pub(crate) fn with(self, form: Form, scale: f64, shift: f64, label: String) -> Self {
        let same = discriminant(&form) == discriminant(&self.form);
        Self {
            form,
            scale,
            shift,
            origin: if same { self.origin } else { label.clone() },
            label,
            ..self
        }
    }
}

/// A function of the output of a node that is part of a pattern of several ONNX nodes, or that the operation behind it
/// takes in. It is carried out where neither is so.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Form {
    /// x.
    Itself,
    /// Values around the image: so many above, left, below, right, and which.
    Padded([usize; 4], f32),
    /// clip(x + 3, 0, 6) / 6.
    Gate,
    /// x · clip(x + 3, 0, 6) / 6.
    Swish,
    /// σ(factor·x).
    Sigmoid(f64),
    /// x·σ(factor·x).
    Silu(f64),
    /// x².
    Square,
    /// linear·x + cube·x³.
    Cubic(f64, f64),
    /// erf(factor·x).
    Erf(f64),
    /// tanh(linear·x + cube·x³).
    TanhOfCubic(f64, f64),
    /// x·Φ(x).
    Gelu,
    /// The approximation of [`Form::Gelu`] by a hyperbolic tangent.
    GeluTanh,
    /// e^(factor·x).
    Exp(f64),
    /// ln(1 + e^(factor·x)).
    Softplus(f64),
    /// 1 where x is above the bound, else 0.
    Above(f64),
    /// 0 where x is above the bound, else 1.
    Below(f64),
    /// tanh(ln(1 + e^x)).
    TanhOfSoftplus,
    /// The integers of a grid, which are not read as numbers again yet; x is what they stand for.
    Quantised {
        /// The distance of neighbours.
        scale: f32,
        /// The integer that stands for zero.
        zero: i64,
    },
    /// x·tanh(ln(1 + e^x)).
    Mish,
    /// x, and behind its values those of the other images of a fixed batch, all as one list.
    Batched,
    /// A softmax over all values.
    Softmax,
    /// The logarithm of a softmax over all values.
    LogSoftmax,
    /// The number of the largest of all values.
    ArgMax,
}
