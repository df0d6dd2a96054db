//! Exact traffic of the derived forms, refills of the pools aside.

use channel::{Cost, Role};
use ring_arith::{Bits, packed_len};

use crate::SUPER_TILE;
use crate::words::message_len;

/// Correlations of the forms without traffic: `rot`, `rot_bits`.
#[must_use]
pub fn rot_cost(n: usize, sender: Role) -> Cost {
    match sender {
        Role::Server => Cost::none().with_cots(n as u64, 0),
        Role::Client => Cost::none().with_cots(0, n as u64),
    }
}

/// Exact traffic and correlations of [`OtSender::cot_words`](crate::OtSender::cot_words).
#[must_use]
pub fn cot_words_cost(n: usize, bits: Bits, sender: Role) -> Cost {
    cot_words_batch_cost(&[(n, bits)], sender)
}

/// Exact traffic and correlations of [`OtSender::cot_words_batch`](crate::OtSender::cot_words_batch)
/// on parts of these lengths and widths.
#[must_use]
pub fn cot_words_batch_cost(parts: &[(usize, Bits)], sender: Role) -> Cost {
    let n = parts.iter().map(|part| part.0).sum();
    two_flights(n, message_len(parts.iter().copied()), n, sender)
}

/// Exact traffic and correlations of [`OtSender::chosen`](crate::OtSender::chosen).
#[must_use]
pub fn chosen_cost(n: usize, sender: Role) -> Cost {
    two_flights(n, 32 * n, n, sender)
}

/// Exact traffic and correlations of [`OtSender::cot_rows`](crate::OtSender::cot_rows) over rows of
/// these shapes.
#[must_use]
pub fn cot_rows_cost(shapes: impl IntoIterator<Item = (usize, Bits)>, sender: Role) -> Cost {
    let mut cost = Cost::none();
    let (mut rows, mut bytes) = (0, 0);
    for (len, bits) in shapes {
        rows += 1;
        bytes += packed_len(len, bits);
        if rows == SUPER_TILE {
            cost = cost.then(two_flights(rows, bytes, rows, sender));
            (rows, bytes) = (0, 0);
        }
    }
    cost.then(two_flights(rows, bytes, rows, sender))
}

/// Choice corrections one way, `payload` bytes back.
fn two_flights(choices: usize, payload: usize, cots: usize, sender: Role) -> Cost {
    Cost::speak(sender.peer(), choices.div_ceil(8) as u64)
        .then(Cost::speak(sender, payload as u64))
        .then(rot_cost(cots, sender))
}
