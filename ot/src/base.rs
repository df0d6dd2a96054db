//! Base OT on Ristretto, one flight each way.
//!
//! **Functionality.** The sender gets two random 128-bit keys per OT, the receiver the key of its
//! choice.
//!
//! **Protocol.** The one-round endemic OT of [MR19] from Diffie-Hellman. For choice b the receiver
//! takes a random point P of unknown logarithm for the other slot and rG - H(b, P) for slot b; the
//! sender adds H(slot, other point) to each, which in slot b leaves rG, and multiplies by its own
//! scalar a. The algebra is that of the paper. Two details differ: every OT has an a of its own, so
//! that no argument about reusing it is needed (compare [MRR21]); and the sender's message follows
//! the receiver's instead of crossing it, because it travels with what the extension adds to it. The
//! hash and the key derivation (BLAKE3) are bound to the session, the direction, the number of the OT
//! and the slot, and the key derivation also to all three points.
//!
//! **Security.** [MR19] prove it against malicious parties under a Diffie-Hellman assumption in the
//! (programmable) random oracle model. Points are checked on arrival, and the neutral element is
//! refused.
//!
//! **Cost.** [`cost`]: 64·n bytes to the sender, then 32·n bytes back.
//!
//! Both halves also return a digest of all that was said: a protocol on top can bind itself to it.
//!
//! [MR19]: crate#papers
//! [MRR21]: crate#papers

use channel::{Channel, Cost, Role, SessionId};
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::IsIdentity;
use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use ring_arith::BitVec;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use crate::{Block, Error};

const POINT: usize = 32;

/// BLAKE3 over everything that both parties said in a run.
pub type Transcript = [u8; 32];

/// What a party has of a run: its keys, and what was said.
pub type Outcome<K> = (Zeroizing<Vec<K>>, Transcript);

/// Exact traffic of `n` base OTs in which `sender` sends.
#[must_use]
pub fn cost(n: usize, sender: Role) -> Cost {
    Cost::speak(sender.peer(), (2 * POINT * n) as u64).then(Cost::speak(sender, (POINT * n) as u64))
}

