//! Whether the party at the other end is one to speak with: what TLS asks in its handshake.
//!
//! Who is pinned is known by its key alone. Its certificate must all the same be what it says: signed, by that key, for
//! TLS, and valid now; and the handshake is signed by the key, which TLS's library checks.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    SignatureScheme,
};

use crate::tls::provider;
use crate::{Authority, Clients, Error, Fingerprint};

/// What a client asks of a server.
#[derive(Debug)]
pub(crate) enum ServerCheck {
    Pinned(Fingerprint),
    /// This party's own key is the only one that it knows.
    Unknown {
        own: Fingerprint,
    },
    Authority {
        verifier: Arc<WebPkiServerVerifier>,
        name: ServerName<'static>,
    },
}

/// What a server asks of a client.
#[derive(Debug)]
pub(crate) enum ClientCheck {
    Any,
    /// This party's own key.
    Own(Fingerprint),
    Listed(Arc<Clients>),
    Authority {
        verifier: Arc<dyn ClientCertVerifier>,
        /// In the form in which they are compared, and as they were given.
        names: Vec<(ServerName<'static>, String)>,
    },
}

impl ServerCheck {
    /// # Errors
    /// [`Error::BadName`], or [`Error::Unusable`].
    pub(crate) fn by(authority: &Authority, host: &str) -> Result<Self, Error> {
        let name = server_name(host)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(authority.roots(), provider())
            .build()
            .map_err(|error| Error::Unusable {
                what: error.to_string(),
            })?;
        Ok(Self::Authority { verifier, name })
    }

    /// For people.
    pub(crate) fn name(&self, key: Fingerprint) -> String {
        match self {
            Self::Pinned(_) | Self::Unknown { .. } => key.to_string(),
            Self::Authority { name, .. } => name.to_str().into_owned(),
        }
    }
}

impl ClientCheck {
    /// # Errors
    /// [`Error::BadName`], or [`Error::Unusable`].
    pub(crate) fn by(authority: &Authority, names: &BTreeSet<String>) -> Result<Self, Error> {
        let pair = |name: &String| Ok((server_name(name)?, name.clone()));
        let names = names.iter().map(pair).collect::<Result<_, Error>>()?;
        let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider())
            .build()
            .map_err(|error| Error::Unusable {
                what: error.to_string(),
            })?;
        Ok(Self::Authority { verifier, names })
    }

    /// What this client is called here.
    ///
    /// # Errors
    /// [`Error::UnknownClient`], or [`Error::Malformed`].
    pub(crate) fn name(
        &self,
        certificate: &CertificateDer<'_>,
        key: Fingerprint,
    ) -> Result<String, Error> {
        let unknown = || Error::UnknownClient { found: key };
        match self {
            Self::Any => Ok(key.to_string()),
            Self::Own(own) if *own == key => Ok("this machine's own key".to_owned()),
            Self::Own(_) => Err(unknown()),
            Self::Listed(clients) => clients.name(&key).ok_or_else(unknown),
            Self::Authority { names, .. } => {
                let parsed =
                    ParsedCertificate::try_from(certificate).map_err(|_| Error::Malformed)?;
                let has = |name| verify_server_name(&parsed, name).is_ok();
                let found = names.iter().find(|(name, _)| has(name));
                found.map(|(_, name)| name.clone()).ok_or_else(unknown)
            }
        }
    }
}

/// # Errors
/// [`Error::BadName`].
fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|_| Error::BadName {
        name: name.chars().take(64).collect(),
        what: "a certificate's name is one of DNS, or an IP address",
    })
}

/// Whether a certificate that is known by its key is what it says.
pub(crate) fn check_pinned(
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), TlsError> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    // It is its own authority.
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned())?;
    let algorithms = algorithms().all;
    verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, algorithms)
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}

/// A certificate that an authority of the same name has signed, and not the one that is trusted: its signature is wrong, which
/// says nothing about the key of its owner.
fn unsigned(error: TlsError) -> TlsError {
    match error {
        TlsError::InvalidCertificate(CertificateError::BadSignature) => {
            CertificateError::UnknownIssuer.into()
        }
        other => other,
    }
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self {
            Self::Pinned(_) | Self::Unknown { .. } => {
                let found = Fingerprint::of(certificate).map_err(Error::into_tls)?;
                let known = match *self {
                    Self::Pinned(expected) if expected != found => {
                        Err(Error::WrongServer { expected, found })
                    }
                    Self::Unknown { own } if own != found => Err(Error::UnknownServer { found }),
                    _ => Ok(()),
                };
                known.map_err(Error::into_tls)?;
                check_pinned(certificate, intermediates, now)?;
                Ok(ServerCertVerified::assertion())
            }
            Self::Authority { verifier, name } => verifier
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .map_err(|error| match unsigned(error) {
                    TlsError::InvalidCertificate(
                        CertificateError::NotValidForName
                        | CertificateError::NotValidForNameContext { .. },
                    ) => Error::WrongName {
                        expected: name.to_str().into_owned(),
                    }
                    .into_tls(),
                    other => other,
                }),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

impl ClientCertVerifier for ClientCheck {
    /// Nobody is told whom this server trusts.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let key = Fingerprint::of(certificate).map_err(Error::into_tls)?;
        match self {
            Self::Any | Self::Own(_) | Self::Listed(_) => {
                self.name(certificate, key).map_err(Error::into_tls)?;
                check_pinned(certificate, intermediates, now)?;
            }
            // A name is worth something once the authority has signed it.
            Self::Authority { verifier, .. } => {
                verifier
                    .verify_client_cert(certificate, intermediates, now)
                    .map_err(unsigned)?;
                self.name(certificate, key).map_err(Error::into_tls)?;
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// The library is built without anything older than TLS 1.3.
fn too_old() -> TlsError {
    rustls::PeerIncompatible::Tls12NotOfferedOrEnabled.into()
}
