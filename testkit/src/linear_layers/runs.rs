//! A protocol by itself in a session.

use channel::Cost;
use linear::{Error, LayerParameters, LinearProtocol, Prepared};
use sharing::Session;

/// The names and costs of what a protocol needs in a session.
pub(super) fn items(protocol: &dyn LinearProtocol) -> Vec<(String, Cost)> {
    let items = protocol.set_up().into_iter();
    items.map(|item| (item.name(), item.cost())).collect()
}

/// Makes what a protocol needs in a session.
pub(super) fn set_up(protocol: &dyn LinearProtocol, session: &mut Session) -> Result<(), Error> {
    for item in protocol.set_up() {
        if !item.is_done(session) {
            item.run(session)?;
        }
    }
    Ok(())
}

/// The server's side of a run by itself.
pub(super) fn serve(
    protocol: &dyn LinearProtocol,
    session: &mut Session,
    parameters: LayerParameters<'_>,
    prepared: &Prepared,
    x: &[u64],
) -> Result<Vec<u64>, Error> {
    session.run(async |party| protocol.serve(party, parameters, prepared, x).await)
}

/// The client's side of a run by itself.
pub(super) fn request(
    protocol: &dyn LinearProtocol,
    session: &mut Session,
    x: &[u64],
) -> Result<Vec<u64>, Error> {
    session.run(async |party| protocol.request(party, x).await)
}
