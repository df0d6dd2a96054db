//! Sessions through what sits between parties in the field.

mod servers;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, Connection, Error, Listener, ONLINE, connect};
use servers::{accepting, config, listener, terms};
use testkit::MiddleBox;

/// The four streams of a session of inference, each with a question and an answer.
const STREAMS: [u32; 4] = [0, 1, 2, 3];

fn answers(connection: &Connection) -> Result<(), Error> {
    for stream in STREAMS {
        let mut channel = connection.open(stream)?;
        let question = channel.recv_u64()?;
        channel.send_u64(question + 1)?;
    }
    Ok(())
}

fn asks(connection: &Connection) {
    for stream in STREAMS {
        let mut channel = connection.open(stream).expect("open");
        channel.send_u64(7).expect("send");
        assert_eq!(channel.recv_u64().expect("recv"), 8);
    }
}

/// A session through a box.
fn through(listeners: &[&Listener], address: SocketAddr, config: &Config) -> Result<(), Error> {
    thread::scope(|scope| {
        for listener in listeners {
            scope.spawn(|| {
                while let Ok(server) = listener.accept(&terms(), [1; 16]) {
                    // Whether all went well, the client knows.
                    drop(answers(&server));
                }
            });
        }
        let outcome = connect(address, &terms(), config, [2; 16]).map(|client| asks(&client));
        for listener in listeners {
            listener.handle().close();
        }
        outcome
    })
}

#[test]
fn a_tunnel_of_one_connection_carries_a_session() {
    let (listener, address) = listener(config());
    let tunnel = MiddleBox::single(address);
    through(&[&listener], tunnel.address(), &config()).expect("one is enough");
}

#[test]
fn a_balancer_may_send_a_session_anywhere() {
    let (one, first) = listener(config());
    let (other, second) = listener(config());
    let balancer = MiddleBox::balancer(&[first, second]);
    // By turns: both servers serve, and a session never needs both.
    thread::scope(|scope| {
        for listener in [&one, &other, &one, &other] {
            let server = scope.spawn(accepting(listener));
            let client = connect(balancer.address(), &terms(), &config(), [2; 16]).expect("served");
            let server = server.join().expect("no panic");
            scope.spawn(move || answers(&server).expect("it asks"));
            asks(&client);
        }
    });
    // With more than one connection it does.
    let several = Config {
        connections: 2,
        ..config()
    };
    let outcome = through(&[&one, &other], balancer.address(), &several);
    assert!(matches!(outcome, Err(Error::UnknownSession)), "{outcome:?}");
}

#[test]
fn a_firewall_that_cuts_idle_connections_leaves_a_session_at_work() {
    let (listener, address) = listener(config());
    let firewall = MiddleBox::firewall(address, Duration::from_secs(3));
    thread::scope(|scope| {
        let server = scope.spawn(accepting(&listener));
        let client = connect(firewall.address(), &terms(), &config(), [2; 16]).expect("served");
        let server = server.join().expect("no panic");
        let computing = Duration::from_secs(8);
        scope.spawn(move || {
            let mut channel = server.open(ONLINE).expect("open");
            thread::sleep(computing);
            channel.send_u64(7).expect("send");
        });
        // Both compute, and make no call.
        let mut channel = client.open(ONLINE).expect("open");
        thread::sleep(computing);
        assert_eq!(channel.recv_u64().expect("still there"), 7);
    });
}

/// That the firewall cuts: without signs of life the same session ends.
#[test]
fn without_signs_of_life_a_firewall_cuts() {
    let quiet = Config {
        keep_alive: Duration::from_secs(100),
        ..config()
    };
    let (listener, address) = listener(quiet.clone());
    let firewall = MiddleBox::firewall(address, Duration::from_millis(300));
    thread::scope(|scope| {
        let server = scope.spawn(accepting(&listener));
        let client = connect(firewall.address(), &terms(), &quiet, [2; 16]).expect("served");
        let _server = server.join().expect("no panic");
        let begin = Instant::now();
        let outcome = client.open(ONLINE).expect("open").recv_u64();
        assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
        assert!(begin.elapsed() < Duration::from_secs(5));
    });
}
