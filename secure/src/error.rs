//! What can go wrong.

/// Why a network was not planned, or a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// All layers that cannot be computed by the algorithm asked for, and what would be possible.
    #[error("not possible as asked: {}", .0.join(", "))]
    Refused(Vec<String>),
    /// All operators of a float network that CrypTFlow2 did not have.
    #[error("unsupported operators: {}", .0.join(", "))]
    Unsupported(Vec<String>),
    /// An option that makes no sense.
    #[error("option `{option}`: {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A layer of the graph whose algorithm this program does not have or cannot use for that layer.
    #[error("layer `{layer}`: {problem}")]
    Algorithm {
        /// The layer.
        layer: String,
        /// What is wrong.
        problem: String,
    },
    /// A network that takes more than its [`Limits`](crate::Limits) allow.
    #[error("the network takes {found} {what} or more, and {allowed} are allowed")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many there are up to the layer that exceeds the limit.
        found: u64,
        /// The limit.
        allowed: u64,
    },
    /// The network itself, its weights, or its input.
    #[error(transparent)]
    Nets(#[from] nets::Error),
    /// The channel failed.
    #[error(transparent)]
    Channel(#[from] channel::Error),
    /// A sharing protocol failed.
    #[error(transparent)]
    Sharing(#[from] sharing::Error),
    /// A non-linear protocol failed.
    #[error(transparent)]
    Nonlinear(#[from] nonlinear::Error),
    /// A linear protocol failed.
    #[error(transparent)]
    Linear(#[from] linear::Error),
}
