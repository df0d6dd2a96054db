//! The errors of this crate.

/// What can go wrong in a protocol, or in the description of a pooling layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The layer below failed: the stream, or a peer that broke its format.
    #[error(transparent)]
    Sharing(#[from] sharing::Error),
    /// A pooling window without positions, or one that does not move.
    #[error("a pooling window of {kernel} with stride {stride} is empty or does not move")]
    EmptyWindow {
        /// Extent of the kernel.
        kernel: usize,
        /// Stride along the same direction.
        stride: usize,
    },
    /// A pooling window larger than the padded input.
    #[error("a pooling window of {kernel} does not fit a padded input of {padded}")]
    WindowTooLarge {
        /// Extent of the kernel.
        kernel: usize,
        /// Padded extent of the input along the same direction.
        padded: usize,
    },
    /// A pooling window that would hold no value.
    #[error("padding by {before} and {after} leaves a pooling window of {kernel} without a value")]
    WindowOfPadding {
        /// Extent of the kernel.
        kernel: usize,
        /// Padding before the input.
        before: usize,
        /// Padding behind the input.
        after: usize,
    },
}
