//! What can go wrong in this crate.

/// An impossible layer, parameters or inputs that are not the layer's, or a protocol that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dimension that must be positive is zero.
    #[error("the {what} of a layer must not be zero")]
    Zero {
        /// The dimension.
        what: &'static str,
    },
    /// The number of groups does not divide the numbers of channels.
    #[error("{groups} groups do not divide {input} input and {output} output channels")]
    Groups {
        /// Number of groups.
        groups: usize,
        /// Number of input channels.
        input: usize,
        /// Number of output channels.
        output: usize,
    },
    /// The kernel is larger than the padded input.
    #[error(
        "a kernel that covers {kernel} rows or columns is larger than the padded input of {padded}"
    )]
    Kernel {
        /// Rows or columns that the kernel covers, dilation included.
        kernel: usize,
        /// Rows or columns of the input with its padding.
        padded: usize,
    },
    /// Sizes or costs that exceed the integers of this machine.
    #[error("a layer is too large: its sizes cannot be counted on this machine")]
    TooLarge,
    /// The number of weights or biases is not that of the layer.
    #[error("{weights} weights and {biases} biases were given, which the layer does not have")]
    Parameters {
        /// Number of weights that were given.
        weights: usize,
        /// Number of biases that were given.
        biases: usize,
    },
    /// The number of inputs is not that of the layer.
    #[error("a layer of {expected} inputs was given {actual}")]
    Inputs {
        /// Number of inputs of the layer.
        expected: usize,
        /// Number of inputs that were given.
        actual: usize,
    },
    /// An error of a back-end in another crate.
    #[error("{0}")]
    Backend(Box<dyn std::error::Error + Send + Sync>),
    /// A weight exceeds its declared width.
    #[error("weight {index} does not fit in {bits} bits")]
    WeightRange {
        /// The position of the weight among the weights.
        index: usize,
        /// The declared width.
        bits: u32,
    },
    /// An item of a batch reads or writes outside of its operands.
    #[error("item {item} of a batch of products reaches beyond the {operand}")]
    OutOfBounds {
        /// The number of the item.
        item: usize,
        /// The operand: input, weights or output.
        operand: &'static str,
    },
    /// Items of different rings write to overlapping ranges of the output.
    #[error("items of different rings write to the same part of the output")]
    MixedRings,
    /// The session lacks what a protocol needs in it.
    #[error("the session has no {item} yet")]
    NotSetUp {
        /// The name of the item.
        item: String,
    },
    /// The peer encrypted something for another session or layer.
    #[error("the encrypted inputs are those of another session or layer")]
    OtherRequests,
    /// The peer's bytes are no keys, or no ciphertexts.
    #[error(transparent)]
    Rlwe(#[from] rlwe::Error),
    /// The session or the peer failed.
    #[error(transparent)]
    Sharing(#[from] sharing::Error),
}

impl From<ot::Error> for Error {
    fn from(error: ot::Error) -> Self {
        Self::Sharing(error.into())
    }
}
