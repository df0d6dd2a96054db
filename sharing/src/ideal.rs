//! Ideal functionalities: what a trusted party would compute, on clear values.
//!
//! **Insecure**, all of it: for tests, as oracles, and for studies of cost.

use channel::{Connection, ONLINE, Role};
use ot::ideal::ideal_pair;
use ot::{CotPrice, RcotReceiver, RcotSender};
use ring_arith::{BitVec, Bits};

use crate::error::Error;
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
        let online = connection.open(ONLINE)?;
        let price = CotPrice::FREE;
        Ok(Self::with_pools(
            online, &id, sender, receiver, price, own_seed,
        ))
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

/// [`ScaleRows`](crate::ScaleRows), with rows of `width` elements.
#[must_use]
pub fn scale_rows(scalars: &[u64], x: &[u64], width: usize, bits: Bits) -> Vec<u64> {
    let factors: Vec<u64> = (0..x.len()).map(|i| scalars[i / width]).collect();
    mul(&factors, x, bits)
}
