//! The key that others are derived from.

use base64ct::{Base64, Base64Unpadded, Encoding};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::Error;

/// Bytes of a key.
const LEN: usize = 32;

/// A secret of 32 bytes from which every object gets a key of its own. Overwritten when it is dropped, and never shown.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Key([u8; LEN]);

impl Key {
    /// A key of these bytes, which must be good randomness.
    #[must_use]
    pub const fn new(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Reads 32 bytes in base64, padded or not, with blanks and line ends around them: the one form of keys in files, in the environment,
    /// and from key management services.
    ///
    /// # Errors
    /// [`Error::NoKey`] for anything else.
    pub fn from_text(text: &[u8]) -> Result<Self, Error> {
        let text = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; LEN]);
        // Decoded without branches or tables that depend on the digits.
        let decoded = match text.last() {
            Some(b'=') => Base64::decode(text, bytes.as_mut_slice()).map(<[u8]>::len),
            _ => Base64Unpadded::decode(text, bytes.as_mut_slice()).map(<[u8]>::len),
        };
        match decoded {
            Ok(LEN) => Ok(Self(*bytes)),
            _ => Err(Error::NoKey),
        }
    }

    /// The key in base64, for a file that its owner alone can read.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(Base64::encode_string(&self.0))
    }

    pub(crate) const fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}
