//! Correlated OTs in both directions at once.

use channel::Cost;
use ring_arith::{BitVec, Bits, pack, packed_len, unpack};
use zeroize::Zeroizing;

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

/// The keys of a part: what this party may send, and what it holds as a receiver.
struct Keys {
    pair: [Zeroizing<Vec<u64>>; 2],
    /// First the random choices, then this party's choices xor them.
    choices: BitVec,
    chosen: Vec<u64>,
}

/// Shares of choice·correlation mod 2^bits for every entry of every part, in both directions added
/// up: with own choices b, own correlations x and the peer's b', x', the parties' results sum up to
/// b'·x + b·x'.
///
/// Two flights in which both speak: the corrections of the choices, one bit each; then those of
/// the correlations, packed part by part.
pub(crate) fn cross(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Vec<u64>>, Error> {
    let mut keys = draw(s, parts)?;
    let mut flips = BitVec::default();
    for (part, key) in parts.iter().zip(&mut keys) {
        key.choices.xor_assign(part.choices);
        flips.append(&key.choices);
    }
    let mut theirs = vec![0; BitVec::byte_len(flips.len())];
    s.online.exchange(&flips.to_bytes(), &mut theirs)?;
    let flips = BitVec::from_bytes(flips.len(), &theirs);

    let lengths = parts.iter().map(|p| packed_len(p.choices.len(), p.bits));
    let total = lengths.sum();
    let (mut mine, mut theirs) = (vec![0; total], vec![0; total]);
    let (mut bit, mut byte) = (0, 0);
    for (part, key) in parts.iter().zip(&mut keys) {
        let n = part.choices.len();
        correct(&mut key.pair, part.correlations, &flips.slice(bit, n));
        let bytes = packed_len(n, part.bits);
        pack(&key.pair[1], part.bits, &mut mine[byte..byte + bytes]);
        (bit, byte) = (bit + n, byte + bytes);
    }
    s.online.exchange(&mine, &mut theirs)?;

    let mut rest = theirs.as_slice();
    let shares = parts.iter().zip(keys).map(|(part, key)| {
        let [kept, mut corrections] = key.pair;
        let (bytes, after) = rest.split_at(packed_len(kept.len(), part.bits));
        rest = after;
        unpack(bytes, part.bits, &mut corrections);
        let mut share = key.chosen;
        finish(&mut share, &corrections, &kept, part.choices, part.bits);
        share
    });
    Ok(shares.collect())
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

/// Draws the random OTs, those in which the server sends first.
fn draw(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Keys>, Error> {
    let sizes = || parts.iter().map(|p| (p.choices.len(), p.bits));
    let (pairs, chosen): (Vec<[Vec<u64>; 2]>, Vec<_>) = if s.role().is_server() {
        let pairs = sizes().map(|(n, bits)| s.sender.rot_words(n, bits));
        let pairs = pairs.collect::<Result<_, _>>()?;
        let chosen = sizes().map(|(n, bits)| s.receiver.rot_words(n, bits));
        (pairs, chosen.collect::<Result<_, _>>()?)
    } else {
        let chosen = sizes().map(|(n, bits)| s.receiver.rot_words(n, bits));
        let chosen = chosen.collect::<Result<_, _>>()?;
        let pairs = sizes().map(|(n, bits)| s.sender.rot_words(n, bits));
        (pairs.collect::<Result<_, _>>()?, chosen)
    };
    let keys = pairs
        .into_iter()
        .zip(chosen)
        .map(|(pair, (choices, chosen))| Keys {
            pair: pair.map(Zeroizing::new),
            choices,
            chosen,
        });
    Ok(keys.collect())
}

/// Swaps the keys where the receiver's choice is not the random one, then puts the correction
/// r + correlation − other in place of the second key; r, the first, stays.
fn correct([first, second]: &mut [Zeroizing<Vec<u64>>; 2], correlations: &[u64], flips: &BitVec) {
    let keys = first.chunks_mut(64).zip(second.chunks_mut(64));
    let rows = keys.zip(correlations.chunks(64)).zip(flips.words());
    for (((first, second), correlations), &flips) in rows {
        for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
            let swap = (*first ^ *second) & mask(flips, i);
            let (r, other) = (*first ^ swap, *second ^ swap);
            *first = r;
            *second = r.wrapping_add(correlations[i]).wrapping_sub(other);
        }
    }
}

/// share = share + choice·correction − kept mod 2^bits.
fn finish(share: &mut [u64], corrections: &[u64], kept: &[u64], choices: &BitVec, bits: Bits) {
    let inputs = corrections.chunks(64).zip(kept.chunks(64));
    let rows = share.chunks_mut(64).zip(inputs).zip(choices.words());
    for ((share, (corrections, kept)), &choices) in rows {
        for (i, share) in share.iter_mut().enumerate() {
            let correction = corrections[i] & mask(choices, i);
            *share = bits.reduce(share.wrapping_add(correction).wrapping_sub(kept[i]));
        }
    }
}

/// All ones where bit `i` of `word` is set.
pub(crate) const fn mask(word: u64, i: usize) -> u64 {
    0_u64.wrapping_sub((word >> i) & 1)
}
