//! What can go wrong in this crate.

/// A layer that cannot be, weights that are not what they were declared, or a failed protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dimension that must be positive is zero.
    #[error("the {what} of a layer must not be zero")]
    Zero {
        /// Which one.
        what: &'static str,
    },
    /// Channels do not split evenly into groups.
    #[error("{groups} groups do not divide {input} input and {output} output channels")]
    Groups {
        /// Groups.
        groups: usize,
        /// Input channels.
        input: usize,
        /// Output channels.
        output: usize,
    },
    /// The kernel is larger than the padded input.
    #[error("a kernel of {kernel} does not fit a padded input of {padded}")]
    Kernel {
        /// Rows or columns of the kernel.
        kernel: usize,
        /// Rows or columns of the input with its padding.
        padded: usize,
    },
    /// Sizes beyond what this machine can count.
    #[error("a layer is too large for this machine")]
    TooLarge,
    /// Another number of parameters than the layer has.
    #[error("{weights} weights and {biases} biases are not those of the layer")]
    Parameters {
        /// Weights given.
        weights: usize,
        /// Biases given.
        biases: usize,
    },
    /// Another number of inputs than the layer has.
    #[error("a layer of {expected} inputs is given {actual}")]
    Inputs {
        /// Inputs of the layer.
        expected: usize,
        /// Inputs given.
        actual: usize,
    },
    /// A protocol of another crate failed, or its layer is impossible.
    #[error("{0}")]
    Backend(Box<dyn std::error::Error + Send + Sync>),
    /// A weight outside the declared width.
    #[error("weight {index} does not fit in {bits} bits")]
    WeightRange {
        /// Its position in the weights.
        index: usize,
        /// The declared width.
        bits: u32,
    },
    /// An item of a batch reaches outside its operands.
    #[error("product {item} of a batch reaches beyond its {operand}")]
    OutOfBounds {
        /// The number of the item.
        item: usize,
        /// Which operand.
        operand: &'static str,
    },
    /// Items of different rings write to overlapping ranges of the output.
    #[error("products of different rings share outputs")]
    MixedRings,
    /// The session or the peer failed.
    #[error(transparent)]
    Sharing(#[from] sharing::Error),
}

impl From<ot::Error> for Error {
    fn from(error: ot::Error) -> Self {
        Self::Sharing(error.into())
    }
}
