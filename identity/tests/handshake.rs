//! Who gets through, over TCP and the whole way from `connect` to a session; and what everybody else hears, at both ends.
#![cfg(unix)]

mod lines;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use channel::{Config, Connection, Error as ChannelError, Guard, Listener, ONLINE, Terms, connect};
use identity::{Authority, ClientTrust, Clients, Error, Identity, ServerTrust, Tls};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn terms() -> Terms {
    Terms {
        version: 8,
        parameters: [1; 32],
        model: None,
    }
}

fn config(guard: impl Guard + 'static) -> Config {
    Config {
        timeout: Duration::from_secs(5),
        handshake_timeout: Duration::from_secs(5),
        guard: Some(Arc::new(guard)),
        ..Config::default()
    }
}

fn key(name: &str) -> Identity {
    Identity::generate(name).expect("a key")
}

fn pinned(server: &Identity) -> ServerTrust {
    ServerTrust::Pinned(server.fingerprint())
}

fn listen(own: &Identity, clients: &ClientTrust) -> (Listener, SocketAddr) {
    let guard = Tls::server(own, clients).expect("a server");
    let listener = Listener::bind("127.0.0.1:0", config(guard)).expect("bind");
    let address = listener.local_addr();
    (listener, address)
}

fn dial(
    address: SocketAddr,
    own: &Identity,
    server: &ServerTrust,
) -> Result<Connection, ChannelError> {
    let guard = Tls::client(own, server).expect("a client");
    connect(address, &terms(), &config(guard), [2; 16])
}

/// What both ends make of each other: the server's next news, and the client's.
fn meet(
    (own, clients): (&Identity, &ClientTrust),
    (client, server): (&Identity, &ServerTrust),
) -> (
    Result<Connection, ChannelError>,
    Result<Connection, ChannelError>,
) {
    let (listener, address) = listen(own, clients);
    thread::scope(|scope| {
        let client = scope.spawn(move || dial(address, client, server));
        let server = listener.accept(&terms(), [1; 16]);
        (server, client.join().expect("no panic"))
    })
}

fn reason<T>(outcome: &Result<T, ChannelError>) -> &Error {
    match outcome {
        Ok(_) => panic!("it got through"),
        Err(error) => Error::within(error).unwrap_or_else(|| panic!("{error:?}")),
    }
}

fn talk(server: &Connection, client: &Connection, stream: u32) {
    let mut at_client = client.open(stream).expect("open");
    at_client.send_u64(5).expect("sent");
    at_client.flush().expect("flushed");
    let heard = server.open(stream).expect("open").recv_u64();
    assert_eq!(heard.expect("heard"), 5);
}

fn listed(text: &str) -> ClientTrust {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients");
    std::fs::write(&file, text).expect("written");
    ClientTrust::Listed(Arc::new(Clients::open(&file).expect("a list")))
}

#[test]
fn friends_meet_and_know_each_other() {
    let (server, client) = (key("a server"), key("a client"));
    let list = listed(&format!(
        "{} a hospital in the north\n",
        client.fingerprint()
    ));
    let (at_server, at_client) = meet((&server, &list), (&client, &pinned(&server)));
    let (at_server, at_client) = (at_server.expect("served"), at_client.expect("found"));
    let of_client = at_server.peer_identity().expect("one");
    assert_eq!(of_client.name, "a hospital in the north");
    assert_eq!(&of_client.key, client.fingerprint().as_bytes());
    let of_server = at_client.peer_identity().expect("one");
    assert_eq!(of_server.name, server.fingerprint().to_string());
    assert_eq!(at_server.session_id(), at_client.session_id());
    talk(&at_server, &at_client, ONLINE);
    // The same entropy gives another session over another line.
    let (again, _) = meet((&server, &list), (&client, &pinned(&server)));
    assert_ne!(again.expect("served").session_id(), at_server.session_id());
}

#[test]
fn a_session_has_many_lanes() {
    let (server, client) = (key("a server"), key("a client"));
    let (listener, address) = listen(&server, &ClientTrust::Any);
    let guard = Tls::client(&client, &pinned(&server)).expect("a client");
    let several = Config {
        connections: 4,
        ..config(guard)
    };
    let (at_server, at_client) = thread::scope(|scope| {
        let client = scope.spawn(move || connect(address, &terms(), &several, [2; 16]));
        let server = listener.accept(&terms(), [1; 16]).expect("served");
        (server, client.join().expect("no panic").expect("found"))
    });
    for stream in 0..8 {
        talk(&at_server, &at_client, stream);
    }
}

