//! What the two parties must have in common.

use channel::{Agreement, Digest, Terms};

/// Version of everything the two parties exchange; see **Wire** in CHANGELOG.md.
pub const WIRE_VERSION: u32 = 10;

/// The terms that both parties compare in the handshake: the wire version, the constants of every
/// protocol, and a model. A server gives the digest of what it serves, a client that of what it insists on or
/// none; [`Server::terms`](crate::Server::terms) and [`Request::terms`](crate::Request::terms) do. The OT extension is
/// not among them: the server says it once they have met.
pub(crate) fn terms(model: Option<Digest>) -> Terms {
    let agreement = Agreement::new()
        .with(ot::AGREEMENT)
        .with(linear::AGREEMENT)
        .with(secure::AGREEMENT);
    Terms {
        version: WIRE_VERSION,
        parameters: agreement.digest(),
        model,
    }
}
