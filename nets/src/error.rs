//! What can go wrong.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `"read"` or `"write"`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An error in a named file.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Self>,
    },
    /// Not a model file.
    #[error("not a Blindray model file: {0}")]
    NotAModel(String),
    /// A model file of another format version.
    #[error("the model file has format {found}; this program reads format {expected}")]
    FormatVersion {
        /// The version this program reads.
        expected: u32,
        /// The version in the file.
        found: u32,
    },
    /// A model file or a public part of a model that contradicts itself.
    #[error("damaged model: {0}")]
    Damaged(String),
    /// The bytes are no safetensors file.
    #[error("not a readable safetensors file: {0}")]
    Safetensors(String),
    /// A tensor the network needs is not in the file.
    #[error("tensor `{tensor}` is missing")]
    MissingTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape than the network needs.
    #[error("tensor `{tensor}` has shape {found:?}, the network needs {expected:?}")]
    TensorShape {
        /// Its name.
        tensor: String,
        /// The shape the network needs.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// A tensor holds something other than finite `f32` numbers.
    #[error("tensor `{tensor}`: {problem}")]
    TensorContent {
        /// Its name.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// The shapes of a graph do not fit together.
    #[error("layer `{node}`: {problem}")]
    Shape {
        /// The node.
        node: String,
        /// What is wrong.
        problem: String,
    },
    /// The widths or scales of an integer graph do not fit together.
    #[error("layer `{node}`: {problem}")]
    Width {
        /// The node.
        node: String,
        /// What is wrong.
        problem: String,
    },
    /// Metadata of a weights file that is missing or unusable.
    #[error("metadata `{key}`: {problem}")]
    Metadata {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A model whose outputs cannot be opened in that way.
    #[error("opening {opening}: {problem}")]
    Opening {
        /// The way.
        opening: crate::Opening,
        /// What is wrong.
        problem: String,
    },
    /// An image that cannot be used.
    #[error("image: {0}")]
    Picture(String),
    /// An input of the wrong length.
    #[error("the network takes {expected} input values, and {found} are given")]
    InputLength {
        /// Values needed.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// Weights that do not belong to the graph.
    #[error("weights of layer `{node}`: {problem}")]
    Weights {
        /// The node.
        node: String,
        /// What is wrong.
        problem: String,
    },
}

impl Error {
    /// The same error with the name of the file in which it lies.
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        Self::InFile {
            path: path.to_path_buf(),
            source: Box::new(self),
        }
    }

    /// The error for a node whose shapes do not fit.
    #[must_use]
    pub fn shape(node: &str, problem: impl Into<String>) -> Self {
        Self::Shape {
            node: node.to_owned(),
            problem: problem.into(),
        }
    }

    /// The error for a node whose widths or scales do not fit.
    #[must_use]
    pub fn width(node: &str, problem: impl Into<String>) -> Self {
        Self::Width {
            node: node.to_owned(),
            problem: problem.into(),
        }
    }
}
