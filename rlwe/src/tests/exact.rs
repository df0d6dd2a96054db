//! Results are exact.

use super::*;
use crate::{Demand, Format, Packer};
use ring_arith::Bits;

fn format(set: Set, ring: u32, weight: u32, fan_in: u64, levels: u32) -> Format {
    let demand = Demand {
        ring: Bits::of(ring),
        weight_bits: Bits::of(weight),
        fan_in,
        levels,
    };
    Format::choose(set, &demand).unwrap()
}

/// Everything can be shared by threads.
#[test]
fn keys_and_ciphertexts_can_be_shared() {
    const fn shared<T: Send + Sync>() {}
    shared::<ClientKey>();
    shared::<ServerKey>();
    shared::<Ciphertext>();
    shared::<Weights>();
    shared::<Accumulator>();
    shared::<Product>();
    shared::<Packer<'_>>();
}

#[test]
fn products_are_exact_in_both_sets() {
    for (set, ring, weight) in [
        (Set::S1, 26, 10),
        (Set::S1, 28, 10),
        (Set::S2, 33, 13),
        (Set::S2, 40, 14),
        (Set::S2, 20, 8),
    ] {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(ring));
        let parties = Parties::new(set, 0, 3);
        let form = format(set, ring, weight, 147, 0).form();
        let x = numbers(&mut rng, parties.ring().degree, form.ring.mask());
        let weights: Vec<(usize, i32)> = (0..147)
            .map(|i| {
                (
                    i * 7,
                    if rng.next_u32() & 1 == 0 {
                        1 << (weight - 1)
                    } else {
                        -1 << (weight - 1)
                    },
                )
            })
            .collect();
        let product = parties.product(form, &x, &weights, 0);
        let sums = parties.open(form, product);
        let expected = convolve(&x, &weights);
        for (sum, y) in sums.iter().zip(expected) {
            assert_eq!(sum >> 1, form.ring.reduce(y));
        }
    }
}

#[test]
fn packing_keeps_every_lane() {
    for set in Set::ALL {
        let levels = 2;
        let parties = Parties::new(set, levels, 4);
        let form = format(set, 24, 8, 4, levels).form();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let x = numbers(&mut rng, parties.ring().degree, form.ring.mask());
        let lanes = 1_usize << levels;
        let weights = |lane: usize| vec![(0, 3 + lane as i32), (5, -100), (9 * lane, 17)];
        let mut packer = Packer::new(&parties.server, levels);
        for i in 0..lanes {
            let lane = i.reverse_bits() >> (usize::BITS - levels);
            packer.push((lane != 2).then(|| parties.product(form, &x, &weights(lane), levels)));
        }
        let sums = parties.open(form, packer.finish().unwrap());
        for lane in 0..lanes {
            let y = match lane {
                2 => vec![0; x.len()],
                _ => convolve(&x, &weights(lane)),
            };
            for (slot, y) in y.iter().step_by(lanes).enumerate() {
                let sum = sums[slot * lanes + lane];
                assert_eq!(sum >> 1, form.ring.reduce(*y), "{set:?} {lane} {slot}");
            }
        }
    }
}
