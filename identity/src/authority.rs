//! An authority whose certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::{Error, file, own};

/// The roots of an authority that has signed the certificates of peers: an ordinary PKI. Certificates that it has revoked
/// are not asked for: a server's list of allowed names is what shuts out a client.
#[derive(Clone, Debug)]
pub struct Authority(Arc<RootCertStore>);

impl Authority {
    /// Reads a file of root certificates in PEM, ten at most.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::Content`] if there are none, too many, or one that is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::parse(path, &file::read(path)?)
    }

    /// Reads what such a file says; `path` is for messages.
    ///
    /// # Errors
    /// As [`Authority::open`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let content = |what| Error::Content {
            path: path.to_owned(),
            what,
        };
        let roots = own::certificates(text).map_err(content)?;
        if roots.is_empty() {
            return Err(content("it has no certificate in PEM"));
        }
        Self::of(roots).ok_or_else(|| content("one of its certificates cannot be a root"))
    }

    /// These certificates.
    pub(crate) fn of(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Option<Self> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).ok()?;
        }
        Some(Self(Arc::new(store)))
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}
