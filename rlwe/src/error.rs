//! What a peer's bytes can be refused for.

/// Bytes of the other party that are no key, no request and no response. They are refused before anything is computed with them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are too many or too few.
    #[error("{what} must have {expected} bytes, not {actual}")]
    Length {
        /// What the bytes were taken for.
        what: &'static str,
        /// The bytes that it has.
        expected: usize,
        /// The bytes that came.
        actual: usize,
    },
    /// A coefficient is not below its modulus, so no party that keeps to the protocol has sent it.
    #[error("coefficient {index} of {what} is out of range")]
    OutOfRange {
        /// What the bytes were taken for.
        what: &'static str,
        /// The place of the coefficient in its polynomial.
        index: usize,
    },
    /// There is a packing key for every level already.
    #[error("there are packing keys for {levels} levels, and no more levels than that")]
    TooManyLevels {
        /// The levels there are.
        levels: u32,
    },
}

/// Whether these are the bytes that `what` has.
pub(crate) const fn check_len(
    what: &'static str,
    bytes: &[u8],
    expected: usize,
) -> Result<(), Error> {
    let actual = bytes.len();
    if actual == expected {
        return Ok(());
    }
    Err(Error::Length {
        what,
        expected,
        actual,
    })
}
