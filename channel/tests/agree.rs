//! Terms compared on a channel, where a connection has no handshake.

use std::thread;

use channel::{Channel, Connection, Cost, Error, ONLINE, Terms, memory_pair};

const TERMS: Terms = Terms {
    version: 3,
    parameters: [1; 32],
    model: Some([2; 32]),
};

/// Both parties over a line of few bytes.
fn run_2pc<R: Send, S: Send>(
    server: impl FnOnce(Connection) -> R + Send,
    client: impl FnOnce(Connection) -> S + Send,
) -> (R, S) {
    let (at_server, at_client) = memory_pair(16);
    thread::scope(|scope| {
        let server = scope.spawn(move || server(at_server));
        let client = client(at_client);
        (server.join().expect("no panic"), client)
    })
}

/// What either party comes to.
fn verdicts(server: &Terms, client: &Terms) -> [Result<(Terms, Cost), Error>; 2] {
    let party = |terms: &Terms, mut channel: Channel| {
        let theirs = channel.agree(terms)?;
        Ok((theirs, channel.measured()))
    };
    let (server, client) = run_2pc(
        |connection| party(server, connection.open(ONLINE)?),
        |connection| party(client, connection.open(ONLINE)?),
    );
    [server, client]
}

#[test]
fn parties_that_agree_hear_each_other() {
    for model in [None, TERMS.model] {
        let client = Terms { model, ..TERMS };
        let [at_server, at_client] = verdicts(&TERMS, &client).map(|v| v.expect("they agree"));
        let cost = Cost::to_server(98).then(Cost::to_client(98));
        assert_eq!(at_server, (client, cost.clone()));
        assert_eq!(at_client, (TERMS, cost));
    }
}

#[test]
fn parties_that_do_not_hear_why() {
    let [server, client] = verdicts(
        &TERMS,
        &Terms {
            version: 4,
            ..TERMS
        },
    );
    assert!(matches!(
        server,
        Err(Error::VersionMismatch { ours: 3, theirs: 4 })
    ));
    assert!(matches!(
        client,
        Err(Error::VersionMismatch { ours: 4, theirs: 3 })
    ));
    let parameters = [9; 32];
    for verdict in verdicts(
        &TERMS,
        &Terms {
            parameters,
            ..TERMS
        },
    ) {
        assert!(matches!(verdict, Err(Error::ParametersMismatch { .. })));
    }
    let model = Some([9; 32]);
    for verdict in verdicts(&TERMS, &Terms { model, ..TERMS }) {
        assert!(
            matches!(verdict, Err(Error::ModelMismatch { expected, offered }) if expected == [9; 32] && offered == TERMS.model)
        );
    }
}

#[test]
fn noise_is_no_greeting() {
    let stranger = |bytes: Vec<u8>| {
        let (verdict, ()) = run_2pc(
            |connection| connection.open(ONLINE)?.agree(&TERMS),
            |connection| {
                let mut channel = connection.open(ONLINE).expect("it opens");
                // The server may hang up before it has all of it.
                let _ = channel.send(&bytes);
                let _ = channel.flush();
            },
        );
        verdict.expect_err("no greeting")
    };
    assert!(matches!(stranger(vec![0; 200]), Error::NotBlindray));
    assert!(matches!(
        stranger(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        Error::NotBlindray
    ));
    let prefix = |kind: u8, length: u16| {
        let mut bytes = b"BLINDRAY\x03\0\0\0".to_vec();
        bytes.push(kind);
        bytes.extend(length.to_le_bytes());
        bytes
    };
    // Longer than any greeting, shorter than this one, and of another kind.
    let bad = [
        prefix(1, 2000),
        [prefix(1, 4), vec![0; 4]].concat(),
        [prefix(3, 1), vec![0]].concat(),
    ];
    for bytes in bad {
        assert!(matches!(stranger(bytes), Error::BadHello { .. }));
    }
}
