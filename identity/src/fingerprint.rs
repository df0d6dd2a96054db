//! The short name of a public key.

use std::fmt::{Debug, Display, Formatter, Result as FmtResult};
use std::str::FromStr;

use base64ct::{Base64Unpadded, Encoding};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use crate::Error;

const KIND: &str = "SHA256:";

/// SHA-256 of a public key (its `SubjectPublicKeyInfo`), written `SHA256:` and 43 characters, as SSH does.
///
/// It names the key and not the certificate: a certificate that is made anew for the same key has the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of its bytes.
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of the key of a certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = ParsedCertificate::try_from(certificate).map_err(|_| Error::Malformed)?;
        Ok(Self(
            Sha256::digest(parsed.subject_public_key_info()).into(),
        ))
    }
}

impl Display for Fingerprint {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(f, "{KIND}{}", Base64Unpadded::encode_string(&self.0))
    }
}

impl Debug for Fingerprint {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::NoFingerprint {
            text: text.chars().take(64).collect(),
        };
        let mut digest = [0; 32];
        let decoded = text
            .strip_prefix(KIND)
            .and_then(|digits| Base64Unpadded::decode(digits, &mut digest).ok());
        match decoded {
            Some(bytes) if bytes.len() == 32 => Ok(Self(digest)),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_survives_its_text() {
        let print = Fingerprint(std::array::from_fn(|i| u8::try_from(i * 7 % 256).unwrap()));
        let text = print.to_string();
        assert_eq!(text.len(), 7 + 43);
        assert_eq!(text.parse::<Fingerprint>().unwrap(), print);
        for bad in [
            "",
            "SHA256:",
            &text[1..],
            &text[..49],
            &format!("{text}A"),
            &format!("{text}="),
            &text.replace("SHA256", "sha256"),
            &text.replace("SHA256:", "SHA256:-"),
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
        // The last character has two bits that mean nothing: one text for each fingerprint.
        let last = text.chars().last().unwrap();
        for other in ('A'..='Z').chain('a'..='z').filter(|&c| c != last) {
            let other = format!("{}{other}", &text[..49]);
            if let Ok(parsed) = other.parse::<Fingerprint>() {
                assert_ne!(parsed, print);
            }
        }
    }
}
