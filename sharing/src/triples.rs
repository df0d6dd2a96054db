//! Random bit triples from random OTs, without traffic.

use ring_arith::BitVec;

use crate::error::Error;
use crate::party::Party;

/// This party's shares of `n` random triples `a, b_k, c_k = a·b_k`, the planes `k` of one triple
/// sharing its `a`.
pub(crate) struct Triples {
    pub(crate) a: BitVec,
    pub(crate) b: Vec<BitVec>,
    pub(crate) c: Vec<BitVec>,
}

/// Draws `n` triples of `width` planes; one COT in each direction per triple, no traffic.
///
/// In a random OT the sender holds two random bits r0, r1 and the receiver c and r_c, so
/// c·(r0 ⊕ r1) = r0 ⊕ r_c: the product of a random bit of either party, shared \[ALSZ13\]. With
/// one OT in each direction both cross terms of (a_S ⊕ a_C)(b_S ⊕ b_C) are at hand, where a party's
/// a is its choice and its b the difference of what it sends.
pub(crate) fn draw(party: &Party<'_>, n: usize, width: usize) -> Result<Triples, Error> {
    let server = party.role().is_server();
    let ([r0, r1], (a, chosen)) = party.draw(|sender, receiver| {
        if server {
            let sent = sender.rot_bits(n, width)?;
            return Ok((sent, receiver.rot_bits(n, width)?));
        }
        let received = receiver.rot_bits(n, width)?;
        Ok((sender.rot_bits(n, width)?, received))
    })?;
    let b: Vec<BitVec> = r0.iter().zip(&r1).map(|(r0, r1)| r0.xor(r1)).collect();
    let c = r0
        .into_iter()
        .zip(&chosen)
        .zip(&b)
        .map(|((mut c, chosen), b)| {
            c.xor_assign(chosen);
            c.xor_assign(&a.and(b));
            c
        });
    let c = c.collect();
    Ok(Triples { a, b, c })
}
