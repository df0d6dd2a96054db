//! Why an algorithm cannot compute a layer.

use crate::Error;

/// The reason why an algorithm cannot compute a layer. `Display` says what can.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{advice}")]
pub struct Refusal {
    advice: String,
    short: Option<String>,
}

impl Refusal {
    /// A refusal with advice for a user who insists on the algorithm: the reason, and what to use instead.
    #[must_use]
    pub fn new(advice: impl Into<String>) -> Self {
        Self {
            advice: advice.into(),
            short: None,
        }
    }

    /// Adds the reason in a few words, for lists of candidates. A refusal without is left out there,
    /// because nobody would expect the algorithm to be possible.
    #[must_use]
    pub fn because(mut self, short: impl Into<String>) -> Self {
        self.short = Some(short.into());
        self
    }

    /// The reason in a few words.
    #[must_use]
    pub fn short(&self) -> Option<&str> {
        self.short.as_deref()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}
