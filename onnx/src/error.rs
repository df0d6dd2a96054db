//! What can go wrong.

use std::fmt;
use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
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
    /// The bytes are no ONNX model.
    #[error("not a readable ONNX file: {0}")]
    NotOnnx(String),
    /// More than this crate accepts.
    #[error("too large: {what} exceed {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        limit: usize,
    },
    /// An opset that this crate does not read.
    #[error("the file has opset {found}; this program reads opsets 9 to 21")]
    Opset {
        /// The version in the file.
        found: i64,
    },
    /// Inputs or outputs of the graph that cannot be used.
    #[error("{0}")]
    Graph(String),
    /// A constant that cannot be used.
    #[error("tensor `{tensor}`: {problem}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// A node that contradicts the ONNX standard or the tensors it takes.
    #[error("{op} `{node}`: {problem}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// What is wrong.
        problem: String,
    },
    /// Every operator of the file that Blindray does not have.
    #[error("unsupported operators: {}", list(.0))]
    Unsupported(Vec<Unsupported>),
    /// The network does not fit together.
    #[error(transparent)]
    Nets(#[from] nets::Error),
}

/// One operator that Blindray does not have.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Unsupported {
    /// The operator.
    pub op: String,
    /// The node.
    pub node: String,
    /// Which form of it is not supported; empty if the operator as such is unknown.
    pub why: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.op, self.node)?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        Ok(())
    }
}

fn list(all: &[Unsupported]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

impl Error {
    pub(crate) fn tensor(tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor {
            tensor: crate::node::readable(tensor),
            problem: problem.into(),
        }
    }
}

/// Why one node was not lowered.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The node is wrong.
    Invalid(String),
    /// The node is right, but Blindray does not have it.
    Unsupported(String),
    /// Something else is wrong.
    Other(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<nets::Error> for Fault {
    fn from(error: nets::Error) -> Self {
        Self::Other(error.into())
    }
}

/// A node that contradicts itself.
pub(crate) fn invalid<T>(problem: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Invalid(problem.into()))
}

/// A node that Blindray does not have.
pub(crate) fn unsupported<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unsupported(why.into()))
}
