//! A receiver that deviates: it passes the check exactly when it guessed what it asked of Δ, and learns
//! nothing else.

use channel::{REFILL_SERVER_SENDS, memory_pair};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::super::SoftSpokenSender;
use super::*;
use crate::RcotSender;
use crate::kernel::bits::low;

const SESSION: SessionId = [9; 16];

/// Both ends of a pool, under the same seeds in every call; the receiver offers these sums.
fn pools(
    k: u32,
    deviate: impl FnOnce(&mut [[Block; 2]]) + Send,
) -> (SoftSpokenSender, SoftSpokenReceiver) {
    let (server, client) = memory_pair(1 << 20);
    let open = |connection: &channel::Connection| connection.open(REFILL_SERVER_SENDS);
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let rng = &mut ChaCha20Rng::seed_from_u64(1);
            SoftSpokenSender::setup(open(&server)?, k, &SESSION, rng)
        });
        let rng = &mut ChaCha20Rng::seed_from_u64(2);
        let mut trees = Trees::grow(k, &SESSION, rng);
        deviate(&mut trees.sums);
        let chan = open(&client).expect("the stream opens");
        let receiver = SoftSpokenReceiver::offer(chan, k, &SESSION, trees, rng);
        let sender = sender.join().expect("the sender does not panic");
        (sender.expect("a set-up"), receiver.expect("a set-up"))
    })
}

/// What the sender gets of a batch from a receiver that changes what it made of its seeds.
fn refill(
    (sender, receiver): &mut (SoftSpokenSender, SoftSpokenReceiver),
    deviate: impl FnOnce(&mut Batch),
) -> Result<Vec<Block>, Error> {
    receiver.expand();
    deviate(&mut receiver.batch);
    // The pipe holds a refill.
    receiver.tell().expect("the line is up");
    receiver.transpose();
    let mut q = vec![0; BATCH];
    sender.draw(&mut q).map(|_| q)
}

fn add(row: &mut [u64], difference: &[u64]) {
    row.iter_mut()
        .zip(difference)
        .for_each(|(row, difference)| *row ^= difference);
}

/// Columns in which a group is altered: a few of those in use, or of the sacrificed ones.
fn differences() -> [Vec<u64>; 3] {
    [[0, 100].as_slice(), &[16_255, 3], &[16_256, 16_383]].map(|columns| {
        let mut row = vec![0; ROW];
        for column in columns {
            row[column / 64] |= (1_u64 << (column % 64)).to_le();
        }
        row
    })
}

/// Uses other choices in one group, and claims what the sender has if `alpha` are its bits of Δ.
fn alter(batch: &mut Batch, k: u32, group: usize, alpha: u64, difference: &[u64]) {
    let (first, bits) = groups(k).nth(group).expect("a group");
    for (b, row) in batch
        .rows
        .chunks_exact_mut(ROW)
        .skip(first)
        .take(bits)
        .enumerate()
    {
        if alpha >> b & 1 == 1 {
            add(row, difference);
        }
    }
    let corrections = batch.corrections.chunks_exact_mut(ROW).enumerate().skip(1);
    // The first group has none: it differs from the others if these all change.
    for (_, correction) in corrections.filter(|(other, _)| (group == 0) != (*other == group)) {
        add(correction, difference);
    }
    if group == 0 {
        add(&mut batch.choices, difference);
    }
}

fn check_correlations(q: &[Block], pools: &(SoftSpokenSender, SoftSpokenReceiver)) {
    let (delta, Batch { choices, t, .. }) = (pools.0.delta(), &pools.1.batch);
    for (i, (q, t)) in q.iter().zip(t).enumerate() {
        let choice = Block::from(choices[i / 64] >> (i % 64) & 1);
        assert_eq!(q ^ t, delta & choice.wrapping_neg(), "column {i}");
    }
}

fn check_dead(error: &Error, pools: &mut (SoftSpokenSender, SoftSpokenReceiver)) {
    assert!(matches!(error, Error::Inconsistent));
    assert!(matches!(pools.0.draw(&mut [0]), Err(Error::Channel(_))));
    assert!(pools.1.refill().is_err(), "the line is cut");
}

/// Where it passes, what the receiver claimed is what the sender has: the correlations are right.
#[test]
fn other_choices_in_a_group_pass_where_its_bits_of_delta_are_guessed() {
    let cases = [(1, 0), (1, 127), (4, 0), (4, 17), (5, 25)];
    for ((k, group), difference) in cases.into_iter().zip(differences().iter().cycle()) {
        let (first, bits) = groups(k).nth(group).expect("a group");
        for guess in 0..1 << bits {
            let mut pools = pools(k, |_| {});
            refill(&mut pools, |_| {}).expect("an honest batch");
            let got = refill(&mut pools, |batch| {
                alter(batch, k, group, guess, difference);
            });
            let secret = low(pools.0.delta() >> first) & ((1 << bits) - 1);
            assert_eq!(
                got.is_ok(),
                guess == secret,
                "k {k}, group {group}, {guess}"
            );
            match got {
                Ok(q) => check_correlations(&q, &pools),
                Err(error) => check_dead(&error, &mut pools),
            }
        }
    }
}

/// Each sum is used for one value of a bit of Δ only. A receiver that offers a wrong one, and goes on with
/// the true tree, passes if the bit has the other value.
#[test]
fn wrong_sums_in_the_set_up_pass_where_the_sender_does_not_use_them() {
    for (k, bit) in [(1, 0), (4, 1), (4, 63), (7, 127)] {
        for side in [0, 1] {
            let mut pools = pools(k, |sums| sums[bit][side] ^= 1 << 77);
            let got = refill(&mut pools, |_| {});
            let secret = low(pools.0.delta() >> bit) & 1;
            assert_eq!(
                got.is_ok(),
                side as u64 == secret,
                "k {k}, bit {bit}, {side}"
            );
            match got {
                Ok(q) => check_correlations(&q, &pools),
                Err(error) => check_dead(&error, &mut pools),
            }
        }
    }
}
