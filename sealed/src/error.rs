//! Why something does not open.

use thiserror::Error as ThisError;

/// Why something does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// It does not begin as sealed objects do.
    #[error("this is nothing that was sealed")]
    NotSealed,
    /// Another version made it.
    #[error("it is sealed by version {found} of the format, and this program knows version 1")]
    Version {
        /// The version it says.
        found: u32,
    },
    /// It is shorter or longer than it says.
    #[error(
        "it says that it has {said} bytes and has {found}: it was cut off, or something was added"
    )]
    Length {
        /// Bytes that there should be in all.
        said: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The key is another than the one it was sealed with, or its purpose is.
    #[error("it was sealed with another key, or for another purpose")]
    WrongKey,
    /// The key is right, and the content is not what was sealed in this context.
    #[error("it was changed after it was sealed, or belongs elsewhere")]
    Changed,
    /// A text is no key.
    #[error("a key is 32 bytes in base64 (44 characters), as `openssl rand -base64 32` prints it")]
    NoKey,
}
