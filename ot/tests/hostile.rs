//! A peer that breaks the rules gets an error out of us, never a panic or a hang.

mod common;

use channel::{Channel, Connection, ONLINE, REFILL_SERVER_SENDS};
use common::{Pool, bits, run, words};
use ot::{Error, OtReceiver, OtSender, SoftSpoken, SoftSpokenReceiver, SoftSpokenSender};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::Bits;

fn refill_channel(connection: &Connection) -> Channel {
    connection
        .open(REFILL_SERVER_SENDS)
        .expect("the stream opens")
}

/// The sender's set-up against a peer that does as `peer` says.
fn sender_against(peer: impl FnOnce(Channel) + Send) -> Result<SoftSpokenSender, Error> {
    let set_up = |connection: Connection| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        SoftSpokenSender::setup(refill_channel(&connection), 4, &[0; 16], &mut rng)
    };
    run(set_up, |connection| peer(refill_channel(&connection))).0
}

/// The receiver's set-up against a peer that does as `peer` says.
fn receiver_against(peer: impl FnOnce(Channel) + Send) -> Result<SoftSpokenReceiver, Error> {
    let set_up = |connection: Connection| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        SoftSpokenReceiver::setup(refill_channel(&connection), 4, &[0; 16], &mut rng)
    };
    run(|connection| peer(refill_channel(&connection)), set_up).1
}

/// The encoding of the base point.
const BASE_POINT: [u8; 32] = curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED.0;

#[test]
fn invalid_points_are_refused() {
    // The neutral element, a non-canonical encoding, no square.
    for bad in [[0; 32], [0xFF; 32], [1; 32]] {
        for at in [0, 1, 127, 200] {
            let mut points = [BASE_POINT; 256];
            points[at] = bad;
            let got = receiver_against(|mut chan| {
                let _ = chan.send(points.as_flattened());
                let _ = chan.flush();
                let _ = chan.recv(&mut [0]);
            });
            let index = at / 2;
            assert!(matches!(got, Err(Error::InvalidPoint { index: i }) if i == index));
            let got = sender_against(|mut chan| {
                let _ = chan.recv(&mut [0; 8192]);
                let _ = chan.send(points[..128].as_flattened());
                let _ = chan.send(&[0; 4096]);
            });
            if at < 128 {
                assert!(matches!(got, Err(Error::InvalidPoint { index }) if index == at));
            } else {
                assert!(got.is_ok());
            }
        }
    }
}

#[test]
fn an_end_in_the_middle_of_set_up_is_an_error() {
    for bytes in [0, 1, 31, 4095, 4096, 8191] {
        let got = receiver_against(|mut chan| {
            let _ = chan.send(&[BASE_POINT; 256].as_flattened()[..bytes]);
        });
        assert!(
            matches!(got, Err(Error::Channel(_))),
            "receiver after {bytes}"
        );
        let got = sender_against(|mut chan| {
            let _ = chan.recv(&mut [0; 8192]);
            let _ = chan.send(&[BASE_POINT; 256].as_flattened()[..bytes]);
        });
        assert!(
            matches!(got, Err(Error::Channel(_))),
            "sender after {bytes}"
        );
    }
}

#[test]
fn an_end_in_the_middle_of_a_refill_is_an_error() {
    let (got, ()) = run(
        |connection| {
            let mut pool = Pool::SoftSpoken(4).sender(&connection);
            pool.draw(&mut [0; 100])
                .and_then(|_| pool.draw(&mut vec![0; SoftSpoken::BATCH]))
        },
        |connection| {
            let mut pool = Pool::SoftSpoken(4).receiver(&connection);
            let mut choices = ring_arith::BitVec::zeros(100);
            pool.draw(&mut choices, &mut [0; 100])
                .expect("the first batch is complete");
        },
    );
    assert!(matches!(got, Err(Error::Channel(_))));
}

/// What the sender of every form says of a peer that sends these bytes, and hangs up or takes what
/// comes.
fn sender_fed(bytes: &[u8], hang_up: bool) -> Vec<Result<(), Error>> {
    type Form = fn(&mut OtSender, &mut Channel) -> Result<(), Error>;
    let forms: [Form; 3] = [
        |ot, chan| ot.cot_words(chan, &[5; 1000], Bits::of(9)).map(drop),
        |ot, chan| ot.chosen(chan, &[[1, 2]; 1000]),
        |ot, chan| ot.cot_rows(chan, &mut common::Rows::<u32>::new(1000, 5)),
    ];
    let feed = |connection: Connection| {
        let mut chan = connection.open(ONLINE).expect("the stream opens");
        let _ = chan.send(bytes);
        let _ = chan.flush();
        while !hang_up && chan.recv(&mut [0]).is_ok() {}
    };
    let party = |form: Form| {
        move |connection: Connection| {
            let pool = Pool::Ideal.sender(&connection);
            let mut ot = OtSender::new(pool, &[0; 16], connection.role());
            form(
                &mut ot,
                &mut connection.open(ONLINE).expect("the stream opens"),
            )
        }
    };
    forms
        .into_iter()
        .map(|form| run(party(form), feed).0)
        .collect()
}

/// What the receiver of every form says of a peer that sends these bytes and hangs up.
fn receiver_fed(bytes: &[u8]) -> Vec<Result<(), Error>> {
    type Form = fn(&mut OtReceiver, &mut Channel) -> Result<(), Error>;
    let forms: [Form; 3] = [
        |ot, chan| ot.cot_words(chan, &bits(1, 1000), Bits::of(9)).map(drop),
        |ot, chan| ot.chosen(chan, &bits(1, 1000)).map(drop),
        |ot, chan| ot.cot_rows(chan, &mut common::Rows::<u32>::new(1000, 5)),
    ];
    let feed = |connection: Connection| {
        let mut chan = connection.open(ONLINE).expect("the stream opens");
        let _ = chan.send(bytes);
        drop(chan);
    };
    let party = |form: Form| {
        move |connection: Connection| {
            let pool = Pool::Ideal.receiver(&connection);
            let mut ot = OtReceiver::new(pool, &[0; 16], connection.role().peer());
            form(
                &mut ot,
                &mut connection.open(ONLINE).expect("the stream opens"),
            )
        }
    };
    forms
        .into_iter()
        .map(|form| run(feed, party(form)).1)
        .collect()
}

#[test]
fn truncated_streams_are_errors() {
    for bytes in [0, 1, 124] {
        let (sent, received) = (
            sender_fed(&[0xA5; 124][..bytes], true),
            receiver_fed(&[0; 124][..bytes]),
        );
        for result in sent.into_iter().chain(received) {
            assert!(matches!(result, Err(Error::Channel(_))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Any bytes are choice corrections or masked messages: nonsense in, nonsense out, nothing
    /// worse.
    #[test]
    fn nonsense_does_not_panic(seed: u64) {
        let bytes: Vec<u8> = words(seed, 4000).into_iter().flat_map(u64::to_le_bytes).collect();
        // Every form takes 1000 choice corrections.
        for result in sender_fed(&bytes[..125], false).into_iter().chain(receiver_fed(&bytes)) {
            prop_assert!(result.is_ok());
        }
    }
}
