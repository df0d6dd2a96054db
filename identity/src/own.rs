//! The key and certificate of this party.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64ct::{Base64, Encoding};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use zeroize::Zeroizing;

use crate::subject::common_name;
use crate::verify::check_pinned;
use crate::{Error, Fingerprint, clock, file};

/// How long the certificate of a new identity is valid. Peers pin the key, so that nobody gains by an earlier end.
pub const VALID_FOR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// It begins earlier than now: clocks differ.
const LEEWAY: Duration = Duration::from_secs(24 * 3600);

/// The most characters of a name.
const MAX_NAME: usize = 64;
/// The most certificates that a file may have.
const MAX_CHAIN: usize = 10;

/// A private key, and the certificate that says whose it is.
///
/// A new one is an Ed25519 key with a certificate that it has signed itself. One from elsewhere, in PEM, may be of any kind
/// that TLS 1.3 takes, with the certificates of the authorities between.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// A new key, from the randomness of the operating system, for [`VALID_FOR`]. The name is for people.
    ///
    /// # Errors
    /// [`Error::BadName`] for one that is empty, longer than 64 characters or has control characters;
    /// [`Error::Unusable`] if the system has no randomness; [`Error::Clock`].
    pub fn generate(name: &str) -> Result<Self, Error> {
        let now = clock::now()?;
        Self::generate_for(name, now - LEEWAY, now + VALID_FOR)
    }

    /// The same with a validity of one's own.
    ///
    /// # Errors
    /// As [`Identity::generate`], and [`Error::Unusable`] for times before 1970 or after 9999.
    pub fn generate_for(name: &str, from: SystemTime, until: SystemTime) -> Result<Self, Error> {
        check_name(name)?;
        let unusable = |error: rcgen::Error| Error::Unusable {
            what: error.to_string(),
        };
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(unusable)?;
        let mut params = CertificateParams::new(["blindray".to_owned()]).map_err(unusable)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from)?;
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.self_signed(&key).map_err(unusable)?;
        let der = PrivatePkcs8KeyDer::from(key.serialize_der());
        Self::new(vec![certificate.der().clone()], der.into())
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        let first = chain.first().ok_or(Error::NoCertificate)?;
        let fingerprint = Fingerprint::of(first)?;
        let identity = Self {
            chain,
            key,
            fingerprint,
        };
        identity.certified()?;
        Ok(identity)
    }

    /// Reads a file with a private key and its certificates, the key's own first, in PEM.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Content`] if it does not have both, [`Error::Malformed`] or [`Error::Unusable`] if they are wrong or do not belong
    /// to each other, [`Error::Exposed`] if they are right and others can read them.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let content = |what| Error::content(path, what);
        file::read_private(path, |text| {
            let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
                .map_err(|_| content("it has no private key in PEM"))?;
            let chain = certificates(text).map_err(content)?;
            if chain.is_empty() {
                return Err(content("it has no certificate in PEM"));
            }
            Self::new(chain, key)
        })
    }

    /// Writes it to a new file that only its owner can read; what exists is not overwritten.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut text = Zeroizing::new(String::new());
        let kind = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        text.push_str(&pem(kind, self.key.secret_der()));
        for certificate in &self.chain {
            text.push_str(&pem("CERTIFICATE", certificate));
        }
        file::create_private(path, &text)
    }

    /// What peers know it by.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What its certificate calls it, for people: the common name, if there is one that can be shown.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.chain.first().and_then(|first| common_name(first))
    }

    /// The certificates in PEM, without the key: what an authority or a peer may have.
    #[must_use]
    pub fn certificates(&self) -> String {
        let mut text = String::new();
        for certificate in &self.chain {
            text.push_str(&pem("CERTIFICATE", certificate));
        }
        text
    }

    /// Whether its certificate is what peers take at a moment: signed, for TLS, and valid then.
    ///
    /// # Errors
    /// What a peer whose clock shows that would say: [`Error::Expired`], [`Error::NotYetValid`], or another one.
    pub fn valid_at(&self, moment: SystemTime) -> Result<(), Error> {
        let now = UnixTime::since_unix_epoch(since_1970(moment)?);
        let (own, between) = self.chain.split_first().ok_or(Error::NoCertificate)?;
        check_pinned(own, between, now).map_err(|error| Error::sorted(error, self.fingerprint))
    }

    /// For TLS, which checks that key and certificate belong to each other.
    pub(crate) fn certified(&self) -> Result<rustls::sign::CertifiedKey, Error> {
        let provider = crate::tls::provider();
        let certified = rustls::sign::CertifiedKey::from_der(
            self.chain.clone(),
            self.key.clone_key(),
            &provider,
        );
        certified.map_err(|error| Error::Unusable {
            what: error.to_string(),
        })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// All certificates of a text.
pub(crate) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found = CertificateDer::pem_slice_iter(text.as_bytes()).take(MAX_CHAIN + 1);
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|_| "its PEM is broken")?;
    if found.len() > MAX_CHAIN {
        return Err("it has more than 10 certificates");
    }
    Ok(found)
}

fn check_name(name: &str) -> Result<(), Error> {
    let what = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().count() > MAX_NAME {
        "it is longer than 64 characters"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return Ok(());
    };
    let name = name.chars().take(MAX_NAME).collect();
    Err(Error::BadName { name, what })
}

/// A moment that a certificate can name, in whole seconds.
fn since_1970(moment: SystemTime) -> Result<Duration, Error> {
    /// The first second of the year 10000.
    const END: u64 = 253_402_300_800;
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).ok();
    let seconds = since.map(|since| since.as_secs());
    let seconds = seconds.filter(|&seconds| seconds < END);
    let seconds = seconds.ok_or_else(|| Error::Unusable {
        what: "a certificate is valid within the years 1970 to 9999".to_owned(),
    })?;
    Ok(Duration::from_secs(seconds))
}

fn pem(kind: &str, der: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(Base64::encode_string(der));
    let mut text = Zeroizing::new(format!("-----BEGIN {kind}-----\n"));
    for line in digits.as_bytes().chunks(64) {
        line.iter().for_each(|&byte| text.push(char::from(byte)));
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(kind);
    text.push_str("-----\n");
    text
}
