//! A peer that lies, vanishes or stalls: a typed error or other shares, never a panic or a hang.

mod common;

use std::sync::Arc;
use std::time::Duration;

use channel::{Connection, Memory, Relay, Role, Way};
use common::values;
use ring_arith::{BitVec, Bits};
use sharing::{
    And, AndEach, B2a, BitProducts, Error, Factors, Input, Later, Mul, Mux, Open, OpenBits, Party,
    RandomBits, Reveal, RevealBits, ScaleRows, Session, default_extension,
};
use testkit::{bits, ideal_session, rng, run_over, run_sessions};

const BITS: Bits = Bits::of(12);
const N: usize = 70;

/// Every protocol once.
fn everything(s: &mut Session) -> Result<(), Error> {
    s.run(protocols)
}

async fn protocols(party: &Party<'_>) -> Result<(), Error> {
    let server = party.role().is_server();
    let rng = &mut rng(4);
    let (b, x) = (bits(N, rng), values(rng, N, BITS));
    let input = Input {
        owner: Role::Client,
        bits: BITS,
    };
    input.run(party, (!server).then_some(&x), N).await?;
    And.run(party, &b, &b).await?;
    AndEach.run(party, &b, &[b.clone(), b.clone()]).await?;
    RandomBits::draw(party, N, BITS)?.numbers(party).await?;
    B2a { bits: BITS }.run(party, &b).await?;
    Mux { bits: BITS }.run(party, &b, &x).await?;
    Mul { bits: BITS }.run(party, &x, &x).await?;
    let rows = ScaleRows {
        bits: BITS,
        scalar_bits: BITS,
        width: 10,
    };
    party.alone(|s| rows.run(s, &x[..7], &x))?;
    OpenBits.run(party, &b).await?;
    Open { bits: BITS }.run(party, &x).await?;
    for to in [Role::Server, Role::Client] {
        Reveal { to, bits: BITS }.run(party, &x).await?;
        RevealBits { to }.run(party, &b).await?;
        let products = BitProducts {
            sender: to,
            bits: BITS,
        };
        let own = if party.role() == to {
            Factors::Numbers(&x)
        } else {
            Factors::Bits(&b)
        };
        products.run(party, own).await?;
    }
    joined(party, &b, &x).await
}

/// Some of them side by side, and two that wait for what another one hands over.
async fn joined(party: &Party<'_>, b: &BitVec, x: &[u64]) -> Result<(), Error> {
    let anded = Later::new();
    let and = async {
        anded.set(And.run(party, b, b).await?);
        Mul { bits: BITS }.run(party, x, x).await
    };
    let selected = async {
        let b = anded.wait().await;
        Mux { bits: BITS }.run(party, b, x).await
    };
    let number = async {
        party.pause(2).await?;
        let b = anded.wait().await;
        B2a { bits: BITS }.run(party, b).await
    };
    let waiting = party.both(selected, number);
    party.both(and, waiting).await.map(drop)
}

/// Lets `limit` bytes of one way through, then cuts the line.
struct Cut {
    from: Role,
    limit: u64,
}

impl Relay for Cut {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        if way.from != self.from {
            return bytes.len();
        }
        let left = self.limit.saturating_sub(offset);
        bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))
    }
}

/// Turns every byte of one way round.
struct Mangle(Role);

impl Relay for Mangle {
    fn pass(&self, way: Way, _offset: u64, bytes: &mut [u8]) -> usize {
        if way.from == self.0 {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        bytes.len()
    }
}

fn run(
    relay: impl Relay + 'static,
    party: impl Fn(&Connection) -> Result<(), Error> + Sync,
) -> [Result<(), Error>; 2] {
    let memory = Memory {
        timeout: Duration::from_secs(5),
        relay: Some(Arc::new(relay)),
        ..Memory::default()
    };
    run_over(memory.pair(), |c| party(&c), |c| party(&c)).into()
}

/// The bytes one party says in all of [`everything`].
fn said(from: Role) -> u64 {
    let (server, client, cost) = run_sessions(1, everything, everything);
    assert!(server.is_ok() && client.is_ok());
    match from {
        Role::Server => cost.bytes_to_client(),
        Role::Client => cost.bytes_to_server(),
    }
}

#[test]
fn a_peer_that_vanishes_anywhere() {
    for from in [Role::Server, Role::Client] {
        let all = said(from);
        for limit in (0..all).step_by(41).chain([all - 1]) {
            let outcome = run(Cut { from, limit }, |connection| {
                let mut s = ideal_session(connection, 1);
                let outcome = everything(&mut s);
                if outcome.is_err() {
                    assert!(s.is_dead());
                    assert!(matches!(everything(&mut s), Err(Error::Dead)));
                }
                outcome
            });
            let [server, client] = outcome;
            let other = if from.is_server() { client } else { server };
            assert!(
                matches!(other, Err(Error::Channel(_) | Error::Ot(_))),
                "{other:?}"
            );
        }
    }
}

/// Wrong bytes of the right length are wrong shares: semi-honest protocols cannot tell.
#[test]
fn a_peer_that_lies_in_the_protocols() {
    for from in [Role::Server, Role::Client] {
        let outcome = run(Mangle(from), |connection| {
            everything(&mut ideal_session(connection, 1))
        });
        assert!(outcome.iter().all(Result::is_ok));
    }
}

/// In the set-up it is noticed where the bytes have a structure; what is left ends in time.
#[test]
fn a_peer_that_lies_in_the_set_up() {
    for from in [Role::Server, Role::Client] {
        let outcome = run(Mangle(from), |connection| {
            Session::establish(connection, [5; 32], default_extension()).map(|_| ())
        });
        assert!(outcome.iter().any(Result::is_err));
    }
}

#[test]
fn a_peer_that_stalls() {
    let memory = Memory {
        timeout: Duration::from_millis(50),
        ..Memory::default()
    };
    let (server, client) = memory.pair();
    let mut s = ideal_session(&server, 1);
    let _idle = ideal_session(&client, 1);
    let bits = BitVec::zeros(9);
    let and = |s: &mut Session| s.run(async |party| And.run(party, &bits, &bits).await);
    let outcome = and(&mut s);
    assert!(matches!(
        outcome,
        Err(Error::Channel(channel::Error::Timeout { .. }))
    ));
    assert!(matches!(and(&mut s), Err(Error::Dead)));
}

#[test]
fn what_is_kept_ends_with_the_session() {
    let party = |s: &mut Session| {
        s.kept::<Vec<u8>>().push(3);
        let pushed = s.run(async |party| -> Result<usize, Error> {
            Ok(party.kept(|kept: &mut Vec<u8>| {
                kept.push(4);
                kept.len()
            }))
        });
        assert_eq!(pushed.ok(), Some(2));
        assert_eq!(s.kept::<Vec<u8>>(), &[3, 4]);
        assert_eq!(s.kept::<Vec<u16>>(), &[], "another type");
        let failed: Result<(), Error> = s.attempt(|_| Err(Error::Dead));
        assert!(failed.is_err());
        assert!(s.kept::<Vec<u8>>().is_empty(), "kept after an error");
        s.id().to_owned()
    };
    let (server, client, _) = run_sessions(1, party, party);
    assert_eq!(server, client);
}
