//! Products of bits of one party with numbers of the other, in rings of several widths at once.

use channel::{Cost, Role};
use ring_arith::{BitVec, Bits, pack, packed_len, slices, unpack};
use sharing::Session;

use crate::Error;

/// One party's factors, and the ring of the products.
pub(crate) struct Part<'a> {
    pub(crate) own: Own<'a>,
    pub(crate) bits: Bits,
}

/// What a party brings.
pub(crate) enum Own<'a> {
    /// The sender's numbers; bits above the ring are ignored.
    Numbers(Vec<u64>),
    /// The receiver's bits.
    Bits(&'a BitVec),
}

impl<'a> Own<'a> {
    /// Bits on either side.
    pub(crate) fn bits(bits: &'a BitVec, sends: bool) -> Self {
        if sends {
            Self::Numbers(bits.to_values())
        } else {
            Self::Bits(bits)
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Bits(bits) => bits.len(),
        }
    }

    fn numbers(&self) -> &[u64] {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Bits(_) => unreachable!("the sender brings numbers"),
        }
    }

    fn choices(&self) -> &BitVec {
        match self {
            Self::Bits(bits) => bits,
            Self::Numbers(_) => unreachable!("the receiver brings bits"),
        }
    }
}

/// Shares mod 2^bits of every product of the sender's number with the receiver's bit.
///
/// One COT each. Two flights for all parts: a choice correction of one bit for each product to the
/// sender, then the packed corrections to the receiver.
pub(crate) fn run(
    s: &mut Session,
    sender: Role,
    parts: &[Part<'_>],
) -> Result<Vec<Vec<u64>>, Error> {
    s.attempt(|s| {
        let shares = if s.role() == sender {
            send(s, parts)
        } else {
            receive(s, parts)
        };
        Ok(shares?)
    })
}

/// The cost of [`run`] on parts of these lengths and rings.
pub(crate) fn cost(sender: Role, parts: &[(usize, Bits)]) -> Cost {
    let n: usize = parts.iter().map(|part| part.0).sum();
    let corrections: usize = parts.iter().map(|&(n, bits)| packed_len(n, bits)).sum();
    let (server_sends, client_sends) = match sender {
        Role::Server => (n as u64, 0),
        Role::Client => (0, n as u64),
    };
    Cost::speak(sender.peer(), BitVec::byte_len(n) as u64)
        .then(Cost::speak(sender, corrections as u64))
        .with_cots(server_sends, client_sends)
}

fn send(s: &mut Session, parts: &[Part<'_>]) -> Result<Vec<Vec<u64>>, sharing::Error> {
    let (channel, sender, _) = s.ot();
    let keys: Result<Vec<_>, _> = parts
        .iter()
        .map(|part| sender.rot_words(part.own.len(), part.bits))
        .collect();
    let keys = keys?;
    let n = parts.iter().map(|part| part.own.len()).sum();
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
        let numbers = part.own.numbers();
        correct(&mut first, &mut second, numbers, &flips.slice(at, n));
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
        let (mut choices, chosen) = receiver.rot_words(part.own.len(), part.bits)?;
        choices.xor_assign(part.own.choices());
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
            let chosen = correction & mask(part.own.choices(), i);
            *share = part.bits.reduce(share.wrapping_add(chosen));
        }
    }
    Ok(shares)
}

/// Swaps the keys where the receiver's choice is not the random one; then `first` is r and
/// `second` the correction r + number − other.
fn correct(first: &mut [u64], second: &mut [u64], numbers: &[u64], flips: &BitVec) {
    for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
        let swap = (*first ^ *second) & mask(flips, i);
        let (r, other) = (*first ^ swap, *second ^ swap);
        *first = r;
        *second = r.wrapping_add(numbers[i]).wrapping_sub(other);
    }
}

/// All ones where bit `i` is set.
pub(crate) fn mask(bits: &BitVec, i: usize) -> u64 {
    0_u64.wrapping_sub(bits.words()[i / 64] >> (i % 64) & 1)
}
