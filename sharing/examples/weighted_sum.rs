//! A hospital's measurements, a registry's weights and its secret selection of patients: the
//! weighted sum over the selected ones, and nothing else, becomes known to the hospital.
//!
//! ```sh
//! cargo run --release -p blindray-sharing --example weighted_sum
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::thread;

use channel::{Connection, Cost, Role, memory_pair};
use ring_arith::{BitVec, Bits};
use sharing::{Error, Input, Mul, Mux, Party, Reveal, Session, default_extension, input_bits};

const BITS: Bits = Bits::of(24);
const PATIENTS: usize = 1000;

/// How the client learns the sum.
const RESULT: Reveal = Reveal {
    to: Role::Client,
    bits: BITS,
};

/// What the client measured.
fn measurement(i: usize) -> u64 {
    100 + (i as u64 * 37) % 50
}

/// The server's weight of a patient.
fn weight(i: usize) -> u64 {
    1 + i as u64 % 4
}

/// Whether the server selects a patient.
const fn selected(i: usize) -> bool {
    i.is_multiple_of(3)
}

fn party(connection: &Connection, seed: [u8; 32]) -> Result<Option<u64>, Error> {
    let mut session = Session::establish(connection, seed, default_extension())?;
    let (result, spent) = session.run(weighted_sum)?;

    let predicted = Mul { bits: BITS }
        .rounds(PATIENTS)
        .then(Mux { bits: BITS }.rounds(PATIENTS))
        .then(RESULT.rounds(1));
    assert_eq!(spent, predicted.cost(), "costs are known before the run");
    if session.role().is_server() {
        println!("{} bytes, {} flights", spent.bytes(), spent.flights());
    }
    Ok(result)
}

/// The result for the client, and what was spent on it once the inputs were shared.
async fn weighted_sum(party: &Party<'_>) -> Result<(Option<u64>, Cost), Error> {
    let server = party.role().is_server();

    let x: Vec<u64> = (0..PATIENTS).map(measurement).collect();
    let w: Vec<u64> = (0..PATIENTS).map(weight).collect();
    let b = BitVec::from_fn(PATIENTS, selected);
    let (of_client, of_server) = (
        Input {
            owner: Role::Client,
            bits: BITS,
        },
        Input {
            owner: Role::Server,
            bits: BITS,
        },
    );
    let x = of_client
        .run(party, (!server).then_some(&x), PATIENTS)
        .await?;
    let w = of_server.local(party.role(), server.then_some(&w), PATIENTS);
    let b = input_bits(party.role(), Role::Server, server.then_some(&b), PATIENTS);

    // An account of its own, without the inputs.
    let party = &party.apart();
    let products = Mul { bits: BITS }.run(party, &x, &w).await?;
    let chosen = Mux { bits: BITS }.run(party, &b, &products).await?;
    let sum = chosen.iter().fold(0, |sum, &x| BITS.reduce(sum + x));
    let result = RESULT.run(party, &[sum]).await?;
    Ok((result.map(|values| values[0]), party.spent()))
}

fn main() -> Result<(), Error> {
    let (server, client) = memory_pair(1 << 16);
    let result = thread::scope(|scope| {
        // A real party takes its seed from the operating system.
        let server = scope.spawn(move || party(&server, [1; 32]));
        let result = party(&client, [2; 32])?;
        server.join().expect("the server does not panic")?;
        Ok::<_, Error>(result)
    })?;
    let clear: u64 = (0..PATIENTS)
        .filter(|&i| selected(i))
        .map(|i| measurement(i) * weight(i))
        .sum();
    println!(
        "secure {}, clear {clear}",
        result.expect("the client learns the sum")
    );
    assert_eq!(result, Some(clear));
    Ok(())
}
