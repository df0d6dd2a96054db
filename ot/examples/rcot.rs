//! Two parties make correlated OTs and use them in three ways; prints what that costs.
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

fn main() -> Result<(), Error> {
    let (server, client) = memory_pair(1 << 16);
    let (sent, received) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&server));
        let received = receive(&client);
        (sender.join().expect("the sender does not panic"), received)
    });
    let ((keys, shares, costs), (choices, chosen, mine)) = (sent?, received?);

    for (i, key) in chosen.iter().enumerate() {
        assert_eq!(*key, keys[i][usize::from(choices.bit(i))]);
    }
    println!("{COUNT} random OTs: the receiver has exactly the keys it chose");
    for (i, (s, c)) in shares.iter().zip(&mine).enumerate() {
        assert_eq!(l().reduce(s.wrapping_add(*c)), square(i as u64 % 16));
    }
    println!("{COUNT} table look-ups: the shares add up to the entries");
    for (name, cost) in costs {
        let (up, down) = (cost.bytes_to_server(), cost.bytes_to_client());
        println!(
            "{name:8} {up:9} bytes to the server {down:9} to the client {:3} flights",
            cost.flights()
        );
    }
    Ok(())
}

/// The server's table, looked up by the client's numbers.
fn square(x: u64) -> u64 {
    x * x % 4
}

fn l() -> Bits {
    Bits::of(20)
}

type Sent = (Vec<[u128; 2]>, Vec<u64>, Vec<(String, Cost)>);

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
    // Boolean shares of a 2-bit entry, then bit by bit to shares mod 2^20 by correlated OT: b_s ^
    // b_c = b_s + b_c·(1 - 2·b_s).
    let table = (0..16).fold(0, |table, x| table | square(x) << (2 * x));
    let planes = ot.leaves(&mut chan, 4, 2, &vec![table; COUNT])?;
    let mut shares = vec![0_u64; COUNT];
    for (j, plane) in planes.iter().enumerate() {
        let own = plane.to_values();
        let corr: Vec<u64> = own.iter().map(|b| 1_u64.wrapping_sub(2 * b)).collect();
        for ((share, b), r) in
            shares
                .iter_mut()
                .zip(own)
                .zip(ot.cot_words(&mut chan, &corr, l())?)
        {
            *share = l().reduce(share.wrapping_add(b.wrapping_sub(r) << j));
        }
    }
    let ledger = ot.ledger().expect("a real pool has a channel");
    let mut costs: Vec<_> = ledger
        .phases()
        .iter()
        .map(|p| (p.name().to_owned(), p.cost().clone()))
        .collect();
    costs.push(("online".to_owned(), chan.measured()));
    Ok((keys, shares, costs))
}

fn receive(connection: &Connection) -> Result<(BitVec, Vec<u128>, Vec<u64>), Error> {
    let (refill, mut chan) = (
        connection.open(REFILL_SERVER_SENDS)?,
        connection.open(ONLINE)?,
    );
    let id = connection.session_id();
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let pool = SoftSpokenReceiver::setup(refill, K, &id, &mut rng)?;
    let mut ot = OtReceiver::new(Box::new(pool), &id, Role::Server);
    let (choices, chosen) = ot.rot(COUNT)?;
    let values: Vec<u8> = (0..16).cycle().take(COUNT).collect();
    let planes = ot.leaves(&mut chan, 4, 2, &values)?;
    let mut shares = vec![0_u64; COUNT];
    for (j, plane) in planes.iter().enumerate() {
        for (share, y) in shares.iter_mut().zip(ot.cot_words(&mut chan, plane, l())?) {
            *share = l().reduce(share.wrapping_add(y << j));
        }
    }
    Ok((choices, chosen, shares))
}
