//! Ideal functionalities: what a trusted party would compute, on clear values.
//!
//! **Insecure**, all of it: for tests, as oracles, and for studies of cost.

use channel::{Connection, ONLINE, Role};
use ot::ideal::ideal_pair;
use ot::{OtReceiver, OtSender, RcotReceiver, RcotSender};
use ring_arith::{BitVec, Bits};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::fork::{Place, Streams};
use crate::prg::Prg;
use crate::session::{Session, child};

impl Session {
    /// **Insecure.** A session whose correlated OTs come from a seed both parties know: no set-up,
    /// no refill, the same online bytes as with real ones.
    ///
    /// # Errors
    /// When the online stream cannot be opened.
    pub fn ideal(
        connection: &Connection,
        shared_seed: [u8; 32],
        own_seed: [u8; 32],
    ) -> Result<Self, Error> {
        let role = connection.role();
        let pool = |number| ideal_pair(*Prg::child(&shared_seed, number).seed());
        let server_sends = pool(child::SERVER_SENDS);
        let client_sends = pool(child::CLIENT_SENDS);
        let (sender, receiver) = match role {
            Role::Server => (server_sends.0, client_sends.1),
            Role::Client => (client_sends.0, server_sends.1),
        };
        let sender: Box<dyn RcotSender> = Box::new(sender);
        let receiver: Box<dyn RcotReceiver> = Box::new(receiver);
        let id = connection.session_id();
        let ends = (
            OtSender::new(sender, &id, role),
            OtReceiver::new(receiver, &id, role.peer()),
        );
        let online = connection.open(ONLINE)?;
        let seed = Zeroizing::new(own_seed);
        let rng = Prg::child(&seed, child::ONLINE);
        let place = Place::Root(Streams::new(connection.clone(), seed));
        Ok(Self::assemble(online, ends, rng, 0, place))
    }
}

/// [`And`](crate::And).
#[must_use]
pub fn and(x: &BitVec, y: &BitVec) -> BitVec {
    BitVec::from_fn(x.len(), |i| x.bit(i) && y.bit(i))
}

/// [`B2a`](crate::B2a).
#[must_use]
pub fn b2a(b: &BitVec) -> Vec<u64> {
    b.iter().map(u64::from).collect()
}

/// [`Mux`](crate::Mux).
#[must_use]
pub fn mux(choice: &BitVec, x: &[u64]) -> Vec<u64> {
    choice
        .iter()
        .zip(x)
        .map(|(b, &x)| u64::from(b) * x)
        .collect()
}

/// [`Mul`](crate::Mul).
#[must_use]
pub fn mul(x: &[u64], y: &[u64], bits: Bits) -> Vec<u64> {
    let products = x.iter().zip(y).map(|(&x, &y)| x.wrapping_mul(y));
    products.map(|p| bits.reduce(p)).collect()
}

/// [`Gate`](crate::Gate), with rows of `width` elements.
#[must_use]
pub fn gate(scalars: &[u64], x: &[u64], width: usize, bits: Bits) -> Vec<u64> {
    let factors: Vec<u64> = (0..x.len()).map(|i| scalars[i / width]).collect();
    mul(&factors, x, bits)
}
