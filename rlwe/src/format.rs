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
    use proptest::prelude::*;

    /// Bits of requests of one set by weights of 8, 10, 11, 12, 12, 14, 13 and 14 bits with rings of 24, 26, 27, 28, 30, 32, 33 and 40, and by
    /// 9, 64, 147, 576, 1152, 2304, 4608 and 8192 terms, with six levels of packing; 0 where there is none.
    fn table(set: Set) -> [[u32; 8]; 8] {
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
        widths.map(|(weight, ring)| {
            [9, 64, 147, 576, 1152, 2304, 4608, 8192].map(|fan_in| {
                let demand = Demand {
                    ring: Bits::of(ring),
                    weight_bits: Bits::of(weight),
                    fan_in,
                    levels: 6,
                };
                Format::choose(set, &demand).map_or(0, |format| format.request_bits())
            })
        })
    }

    #[test]
    fn the_requests_of_the_first_set() {
        let expected = [
            [37, 38, 39, 40, 40, 41, 41, 42],
            [41, 42, 43, 44, 44, 45, 45, 46],
            [43, 44, 45, 46, 47, 48, 0, 0],
            [45, 47, 48, 0, 0, 0, 0, 0],
        ];
        assert_eq!(table(Set::S1)[..4], expected);
        assert_eq!(table(Set::S1)[4..], [[0; 8]; 4]);
    }

    #[test]
    fn the_requests_of_the_second_set() {
        let expected = [
            [37, 38, 39, 40, 40, 41, 41, 42],
            [41, 42, 43, 44, 44, 45, 45, 46],
            [43, 44, 45, 46, 46, 47, 47, 48],
            [45, 46, 47, 48, 48, 49, 49, 50],
            [47, 48, 49, 50, 50, 51, 51, 52],
            [51, 52, 53, 54, 54, 55, 55, 56],
            [51, 52, 53, 54, 54, 55, 55, 56],
            [59, 60, 61, 62, 63, 64, 0, 0],
        ];
        assert_eq!(table(Set::S2), expected);
    }

    /// The rule once more, from the numbers in its text: what it bounds by one.
    fn of_the_bound(set: Set, demand: &Demand, dropped: u32) -> f64 {
        let (fan_in, w, l) = (
            demand.fan_in as f64,
            demand.weight_bits.get(),
            demand.ring.get(),
        );
        let log = |x: u128| (x as f64).log2();
        let (q, special) = (log(set.modulus()), log(set.special().into()));
        let four = |x: f64| (2.0 * x).exp2();
        let inputs = 10.75
            + if dropped > 0 {
                four(f64::from(dropped)) / 12.0
            } else {
                0.0
            };
        let digits = set
            .primes()
            .iter()
            .map(|&p| four(log(p.into()) - special))
            .sum::<f64>();
        let packing = (four(f64::from(demand.levels)) - 1.0) / 3.0
            * (4096.0 * 10.5 / 4.0 * digits + 2817.0 / 12.0);
        let variance = fan_in * four(f64::from(w) - 1.0) * inputs
            + 1.1 * 4096.0 * 10.5 * 2.0 / 3.0
            + 2816.0 * 10.5
            + packing;
        let eta = variance * four(f64::from(l) + 1.0 - q) + 2816.0 / 12.0 / four(9.0);
        eta * 8.0 * 67.0 * std::f64::consts::LN_2
    }

    fn demands() -> impl Strategy<Value = Demand> {
        (1..=42_u32, 1..=20_u32, 1..20_000_u64, 0..=13_u32).prop_map(
            |(ring, weight_bits, fan_in, levels)| Demand {
                ring: Bits::of(ring),
                weight_bits: Bits::of(weight_bits),
                fan_in,
                levels,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn formats_keep_the_rule_and_no_smaller_one_does(demand in demands()) {
            for set in Set::ALL {
                let Some(format) = Format::choose(set, &demand) else {
                    // Nothing fits a word, or the ring is too wide.
                    let fewest = set.modulus_bits().saturating_sub(64);
                    let impossible = demand.ring.get() > set.max_ring() || demand.levels > 12;
                    prop_assert!(impossible || of_the_bound(set, &demand, fewest) > 0.9999);
                    continue;
                };
                prop_assert!(of_the_bound(set, &demand, format.dropped()) <= 1.0);
                prop_assert!(of_the_bound(set, &demand, format.dropped() + 1) > 0.9999);
                prop_assert!(format.levels() == demand.levels && format.ring() == demand.ring);
                prop_assert!(format.request_bits() <= 64);
                prop_assert_eq!(format.response_bits().get(), demand.ring.get() + 10);
                prop_assert_eq!(format.shares().get(), demand.ring.get() + 1);
            }
        }
    }

    /// The client's product of a response with its secret is known modulo q: it is below the half of it.
    #[test]
    fn responses_fit_the_clients_product() {
        for set in Set::ALL {
            let bits = set.max_ring() + 1 + EXTRA;
            let most = (1_u128 << (bits - 1)) * u128::from(Set::MAX_WEIGHT);
            assert!(2 * most < set.modulus(), "{set:?}");
        }
        // One bit more would not fit the one prime.
        let most = (1_u128 << (Set::S1.max_ring() + 1 + EXTRA)) * u128::from(Set::MAX_WEIGHT);
        assert!(2 * most > Set::S1.modulus());
    }

    #[test]
    fn the_bound_on_the_variance() {
        let exact = 1.0 / (8.0 * 67.0 * std::f64::consts::LN_2);
        assert!(MOST <= exact && MOST > 0.9999 * exact);
    }
}
