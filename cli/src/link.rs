//! From HOST:PORT to addresses, and which of them may be used where nothing encrypts.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::args::LinkArgs;
use crate::failure::{Failure, Outcome};

/// The port of `serve` where nobody says another one.
const PORT: u16 = 7700;

/// All addresses of a host and a port; where nothing is to encrypt, none of which others could listen in on.
pub(crate) fn resolve(name: &str, link: &LinkArgs) -> Outcome<Vec<SocketAddr>> {
    let addresses = addresses(name)?;
    let open = addresses.iter().find(|address| !address.ip().is_loopback());
    match open {
        Some(address) if link.insecure => {
            let of = if address.to_string() == name {
                String::new()
            } else {
                format!(", of {name},")
            };
            Err(Failure::input(format!(
                "{address}{of} is not a loopback address, and --insecure is for those alone: leave it out, and the connection is encrypted"
            )))
        }
        _ => Ok(addresses),
    }
}

/// Fails where nobody could listen on any of the addresses, before a server prepares itself.
pub(crate) fn try_listening(name: &str, addresses: &[SocketAddr]) -> Outcome<()> {
    TcpListener::bind(addresses)
        .map(drop)
        .map_err(|e| Failure::input(format!("cannot listen on {name}: {e}")))
}

/// All addresses of a host and a port.
pub(crate) fn addresses(name: &str) -> Outcome<Vec<SocketAddr>> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let malformed = || {
        Failure::input(format!(
            "{name} is no address with a port: give HOST:PORT, as in localhost:7700 or [::1]:7700{}",
            meant(name)
        ))
    };
    let (host, port) = name.rsplit_once(':').ok_or_else(malformed)?;
    let port: u16 = port.parse().map_err(|_| malformed())?;
    // An IPv6 address stands in brackets, and then the parser above took it.
    if host.is_empty() || host.contains([':', '[', ']']) {
        return Err(malformed());
    }
    let unknown = |cause: String| Failure::input(format!("no address of {host} is known: {cause}"));
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|e| unknown(e.to_string()))?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    if addresses.is_empty() {
        return Err(unknown("the name has none".into()));
    }
    Ok(addresses)
}

/// What may have been meant: an address of the web, one without its port, a port alone, or a bare one of IPv6.
fn meant(name: &str) -> String {
    let (_, rest) = name.split_once("://").unwrap_or(("", name));
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    let bare = host.strip_prefix(':').unwrap_or(host);
    let with_port = match host.parse::<Ipv6Addr>() {
        // A port alone.
        Err(_) if bare.parse::<u16>().is_ok() => format!("localhost:{bare}"),
        Ok(address) => format!("[{address}]:{PORT}"),
        Err(_) if host.ends_with(']') || !host.contains(':') => format!("{host}:{PORT}"),
        Err(_) => host.to_owned(),
    };
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.:[]".contains(c));
    let port = with_port
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if host.is_empty() || with_port.starts_with(':') || with_port.contains(odd) || port.is_none() {
        return String::new();
    }
    format!("; did you mean {with_port}?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_asked() {
        for (name, expected) in [
            ("localhost", "; did you mean localhost:7700?"),
            (
                "https://model.example:7711/x",
                "; did you mean model.example:7711?",
            ),
            ("http://model.example", "; did you mean model.example:7700?"),
            ("::1", "; did you mean [::1]:7700?"),
            ("[::1]", "; did you mean [::1]:7700?"),
            ("", ""),
            (":7700", "; did you mean localhost:7700?"),
            ("7711", "; did you mean localhost:7711?"),
            ("localhost:http", ""),
            ("a b", ""),
        ] {
            assert_eq!(meant(name), expected, "{name}");
        }
    }

    fn said(name: &str) -> String {
        let link = LinkArgs {
            insecure: true,
            timeout: 1,
        };
        resolve(name, &link).map_or_else(|e| e.to_string(), |found| format!("{found:?}"))
    }

    #[test]
    fn a_host_and_a_port() {
        assert_eq!(said("127.0.0.1:7700"), "[127.0.0.1:7700]");
        assert_eq!(said("[::1]:7700"), "[[::1]:7700]");
        assert!(said("localhost:7700").contains("127.0.0.1:7700"));
        for bad in [
            "",
            "localhost",
            "localhost:",
            ":7700",
            "localhost:http",
            "localhost:70000",
            "127.0.0.1",
            "::1:7700",
            "[::1]",
            "http://localhost:7700/",
        ] {
            assert!(said(bad).contains("give HOST:PORT"), "{bad}: {}", said(bad));
        }
    }

    #[test]
    fn only_loopback_is_private() {
        assert!(said("192.0.2.1:7700").starts_with("192.0.2.1:7700 is not a loopback"));
        assert!(said("[2001:db8::1]:1").contains("--insecure"));
    }
}
