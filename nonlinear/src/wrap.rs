//! The bits lost when shares are added: the wrap of the whole, the carry of the low bits.

use std::borrow::Cow;

use channel::Role;
use ring_arith::{BitVec, Bits};
use sharing::{B2a, BitProducts, Party, Rounds};

use crate::error::lifted;
use crate::{Error, Millionaire};

/// The product of highest bits. The server sends, so the client speaks first.
const PRODUCT: BitProducts = BitProducts {
    sender: Role::Server,
};

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

/// Whether shares wrap or carry, which `compare` decides, as shares mod 2^bits. The first step of the [`B2a`] runs beside
/// the comparison.
pub(crate) async fn compared(
    party: &Party<'_>,
    compare: Millionaire,
    share: &[u64],
    bits: Bits,
) -> Result<Vec<u64>, Error> {
    let operand = operand(party, share);
    let compared = compare.run(party, &operand);
    let number = lifted(B2a { bits }.prepare(party, share.len()));
    let (wrap, number) = party.both(compared, number).await?;
    Ok(number.convert(party, &wrap).await?)
}

/// The rounds of [`compared`] for `n` values.
pub(crate) fn compared_rounds(n: usize, compare: Millionaire, bits: Bits) -> Rounds {
    let number = B2a { bits };
    let compared = compare.rounds(n).beside(number.prepare_rounds(n));
    compared.then(number.convert_rounds(n))
}

/// The wrap of shares of values below half of the ring, as shares mod 2^bits: the OR of their highest bits `own`,
/// b_S + b_C − b_S·b_C [RRG+21; HLHD22].
pub(crate) async fn either(party: &Party<'_>, own: &BitVec, bits: Bits) -> Result<Vec<u64>, Error> {
    let mut share = own.to_values();
    let products = if party.role() == PRODUCT.sender {
        PRODUCT.run_sender(party, &[(&share, bits)]).await?
    } else {
        PRODUCT.run_receiver(party, &[(own, bits)]).await?
    };
    ring_arith::slices::sub_assign(bits, &mut share, &products[0]);
    Ok(share)
}

/// The rounds of [`either`] for `n` bits.
pub(crate) fn either_rounds(n: usize, bits: Bits) -> Rounds {
    PRODUCT.rounds(&[(n, bits)])
}
