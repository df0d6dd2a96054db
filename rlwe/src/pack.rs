//! Packing: results of several products in one ciphertext.
//!
//! Chen, Dai, Kim and Song (eprint 2020/015). A product has its results at multiples of 2^L and garbage elsewhere, all divided by 2^L. A
//! merge of level i takes E and O with results at multiples of 2^(i+1), and gives
//!
//! E + X^(2^i)·O + φ(E − X^(2^i)·O), φ: X → X^(1 + N/2^i),
//!
//! twice the results of E and O, at multiples of 2^i, those of O in the odd places. φ keeps what has an exponent that 2^(i+1) divides, and
//! negates where only 2^i does: so the garbage of E and O at the odd multiples of 2^i goes, and the rest waits for the next levels.

use crate::ntt::Buffer;
use crate::product::Product;
use crate::ring::{Poly, Ring};
use crate::server::ServerKey;
use crate::switch::Scratch;

/// Packs 2^levels products into one.
///
/// They are pushed in an order in which two can be merged soon: the i-th is that of lane bit_reverse(i), of `levels` bits. So it never
/// keeps more than levels + 1 of them.
pub struct Packer<'a> {
    key: &'a ServerKey,
    levels: u32,
    pushed: usize,
    /// The sums so far, and how many levels each still has to go.
    waiting: Vec<(u32, Option<Product>)>,
    scratch: Option<Scratch>,
}

impl<'a> Packer<'a> {
    /// Nothing packed yet.
    ///
    /// # Panics
    /// If there are no keys for so many levels.
    #[must_use]
    pub fn new(key: &'a ServerKey, levels: u32) -> Self {
        assert!(levels <= key.levels(), "a packing key for each level");
        Self {
            key,
            levels,
            pushed: 0,
            waiting: Vec::new(),
            scratch: None,
        }
    }

    /// The next product; `None` for a lane of zeros.
    ///
    /// # Panics
    /// If all 2^levels were pushed, or the product is of another set or was not divided by 2^levels.
    pub fn push(&mut self, product: Option<Product>) {
        assert!(self.pushed < 1 << self.levels, "a product for each lane");
        if let Some(product) = &product {
            assert!(
                std::ptr::eq(product.ring, self.key.ring),
                "a product of the key's set"
            );
            assert_eq!(product.levels, self.levels, "a product for so many levels");
        }
        self.pushed += 1;
        let (mut level, mut sum) = (self.levels, product);
        while let Some((_, even)) = self.waiting.pop_if(|(waiting, _)| *waiting == level) {
            level -= 1;
            sum = self.merge(even, sum, level);
        }
        self.waiting.push((level, sum));
    }

    /// The results: that of lane b and slot s is the coefficient s·2^levels + b. Lanes that were not pushed are zero. `None` if all are.
    #[must_use]
    pub fn finish(mut self) -> Option<Product> {
        while self.pushed < 1 << self.levels {
            self.push(None);
        }
        let (_, packed) = self.waiting.pop()?;
        packed.map(|packed| Product {
            levels: 0,
            packed: self.levels,
            ..packed
        })
    }

    /// What is missing is zero. What is alone is merged as well: its garbage must go.
    fn merge(
        &mut self,
        even: Option<Product>,
        odd: Option<Product>,
        level: u32,
    ) -> Option<Product> {
        let ring = self.key.ring;
        let (mut sum, difference) = match (even, odd) {
            (None, None) => return None,
            (Some(even), None) => (even.parts.each_ref().map(copy), even.parts),
            (even, Some(mut odd)) => {
                odd.parts
                    .iter_mut()
                    .for_each(|part| times_power(part, 1 << level));
                match even {
                    Some(even) => sum_and_difference(ring, even.parts, odd.parts),
                    None => (odd.parts.each_ref().map(copy), odd.parts.map(negative)),
                }
            }
        };
        let scratch = self.scratch.get_or_insert_with(|| Scratch::new(ring));
        self.key
            .switch_key(level)
            .add_image(ring, &difference, &mut sum, scratch);
        Some(Product {
            ring,
            parts: sum,
            levels: self.levels,
            packed: 0,
        })
    }
}

/// x·X^shift.
fn times_power(x: &mut Poly, shift: usize) {
    for x in x {
        x.rotate_right(shift);
        x[..shift].iter_mut().for_each(|x| *x = -*x);
    }
}

fn copy(x: &Poly) -> Poly {
    let copies = x.iter().map(|x| {
        let mut y = Buffer::zeroed(x.len());
        y.copy_from_slice(x);
        y
    });
    copies.collect()
}

fn negative(mut x: Poly) -> Poly {
    x.iter_mut()
        .flat_map(|x| x.iter_mut())
        .for_each(|x| *x = -*x);
    x
}

/// x + y, as it is, and x − y, centred.
fn sum_and_difference(ring: &Ring, mut x: [Poly; 2], mut y: [Poly; 2]) -> ([Poly; 2], [Poly; 2]) {
    for (x, y) in x.iter_mut().zip(&mut y) {
        for ((x, y), prime) in x.iter_mut().zip(y).zip(ring.primes()) {
            for (x, y) in x.iter_mut().zip(y.iter_mut()) {
                (*x, *y) = (*x + *y, *x - *y);
            }
            prime.ntt.reduce(y);
        }
    }
    (x, y)
}

impl std::fmt::Debug for Packer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer")
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}
