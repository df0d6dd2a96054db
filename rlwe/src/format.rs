//! The noise rule: how many low bits a request may drop, so that results stay exact.

use ring_arith::Bits;

use crate::set::{DEGREE, Set};

/// Bits of a response beyond those of a share: the client's product with its secret loses them.
const EXTRA: u32 = 9;

/// The most that the variance of η may be: 1 / (8 ln(2·2^66)), rounded down.
const MOST: f64 = 0.002_691_5;

/// What a product asks of the encryption. All of it is public.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct Demand {
    /// The ring of the inputs and outputs, l bits.
    pub ring: Bits,
    /// The width of a weight.
    pub weight_bits: Bits,
    /// The most weights that one coefficient of the results is a sum over, those of other results that the same product computes
    /// included.
    pub fan_in: u64,
    /// Levels of packing: 2^levels results share a response. 0 for none.
    pub levels: u32,
}

/// The form of requests and responses: the parameter set, the ring, and the low bits that are dropped. Only those exist that keep the noise
/// rule.
///
/// With η the noise of a coefficient scaled to the shares, a result is exact if |η| < 1/2. The rule bounds its variance proxy such that this
/// fails with probability 2^-66 at most, for the worst weights of their width:
///
/// V = K·4^(w−1)·(10.75 + \[f > 0\]·4^f/12) + 1.1·N·10.5·2/3 + 2816·10.5 + V_pack,
///
/// V_pack = (g² − 1)/3 · (N·10.5/4·Σ (p/P)² + (1 + 2816)/12),
///
/// 4^(l+1)·V/q² + 2816/(12·4^9) ≤ 1/(8 ln 2^67).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Format {
    set: Set,
    ring: Bits,
    dropped: u32,
    levels: u32,
}

impl Format {
    /// The smallest requests that keep the rule in this set; `None` if none do.
    #[must_use]
    pub fn choose(set: Set, demand: &Demand) -> Option<Self> {
        let Demand { ring, levels, .. } = *demand;
        if ring.get() > set.max_ring() || levels > DEGREE.ilog2() {
            return None;
        }
        let keeps = |&dropped: &u32| Self::variance(set, demand, dropped) <= MOST;
        let dropped = (0..set.modulus_bits()).take_while(keeps).last()?;
        // A coefficient of a request is a word.
        (set.modulus_bits() - dropped <= u64::BITS).then_some(Self {
            set,
            ring,
            dropped,
            levels,
        })
    }

    /// The bound on the variance of η. Only sums, products and quotients of doubles, which are the same everywhere.
    #[expect(clippy::cast_precision_loss, reason = "a bound with room to spare")]
    fn variance(set: Set, demand: &Demand, dropped: u32) -> f64 {
        let (degree, weight) = (DEGREE as f64, f64::from(Set::MAX_WEIGHT));
        let error = Set::ERROR_VARIANCE;
        let four_to = |power: u32| {
            1_u128
                .checked_shl(2 * power)
                .map_or(f64::INFINITY, |x| x as f64)
        };
        let weights = demand.fan_in as f64 * four_to(demand.weight_bits.get() - 1);
        let drop = if dropped > 0 {
            four_to(dropped) / 12.0
        } else {
            0.0
        };
        let special = set.special() as f64;
        let digits = set
            .primes()
            .iter()
            .map(|&p| (p as f64 / special) * (p as f64 / special));
        let switch = degree * error / 4.0 * digits.sum::<f64>() + (1.0 + weight) / 12.0;
        let packing = (four_to(demand.levels) - 1.0) / 3.0 * switch;
        let noise = weights * (error + 0.25 + drop)
            + 1.1 * degree * error * 2.0 / 3.0
            + weight * error
            + packing;
        let modulus = set.modulus() as f64;
        let scale = four_to(demand.ring.get() + 1) / modulus / modulus;
        scale * noise + weight / 12.0 / four_to(EXTRA)
    }

    /// What the arithmetic needs to know.
    pub(crate) const fn form(&self) -> Form {
        Form {
            ring: self.ring,
            dropped: self.dropped,
            extra: EXTRA,
        }
    }

    /// The parameter set.
    #[must_use]
    pub const fn set(&self) -> Set {
        self.set
    }

    /// The ring of the inputs, l bits.
    #[must_use]
    pub const fn ring(&self) -> Bits {
        self.ring
    }

    /// The ring of the shares that come out, l + 1 bits.
    #[must_use]
    pub const fn shares(&self) -> Bits {
        Bits::of(self.ring.get() + 1)
    }

    /// Low bits of a request's coefficients that are not sent.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Levels of packing that the rule allows for.
    #[must_use]
    pub const fn levels(&self) -> u32 {
        self.levels
    }

    /// Bits of a coefficient of a request.
    #[must_use]
    pub const fn request_bits(&self) -> u32 {
        self.set.modulus_bits() - self.dropped
    }

    /// Bits of a coefficient of a response.
    #[must_use]
    pub const fn response_bits(&self) -> Bits {
        Bits::of(self.ring.get() + 1 + EXTRA)
    }

    /// Bytes of a request: one ciphertext.
    #[must_use]
    pub const fn request_len(&self) -> usize {
        DEGREE / 8 * self.request_bits() as usize
    }

    /// Bytes of a response: one polynomial.
    #[must_use]
    pub const fn response_len(&self) -> usize {
        DEGREE / 8 * self.response_bits().get() as usize
    }
}

/// The arithmetic of a format, of rings of any degree. Tests make some that break the rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) ring: Bits,
    pub(crate) dropped: u32,
    pub(crate) extra: u32,
}

impl Form {
    /// The ring of the shares, l + 1 bits.
    pub(crate) const fn shares(self) -> Bits {
        Bits::of(self.ring.get() + 1)
    }

    /// Bits of a coefficient of a response.
    pub(crate) const fn response_bits(self) -> Bits {
        Bits::of(self.ring.get() + 1 + self.extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits of a request by weights of 8, 10, 11, 12, 12, 14, 13 and 14 bits with rings of 24, 26, 27, 28, 30, 32, 33 and 40.
    #[test]
    fn the_table_of_requests() {
        let widths = [
            (8, 24),
            (10, 26),
            (11, 27),
            (12, 28),
            (12, 30),
            (14, 32),
            (13, 33),
            (14, 40),
        ];
        let fan_ins = [9, 64, 147, 576, 1152, 2304, 4608, 8192];
        for (weight, ring) in widths {
            let cells = fan_ins.map(|fan_in| {
                let demand = Demand {
                    ring: Bits::of(ring),
                    weight_bits: Bits::of(weight),
                    fan_in,
                    levels: 6,
                };
                let formats = Set::ALL.map(|set| Format::choose(set, &demand));
                let best = formats
                    .into_iter()
                    .flatten()
                    .min_by_key(Format::request_bits);
                best.map(|f| (f.request_bits(), f.set()))
            });
            println!("{weight} {ring} {cells:?}");
        }
    }
}
