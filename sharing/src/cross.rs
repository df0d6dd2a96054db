//! Correlated OTs in both directions at once.

use channel::Cost;
use ring_arith::{BitVec, Bits, packed_len};

use crate::error::Error;
use crate::session::Session;

/// A run of COTs of one width: in each direction as many as there are choices.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// This party's choices, where it receives.
    pub(crate) choices: &'a BitVec,
    /// This party's correlations, where it sends; bits above the width are ignored.
    pub(crate) correlations: &'a [u64],
    pub(crate) bits: Bits,
}

/// What a party has of a part afterwards. With own choices b, own correlations x and the peer's b', x', `received` is
/// r' + b·x' mod 2^bits and `sent` is r: the differences `received` − `sent` of the two parties add up to b'·x + b·x'.
pub(crate) struct Terms {
    pub(crate) received: Vec<u64>,
    pub(crate) sent: Vec<u64>,
}

/// The COTs of every part, in both directions.
///
/// Two flights in which both speak: the corrections of the choices, one bit each; then those of
/// the correlations, packed part by part.
pub(crate) fn cross(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Terms>, Error> {
    let lengths = parts.iter().map(|part| part.choices.len());
    let choices: Vec<_> = parts.iter().map(|p| (p.choices, p.bits)).collect();
    // The random OTs in which the server sends come first, on both sides.
    let (sending, (receiving, mine)) = if s.role().is_server() {
        let sending = s.sender.begin_cot_words(lengths)?;
        (sending, s.receiver.begin_cot_words(&choices)?)
    } else {
        let receiving = s.receiver.begin_cot_words(&choices)?;
        (s.sender.begin_cot_words(lengths)?, receiving)
    };
    let mut theirs = vec![0; mine.len()];
    s.online.exchange(&mine, &mut theirs)?;

    let correlations: Vec<_> = parts.iter().map(|p| (p.correlations, p.bits)).collect();
    let (sent, mine) = sending.answer(&theirs, &correlations);
    let mut theirs = vec![0; mine.len()];
    s.online.exchange(&mine, &mut theirs)?;

    let both = receiving.finish(&theirs).into_iter().zip(sent);
    Ok(both
        .map(|(received, sent)| Terms { received, sent })
        .collect())
}

/// The cost of [`cross`] on parts of these lengths and widths.
pub(crate) fn cross_cost(parts: impl IntoIterator<Item = (usize, Bits)>) -> Cost {
    let (cots, bytes) = parts.into_iter().fold((0, 0), |(cots, bytes), (n, bits)| {
        (cots + n, bytes + packed_len(n, bits) as u64)
    });
    let flips = BitVec::byte_len(cots) as u64;
    Cost::exchange(flips, flips)
        .then(Cost::exchange(bytes, bytes))
        .with_cots(cots as u64, cots as u64)
}
