//! TLS 1.3 as the guard of connections.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use channel::{Error as ChannelError, Guard, GuardError, Guarded, PeerIdentity, Role, Wire};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, Error as TlsError, ServerConfig, ServerConnection,
};
use sha2::{Digest, Sha256};

use crate::clock::{self, Clock};
use crate::handshake::shake;
use crate::verify::{ClientCheck, ServerCheck};
use crate::wire::TlsWire;
use crate::{Authority, Clients, Error, Fingerprint, Identity};

/// RFC 9266: what is the same at both ends of a connection of TLS 1.3, and at no other's.
const BINDING: &[u8] = b"EXPORTER-Channel-Binding";

/// Which server a client speaks with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerTrust {
    /// The one with this key.
    Pinned(Fingerprint),
    /// None yet: every server is refused, with [`Error::UnknownServer`], which tells its fingerprint. Only one that has this
    /// party's own key is this party itself.
    Unknown,
    /// One whose certificate an authority has signed for this name of DNS or IP address.
    Authority {
        /// Who has signed.
        authority: Authority,
        /// The name.
        host: String,
    },
}

/// Which clients a server serves. Each has a key of its own in any case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientTrust {
    /// Those on a list.
    Listed(Arc<Clients>),
    /// Those with the server's own key: this party itself, from the same machine.
    Own,
    /// Whoever comes.
    Any,
    /// Those whose certificates an authority has signed for one of these names of DNS or IP addresses. The name is the
    /// identity, so that a client may change its key.
    Authority {
        /// Who has signed.
        authority: Authority,
        /// The names.
        names: BTreeSet<String>,
    },
}

/// TLS 1.3 with certificates at both ends, for [`channel::Config::guard`]. Nothing older is taken, and nothing is resumed:
/// each connection is a handshake of its own.
#[derive(Debug)]
pub struct Tls {
    ours: Fingerprint,
    side: Side,
}

#[derive(Debug)]
enum Side {
    Server(Arc<ServerConfig>, Arc<ClientCheck>),
    Client(Arc<ClientConfig>, Arc<ServerCheck>),
}

/// The cryptography under TLS.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(error: &TlsError) -> Error {
    Error::Unusable {
        what: error.to_string(),
    }
}

impl Tls {
    /// A server's end.
    ///
    /// # Errors
    /// [`Error::BadName`] if one of the names cannot be one, [`Error::Unusable`] if key or roots cannot be used, [`Error::Clock`].
    pub fn server(own: &Identity, clients: &ClientTrust) -> Result<Self, Error> {
        Self::server_with(own, clients, provider())
    }

    pub(crate) fn server_with(
        own: &Identity,
        clients: &ClientTrust,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        clock::now()?;
        let check = Arc::new(match clients {
            ClientTrust::Any => ClientCheck::Any,
            ClientTrust::Own => ClientCheck::Own(own.fingerprint()),
            ClientTrust::Listed(clients) => ClientCheck::Listed(Arc::clone(clients)),
            ClientTrust::Authority { authority, names } => ClientCheck::by(authority, names)?,
        });
        let certified = Arc::new(SingleCertAndKey::from(own.certified()?));
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(Clock))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(Arc::clone(&check) as _)
            .with_cert_resolver(certified);
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self {
            ours: own.fingerprint(),
            side: Side::Server(Arc::new(config), check),
        })
    }

    /// A client's end.
    ///
    /// # Errors
    /// As [`Tls::server`].
    pub fn client(own: &Identity, server: &ServerTrust) -> Result<Self, Error> {
        Self::client_with(own, server, provider())
    }

    pub(crate) fn client_with(
        own: &Identity,
        server: &ServerTrust,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        clock::now()?;
        let check = Arc::new(match server {
            ServerTrust::Pinned(key) => ServerCheck::Pinned(*key),
            ServerTrust::Unknown => ServerCheck::Unknown {
                own: own.fingerprint(),
            },
            ServerTrust::Authority { authority, host } => ServerCheck::by(authority, host)?,
        });
        let certified = Arc::new(SingleCertAndKey::from(own.certified()?));
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(Clock))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&check) as _)
            .with_client_cert_resolver(certified);
        config.resumption = Resumption::disabled();
        // Who listens need not learn the name; the check has it.
        config.enable_sni = false;
        Ok(Self {
            ours: own.fingerprint(),
            side: Side::Client(Arc::new(config), check),
        })
    }

    fn start(&self, role: Role) -> Result<Connection, Error> {
        let connection = match (&self.side, role) {
            (Side::Server(config, _), Role::Server) => {
                ServerConnection::new(Arc::clone(config)).map(Connection::from)
            }
            (Side::Client(config, _), Role::Client) => {
                // It is neither sent nor compared.
                let name = ServerName::try_from("blindray").expect("a name");
                ClientConnection::new(Arc::clone(config), name).map(Connection::from)
            }
            (Side::Server(..), Role::Client) | (Side::Client(..), Role::Server) => {
                return Err(Error::OtherRole);
            }
        };
        connection.map_err(|error| unusable(&error))
    }

    /// Who is at the other end, after a handshake.
    fn peer(&self, certificate: &CertificateDer<'_>) -> Result<PeerIdentity, Error> {
        let key = Fingerprint::of(certificate)?;
        let name = match &self.side {
            Side::Server(_, check) => check.name(certificate, key)?,
            Side::Client(_, check) => check.name(key),
        };
        let by_name = match &self.side {
            Side::Server(_, check) => matches!(**check, ClientCheck::Authority { .. }),
            Side::Client(_, check) => matches!(**check, ServerCheck::Authority { .. }),
        };
        let key = if by_name {
            let hasher = Sha256::new_with_prefix(b"Blindray 2026 identity by name\0");
            hasher.chain_update(&name).finalize().into()
        } else {
            *key.as_bytes()
        };
        Ok(PeerIdentity { key, name })
    }
}

