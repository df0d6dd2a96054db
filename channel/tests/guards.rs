//! What stands between a fresh line and the greetings decides who gets through, and a session keeps to what it found out.

mod badges;
mod servers;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use channel::{Config, Connection, Error, Guard, Guarded, Listener, Role, Terms, Wire, connect};

use badges::{Badge, Unwelcome, badge};
use servers::{listener, say, serves, terms};

fn with(badge: Badge) -> Config {
    Config {
        guard: Some(Arc::new(badge)),
        ..servers::hasty()
    }
}

fn meet(server: Badge, client: Badge) -> [Result<Connection, Error>; 2] {
    let (listener, address) = listener(with(server));
    let client = with(client);
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(address, &terms(), &client, [2; 16]));
        let server = listener.accept(&terms(), [1; 16]);
        [server, client.join().expect("no panic")]
    })
}

#[test]
fn both_ends_know_each_other() {
    let [server, client] = meet(badge(1), badge(2));
    let (server, client) = (server.expect("served"), client.expect("found"));
    assert_eq!(server.peer_identity().expect("one").name, "number 2");
    assert_eq!(client.peer_identity().expect("one").key, [1; 32]);
    assert_eq!(server.session_id(), client.session_id());
}

#[test]
fn a_session_depends_on_its_line() {
    let ids = [1, 2].map(|binding| {
        let on = |name| Badge {
            binding,
            ..badge(name)
        };
        let [server, client] = meet(on(1), on(2));
        let id = server.expect("served").session_id();
        assert_eq!(client.expect("found").session_id(), id);
        id
    });
    assert_ne!(ids[0], ids[1]);
    // Two lines that somebody has joined in the middle.
    let other = Badge {
        binding: 2,
        ..badge(2)
    };
    let [server, client] = meet(badge(1), other);
    assert_ne!(
        server.expect("served").session_id(),
        client.expect("found").session_id()
    );
}

#[test]
fn who_is_refused_is_named_and_others_are_served() {
    let refusing = Badge {
        refuses: Some(2),
        ..badge(1)
    };
    let [server, client] = meet(refusing, badge(2));
    match server.expect_err("refused") {
        Error::Guard { cause, .. } => assert_eq!(cause.reason(), Some(&Unwelcome(2))),
        other => panic!("{other:?}"),
    }
    assert!(matches!(client, Err(Error::Closed { .. })), "{client:?}");
}

#[test]
fn a_guard_has_as_long_as_a_greeting_and_no_longer() {
    let (listener, address) = listener(with(badge(1)));
    for said in [&b""[..], b"\x02", b"\x02BLINDRAY"] {
        let silent = say(address, said);
        let error = listener.accept(&terms(), [1; 16]).expect_err("nobody");
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        drop(silent);
    }
}

/// Says that it is another in its second connection.
#[derive(Debug, Default)]
struct TwoFaced(std::sync::atomic::AtomicU8);

impl Guard for TwoFaced {
    fn pass(&self, role: Role, wire: Box<dyn Wire>, allowed: Duration) -> Result<Guarded, Error> {
        let face = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        badge(2 + face).pass(role, wire, allowed)
    }
}

fn several(guard: impl Guard + 'static) -> Config {
    Config {
        connections: 2,
        guard: Some(Arc::new(guard)),
        ..servers::hasty()
    }
}

fn both(listener: &Listener, terms: &Terms, client: &Config) -> [Result<Connection, Error>; 2] {
    let address = listener.local_addr();
    thread::scope(|scope| {
        let client = scope.spawn(|| connect(address, terms, client, [2; 16]));
        let server = listener.accept(terms, [1; 16]);
        [server, client.join().expect("no panic")]
    })
}

#[test]
fn further_connections_are_with_the_same_peer() {
    let (listener, _) = listener(with(badge(1)));
    let [server, client] = both(&listener, &terms(), &several(badge(2)));
    drop((server.expect("served"), client.expect("found")));
    // Another client: the server has it from the guard, and says nothing of the session.
    let [server, client] = both(&listener, &terms(), &several(TwoFaced::default()));
    drop(server.expect("served"));
    assert!(matches!(client, Err(Error::UnknownSession)), "{client:?}");
    let error = listener.accept(&terms(), [1; 16]).expect_err("another");
    assert!(matches!(error, Error::OtherIdentity), "{error:?}");
    // Another server.
    let two_faced = Config {
        guard: Some(Arc::new(TwoFaced::default())),
        ..servers::hasty()
    };
    let (listener, _) = servers::listener(two_faced);
    let [_, client] = both(&listener, &terms(), &several(badge(1)));
    assert!(matches!(client, Err(Error::OtherIdentity)), "{client:?}");
}

#[test]
fn a_peer_that_speaks_tls_is_told_apart() {
    let (listener, address) = listener(servers::config());
    for record in [&[0x16, 3, 1, 2, 0, 1][..], &[0x15, 3, 3, 0, 2, 2, 40]] {
        let peer = say(address, record);
        let error = listener.accept(&terms(), [1; 16]).expect_err("no greeting");
        assert!(matches!(error, Error::SpeaksTls), "{error:?}");
        drop(peer);
    }
    serves(&listener, address);
}
