//! A client that measures the line, and one that measures more than it may.

use std::time::Duration;

use channel::{Connection, Error as Cause, Memory};
use service::{Client, Error, Line, Request};

use crate::common::{CLIENT_SEED, MODEL, SERVER, SERVER_SEED, line};

const CONTROL: u32 = 3;

/// What the server ends with, and what the client got.
fn with<T: Send>(
    client: impl FnOnce(Connection) -> T + Send,
) -> (Result<service::Served, Error>, T) {
    // A client that does not listen before it has said all is not to wait for itself.
    let memory = Memory {
        capacity: 1 << 16,
        ..line(Duration::from_secs(60))
    };
    testkit::run_over(
        memory.pair(),
        |connection| SERVER.serve(&connection, SERVER_SEED, &mut |_| {}),
        client,
    )
}

#[test]
fn the_line_is_measured_and_nothing_asked() {
    let (served, found) = with(|connection| Line::measure(&connection, &Request::default()));
    let found = found.expect("a measurement");
    assert_eq!(found.model.digest(), MODEL.public.digest());
    assert_eq!(found.extension.name(), SERVER.extension().name());
    assert!(found.round_trip_s > 0.0 && found.round_trip_s < 10.0);
    for rate in [
        found.up_bytes_per_s,
        found.down_bytes_per_s,
        found.bytes_per_s(),
    ] {
        assert!(rate.is_finite() && rate > 0.0);
    }
    let [low, high] = [
        found.up_bytes_per_s.min(found.down_bytes_per_s),
        found.up_bytes_per_s.max(found.down_bytes_per_s),
    ];
    assert!((low..=high * 1.001).contains(&(found.bytes_per_s() * 1.0005)));
    // One machine has one clock.
    assert!(found.clock_ahead_s.abs() < 1.0, "{}", found.clock_ahead_s);
    assert!(matches!(served, Err(Error::OnlyMeasured)), "{served:?}");
}

/// What a client says in place of its request, after it has heard of the model.
fn says(words: &[&str]) -> (Result<service::Served, Error>, Result<(), Cause>) {
    with(|connection| {
        let mut control = connection.open(CONTROL)?;
        control.agree(&Request::default().terms())?;
        control.recv_frame(1 << 20)?;
        control.recv_frame(1 << 12)?;
        for word in words {
            control.send_frame(word.as_bytes())?;
        }
        control.flush()?;
        // Until the server hangs up; what it answers is of no matter.
        let mut rest = [0; 4096];
        while control.recv(&mut rest).is_ok() {}
        Ok(())
    })
}

#[test]
fn a_client_measures_no_more_than_it_may() {
    let go = r#"{"go":true}"#;
    let often = [r#"{"measure":{"up":0,"down":0}}"#, go].repeat(80);
    let much = [r#"{"measure":{"up":0,"down":16777216}}"#, go].repeat(5);
    for (words, expected) in [
        (
            vec![r#"{"measure":{"up":16777217,"down":0}}"#],
            "more than it may",
        ),
        (
            vec![r#"{"measure":{"up":0,"down":18446744073709551615}}"#],
            "more than it may",
        ),
        (often, "more than it may"),
        (much, "more than it may"),
        (
            vec![r#"{"measure":{"up":-1,"down":0}}"#],
            "malformed request",
        ),
        (vec![r#"{"measure":{"up":1}}"#], "malformed request"),
        (
            vec![
                r#"{"measure":{"up":0,"down":1}}"#,
                r#"{"measure":{"up":0,"down":1}}"#,
            ],
            "malformed measurement",
        ),
        (
            vec![r#"{"measure":{"up":1,"down":1,"x":1}}"#],
            "malformed request",
        ),
    ] {
        let (served, said) = says(&words);
        said.expect("the server is there");
        let error = served.expect_err("no session");
        assert!(
            error.is_peer_fault() && error.to_string().contains(expected),
            "{error}"
        );
    }
}

#[test]
fn a_session_without_measurements_is_what_it_was() {
    let (served, client) =
        with(|connection| Client::over(connection, &Request::default(), CLIENT_SEED).map(drop));
    client.expect("a session");
    assert!(!matches!(served, Err(Error::OnlyMeasured)));
}
