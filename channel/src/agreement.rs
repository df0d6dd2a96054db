//! What two parties must have in common, as bytes that both make alike.

use crate::error::Digest;

/// Named numbers that both parties must have alike, each in the order in which it is added.
///
/// The bytes that are hashed are, entry by entry: the length of the name and the name, then the number; lengths and
/// numbers as eight bytes, the least significant first. No two lists have the same bytes.
///
/// ```
/// use channel::Agreement;
///
/// let one = Agreement::new().with(&[("batch", 16), ("radix", 4)]);
/// let other = Agreement::new().with(&[("batch", 16)]).with(&[("radix", 4)]);
/// assert_eq!(one.digest(), other.digest());
/// assert_ne!(one.digest(), Agreement::new().with(&[("batch", 17)]).digest());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    bytes: Vec<u8>,
}

impl Agreement {
    /// Nothing to agree on yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With these entries more.
    #[must_use]
    pub fn with(mut self, entries: &[(&str, u64)]) -> Self {
        for (name, number) in entries {
            self.bytes.extend((name.len() as u64).to_le_bytes());
            self.bytes.extend(name.as_bytes());
            self.bytes.extend(number.to_le_bytes());
        }
        self
    }

    /// BLAKE3 of the entries, for [`Terms::parameters`](crate::Terms::parameters).
    #[must_use]
    pub fn digest(&self) -> Digest {
        blake3::hash(&self.bytes).into()
    }
}
