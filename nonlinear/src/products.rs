//! Products of a bit of the server with a bit of the client, in rings of several widths at once.

use channel::{Cost, Role};
use ring_arith::{BitVec, Bits, pack, packed_len, slices, unpack};
use sharing::Session;

use crate::Error;

/// The party whose bits are the correlations. The client chooses, so it speaks first.
const SENDER: Role = Role::Server;

/// One party's factors and the ring of the products.
pub(crate) struct Part<'a> {
    pub(crate) factors: &'a BitVec,
    pub(crate) bits: Bits,
}

/// Shares mod 2^bits of b_S·b_C for every bit of every part.
///
/// One COT each with the server as sender. Two flights for all parts: a choice correction of one
/// bit for each product to the server, then the packed corrections to the client.
pub(crate) fn run(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Vec<u64>>, Error> {
    s.attempt(|s| {
        let shares = if s.role() == SENDER {
            send(s, parts)
        } else {
            receive(s, parts)
        };
        Ok(shares?)
    })
}

/// The cost of [`run`] on parts of these lengths and rings.
pub(crate) fn cost(parts: &[(usize, Bits)]) -> Cost {
    let n: usize = parts.iter().map(|part| part.0).sum();
    let corrections: usize = parts.iter().map(|&(n, bits)| packed_len(n, bits)).sum();
    Cost::to_server(BitVec::byte_len(n) as u64)
        .then(Cost::to_client(corrections as u64))
        .with_cots(n as u64, 0)
}

fn send(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Vec<u64>>, sharing::Error> {
    let (channel, sender, _) = s.ot();
    let keys: Result<Vec<_>, _> = parts
        .iter()
        .map(|part| sender.rot_words(part.factors.len(), part.bits))
        .collect();
    let keys = keys?;
    let n = parts.iter().map(|part| part.factors.len()).sum();
    if n == 0 {
        return Ok(vec![Vec::new(); parts.len()]);
    }
    let mut flips = vec![0; BitVec::byte_len(n)];
    channel.recv(&mut flips)?;
    let flips = BitVec::from_bytes(n, &flips);

    let mut shares = Vec::with_capacity(parts.len());
    let mut at = 0;
    for (part, [mut first, mut second]) in parts.iter().zip(keys) {
        let n = first.len();
        correct(&mut first, &mut second, part.factors, &flips.slice(at, n));
        let mut bytes = vec![0; packed_len(n, part.bits)];
        pack(&second, part.bits, &mut bytes);
        channel.send(&bytes)?;
        slices::neg_assign(part.bits, &mut first);
        shares.push(first);
        at += n;
    }
    channel.flush()?;
    Ok(shares)
}

fn receive(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Vec<u64>>, sharing::Error> {
    let (channel, _, receiver) = s.ot();
    let mut flips = BitVec::default();
    let mut shares = Vec::with_capacity(parts.len());
    for part in parts {
        let (mut choices, chosen) = receiver.rot_words(part.factors.len(), part.bits)?;
        choices.xor_assign(part.factors);
        flips.append(&choices);
        shares.push(chosen);
    }
    if flips.is_empty() {
        return Ok(shares);
    }
    channel.send(&flips.to_bytes())?;
    for (part, share) in parts.iter().zip(&mut shares) {
        let mut bytes = vec![0; packed_len(share.len(), part.bits)];
        channel.recv(&mut bytes)?;
        let mut corrections = vec![0; share.len()];
        unpack(&bytes, part.bits, &mut corrections);
        for (i, (share, correction)) in share.iter_mut().zip(corrections).enumerate() {
            let chosen = correction & mask(part.factors, i);
            *share = part.bits.reduce(share.wrapping_add(chosen));
        }
    }
    Ok(shares)
}

/// Swaps the keys where the client's choice is not the random one; then `first` is r and `second`
/// the correction r + factor − other.
fn correct(first: &mut [u64], second: &mut [u64], factors: &BitVec, flips: &BitVec) {
    for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
        let swap = (*first ^ *second) & mask(flips, i);
        let (r, other) = (*first ^ swap, *second ^ swap);
        *first = r;
        *second = r.wrapping_add(mask(factors, i) & 1).wrapping_sub(other);
    }
}

/// All ones where bit `i` is set.
fn mask(bits: &BitVec, i: usize) -> u64 {
    0_u64.wrapping_sub(bits.words()[i / 64] >> (i % 64) & 1)
}