impl Guard for Tls {
    fn pass(
        &self,
        role: Role,
        wire: Box<dyn Wire>,
        allowed: Duration,
    ) -> Result<Guarded, ChannelError> {
        let refused = |cause| ChannelError::Guard {
            phase: channel::HANDSHAKE.to_owned(),
            cause,
        };
        let own = |error| refused(GuardError::new(error));
        let connection = self.start(role).map_err(own)?;
        let shaken = shake(connection, wire, allowed, self.ours)?;
        let certificates = shaken.connection.peer_certificates();
        let certificate = certificates.and_then(<[_]>::first);
        let certificate = certificate.ok_or_else(|| own(Error::NoCertificate))?;
        // The list may have been read again meanwhile.
        let identity = self.peer(certificate).map_err(own)?;
        let exported = shaken
            .connection
            .export_keying_material([0; 32], BINDING, None);
        let binding = exported.map_err(|error| refused(Error::of_tls(error, self.ours)))?;
        Ok(Guarded {
            wire: Box::new(TlsWire::new(shaken, self.ours)),
            identity: Some(identity),
            binding,
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::{ErrorKind, IoSlice, IoSliceMut};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use channel::Ready;
    use rustls::{CipherSuiteCommon, SupportedCipherSuite, Tls13CipherSuite};

    /// Keys that protect no more than a few records.
    fn hasty() -> Arc<CryptoProvider> {
        let mut provider = CryptoProvider::clone(&provider());
        for suite in &mut provider.cipher_suites {
            // There are none of TLS 1.2.
            let SupportedCipherSuite::Tls13(of_library) = *suite;
            let ours = Tls13CipherSuite {
                common: CipherSuiteCommon {
                    confidentiality_limit: 3,
                    ..of_library.common
                },
                ..*of_library
            };
            *suite = SupportedCipherSuite::Tls13(Box::leak(Box::new(ours)));
        }
        Arc::new(provider)
    }

    /// Counts the writes of the wire below.
    struct Counted(UnixStream, Arc<AtomicUsize>);

    impl Wire for Counted {
        fn begin(&self) -> std::io::Result<()> {
            self.0.begin()
        }

        fn try_read(&self, out: &mut [IoSliceMut<'_>]) -> std::io::Result<usize> {
            Wire::try_read(&self.0, out)
        }

        fn try_write(&self, bytes: &[IoSlice<'_>]) -> std::io::Result<usize> {
            let count = Wire::try_write(&self.0, bytes)?;
            self.1.fetch_add(count, Ordering::Relaxed);
            Ok(count)
        }

        fn wait(&self, wanted: Ready, timeout: Duration) -> std::io::Result<Ready> {
            Wire::wait(&self.0, wanted, timeout)
        }

        fn end(&self) {
            Wire::end(&self.0);
        }

        fn cut(&self) {
            Wire::cut(&self.0);
        }
    }

    fn send(wire: &dyn Wire, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match wire.try_write(&[IoSlice::new(bytes)]) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let wanted = Ready {
                        read: false,
                        write: true,
                    };
                    wire.wait(wanted, Duration::from_secs(10)).expect("a wait");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn receive(wire: &dyn Wire, mut count: usize, value: u8) {
        let mut piece = vec![0; 10_000];
        while count > 0 {
            match wire.read(&mut [IoSliceMut::new(&mut piece)], Duration::from_secs(10)) {
                Ok(0) => panic!("an early end"),
                Ok(read) => {
                    assert!(piece[..read].iter().all(|&byte| byte == value));
                    count -= read;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn keys_change_before_they_have_protected_too_much_in_both_directions_at_once() {
        const BYTES: usize = 4_000_000;
        let run = |provider: &dyn Fn() -> Arc<CryptoProvider>| {
            let own = Identity::generate("one").expect("a key");
            let trust = ServerTrust::Pinned(own.fingerprint());
            let server = Tls::server_with(&own, &ClientTrust::Any, provider()).expect("a server");
            let client = Tls::client_with(&own, &trust, provider()).expect("a client");
            let (one, other) = UnixStream::pair().expect("a pair");
            let count = Arc::new(AtomicUsize::new(0));
            let wires = [one, other].map(|socket| Counted(socket, Arc::clone(&count)));
            wires.iter().for_each(|wire| wire.begin().expect("begun"));
            let [one, other] = wires.map(Box::new);
            std::thread::scope(|scope| {
                let client = scope.spawn(move || {
                    let allowed = Duration::from_secs(10);
                    client
                        .pass(Role::Client, other, allowed)
                        .expect("through")
                        .wire
                });
                let allowed = Duration::from_secs(10);
                let server = server
                    .pass(Role::Server, one, allowed)
                    .expect("through")
                    .wire;
                let client = client.join().expect("no panic");
                std::thread::scope(|scope| {
                    for (wire, ours, theirs) in [(&server, 1, 2), (&client, 2, 1)] {
                        scope.spawn(move || send(&**wire, &vec![ours; BYTES]));
                        scope.spawn(move || receive(&**wire, BYTES, theirs));
                    }
                });
            });
            count.load(Ordering::Relaxed)
        };
        let (usual, changing) = (run(&provider), run(&hasty));
        // Every third record or so is followed by a change, of some 27 bytes, asked for and answered.
        let records = 2 * BYTES / (16 << 10);
        assert!(changing > usual + records / 4 * 20, "{usual} {changing}");
    }
}
