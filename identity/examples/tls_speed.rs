//! What TLS costs over loopback TCP: small flights there and back, one way, and both ways at once, with it and without.
//!
//! `cargo run --release -p blindray-identity --example tls_speed [with|without]`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Instant;

use channel::{Channel, Config, Error, Guard, Listener, ONLINE, Role, Terms, connect};
use identity::{ClientTrust, Identity, ServerTrust, Tls};

/// Small flights there and back.
const ROUNDS: usize = 20_000;
const SMALL: usize = 64;
/// Bytes that go one way, and the size of each message.
const ONE_WAY: usize = 1 << 30;
const LARGE: usize = 1 << 20;
/// Bytes that go each way at once.
const BOTH_WAYS: usize = 64 << 20;

type Guarded = Option<Arc<dyn Guard>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, client) = (Identity::generate("server")?, Identity::generate("client")?);
    let trust = ServerTrust::Pinned(server.fingerprint());
    let at_server: Guarded = Some(Arc::new(Tls::server(&server, &ClientTrust::Any)?));
    let at_client: Guarded = Some(Arc::new(Tls::client(&client, &trust)?));
    let only = std::env::args().nth(1);
    for _ in 0..3 {
        if only.as_deref() != Some("with") {
            println!("without TLS");
            both(None, None)?;
        }
        if only.as_deref() != Some("without") {
            println!("with TLS");
            both(at_server.clone(), at_client.clone())?;
        }
    }
    Ok(())
}

fn both(at_server: Guarded, at_client: Guarded) -> Result<(), Error> {
    let config = |guard| Config {
        guard,
        ..Config::default()
    };
    let terms = Terms {
        version: 1,
        parameters: [0; 32],
        model: None,
    };
    let listener = Listener::bind("127.0.0.1:0", config(at_server))?;
    let address = listener.local_addr();
    let server_terms = terms.clone();
    let server = std::thread::spawn(move || {
        let connection = listener.accept(&server_terms, [1; 16])?;
        party(connection.open(ONLINE)?)
    });
    let client = connect(address, &terms, &config(at_client), [2; 16])?;
    party(client.open(ONLINE)?)?;
    server.join().expect("the server does not panic")
}

/// Both parties; the client tells how long it took.
fn party(mut channel: Channel) -> Result<(), Error> {
    let tells = channel.role() == Role::Client;
    let mut time = |what: &str, run: &mut dyn FnMut(&mut Channel) -> Result<(), Error>| {
        let begin = Instant::now();
        run(&mut channel)?;
        if tells {
            println!("  {what}: {:.3} s", begin.elapsed().as_secs_f64());
        }
        Ok::<(), Error>(())
    };
    let mut small = [1; SMALL];
    time("small flights there and back", &mut |channel| {
        (0..ROUNDS).try_for_each(|_| {
            if channel.role() == Role::Client {
                channel.send(&small)?;
                channel.recv(&mut small)
            } else {
                channel.recv(&mut small)?;
                channel.send(&small)
            }
        })
    })?;
    let mut large = vec![1; LARGE];
    time("one way", &mut |channel| {
        if channel.role() == Role::Server {
            (0..ONE_WAY / LARGE).try_for_each(|_| channel.send(&large))?;
            channel.recv(&mut small)
        } else {
            (0..ONE_WAY / LARGE).try_for_each(|_| channel.recv(&mut large))?;
            channel.send(&small)?;
            channel.flush()
        }
    })?;
    let (ours, mut theirs) = (vec![1; BOTH_WAYS], vec![0; BOTH_WAYS]);
    time("both ways at once", &mut |channel| {
        channel.exchange(&ours, &mut theirs)
    })
}
