//! Two parties make random OTs and use them in two ways; prints what that costs.
//!
//! `cargo run --release -p blindray-ot --example rcot`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use channel::{Connection, Cost, ONLINE, REFILL_SERVER_SENDS, Role, memory_pair};
use ot::{Error, OtReceiver, OtSender, SoftSpokenReceiver, SoftSpokenSender};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::{BitVec, Bits};

/// Seeds per group of k bits of Δ: 2^4.
const K: u32 = 4;
const COUNT: usize = 100_000;
/// The ring of the sum.
const L: Bits = Bits::of(40);

/// What the server knows: a weight for each of the client's bits.
fn weight(i: usize) -> u64 {
    i as u64 * 7 % 1000
}

/// What the client knows.
const fn is_chosen(i: usize) -> bool {
    i % 5 < 2
}

fn main() -> Result<(), Error> {
    let (server, client) = memory_pair(1 << 16);
    let (sent, received) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&server));
        let received = receive(&client);
        (sender.join().expect("the sender does not panic"), received)
    });
    let ((keys, share, costs), (choices, chosen, other)) = (sent?, received?);

    for (i, key) in chosen.iter().enumerate() {
        assert_eq!(*key, keys[i][usize::from(choices.bit(i))]);
    }
    println!("{COUNT} random OTs: the receiver has exactly the keys it chose");

    let clear: u64 = (0..COUNT).filter(|&i| is_chosen(i)).map(weight).sum();
    let sum = L.reduce(share.wrapping_add(other));
    assert_eq!(sum, clear);
    println!("{COUNT} correlated OTs: shares of the sum of the chosen weights, {sum}");

    for (name, cost) in costs {
        let (up, down) = (cost.bytes_to_server(), cost.bytes_to_client());
        println!(
            "{name:8} {up:9} bytes to the server {down:9} to the client {:3} flights",
            cost.flights()
        );
    }
    Ok(())
}

type Sent = (Vec<[u128; 2]>, u64, Vec<(String, Cost)>);

fn send(connection: &Connection) -> Result<Sent, Error> {
    let (refill, mut chan) = (
        connection.open(REFILL_SERVER_SENDS)?,
        connection.open(ONLINE)?,
    );
    let id = connection.session_id();
    // A real party seeds its generator from the operating system.
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let pool = SoftSpokenSender::setup(refill, K, &id, &mut rng)?;
    let mut ot = OtSender::new(Box::new(pool), &id, Role::Server);

    let keys = ot.rot(COUNT)?;
    // The client gets r + weight where its bit is set, r elsewhere: what the parties hold adds up to the weight or to 0.
    let weights: Vec<u64> = (0..COUNT).map(weight).collect();
    let r = ot.cot_words(&mut chan, &weights, L)?;
    let share = r.iter().fold(0, |sum: u64, r| sum.wrapping_sub(*r));

    let ledger = ot.ledger().expect("a real pool has a channel");
    let mut costs: Vec<_> = ledger
        .phases()
        .iter()
        .map(|p| (p.name().to_owned(), p.cost().clone()))
        .collect();
    costs.push(("online".to_owned(), chan.measured()));
    Ok((keys, share, costs))
}

fn receive(connection: &Connection) -> Result<(BitVec, Vec<u128>, u64), Error> {
    let (refill, mut chan) = (
        connection.open(REFILL_SERVER_SENDS)?,
        connection.open(ONLINE)?,
    );
    let id = connection.session_id();
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let pool = SoftSpokenReceiver::setup(refill, K, &id, &mut rng)?;
    let mut ot = OtReceiver::new(Box::new(pool), &id, Role::Server);

    let (choices, keys) = ot.rot(COUNT)?;
    let bits = BitVec::from_fn(COUNT, is_chosen);
    let y = ot.cot_words(&mut chan, &bits, L)?;
    let share = y.iter().fold(0, |sum: u64, y| sum.wrapping_add(*y));
    Ok((choices, keys, share))
}
