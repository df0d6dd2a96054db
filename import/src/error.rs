//! What can go wrong.

/// Why a network was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// All operators of the network that have no form in integers.
    #[error("unsupported operators: {}", .0.join(", "))]
    Unsupported(Vec<String>),
    /// An option that is out of its range.
    #[error("option `{option}`: {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The network itself, its parameters, or widths that do not fit.
    #[error(transparent)]
    Nets(#[from] nets::Error),
}

impl Error {
    /// The error for a layer whose widths do not fit.
    pub(crate) fn width(node: &str, problem: impl Into<String>) -> Self {
        nets::Error::width(node, problem).into()
    }

    /// Whether other widths might do.
    #[must_use]
    pub const fn is_width(&self) -> bool {
        matches!(self, Self::Nets(nets::Error::Width { .. }))
    }
}
