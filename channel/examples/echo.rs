//! Two parties over loopback TCP: the client asks, the server answers, both print their account.
//!
//! `cargo run --release -p blindray-channel --example echo`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use channel::{Config, Cost, Error, Listener, ONLINE, Terms, connect};

fn main() -> Result<(), Error> {
    let terms = Terms {
        version: 1,
        parameters: [0; 32],
        model: None,
    };
    let listener = Listener::bind("127.0.0.1:0", Config::default())?;
    let address = listener.local_addr();

    let server_terms = terms.clone();
    let server = std::thread::spawn(move || {
        // Real parties take fresh random bytes.
        let connection = listener.accept(&server_terms, [1; 16])?;
        let mut channel = connection.open(ONLINE)?;
        channel.enter_phase("question");
        let mut question = channel.recv_frame(1000)?;
        channel.enter_phase("answer");
        question.reverse();
        channel.send_frame(&question)?;
        channel.flush()?;
        Ok::<Cost, Error>(channel.measured())
    });

    let connection = connect(address, &terms, &Config::default(), [2; 16])?;
    let mut channel = connection.open(ONLINE)?;
    channel.enter_phase("question");
    channel.send_frame(b"was it a car or a cat I saw")?;
    channel.enter_phase("answer");
    let answer = channel.recv_frame(1000)?;
    println!(
        "{} answers: {}",
        connection.peer(),
        String::from_utf8_lossy(&answer)
    );
    for phase in channel.ledger().phases() {
        let cost = phase.cost();
        let (up, down) = (cost.bytes_to_server(), cost.bytes_to_client());
        println!(
            "{:>10}: {up:4} bytes up, {down:4} down, {} flights",
            phase.name(),
            cost.flights()
        );
    }
    assert_eq!(
        server.join().expect("the server does not panic")?,
        channel.measured()
    );
    Ok(())
}
