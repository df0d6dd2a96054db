//! A client that wants the server's weights, and changes nothing but what it sends itself.
//!
//! In the columns of a fully connected layer whose bits choose, it lets one group of the OT extension's rows
//! have another choice than all others. Without the consistency check the server's key of that column is then
//! off by four bits of its secret Δ, and the client, which is the party that sees the outputs, compares them
//! with those of an honest run: the error of the row of bit j is 2^j·(G(H(t)) - G(H(t ^ Δ's four bits))), and only
//! one guess of the four bits explains it. Rows of rising j decide one group each by one bit of the outputs,
//! so that two images give the whole of Δ, and with it every weight. With the check the server ends the
//! session before it makes a key of the batch.

use std::sync::Arc;

use channel::{Memory, REFILL_SERVER_SENDS, Relay, Role, Way};
use linear::{ClientChooses, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearShape};
use ot::SoftSpoken;
use ring_arith::Bits;
use sharing::{Party, Reveal, Session, default_extension};
use testkit::{elements, linear_reference, reconstruct, rng, run_over, share, weights};

const INPUTS: usize = 64;
const BITS: Bits = Bits::of(28);
const LAYER: LinearLayer = LinearLayer {
    shape: LinearShape::FullyConnected {
        inputs: INPUTS,
        outputs: 14,
    },
    weight_bits: Bits::of(10),
    bits: BITS,
};

/// One honest image and two that the attack needs, all in the first batch of COTs.
const IMAGES: usize = 3;

/// Groups of four bits of Δ.
const GROUPS: u64 = 32;

/// Columns of a batch, with those that are sacrificed.
const COLUMNS: u64 = SoftSpoken::BATCH as u64 + 128;

/// The column that tests a group: bit `group` of one of the inputs, in the second image or, for the last
/// groups, the third.
fn place(group: u64) -> u64 {
    let bits = u64::from(BITS.get());
    let (image, bit) = (1 + group / bits, group % bits);
    image * INPUTS as u64 * bits + group * bits + bit
}

/// The line of a client that deviates: some columns in which a group has a choice of its own.
struct Attacker {
    set_up: u64,
    /// Groups and their columns.
    targets: Vec<(u64, u64)>,
}

impl Attacker {
    fn new(targets: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self {
            set_up: default_extension()
                .setup_cost(Role::Server)
                .bytes_to_server(),
            targets: targets.into_iter().collect(),
        }
    }
}

impl Relay for Attacker {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        let refill = Way {
            stream: REFILL_SERVER_SENDS,
            from: Role::Client,
        };
        for (group, column) in self.targets.iter().filter(|_| way == refill) {
            // The first group has no correction: it differs from the others if all of them change.
            for other in (1..GROUPS).filter(|other| (*group == 0) != (other == group)) {
                let at = self.set_up + (other - 1) * COLUMNS / 8 + column / 8;
                let at = at
                    .checked_sub(offset)
                    .and_then(|at| usize::try_from(at).ok());
                if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
                    *byte ^= 1 << (column % 8);
                }
            }
        }
        bytes.len()
    }
}

/// Runs all images over the attacker's line: whether they came out right, or how the server's and the client's
/// session ended. The client sees the outputs.
fn run(attacker: Attacker) -> Result<(), Box<[Error; 2]>> {
    let rng = &mut rng(1);
    let weights = weights(LAYER.shape.weight_len(), LAYER.weight_bits, rng);
    let images: Vec<Vec<u64>> = (0..IMAGES).map(|_| elements(INPUTS, BITS, rng)).collect();
    let shares: Vec<_> = images.iter().map(|x| share(x, BITS, rng)).collect();
    let protocol = ClientChooses.plan(&LAYER).expect("it takes the layer");
    let parameters = LayerParameters {
        weights: &weights,
        bias: &[0; 14],
    };
    let line = Memory {
        relay: Some(Arc::new(attacker)),
        ..Memory::default()
    };
    let reveal = Reveal {
        to: Role::Client,
        bits: BITS,
    };
    let (server, client) = run_over(
        line.pair(),
        |connection| -> Result<_, Error> {
            let s = &mut Session::establish(&connection, [7; 32], default_extension())?;
            let prepared = protocol.prepare(parameters)?;
            for (x, _) in &shares {
                let serve =
                    async |party: &Party<'_>| protocol.serve(party, parameters, &prepared, x).await;
                let y = s.run(serve)?;
                s.run(async |party| reveal.run(party, &y).await)?;
            }
            Ok(())
        },
        |connection| -> Result<_, Error> {
            let s = &mut Session::establish(&connection, [9; 32], default_extension())?;
            let mut outputs = Vec::new();
            for (_, x) in &shares {
                let y = s.run(async |party| protocol.request(party, x).await)?;
                let y = s.run(async |party| reveal.run(party, &y).await)?;
                outputs.push(y.expect("it is revealed to the client"));
            }
            Ok(outputs)
        },
    );
    let outputs = match (server, client) {
        (Ok(()), Ok(outputs)) => outputs,
        (Err(server), Err(client)) => return Err(Box::new([server, client])),
        (server, client) => panic!("one party went on: {server:?}, {client:?}"),
    };
    for (x, y) in images.iter().zip(outputs) {
        let expected = linear_reference(&LAYER.shape, &weights, x);
        assert_eq!(y, reconstruct(&expected, &[0; 14], BITS));
    }
    Ok(())
}

fn assert_caught(attacker: Attacker) {
    use sharing::Error::{Channel, Ot};
    let targets = attacker.targets.clone();
    let [server, client] = *run(attacker).expect_err("the session ends");
    let caught = matches!(server, Error::Sharing(Ot(ot::Error::Inconsistent)));
    assert!(caught, "{server:?}, {targets:?}");
    // The client has no output, only a line that was cut.
    let cut = matches!(
        client,
        Error::Sharing(Channel(_) | Ot(ot::Error::Channel(_)))
    );
    assert!(cut, "{client:?}, {targets:?}");
}

#[test]
fn an_honest_client_gets_its_outputs() {
    assert!(run(Attacker::new([])).is_ok());
}

#[test]
fn a_client_that_tests_all_groups_in_two_images_gets_nothing() {
    assert_caught(Attacker::new(
        (0..GROUPS).map(|group| (group, place(group))),
    ));
}

/// Each group alone, in columns in use, in some that are left over, and in sacrificed ones.
#[test]
fn a_client_that_tests_a_single_group_gets_nothing() {
    for group in 0..GROUPS {
        let column = match group % 3 {
            0 => place(group),
            1 => 8000 + group,
            _ => COLUMNS - 1 - group,
        };
        assert_caught(Attacker::new([(group, column)]));
    }
}
