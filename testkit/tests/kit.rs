//! The kit itself: what it runs, what it measures, and that it fails when it should.

use std::time::Duration;

use channel::{Channel, Connection, Cost, Error, ONLINE, Role, Way};
use ring_arith::Bits;
use sharing::{Open, Session, default_extension};
use testkit::{
    Harm, Mangle, Transcript, elements, memory_pair_mangled, reconstruct, rng, run_2pc, run_over,
    run_sessions, run_sessions_over, run_sessions_real, run_tcp, share,
};

fn channel(connection: &Connection) -> Channel {
    connection.open(ONLINE).expect("the stream opens")
}

fn ask(connection: &Connection) -> Result<u64, Error> {
    let mut channel = connection.open(ONLINE)?;
    channel.send_u64(20)?;
    channel.recv_u64()
}

fn answer(connection: &Connection) -> Result<(), Error> {
    let mut channel = connection.open(ONLINE)?;
    let question = channel.recv_u64()?;
    channel.send_u64(question + 1)
}

#[test]
fn both_transports_run_both_parties() {
    let server = |connection: Connection| answer(&connection).expect("server");
    let client = |connection: Connection| ask(&connection).expect("client");
    assert_eq!(run_2pc(server, client), ((), 21));
    assert_eq!(run_tcp(server, client), ((), 21));
}

#[test]
#[should_panic(expected = "the client's own")]
fn a_panic_comes_through() {
    run_2pc(|_| {}, |_| panic!("the client's own"));
}

#[test]
fn relying_on_buffers_ends_in_a_time_out() {
    let greedy = |connection: Connection| {
        let mut channel = channel(&connection);
        channel
            .set_timeout(Duration::from_millis(200))
            .expect("set");
        let outcome = channel.send(&[0; 1 << 16]).and_then(|()| channel.flush());
        assert!(matches!(
            outcome,
            Err(Error::Timeout { .. } | Error::Closed { .. })
        ));
    };
    run_2pc(greedy, greedy);
}

/// Opens a vector to both parties.
fn open(session: &mut Session, share: &[u64], bits: Bits) -> Vec<u64> {
    session
        .run(async |party| Open { bits }.run(party, share).await)
        .expect("open")
}

#[test]
fn sessions_compute_and_measure() {
    let ring = Bits::of(11);
    let mut rng = rng(3);
    let x = elements(129, ring, &mut rng);
    let (at_server, at_client) = share(&x, ring, &mut rng);
    assert_eq!(reconstruct(&at_server, &at_client, ring), x);
    let server = |session: &mut Session| open(session, &at_server, ring);
    let client = |session: &mut Session| open(session, &at_client, ring);
    let ideal = run_sessions(1, server, client);
    assert_eq!(
        ideal,
        (x.clone(), x, Open { bits: ring }.rounds(129).cost())
    );
    assert_eq!(
        run_sessions_real(1, default_extension(), server, client),
        ideal
    );
}

#[test]
#[should_panic(expected = "different costs")]
fn different_accounts_are_noticed() {
    // Bytes that nobody reads are in one account only.
    run_sessions(1, |s| s.channel().send(b"x").expect("send"), |_| {});
}

#[test]
fn transcripts_repeat_and_tell_apart() {
    let run = |salt: u8| {
        let transcript = Transcript::new();
        let speak = |s: &mut Session| {
            s.channel()
                .exchange(&[salt; 9], &mut [0; 9])
                .expect("speak");
        };
        let ((), (), cost) = run_sessions_over(&transcript.line(), 1, speak, speak);
        assert_eq!(cost, Cost::exchange(9, 9));
        [Role::Server, Role::Client].map(|role| transcript.digest(role))
    };
    let (first, second) = (run(1), run(2));
    assert_eq!(first, run(1));
    assert_eq!(first[0], first[1]);
    assert_ne!(first, second);
}

#[test]
fn harm_hits_the_byte_it_names() {
    let line = |harm| {
        let way = Way {
            stream: ONLINE,
            from: Role::Client,
        };
        memory_pair_mangled(Mangle { way, at: 1, harm }, Duration::from_millis(200))
    };
    let server = |connection: Connection| answer(&connection);
    let client = |connection: Connection| ask(&connection);
    let (_, flipped) = run_over(line(Harm::Flip(2)), server, client);
    assert_eq!(flipped.expect("an answer"), 20 + 512 + 1);
    let (server, client) = run_over(line(Harm::Cut), server, client);
    assert!(matches!(server, Err(Error::Closed { .. })));
    assert!(client.is_err());
}
