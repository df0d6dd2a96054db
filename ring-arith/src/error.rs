//! What can be wrong with values that come from outside.

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bitwidth outside 1..=64.
    #[error("bitwidth {bits} is not in 1..=64")]
    BitsOutOfRange {
        /// The width that was asked for.
        bits: u32,
    },
}