/// The sender's half: two keys for each of `n` OTs.
///
/// # Errors
/// The channel failed, or the receiver sent an invalid point.
pub fn send(
    chan: &mut Channel,
    session: &SessionId,
    n: usize,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Outcome<[Block; 2]>, Error> {
    let mut request = vec![0; 2 * POINT * n];
    chan.recv(&mut request)?;
    let mut reply = Vec::with_capacity(POINT * n);
    let mut keys = Zeroizing::new(Vec::with_capacity(n));
    for (index, pair) in request.chunks_exact(2 * POINT).enumerate() {
        let domain = Domain {
            session,
            sender: chan.role(),
            index,
        };
        let points = [
            domain.decode(&pair[..POINT])?,
            domain.decode(&pair[POINT..])?,
        ];
        let secret = Zeroizing::new(Scalar::random(rng));
        let public = RistrettoPoint::mul_base(&secret).compress();
        reply.extend_from_slice(public.as_bytes());
        keys.push([0, 1].map(|slot: u8| {
            let other = &points[usize::from(1 - slot)];
            let theirs = points[usize::from(slot)].1 + domain.mask(slot, &other.0);
            domain.key(
                slot,
                &public,
                &points.map(|p| p.0),
                &Zeroizing::new(theirs * *secret),
            )
        }));
    }
    chan.send(&reply)?;
    chan.flush()?;
    let said = transcript(session, chan.role(), &request, &reply);
    Ok((keys, said))
}

/// The receiver's half: the key of its choice for every OT.
///
/// # Errors
/// The channel failed, or the sender sent an invalid point.
pub fn receive(
    chan: &mut Channel,
    session: &SessionId,
    choices: &BitVec,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Outcome<Block>, Error> {
    let (n, sender) = (choices.len(), chan.role().peer());
    let domain = |index| Domain {
        session,
        sender,
        index,
    };
    let mut request = Vec::with_capacity(2 * POINT * n);
    let mut pending = Vec::with_capacity(n);
    for (index, choice) in choices.iter().enumerate() {
        let slot = u8::from(choice);
        let secret = Zeroizing::new(Scalar::random(rng));
        let other = RistrettoPoint::random(rng);
        let own = RistrettoPoint::mul_base(&secret) - domain(index).mask(slot, &other.compress());
        let points = [
            RistrettoPoint::conditional_select(&own, &other, Choice::from(slot)).compress(),
            RistrettoPoint::conditional_select(&other, &own, Choice::from(slot)).compress(),
        ];
        request.extend_from_slice(points[0].as_bytes());
        request.extend_from_slice(points[1].as_bytes());
        pending.push((secret, points));
    }
    chan.send(&request)?;
    let mut reply = vec![0; POINT * n];
    chan.recv(&mut reply)?;
    let mut keys = Zeroizing::new(Vec::with_capacity(n));
    let replies = reply.chunks_exact(POINT).zip(choices.iter());
    for (index, ((bytes, choice), (secret, points))) in replies.zip(&pending).enumerate() {
        let domain = domain(index);
        let (encoded, public) = domain.decode(bytes)?;
        let shared = Zeroizing::new(public * **secret);
        keys.push(domain.key(u8::from(choice), &encoded, points, &shared));
    }
    let said = transcript(session, sender, &request, &reply);
    Ok((keys, said))
}

fn transcript(session: &SessionId, sender: Role, request: &[u8], reply: &[u8]) -> Transcript {
    let mut hasher = blake3::Hasher::new_derive_key("Blindray 2026-11-29 base OT, transcript");
    hasher.update(session);
    hasher.update(&[u8::from(sender.is_server())]);
    // Their lengths stand in a fixed ratio, so it is clear where the one ends.
    hasher.update(request).update(reply);
    hasher.finalize().into()
}

/// What every hash of one OT is bound to.
struct Domain<'a> {
    session: &'a SessionId,
    sender: Role,
    index: usize,
}

impl Domain<'_> {
    fn hasher(&self, purpose: &'static str, slot: u8) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(self.session);
        hasher.update(&[u8::from(self.sender.is_server()), slot]);
        hasher.update(&(self.index as u64).to_le_bytes());
        hasher
    }

    /// H(slot, point): a random oracle into the group.
    fn mask(&self, slot: u8, point: &CompressedRistretto) -> RistrettoPoint {
        let mut hasher = self.hasher("Blindray 2026-11-22 base OT, hash to group", slot);
        let mut uniform = [0; 64];
        hasher
            .update(point.as_bytes())
            .finalize_xof()
            .fill(&mut uniform);
        RistrettoPoint::from_uniform_bytes(&uniform)
    }

    /// The key of a slot.
    fn key(
        &self,
        slot: u8,
        public: &CompressedRistretto,
        points: &[CompressedRistretto; 2],
        shared: &RistrettoPoint,
    ) -> Block {
        let mut hasher = self.hasher("Blindray 2026-11-22 base OT, key", slot);
        hasher.update(public.as_bytes());
        hasher.update(points[0].as_bytes());
        hasher.update(points[1].as_bytes());
        let mut encoded = shared.compress();
        hasher.update(encoded.as_bytes());
        let mut key = Zeroizing::new([0; 16]);
        hasher.finalize_xof().fill(&mut *key);
        encoded.zeroize();
        hasher.zeroize();
        Block::from_le_bytes(*key)
    }

    /// A point off the wire.
    fn decode(&self, bytes: &[u8]) -> Result<(CompressedRistretto, RistrettoPoint), Error> {
        let invalid = || Error::InvalidPoint { index: self.index };
        let encoded = CompressedRistretto::from_slice(bytes).map_err(|_| invalid())?;
        let point = encoded
            .decompress()
            .filter(|p| !p.is_identity())
            .ok_or_else(invalid)?;
        Ok((encoded, point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_of_one_session_and_one_direction() {
        let of =
            |session, sender, request, reply| transcript(&[session; 16], sender, request, reply);
        let all = [
            of(1, Role::Server, b"request", b"reply"),
            of(2, Role::Server, b"request", b"reply"),
            of(1, Role::Client, b"request", b"reply"),
            of(1, Role::Server, b"Request", b"reply"),
            of(1, Role::Server, b"request", b"Reply"),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
