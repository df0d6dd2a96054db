//! Bytes that no party has sent are refused.

use super::*;
use crate::{DEGREE, Demand, Error, Format};
use proptest::prelude::*;
use ring_arith::{Bits, pack};

fn format(set: Set) -> Format {
    let demand = Demand {
        ring: Bits::of(24),
        weight_bits: Bits::of(8),
        fan_in: 64,
        levels: 2,
    };
    Format::choose(set, &demand).unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

#[test]
fn wrong_lengths() {
    for set in Set::ALL {
        let mut parties = Parties::new(set, 0, 1);
        let format = format(set);
        let lens = [
            ServerKey::public_key_len(set),
            ServerKey::packing_key_len(set),
            format.request_len(),
            format.response_len(),
        ];
        assert_eq!(parties.client.public_key().len(), lens[0]);
        assert_eq!(parties.client.packing_key(3).len(), lens[1]);
        for difference in [-1, 1, 8] {
            let bytes = |i: usize| vec![0; lens[i].strict_add_signed(difference)];
            let number = parties.server.numbers(1).next().unwrap();
            let mut out = vec![0; DEGREE];
            let errors = [
                ServerKey::read(set, SESSION, &bytes(0), &mut rng()).unwrap_err(),
                parties.server.add_packing_key(&bytes(1)).unwrap_err(),
                parties
                    .server
                    .ingest(&format, number, &bytes(2))
                    .unwrap_err(),
                parties
                    .client
                    .share(&format, &bytes(3), &mut out)
                    .unwrap_err(),
            ];
            for (i, error) in errors.into_iter().enumerate() {
                let Error::Length {
                    expected, actual, ..
                } = error
                else {
                    panic!("{error}")
                };
                assert_eq!(
                    (expected, actual),
                    (lens[i], lens[i].strict_add_signed(difference))
                );
            }
        }
        assert!(ServerKey::read(set, SESSION, &[], &mut rng()).is_err());
    }
}

#[test]
fn requests_are_below_the_modulus() {
    for set in Set::ALL {
        let parties = Parties::new(set, 0, 1);
        let format = format(set);
        assert!(format.dropped() > 0);
        let most = ((set.modulus() - 1) >> format.dropped()) as u64;
        for (index, value, good) in [
            (0, most, true),
            (77, most + 1, false),
            (DEGREE - 1, u64::MAX, false),
            (1, 0, true),
        ] {
            let mut u = vec![most / 3; DEGREE];
            u[index] = value;
            let mut bytes = vec![0; format.request_len()];
            pack(&u, Bits::of(format.request_bits()), &mut bytes);
            let number = parties.server.numbers(1).next().unwrap();
            let read = parties.server.ingest(&format, number, &bytes);
            let refused = Error::OutOfRange {
                what: "a request",
                index,
            };
            assert_eq!(read.err(), (!good).then_some(refused));
        }
    }
}

#[test]
fn keys_are_below_their_primes() {
    for set in Set::ALL {
        let parties = Parties::new(set, 0, 1);
        let mut key = parties.client.public_key();
        key[32..].fill(255);
        let error = ServerKey::read(set, SESSION, &key, &mut rng()).unwrap_err();
        assert_eq!(
            error,
            Error::OutOfRange {
                what: "a public key",
                index: 0
            }
        );

        let key = parties.client.packing_key(0);
        let mut parties = parties;
        for at in [0, key.len() / 2, key.len() - 40] {
            let mut bad = key.clone();
            bad[at..at + 40].fill(255);
            let error = parties.server.add_packing_key(&bad).unwrap_err();
            assert!(matches!(
                error,
                Error::OutOfRange {
                    what: "a packing key",
                    ..
                }
            ));
            assert_eq!(parties.server.levels(), 0);
        }
    }
}

#[test]
fn there_are_no_more_levels_than_the_degree_has() {
    let ring = small_ring(16, &[30, 30]);
    let mut parties = Parties::new_in(ring, Set::S1, 4, 1);
    let error = parties
        .server
        .add_packing_key_bytes(&parties.client.packing_key(0));
    assert_eq!(error.unwrap_err(), Error::TooManyLevels { levels: 4 });
}

#[test]
fn a_key_of_another_session_gives_nonsense() {
    let parties = Parties::new(Set::S1, 0, 1);
    let form = format(Set::S1).form();
    let key = parties.client.public_key();
    let server = ServerKey::read(Set::S1, b"another session", &key, &mut rng()).unwrap();
    let parties = Parties { server, ..parties };
    let x = vec![1; DEGREE];
    let sums = parties.open(form, parties.product(form, &x, &[(0, 1)], 0));
    let right = sums.iter().filter(|&&sum| sum >> 1 == 1).count();
    assert!(right < 16, "{right}");
}

#[test]
#[should_panic(expected = "a format of the key's set")]
fn formats_are_of_the_keys_set() {
    let parties = Parties::new(Set::S1, 0, 1);
    let number = parties.client.numbers(1).next().unwrap();
    parties
        .client
        .encrypt(&format(Set::S2), number, &[], &mut []);
}

#[test]
#[should_panic(expected = "a number of another key")]
fn numbers_are_of_their_key() {
    let parties = Parties::new(Set::S1, 0, 1);
    let number = parties.server.numbers(1).next().unwrap();
    parties
        .client
        .encrypt(&format(Set::S1), number, &[0; DEGREE], &mut []);
}

#[test]
#[should_panic(expected = "a format for so much packing")]
fn formats_allow_for_their_packing() {
    let parties = Parties::new(Set::S1, 3, 1);
    let product = parties.product(format(Set::S1).form(), &[0; DEGREE], &[(0, 1)], 3);
    let mut packer = crate::Packer::new(&parties.server, 3);
    packer.push(Some(product));
    let packed = packer.finish().unwrap();
    parties
        .server
        .respond(&format(Set::S1), parties.mask(), packed, &mut [], &mut []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes, there is an error or a share.
    #[test]
    fn any_bytes_are_refused_or_shared(seed in any::<u64>()) {
        for set in Set::ALL {
            let parties = Parties::new(set, 0, 2);
            let format = format(set);
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let mut request = vec![0; format.request_len()];
            rng.fill_bytes(&mut request);
            let number = parties.server.numbers(1).next().unwrap();
            let _ = parties.server.ingest(&format, number, &request);
            let mut response = vec![0; format.response_len()];
            rng.fill_bytes(&mut response);
            let mut share = vec![0; DEGREE];
            parties.client.share(&format, &response, &mut share).unwrap();
            prop_assert!(share.iter().all(|&x| format.shares().reduce(x) == x));
        }
    }
}
