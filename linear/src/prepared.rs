//! What a protocol makes of a layer's parameters.

use std::any::Any;
use std::fmt;

/// What a protocol keeps of a layer's parameters between runs. `Debug` prints only the size. The value
/// erases itself when it is dropped.
pub struct Prepared {
    value: Box<dyn Any + Send + Sync>,
    bytes: usize,
}

impl Prepared {
    /// Nothing is kept: the weights are used as they are.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new((), 0)
    }

    /// Keeps a value that takes `bytes` of memory and erases itself when it is dropped.
    #[must_use]
    pub fn new(value: impl Any + Send + Sync, bytes: usize) -> Self {
        let value = Box::new(value);
        Self { value, bytes }
    }

    /// The value, if it is of this type.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The memory that the value takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
