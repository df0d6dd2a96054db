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
    #[error(
        "the file has opset {found}; this program reads opsets {} to {}",
        crate::OPSETS.start(),
        crate::OPSETS.end()
    )]
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
    /// A function of the file that cannot be used.
    #[error("function `{function}`: {problem}")]
    Function {
        /// Its domain, name and overload.
        function: String,
        /// What is wrong.
        problem: String,
    },
    /// Every kind of operator in the file that Blindray does not have.
    #[error("unsupported operators: {}", list(.0))]
    Unsupported(Vec<Unsupported>),
    /// The network does not fit together.
    #[error(transparent)]
    Nets(#[from] nets::Error),
}

/// A kind of operator that Blindray does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unsupported {
    /// The operator.
    pub op: String,
    /// The first node.
    pub node: String,
    /// Which form of it is not supported; empty if the operator as such is unknown.
    pub why: String,
    /// How many nodes there are of this kind.
    pub count: usize,
}

impl Unsupported {
    pub(crate) fn new(
        op: impl Into<String>,
        node: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            op: op.into(),
            node: node.into(),
            why: why.into(),
            count: 1,
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", cut(&self.op), cut(&self.node))?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        match self.count {
            1 => Ok(()),
            count => write!(f, ", {count} times"),
        }
    }
}

/// A name short enough for a list of them.
fn cut(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// The most characters of a name in a list.
const MAX_NAME: usize = 48;
/// The most bytes of a list.
const MAX_LIST: usize = 1700;

/// All kinds, as far as there is room.
fn list(all: &[Unsupported]) -> String {
    let mut text = String::new();
    for (index, one) in all.iter().enumerate() {
        let next = one.to_string();
        if text.len() + next.len() > MAX_LIST && index > 0 {
            return format!("{text}; and {} more kinds", all.len() - index);
        }
        if index > 0 {
            text.push_str("; ");
        }
        text.push_str(&next);
    }
    text
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
    /// Another node, whose output it takes, is right, but Blindray does not have it.
    Elsewhere(Unsupported),
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
