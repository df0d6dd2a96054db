//! What the two parties must have in common.

use channel::{Agreement, Digest, Terms};
use ot::Extension;

/// Version of everything the two parties exchange; see **Wire** in CHANGELOG.md.
pub const WIRE_VERSION: u32 = 5;

/// The terms that both parties compare in the handshake: the wire version, the constants of every
/// protocol and of the OT extension, and a model. A server gives the digest of what it serves, a client
/// that of what it insists on or none; [`Server::terms`](crate::Server::terms) and
/// [`Request::terms`](crate::Request::terms) do.
pub(crate) fn terms(extension: &dyn Extension, model: Option<Digest>) -> Terms {
    let agreement = Agreement::new()
        .with(ot::AGREEMENT)
        .with(&extension.agreement())
        .with(nonlinear::AGREEMENT)
        .with(secure::AGREEMENT);
    Terms {
        version: WIRE_VERSION,
        parameters: agreement.digest(),
        model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ot::{SoftSpoken, default_extension};

    #[test]
    fn another_extension_is_another_agreement() {
        let here = terms(default_extension(), None);
        assert_eq!(here, terms(&SoftSpoken::new(4), None));
        assert_ne!(here.parameters, terms(&SoftSpoken::new(5), None).parameters);
        assert_ne!(here, terms(default_extension(), Some([0; 32])));
    }
}
