//! Linear layers by ring-LWE with a peer that says something else.

use std::sync::Arc;

use channel::{Memory, ONLINE, Relay, Role, Way};
use linear::{
    ConvSpec, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol, LinearShape,
    RingLwe,
};
use ring_arith::Bits;
use sharing::Session;
use testkit::{ideal_session, run_over};

const ALGORITHM: RingLwe = RingLwe { packed: true };

fn layer(outputs: usize) -> LinearLayer {
    let spec = ConvSpec::new([4, outputs], [8, 8], [3, 3], [1, 1], [1; 4], 1);
    LinearLayer {
        shape: LinearShape::Conv(spec.expect("possible")),
        weight_bits: Bits::of(10),
        bits: Bits::of(26),
    }
}

fn plan(layer: &LinearLayer) -> Box<dyn LinearProtocol> {
    ALGORITHM.plan(layer).expect("it has a plan")
}

/// Bytes of the set-up.
fn set_up_len(protocol: &dyn LinearProtocol) -> u64 {
    let items = protocol.set_up().into_iter();
    items.map(|item| item.cost().bytes_to_server()).sum()
}

/// Some bytes of what the client says, replaced.
struct Replace {
    at: u64,
    by: Vec<u8>,
}

impl Relay for Replace {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        let online = Way {
            stream: ONLINE,
            from: Role::Client,
        };
        for (i, &by) in self.by.iter().enumerate().filter(|_| way == online) {
            let at = (self.at + i as u64).checked_sub(offset);
            let byte = at.and_then(|at| bytes.get_mut(usize::try_from(at).ok()?));
            byte.into_iter().for_each(|byte| *byte = by);
        }
        bytes.len()
    }
}

/// The keys of a protocol, if they come in order; then layers of one protocol after another.
fn run(session: &mut Session, layers: &[&dyn LinearProtocol], set_up: bool) -> Result<(), Error> {
    for protocol in layers {
        for item in protocol.set_up() {
            if set_up && !item.is_done(session) {
                item.run(session)?;
            }
        }
        let shape = protocol.layer().shape;
        let x = vec![1; shape.input_len()];
        if session.role() == Role::Client {
            drop(session.run(async |party| protocol.request(party, &x).await)?);
            continue;
        }
        let parameters = LayerParameters {
            weights: &vec![1; shape.weight_len()],
            bias: &vec![0; shape.channels()],
        };
        let prepared = protocol.prepare(parameters)?;
        let serve = async |party: &sharing::Party<'_>| {
            protocol.serve(party, parameters, &prepared, &x).await
        };
        drop(session.run(serve)?);
    }
    Ok(())
}

/// How the server's session ends if the client says other bytes.
fn server_with(at: u64, by: Vec<u8>) -> Result<(), Error> {
    let protocol = plan(&layer(3));
    let line = Memory {
        relay: Some(Arc::new(Replace { at, by })),
        ..Memory::default()
    };
    let party = |connection| {
        let session = &mut ideal_session(&connection, 1);
        let outcome = run(session, &[&*protocol], true);
        assert_eq!(session.is_dead(), outcome.is_err());
        outcome
    };
    run_over(line.pair(), party, party).0
}

#[test]
fn requests_of_another_layer_are_refused() {
    let tag = set_up_len(&*plan(&layer(3)));
    let refused = |at| {
        let outcome = server_with(at, vec![0xa5]);
        matches!(outcome, Err(Error::OtherRequests))
    };
    assert!(refused(tag) && refused(tag + 15));
}

#[test]
fn coefficients_beyond_the_modulus_are_refused() {
    let first = set_up_len(&*plan(&layer(3))) + 16;
    let outcome = server_with(first, vec![0xff; 7]);
    let Err(Error::Rlwe(error)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(error.to_string().contains("out of range"), "{error}");
}

#[test]
fn keys_beyond_the_modulus_are_refused() {
    // Behind the nonce.
    let outcome = server_with(32, vec![0xff; 7]);
    assert!(matches!(outcome, Err(Error::Rlwe(_))), "{outcome:?}");
}

#[test]
fn layers_in_another_order_are_refused() {
    // As many bytes, but results of other layers.
    let (first, second) = (plan(&layer(3)), plan(&layer(4)));
    assert_eq!(first.cost(), second.cost());
    let other = plan(&LinearLayer {
        bits: Bits::of(25),
        weight_bits: Bits::of(11),
        ..layer(3)
    });
    let (server, _) = run_over(
        Memory::default().pair(),
        |connection| {
            run(
                &mut ideal_session(&connection, 1),
                &[&*first, &*second],
                true,
            )
        },
        |connection| {
            run(
                &mut ideal_session(&connection, 1),
                &[&*first, &*other],
                true,
            )
        },
    );
    assert!(matches!(server, Err(Error::OtherRequests)), "{server:?}");
}

#[test]
fn a_session_without_keys_is_refused() {
    let protocol = plan(&layer(3));
    let party = |connection| run(&mut ideal_session(&connection, 1), &[&*protocol], false);
    let (server, client) = run_over(Memory::default().pair(), party, party);
    for outcome in [server, client] {
        let Err(Error::NotSetUp { item }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(item, "ring-lwe-s1-public-key");
    }
}

#[test]
fn packing_keys_come_in_order() {
    let protocol = plan(&layer(40));
    let items = protocol.set_up();
    let names: Vec<String> = items.iter().map(|item| item.name()).collect();
    assert!(names.len() > 2, "{names:?}");
    assert_eq!(
        names[1..3],
        ["ring-lwe-s1-packing-key-0", "ring-lwe-s1-packing-key-1"]
    );
    for (skipped, missing) in [(0, &names[0]), (1, &names[1])] {
        let party = |connection| {
            let session = &mut ideal_session(&connection, 1);
            let mut kept = items.iter().enumerate().filter(|(i, _)| *i != skipped);
            kept.try_for_each(|(_, item)| item.run(session))
        };
        let (server, client) = run_over(Memory::default().pair(), party, party);
        let Err(Error::NotSetUp { item }) = client else {
            panic!("{client:?}");
        };
        assert_eq!(item, *missing);
        assert!(server.is_err(), "the client is gone");
    }
}
