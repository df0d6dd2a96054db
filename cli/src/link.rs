//! Which addresses may be used while nothing encrypts.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::args::LinkArgs;
use crate::failure::{Failure, Outcome};

/// Resolves an address and refuses one that others could listen in on.
pub(crate) fn resolve(address: &str, link: &LinkArgs) -> Outcome<SocketAddr> {
    let resolved = address
        .to_socket_addrs()
        .map_err(|e| {
            Failure::input(format!(
                "{address} is no address: {e}; it takes a host and a port, such as 127.0.0.1:7700"
            ))
        })?
        .next()
        .ok_or_else(|| Failure::input(format!("{address} is no address")))?;
    require_loopback(resolved, link)?;
    Ok(resolved)
}

/// Without TLS only loopback is private.
pub(crate) fn require_loopback(address: SocketAddr, link: &LinkArgs) -> Outcome<()> {
    if address.ip().is_loopback() || link.insecure {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{address} is not a loopback address and this release does not encrypt: use a tunnel, or --insecure if the network is private"
    )))
}
