//! Exact traffic of the derived forms, refills of the pools aside.

use channel::{Cost, Role};
use ring_arith::{Bits, packed_len};

use crate::SUPER_TILE;

/// Correlations of the forms without traffic: `rot`, `rot_bits`, `rot_words`.
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
    two_flights(n, packed_len(n, bits), n, sender)
}

/// Exact traffic and correlations of [`OtSender::chosen`](crate::OtSender::chosen).
#[must_use]
pub fn chosen_cost(n: usize, sender: Role) -> Cost {
    two_flights(n, 32 * n, n, sender)
}

/// Exact traffic and correlations of [`OtSender::leaves`](crate::OtSender::leaves) on `m`
/// instances.
///
/// # Panics
/// As [`OtSender::leaves`](crate::OtSender::leaves).
#[must_use]
pub fn leaves_cost(m: usize, k: u32, width: u32, sender: Role) -> Cost {
    crate::leaves::check_shape(k, width);
    let choices = m * k as usize;
    let payload = m * (((1 << k) - 1) * width) as usize;
    two_flights(choices, payload.div_ceil(8), choices, sender)
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
