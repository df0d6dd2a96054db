//! What a failed command tells its caller: one sentence, and an exit code that says whose fault it is.

use std::fmt;

use crate::plain;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or bad input: exit code 2.
    Input(String),
    /// It ran and failed: exit code 1.
    Run(String),
    /// Whoever read the results has closed its end of the pipe, as `head` does: exit code 141, as shells have it for a
    /// program that the signal of a closed pipe ends.
    ClosedPipe,
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn input(cause: impl fmt::Display) -> Self {
        Self::Input(cause.to_string())
    }

    pub(crate) fn run(cause: impl fmt::Display) -> Self {
        Self::Run(cause.to_string())
    }

    /// Says on which image it failed.
    pub(crate) fn with(self, image: &str) -> Self {
        match self {
            Self::Input(cause) => Self::Input(format!("image {image}: {cause}")),
            Self::Run(cause) => Self::Run(format!("image {image}: {cause}")),
            Self::ClosedPipe => Self::ClosedPipe,
        }
    }

    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Run(_) => 1,
            Self::ClosedPipe => 141,
        }
    }
}

/// A session that failed ran.
impl From<service::Error> for Failure {
    fn from(error: service::Error) -> Self {
        Self::run(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(cause) | Self::Run(cause) => f.write_str(&plain::for_people(cause)),
            Self::ClosedPipe => f.write_str("nobody reads the results any more"),
        }
    }
}