#[test]
fn a_server_that_is_not_known_is_refused_with_its_fingerprint() {
    let (server, client) = (key("a server"), key("a client"));
    let met = meet(
        (&server, &ClientTrust::Any),
        (&client, &ServerTrust::Unknown),
    );
    let found = reason(&met.1);
    assert!(matches!(found, Error::UnknownServer { found } if *found == server.fingerprint()));
    assert!(
        matches!(reason(&met.0), Error::Refused { .. }),
        "{:?}",
        met.0
    );

    let other = key("another");
    let met = meet((&server, &ClientTrust::Any), (&client, &pinned(&other)));
    match reason(&met.1) {
        Error::WrongServer { expected, found } => {
            assert_eq!(
                (*expected, *found),
                (other.fingerprint(), server.fingerprint())
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(
        met.1
            .expect_err("refused")
            .to_string()
            .contains(&other.fingerprint().to_string())
    );
}

#[test]
fn who_has_this_partys_own_key_is_this_party() {
    let (own, other) = (key("own"), key("other"));
    let met = meet((&own, &ClientTrust::Own), (&own, &ServerTrust::Unknown));
    let (at_server, at_client) = (met.0.expect("served"), met.1.expect("found"));
    assert_eq!(at_server.session_id(), at_client.session_id());
    let met = meet((&own, &ClientTrust::Own), (&other, &pinned(&own)));
    assert!(matches!(reason(&met.0), Error::UnknownClient { .. }));
    let met = meet((&own, &ClientTrust::Own), (&other, &ServerTrust::Unknown));
    assert!(matches!(reason(&met.1), Error::UnknownServer { .. }));
}

#[test]
fn a_client_that_is_not_listed_is_refused_and_both_know_why() {
    let (server, client) = (key("a server"), key("a client"));
    let list = listed(&format!(
        "# nobody but\n{} another\n",
        key("another").fingerprint()
    ));
    let met = meet((&server, &list), (&client, &pinned(&server)));
    let found = reason(&met.0);
    assert!(matches!(found, Error::UnknownClient { found } if *found == client.fingerprint()));
    match reason(&met.1) {
        Error::Refused { ours, .. } => assert_eq!(*ours, client.fingerprint()),
        other => panic!("{other:?}"),
    }
    let said = met.1.expect_err("refused").to_string();
    assert!(said.contains("not among those that it knows"), "{said}");
}

#[test]
fn a_list_that_is_read_again_holds_from_the_next_connection_on() {
    let (server, client) = (key("a server"), key("a client"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients");
    std::fs::write(&file, "").expect("written");
    let clients = Arc::new(Clients::open(&file).expect("a list"));
    let (listener, address) = listen(&server, &ClientTrust::Listed(Arc::clone(&clients)));
    let trust = pinned(&server);
    thread::scope(|scope| {
        let next = || listener.accept(&terms(), [1; 16]);
        let first = scope.spawn(|| dial(address, &client, &trust));
        assert!(matches!(reason(&next()), Error::UnknownClient { .. }));
        assert!(first.join().expect("no panic").is_err());
        // A list that is wrong changes nothing.
        std::fs::write(&file, "nonsense\n").expect("written");
        assert!(clients.reload().is_err());
        std::fs::write(&file, format!("{} new\n", client.fingerprint())).expect("written");
        assert_eq!(clients.reload().expect("a list"), 1);
        let second = scope.spawn(|| dial(address, &client, &trust));
        let at_server = next().expect("served");
        let at_client = second.join().expect("no panic").expect("found");
        // Who is taken off the list keeps the session at hand.
        std::fs::write(&file, "").expect("written");
        clients.reload().expect("a list");
        talk(&at_server, &at_client, ONLINE);
        let third = scope.spawn(|| dial(address, &client, &trust));
        assert!(matches!(reason(&next()), Error::UnknownClient { .. }));
        assert!(third.join().expect("no panic").is_err());
    });
}

#[test]
fn certificates_hold_from_their_first_second_to_their_last() {
    let now = SystemTime::now();
    let good = key("good");
    let old = Identity::generate_for("old", now - 10 * DAY, now - DAY).expect("a key");
    let new = Identity::generate_for("new", now + DAY, now + 10 * DAY).expect("a key");
    for (server, expired) in [(&old, true), (&new, false)] {
        let met = meet((server, &ClientTrust::Any), (&good, &pinned(server)));
        let found = reason(&met.1);
        match expired {
            true => assert!(
                matches!(found, Error::Expired { since: Some(_) }),
                "{found:?}"
            ),
            false => assert!(
                matches!(found, Error::NotYetValid { before: Some(_) }),
                "{found:?}"
            ),
        }
        assert!(matches!(reason(&met.0), Error::Refused { .. }));
        let list = listed(&format!("{} a client\n", server.fingerprint()));
        let met = meet((&good, &list), (server, &pinned(&good)));
        let found = reason(&met.0);
        match expired {
            true => assert!(
                matches!(found, Error::Expired { since: Some(_) }),
                "{found:?}"
            ),
            false => assert!(
                matches!(found, Error::NotYetValid { before: Some(_) }),
                "{found:?}"
            ),
        }
        let said = met.1.expect_err("refused").to_string();
        assert!(said.contains("expired, or is not valid yet"), "{said}");
    }
}

#[test]
fn a_certificate_that_expires_during_a_session_ends_the_next_and_not_this() {
    let (server, now) = (key("a server"), SystemTime::now());
    let brief = now + Duration::from_secs(3);
    let client = Identity::generate_for("brief", now - DAY, brief).expect("a key");
    let (refused, second) =
        now_and_later((&server, &ClientTrust::Any), (&client, &pinned(&server)));
    assert!(
        matches!(reason(&refused), Error::Expired { since: Some(_) }),
        "{refused:?}"
    );
    assert!(second.is_err());
}

/// A session goes on while four seconds pass; what becomes of the next one, at the server and at the client.
fn now_and_later(
    (server, clients): (&Identity, &ClientTrust),
    (client, trust): (&Identity, &ServerTrust),
) -> (
    Result<Connection, ChannelError>,
    Result<Connection, ChannelError>,
) {
    let (listener, address) = listen(server, clients);
    thread::scope(|scope| {
        let first = scope.spawn(|| dial(address, client, trust));
        let at_server = listener.accept(&terms(), [1; 16]).expect("served");
        let at_client = first.join().expect("no panic").expect("found");
        talk(&at_server, &at_client, ONLINE);
        thread::sleep(Duration::from_millis(4100));
        talk(&at_server, &at_client, 1);
        let second = scope.spawn(|| dial(address, client, trust));
        let refused = listener.accept(&terms(), [1; 16]);
        (refused, second.join().expect("no panic"))
    })
}

/// An authority of tests: its root, and the identities that it signs for names of DNS.
struct Ca {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    folder: tempfile::TempDir,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = rcgen::CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key).expect("a root");
        let folder = tempfile::tempdir().expect("a folder");
        Self { issuer, folder }
    }

    fn authority(&self) -> Authority {
        Authority::parse(
            Path::new("roots"),
            &lines::pem("CERTIFICATE", self.issuer.der()),
        )
        .expect("a root")
    }

    fn sign(&self, name: &str) -> Identity {
        self.sign_for(name, SystemTime::now() - DAY, SystemTime::now() + DAY)
    }

    fn sign_for(&self, name: &str, from: SystemTime, until: SystemTime) -> Identity {
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
        let [from, until] = [from, until].map(|moment| {
            let since = moment.duration_since(SystemTime::UNIX_EPOCH);
            rcgen::date_time_ymd(1970, 1, 1) + since.expect("after 1970")
        });
        (params.not_before, params.not_after) = (from, until);
        let key = rcgen::KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        let file = self.folder.path().join(format!("{name}.pem"));
        let text = lines::pem("PRIVATE KEY", &key.serialize_der())
            + &lines::pem("CERTIFICATE", signed.der());
        std::fs::write(&file, text).expect("written");
        let mut mode = std::fs::metadata(&file).expect("there").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
        std::fs::set_permissions(&file, mode).expect("set");
        Identity::open(&file).expect("an identity")
    }

    fn trusts(&self, host: &str) -> ServerTrust {
        ServerTrust::Authority {
            authority: self.authority(),
            host: host.to_owned(),
        }
    }

    fn allows(&self, names: &[&str]) -> ClientTrust {
        ClientTrust::Authority {
            authority: self.authority(),
            names: names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<BTreeSet<_>>(),
        }
    }
}

#[test]
fn an_authority_vouches_for_names() {
    let (ours, theirs) = (Ca::new("ours"), Ca::new("theirs"));
    let server = ours.sign("model.example");
    let (north, south) = (ours.sign("north.example"), ours.sign("south.example"));
    let allowed = ours.allows(&["west.example", "north.example"]);

    let met = meet((&server, &allowed), (&north, &ours.trusts("model.example")));
    let (at_server, at_client) = (met.0.expect("served"), met.1.expect("found"));
    assert_eq!(
        at_server.peer_identity().expect("one").name,
        "north.example"
    );
    assert_eq!(
        at_client.peer_identity().expect("one").name,
        "model.example"
    );
    talk(&at_server, &at_client, ONLINE);
    // The name is the identity, whatever its key.
    let again = ours.sign("north.example");
    assert_ne!(again.fingerprint(), north.fingerprint());
    let met = meet((&server, &allowed), (&again, &ours.trusts("model.example")));
    let identity = met.0.expect("served").peer_identity().cloned();
    assert_eq!(identity.as_ref(), at_server.peer_identity());

    let met = meet((&server, &allowed), (&south, &ours.trusts("model.example")));
    assert!(matches!(reason(&met.0), Error::UnknownClient { .. }));
    let met = meet((&server, &allowed), (&north, &ours.trusts("other.example")));
    assert!(matches!(reason(&met.1), Error::WrongName { expected } if expected == "other.example"));
    let met = meet(
        (&server, &allowed),
        (&north, &theirs.trusts("model.example")),
    );
    assert!(
        matches!(reason(&met.1), Error::UnknownAuthority),
        "{:?}",
        met.1
    );
    // Nor is another authority the one that is trusted for having its name.
    let double = Ca::new("ours");
    let met = meet(
        (&server, &allowed),
        (&north, &double.trusts("model.example")),
    );
    assert!(
        matches!(reason(&met.1), Error::UnknownAuthority),
        "{:?}",
        met.1
    );
    let met = meet(
        (&server, &allowed),
        (&double.sign("north.example"), &ours.trusts("model.example")),
    );
    assert!(
        matches!(reason(&met.0), Error::UnknownAuthority),
        "{:?}",
        met.0
    );
    // A name that somebody else has signed, or the client itself.
    for client in [theirs.sign("north.example"), key("north.example")] {
        let met = meet(
            (&server, &allowed),
            (&client, &ours.trusts("model.example")),
        );
        assert!(
            matches!(reason(&met.0), Error::UnknownAuthority),
            "{:?}",
            met.0
        );
        assert!(matches!(reason(&met.1), Error::Refused { .. }));
    }
}

/// As with those who are pinned: the session goes on, and the next one does not begin.
#[test]
fn an_authoritys_certificate_that_expires_during_a_session_ends_the_next_and_not_this() {
    let (ours, now) = (Ca::new("ours"), SystemTime::now());
    let brief = now + Duration::from_secs(3);
    let server = ours.sign_for("model.example", now - DAY, brief);
    let client = ours.sign("north.example");
    let (clients, trust) = (
        ours.allows(&["north.example"]),
        ours.trusts("model.example"),
    );
    let (refused, second) = now_and_later((&server, &clients), (&client, &trust));
    assert!(
        matches!(reason(&refused), Error::Refused { .. }),
        "{refused:?}"
    );
    let error = second.map(drop);
    let found = Error::within(error.as_ref().expect_err("expired"));
    assert!(matches!(found, Some(Error::Expired { .. })), "{error:?}");
    // A certificate that is valid tomorrow, of the server and of the client.
    let early = ours.sign_for("model.example", now + DAY, now + 2 * DAY);
    let met = meet(
        (&early, &ours.allows(&["north.example"])),
        (&client, &trust),
    );
    assert!(
        matches!(reason(&met.1), Error::NotYetValid { before: Some(_) }),
        "{:?}",
        met.1
    );
    let early = ours.sign_for("north.example", now + DAY, now + 2 * DAY);
    let server = ours.sign("model.example");
    let met = meet(
        (&server, &ours.allows(&["north.example"])),
        (&early, &trust),
    );
    assert!(
        matches!(reason(&met.0), Error::NotYetValid { before: Some(_) }),
        "{:?}",
        met.0
    );
}

#[test]
fn a_stranger_cannot_join_the_session_of_another() {
    let (server, client, thief) = (key("a server"), key("a client"), key("a thief"));
    let (listener, address) = listen(&server, &ClientTrust::Any);
    // A client that says it has two connections, and brings one.
    let guard = Tls::client(&client, &pinned(&server)).expect("a client");
    let session = lines::raw_session(&guard, address, 2);
    let at_server = listener.accept(&terms(), [1; 16]).expect("served");
    assert_eq!(at_server.session_id(), session.id);
    let thief = Tls::client(&thief, &pinned(&server)).expect("a client");
    // Who has heard of the session is told that there is none.
    assert_eq!(
        lines::raw_lane(&thief, address, session.id, 1),
        1,
        "unknown session"
    );
    let refused = listener.accept(&terms(), [1; 16]).expect_err("a thief");
    assert!(
        matches!(refused, ChannelError::OtherIdentity),
        "{refused:?}"
    );
    // Its place is free for the client itself.
    let again = Tls::client(&client, &pinned(&server)).expect("a client");
    assert_eq!(
        lines::raw_lane(&again, address, session.id, 1),
        0,
        "welcome"
    );
}
