//! What can be wrong with a key, a file or the party at the other end.

use std::io::Error as IoError;
use std::path::PathBuf;

use channel::GuardError;
use rustls::{AlertDescription, CertificateError, Error as Tls, InvalidMessage, PeerIncompatible};

use crate::moment::At;
use crate::{Fingerprint, Moment};

/// What is wrong with a key, a file or the party at the other end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: IoError,
    },
    /// A file does not say what it should.
    #[error("{}, line {line}: {what}", path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A file holds nothing that it is for.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file with a private key can be read or written by others than its owner.
    #[error("{}: others than its owner have access to this private key (mode {mode:04o}): chmod 600", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A text that is no fingerprint.
    #[error("{text:?} is no fingerprint: one is SHA256: and 43 letters, digits, + and /")]
    NoFingerprint {
        /// Its beginning.
        text: String,
    },
    /// A name that cannot be one.
    #[error("{name:?} cannot be a name: {what}")]
    BadName {
        /// Its beginning.
        name: String,
        /// Why.
        what: &'static str,
    },
    /// A key or a certificate that cannot be made or used.
    #[error("this key and certificate cannot be used: {what}")]
    Unusable {
        /// Why.
        what: String,
    },
    /// The clock of this machine shows a time that it cannot be.
    #[error(
        "the clock of this machine is wrong, it shows 1970 or before: set it, certificates go by it"
    )]
    Clock,
    /// The server is met for the first time: whoever knows its fingerprint from its provider can compare.
    #[error("the server is not known yet; its fingerprint is {found}")]
    UnknownServer {
        /// The key that it has.
        found: Fingerprint,
    },
    /// The server has another key than the one that is trusted.
    #[error("the server has another key than it should: {found}, and {expected} is trusted")]
    WrongServer {
        /// The key that is trusted.
        expected: Fingerprint,
        /// The key that it has.
        found: Fingerprint,
    },
    /// The client is none that the server serves.
    #[error("a client that is not on the list: {found}")]
    UnknownClient {
        /// The key that it has.
        found: Fingerprint,
    },
    /// The peer has no certificate.
    #[error("the peer shows no certificate")]
    NoCertificate,
    /// The peer's certificate is no longer valid.
    #[error("the peer's certificate has expired{}, by the clock of this machine", At("at", *since))]
    Expired {
        /// Since when, if that is known.
        since: Option<Moment>,
    },
    /// The peer's certificate is not yet valid.
    #[error("the peer's certificate is not valid yet{}, by the clock of this machine", At("before", *before))]
    NotYetValid {
        /// Before when, if that is known.
        before: Option<Moment>,
    },
    /// The peer's certificate is for others.
    #[error("the peer's certificate is not for {expected}")]
    WrongName {
        /// What it should be for.
        expected: String,
    },
    /// The peer's certificate is signed by nobody who is trusted.
    #[error("the peer's certificate is not signed by the authority that is trusted")]
    UnknownAuthority,
    /// The peer's certificate is not signed as it says, or the peer does not have its key.
    #[error("a signature of the peer is wrong: it does not have the key that it shows")]
    BadSignature,
    /// The peer's certificate cannot be read.
    #[error("the peer's certificate cannot be read")]
    Malformed,
    /// The peer's certificate is wrong in another way.
    #[error("the peer's certificate is refused: {what}")]
    BadCertificate {
        /// How.
        what: String,
    },
    /// The peer's bytes are not TLS.
    #[error("the peer does not speak TLS")]
    NoTls,
    /// The peer does not speak TLS 1.3, or somebody between wants that it does not.
    #[error("the peer does not offer TLS 1.3, and nothing older is taken")]
    Downgrade,
    /// The peer knows this party's key, or does not: it refuses it.
    #[error("the peer refuses this party's key {ours}: {why}")]
    Refused {
        /// Our key.
        ours: Fingerprint,
        /// What the peer's alert means.
        why: &'static str,
        /// Whether that is that this party's certificate is not valid at the moment, by the peer's clock.
        outdated: bool,
    },
    /// Bytes were changed, lost or put in between on their way.
    #[error("bytes were changed on their way: they do not decrypt")]
    Harmed,
    /// The peer breaks the rules of TLS.
    #[error("the peer breaks the rules of TLS: {what}")]
    Broken {
        /// How.
        what: String,
    },
    /// This end of a connection was set up for the other role.
    #[error("TLS was set up for the other role")]
    OtherRole,
}

