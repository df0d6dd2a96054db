//! The bits lost when shares are added: the wrap of the whole, the carry of the low bits.

use std::borrow::Cow;

use channel::Role;
use ring_arith::{BitVec, Bits};
use sharing::{B2a, BitProducts, Factors, Party, Rounds};

use crate::{Error, Millionaire};

/// The product of highest bits. The server sends, so the client speaks first.
pub(crate) const fn product(bits: Bits) -> BitProducts {
    let sender = Role::Server;
    BitProducts { sender, bits }
}

/// This party's side of a comparison that decides a wrap: S + C ≥ 2^m iff S > 2^m − 1 − C, and
/// 2^m − 1 − C is the complement of C on every m lowest bits.
pub(crate) fn operand<'a>(party: &Party<'_>, share: &'a [u64]) -> Cow<'a, [u64]> {
    if party.role().is_server() {
        Cow::Borrowed(share)
    } else {
        Cow::Owned(share.iter().map(|&x| !x).collect())
    }
}

/// Adds a public constant: to the server's share.
pub(crate) fn add_public(party: &Party<'_>, share: &[u64], bits: Bits, constant: u64) -> Vec<u64> {
    let constant = if party.role().is_server() {
        constant
    } else {
        0
    };
    share
        .iter()
        .map(|&x| bits.reduce(x.wrapping_add(constant)))
        .collect()
}

/// Whether shares wrap or carry, which `compare` decides, as shares mod 2^bits.
pub(crate) async fn compared(
    party: &Party<'_>,
    compare: &Millionaire,
    share: &[u64],
    bits: Bits,
) -> Result<Vec<u64>, Error> {
    let wrap = compare.run(party, &operand(party, share)).await?;
    Ok(B2a { bits }.run(party, &wrap).await?)
}

/// The rounds of [`compared`] for `n` values.
pub(crate) fn compared_rounds(n: usize, compare: &Millionaire, bits: Bits) -> Rounds {
    compare.rounds(n).then(B2a { bits }.rounds(n))
}

/// The wrap of shares of values below half of the ring, as shares mod 2^bits: the OR of their highest bits `own`,
/// b_S + b_C − b_S·b_C [RRG+21; HLHD22].
pub(crate) async fn either(party: &Party<'_>, own: &BitVec, bits: Bits) -> Result<Vec<u64>, Error> {
    let mut share = own.to_values();
    let factors = if party.role().is_server() {
        Factors::Numbers(&share)
    } else {
        Factors::Bits(own)
    };
    let products = product(bits).run(party, factors).await?;
    ring_arith::slices::sub_assign(bits, &mut share, &products);
    Ok(share)
}

/// The rounds of [`either`] for `n` bits.
pub(crate) fn either_rounds(n: usize, bits: Bits) -> Rounds {
    product(bits).rounds(n)
}
