//! Arithmetic shares: input and reveal. Sums and public factors are local, in
//! [`ring_arith::slices`].

use channel::Role;
use ring_arith::{Bits, pack, packed_len, slices, unpack};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::party::Party;
use crate::prg::Prg;
use crate::rounds::Rounds;

/// Bytes of the seed that stands for the other party's share of an input.
const SEED: usize = 32;

/// Shares a vector that one party knows.
///
/// **Functionality.** From `owner`'s x, uniformly random shares of x mod 2^bits. The length is
/// public.
///
/// **Protocol.** The owner sends a fresh seed. The other party expands it to its share, and the
/// owner's share is the difference.
///
/// **Security.** The other party sees a random seed. The owner can compute both shares, which tells it
/// nothing new, since it knows x.
///
/// **Cost**: 32 bytes from the owner; nothing for an empty vector.
///
/// Where uniform shares are not needed, [`Input::local`] costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Input {
    /// The party that knows the values.
    pub owner: Role,
    /// The ring.
    pub bits: Bits,
}

impl Input {
    /// Shares of the owner's `n` values `x`; the other party passes `None`.
    ///
    /// # Errors
    /// When the stream fails.
    ///
    /// # Panics
    /// When `x` is not given by the owner alone, or not `n` long.
    pub async fn run(
        self,
        party: &Party<'_>,
        x: Option<&[u64]>,
        n: usize,
    ) -> Result<Vec<u64>, Error> {
        self.check(party.role(), x, n);
        if n == 0 {
            return Ok(Vec::new());
        }
        let mut seed = Zeroizing::new([0; SEED]);
        let Some(x) = x else {
            seed.copy_from_slice(&party.recv(SEED).await?);
            return Ok(Prg::child(&seed, 0).elements(n, self.bits));
        };
        party.with_rng(|rng| rng.fill_bytes(&mut *seed));
        party.send(seed.to_vec()).await?;
        let mask = Prg::child(&seed, 0).elements(n, self.bits);
        Ok(slices::sub(self.bits, x, &mask))
    }

    /// The trivial shares, which take no traffic: the owner's share is x and the other party's is 0.
    ///
    /// Every protocol of this crate is secure whatever the sharing is. Only the error law of a
    /// probabilistic truncation needs uniform shares; use [`Input::run`] before one.
    ///
    /// # Panics
    /// When `x` is not given by the owner alone, or not `n` long.
    #[must_use]
    pub fn local(self, role: Role, x: Option<&[u64]>, n: usize) -> Vec<u64> {
        self.check(role, x, n);
        match x {
            Some(x) => x.iter().map(|&x| self.bits.reduce(x)).collect(),
            None => vec![0; n],
        }
    }

    /// The round of [`Input::run`] on n values.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        match n {
            0 => Rounds::none(),
            _ => Rounds::speak(self.owner, SEED as u64),
        }
    }

    fn check(self, role: Role, x: Option<&[u64]>, n: usize) {
        assert_eq!(
            x.is_some(),
            role == self.owner,
            "the owner alone has the values"
        );
        assert!(
            x.is_none_or(|x| x.len() == n),
            "the number of values is not n"
        );
    }
}

/// Opens shared values to one party.
///
/// **Functionality.** `to` learns x mod 2^bits, the other party nothing.
///
/// **Protocol.** The other party sends its share.
///
/// **Security.** Perfect: the share that is sent is x minus the receiver's own share. The receiver
/// learns all of x, so a caller first removes or masks the bits that must stay secret.
///
/// **Cost** for n values: ceil(n·bits/8) bytes to `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Reveal {
    /// The party that learns the values.
    pub to: Role,
    /// The ring.
    pub bits: Bits,
}

impl Reveal {
    /// The values, for the party that learns them.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn run(self, party: &Party<'_>, share: &[u64]) -> Result<Option<Vec<u64>>, Error> {
        if party.role() == self.to {
            let bytes = party.recv(packed_len(share.len(), self.bits)).await?;
            return Ok(Some(add_packed(share, &bytes, self.bits)));
        }
        party.send(packed(share, self.bits)).await?;
        Ok(None)
    }

    /// The round of n values.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        Rounds::speak(self.to.peer(), packed_len(n, self.bits) as u64)
    }
}

/// Opens shared values to both parties.
///
/// **Functionality.** Both learn x mod 2^bits.
///
/// **Protocol.** Both send their shares at once.
///
/// **Security.** Perfect, as for [`Reveal`].
///
/// **Cost** for n values: one flight, ceil(n·bits/8) bytes each way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the public parameters of the protocol"
)]
pub struct Open {
    /// The ring.
    pub bits: Bits,
}

impl Open {
    /// The values.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn run(self, party: &Party<'_>, share: &[u64]) -> Result<Vec<u64>, Error> {
        let mine = packed(share, self.bits);
        let n = mine.len();
        let theirs = party.exchange(mine, n).await?;
        Ok(add_packed(share, &theirs, self.bits))
    }

    /// The round of n values.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        let bytes = packed_len(n, self.bits) as u64;
        Rounds::exchange(bytes, bytes)
    }
}

fn packed(share: &[u64], bits: Bits) -> Vec<u8> {
    let mut bytes = vec![0; packed_len(share.len(), bits)];
    pack(share, bits, &mut bytes);
    bytes
}

fn add_packed(share: &[u64], bytes: &[u8], bits: Bits) -> Vec<u64> {
    let mut sum = vec![0; share.len()];
    unpack(bytes, bits, &mut sum);
    slices::add_assign(bits, &mut sum, share);
    sum
}