impl Error {
    /// What is behind the error of a channel or a connection, if it is one of these.
    #[must_use]
    pub fn within(error: &channel::Error) -> Option<&Self> {
        match error {
            channel::Error::Guard { cause, .. } => cause.reason(),
            _ => None,
        }
    }

    pub(crate) fn file(path: &std::path::Path, cause: IoError) -> Self {
        let path = path.to_owned();
        Self::File { path, cause }
    }

    pub(crate) fn content(path: &std::path::Path, what: &'static str) -> Self {
        let path = path.to_owned();
        Self::Content { path, what }
    }

    /// As a certificate's verifier says it.
    pub(crate) fn into_tls(self) -> Tls {
        let cause = std::sync::Arc::new(self);
        Tls::InvalidCertificate(CertificateError::Other(rustls::OtherError(cause)))
    }

    /// What TLS says, of which `ours` is this party's key.
    pub(crate) fn of_tls(error: Tls, ours: Fingerprint) -> GuardError {
        let own = match &error {
            Tls::InvalidCertificate(CertificateError::Other(other)) => other.0.downcast_ref(),
            _ => None,
        };
        GuardError::new(match own {
            Some(Self::UnknownServer { found }) => Self::UnknownServer { found: *found },
            Some(&Self::WrongServer { expected, found }) => Self::WrongServer { expected, found },
            Some(Self::UnknownClient { found }) => Self::UnknownClient { found: *found },
            Some(Self::WrongName { expected }) => Self::WrongName {
                expected: expected.clone(),
            },
            Some(Self::Malformed) => Self::Malformed,
            _ => Self::sorted(error, ours),
        })
    }

    /// The same after the handshake, where what cannot be read was right when it was sent.
    pub(crate) fn in_session(error: Tls, ours: Fingerprint) -> GuardError {
        let garbled = matches!(
            error,
            Tls::InvalidMessage(_) | Tls::PeerSentOversizedRecord | Tls::DecryptError
        );
        if garbled {
            return GuardError::new(Self::Harmed);
        }
        Self::of_tls(error, ours)
    }

    pub(crate) fn sorted(error: Tls, ours: Fingerprint) -> Self {
        match error {
            Tls::InvalidCertificate(cause) => Self::of_certificate(cause),
            Tls::NoCertificatesPresented => Self::NoCertificate,
            Tls::DecryptError => Self::Harmed,
            Tls::FailedToGetCurrentTime => Self::Clock,
            Tls::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::UnexpectedMessage(_),
            ) => Self::NoTls,
            Tls::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::Downgrade,
            Tls::AlertReceived(alert) => Self::of_alert(alert, ours),
            other => Self::Broken {
                what: other.to_string(),
            },
        }
    }

    fn of_certificate(cause: CertificateError) -> Self {
        use CertificateError as C;
        match cause {
            C::Expired => Self::Expired { since: None },
            C::ExpiredContext { not_after, .. } => Self::Expired {
                since: Some(Moment(not_after.as_secs())),
            },
            C::NotValidYet => Self::NotYetValid { before: None },
            C::NotValidYetContext { not_before, .. } => Self::NotYetValid {
                before: Some(Moment(not_before.as_secs())),
            },
            C::UnknownIssuer => Self::UnknownAuthority,
            C::BadSignature => Self::BadSignature,
            C::BadEncoding => Self::Malformed,
            other => Self::BadCertificate {
                what: other.to_string(),
            },
        }
    }

    fn of_alert(alert: AlertDescription, ours: Fingerprint) -> Self {
        use AlertDescription as A;
        let why = match alert {
            A::ProtocolVersion => return Self::Downgrade,
            A::BadRecordMac => return Self::Harmed,
            A::CertificateUnknown | A::AccessDenied => "it is not among those that it knows",
            A::UnknownCA => "no authority that it trusts has signed it",
            A::CertificateExpired => "its certificate has expired, or is not valid yet",
            A::CertificateRequired => "it wants a certificate",
            A::BadCertificate | A::UnsupportedCertificate | A::CertificateRevoked => {
                "its certificate is wrong"
            }
            other => {
                return Self::Broken {
                    what: format!("it ends the connection with the alert {other:?}"),
                };
            }
        };
        Self::Refused {
            ours,
            why,
            outdated: alert == A::CertificateExpired,
        }
    }
}
