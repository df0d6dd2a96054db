//! What can go wrong.

/// Why a network was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is none of [`crate::BACKBONES`].
    #[error("unknown network `{name}`; known: {known}")]
    UnknownNetwork {
        /// The name given.
        name: String,
        /// The known names.
        known: String,
    },
    /// Metadata of a weights file that is unusable.
    #[error("metadata `{key}`: {problem}")]
    Metadata {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// An X-operator that cannot stand in place of a convolution.
    #[error("layer `{node}`: {source}")]
    XOp {
        /// The convolution.
        node: String,
        /// Why not.
        source: xop::Error,
    },
    /// A network in which X-operators replace nothing.
    #[error(
        "there is no dense convolution larger than 1 x 1 besides the first and the last layer; \
         `pointwise` replaces those of 1 x 1"
    )]
    NothingToReplace,
    /// The network itself, or its weights.
    #[error(transparent)]
    Nets(#[from] nets::Error),
}

impl Error {
    pub(crate) fn xop(node: &str, source: xop::Error) -> Self {
        let node = node.to_owned();
        Self::XOp { node, source }
    }
}
