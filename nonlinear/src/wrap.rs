//! The bits lost when shares are added: the wrap of the whole, the carry of the low bits.

use channel::{Cost, Role};
use ring_arith::{BitVec, Bits};
use sharing::{BitProducts, Session};

use crate::Error;

/// The products that turn bits into numbers. The server sends, so the client speaks first.
pub(crate) const PRODUCTS: BitProducts = BitProducts {
    sender: Role::Server,
};

/// The client's side of a comparison that decides a wrap: S + C ≥ 2^m iff S > 2^m − 1 − C, and
/// 2^m − 1 − C is the complement of C on every m lowest bits.
pub(crate) fn operand(s: &Session, share: &[u64]) -> Vec<u64> {
    if s.role().is_server() {
        share.to_vec()
    } else {
        share.iter().map(|&x| !x).collect()
    }
}

/// Adds a public constant: to the server's share.
pub(crate) fn add_public(s: &Session, share: &[u64], bits: Bits, constant: u64) -> Vec<u64> {
    let constant = if s.role().is_server() { constant } else { 0 };
    share
        .iter()
        .map(|&x| bits.reduce(x.wrapping_add(constant)))
        .collect()
}

/// A boolean to be turned into shares mod 2^bits.
pub(crate) enum Bit {
    /// Boolean shares: b = b_S + b_C − 2·b_S·b_C.
    Shared(BitVec),
    /// The most significant bits of shares of a value below half of the ring: b = b_S + b_C −
    /// b_S·b_C [RRG+21; HLHD22].
    Either(BitVec),
}

impl Bit {
    const fn own(&self) -> &BitVec {
        match self {
            Self::Shared(own) | Self::Either(own) => own,
        }
    }

    /// Twice the product needs one bit less of it.
    const fn doubling(&self) -> u32 {
        match self {
            Self::Shared(_) => 1,
            Self::Either(_) => 0,
        }
    }
}

/// Shares of every bit in its ring, all in the same two flights.
pub(crate) fn to_arithmetic(
    s: &mut Session,
    wanted: &[(Bit, Bits)],
) -> Result<Vec<Vec<u64>>, Error> {
    let product = |(bit, bits): &(Bit, Bits)| Bits::new(bits.get() - bit.doubling());
    let factors = wanted.iter();
    let factors: Vec<_> = factors
        .filter_map(|wanted| Some((wanted.0.own(), product(wanted)?)))
        .collect();
    let products = if s.role() == PRODUCTS.sender {
        let numbers = factors.iter().map(|(bits, _)| bits.to_values());
        let numbers: Vec<_> = numbers.collect();
        let numbers = numbers.iter().zip(&factors);
        let numbers: Vec<_> = numbers.map(|(x, part)| (x.as_slice(), part.1)).collect();
        PRODUCTS.run_sender(s, &numbers)?
    } else {
        PRODUCTS.run_receiver(s, &factors)?
    };
    let mut products = products.into_iter();
    let shares = wanted.iter().map(|wanted| {
        let (bit, bits) = wanted;
        let mut share = bit.own().to_values();
        if product(wanted).is_some() {
            let product = products.next().expect("one result per part");
            for (share, product) in share.iter_mut().zip(product) {
                *share = bits.reduce(share.wrapping_sub(product << bit.doubling()));
            }
        }
        share
    });
    Ok(shares.collect())
}

/// The cost of [`to_arithmetic`] for `n` bits each: (is it a boolean share, its ring).
pub(crate) fn to_arithmetic_cost(n: usize, wanted: &[(bool, Bits)]) -> Cost {
    let parts = wanted
        .iter()
        .filter_map(|&(shared, bits)| Some((n, Bits::new(bits.get() - u32::from(shared))?)));
    PRODUCTS.cost(&parts.collect::<Vec<_>>())
}
