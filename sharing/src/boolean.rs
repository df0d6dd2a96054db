//! Boolean shares: input and reveal. XOR, NOT (by one party) and public factors are local, in
//! [`BitVec`].

use channel::Role;
use ring_arith::BitVec;

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;

/// The trivial shares of bits that one party knows, which take no traffic: the owner's share is the
/// bits, and the other party's is zero. Every protocol of this crate is secure whatever the sharing is.
///
/// # Panics
/// When `x` is not given by `owner` alone, or not `n` long.
#[must_use]
pub fn input_bits(role: Role, owner: Role, x: Option<&BitVec>, n: usize) -> BitVec {
    assert_eq!(x.is_some(), role == owner, "the owner alone has the bits");
    assert!(
        x.is_none_or(|x| x.len() == n),
        "the number of bits is not n"
    );
    x.map_or_else(|| BitVec::zeros(n), Clone::clone)
}

/// Opens shared bits to one party.
///
/// **Functionality.** `to` learns the bits, the other party nothing.
///
/// **Protocol.** The other party sends its share.
///
/// **Security.** Perfect: the share is the value xor the receiver's own.
///
/// **Cost** for n bits: ceil(n/8) bytes to `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct RevealBits {
    /// The party that learns the bits.
    pub to: Role,
}

impl RevealBits {
    /// The bits, for the party that learns them.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn run(self, party: &Party<'_>, share: &BitVec) -> Result<Option<BitVec>, Error> {
        if party.role() == self.to {
            let bytes = party.recv(BitVec::byte_len(share.len())).await?;
            return Ok(Some(share.xor(&BitVec::from_bytes(share.len(), &bytes))));
        }
        party.send(share.to_bytes()).await?;
        Ok(None)
    }

    /// The round of n bits.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        Rounds::speak(self.to.peer(), BitVec::byte_len(n) as u64)
    }
}

/// Opens shared bits to both parties.
///
/// **Functionality.** Both learn the bits.
///
/// **Protocol.** Both send their shares at once.
///
/// **Security.** Perfect, as for [`RevealBits`].
///
/// **Cost** for n bits: one flight, ceil(n/8) bytes each way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OpenBits;

impl OpenBits {
    /// The bits.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn run(self, party: &Party<'_>, share: &BitVec) -> Result<BitVec, Error> {
        let n = share.len();
        let theirs = party.exchange(share.to_bytes(), BitVec::byte_len(n));
        Ok(share.xor(&BitVec::from_bytes(n, &theirs.await?)))
    }

    /// The round of n bits.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        let bytes = BitVec::byte_len(n) as u64;
        Rounds::exchange(bytes, bytes)
    }
}
