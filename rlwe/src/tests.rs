//! Tests of the whole scheme, at full and at small degrees.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the numbers of tests are small, or are taken modulo powers of two"
)]

mod deviation;
mod exact;
mod lemma;
mod noise;
mod packing;
mod privacy;
mod refusals;
mod repeats;
mod sampling;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Rng as _, SeedableRng};
use ring_arith::packed_len;

use crate::crt;
use crate::format::Form;
use crate::number::{Mask, Number};
use crate::product::{Accumulator, Ciphertext, Product, Weights};
use crate::ring::{Poly, Ring};
use crate::{ClientKey, ServerKey, Set};

/// The session of the tests.
const SESSION: &[u8] = b"a session of the tests";

/// The keys of both parties in one process.
struct Parties {
    client: ClientKey,
    server: ServerKey,
}

impl Parties {
    fn new(set: Set, levels: u32, seed: u64) -> Self {
        Self::new_in(Ring::of(set), set, levels, seed)
    }

    fn new_in(ring: &'static Ring, set: Set, levels: u32, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let client = ClientKey::generate_in(ring, set, SESSION, &mut rng);
        let mut server =
            ServerKey::read_in(ring, set, SESSION, &client.public_key(), &mut rng).unwrap();
        for level in 0..levels {
            server
                .add_packing_key_bytes(&client.packing_key(level))
                .unwrap();
        }
        Self { client, server }
    }

    fn ring(&self) -> &'static Ring {
        self.client.ring
    }

    fn number(&self) -> [Number; 2] {
        [self.client.numbers(1), self.server.numbers(1)].map(|mut n| n.next().unwrap())
    }

    fn mask(&self) -> Mask {
        self.server.masks(1).next().unwrap()
    }

    /// The bytes of a request.
    fn request(&self, form: Form, x: &[u64]) -> (Vec<u8>, Number) {
        let [number, same] = self.number();
        let bits = ring_arith::Bits::of(self.ring().modulus_bits() - form.dropped);
        let mut bytes = vec![0; packed_len(x.len(), bits)];
        self.client.encrypt_form(form, number, x, &mut bytes);
        (bytes, same)
    }

    fn ciphertext(&self, form: Form, x: &[u64]) -> Ciphertext {
        let (bytes, number) = self.request(form, x);
        self.server.ingest_form(form, number, &bytes).unwrap()
    }

    /// The product of an input with a weight polynomial.
    fn product(&self, form: Form, x: &[u64], weights: &[(usize, i32)], levels: u32) -> Product {
        let mut polynomial = Weights::new_in(self.ring());
        let span = 1 + weights.iter().map(|w| w.0).max().unwrap_or(0);
        polynomial.fill(span, weights.iter().copied());
        let mut sum = Accumulator::new_in(self.ring());
        sum.add(&self.ciphertext(form, x), &polynomial);
        sum.finish(0, levels)
    }

    /// What both shares of a product add up to: 2y + e.
    fn open(&self, form: Form, product: Product) -> Vec<u64> {
        let (own, response) = self.respond(form, product);
        let mut share = vec![0; own.len()];
        self.client.share_form(form, &response, &mut share);
        let sums = own.iter().zip(share);
        sums.map(|(a, d)| form.shares().reduce(a + d)).collect()
    }

    fn respond(&self, form: Form, product: Product) -> (Vec<u64>, Vec<u8>) {
        let degree = self.ring().degree;
        let mut own = vec![0; degree];
        let mut response = vec![0; packed_len(degree, form.response_bits())];
        self.server
            .respond_form(form, self.mask(), product, &mut own, &mut response);
        (own, response)
    }
}

/// c0 + c1·s of a ciphertext in coefficients, as integers next to zero.
fn phase(client: &ClientKey, c: &[Poly; 2]) -> Vec<i128> {
    let ring = client.ring;
    let mut sum: Poly = Vec::new();
    for (i, prime) in ring.primes().iter().enumerate() {
        let (mut c1, mut x) = (ring.zero(), ring.zero());
        c1.copy_from_slice(&c[1][i]);
        prime.ntt.reduce(&mut c1);
        prime.ntt.forward(&mut c1, ring.degree);
        prime
            .ntt
            .multiply(&mut x, &c1, &client.secret.transformed[i]);
        prime.ntt.inverse(&mut x, 1);
        x.iter_mut()
            .zip(c[0][i].iter())
            .for_each(|(x, c0)| *x += c0);
        prime.ntt.reduce(&mut x);
        sum.push(x);
    }
    crt::to_digits(ring, &mut sum);
    let (q, p0) = (ring.modulus as i128, ring.primes()[0].p);
    let x = |i: usize| match &sum[..] {
        [x] => crt::canonical_integer(x[i], 0.0, p0, ring.modulus),
        [x, y] => crt::canonical_integer(x[i], y[i], p0, ring.modulus),
        _ => unreachable!("one or two primes"),
    };
    (0..ring.degree).map(|i| centre(x(i) as i128, q)).collect()
}

/// The number next to zero that is x modulo q.
fn centre(x: i128, q: i128) -> i128 {
    let x = x.rem_euclid(q);
    if 2 * x > q { x - q } else { x }
}

/// x − q·y/2^l modulo q, next to zero: the noise of a result y.
fn noise(x: i128, y: u64, form: Form, ring: &Ring) -> f64 {
    let (q, t) = (ring.modulus as i128, 1_i128 << form.ring.get());
    centre(x * t - q * i128::from(form.ring.reduce(y)), q * t) as f64 / t as f64
}

/// The smallest prime from `least` on that is 1 modulo 2·degree.
fn prime(least: u64, degree: usize) -> u64 {
    let step = 2 * degree as u64;
    let is_prime = |p: &u64| {
        (2..)
            .take_while(|d| d * d <= *p)
            .all(|d| !p.is_multiple_of(d))
    };
    (1..)
        .map(|i| (least / step + i) * step + 1)
        .find(is_prime)
        .unwrap()
}

/// A ring of small degree with different primes of so many bits, P the last of them.
fn small_ring(degree: usize, bits: &[u32]) -> &'static Ring {
    let mut primes: Vec<u64> = Vec::new();
    for &bits in bits {
        let least = primes.iter().fold(1 << bits, |least, &p| least.max(p));
        primes.push(prime(least, degree));
    }
    let (special, primes) = primes.split_last().unwrap();
    Box::leak(Box::new(Ring::new(degree, primes, *special, degree)))
}

fn numbers(rng: &mut impl CryptoRng, n: usize, mask: u64) -> Vec<u64> {
    (0..n).map(|_| rng.next_u64() & mask).collect()
}

/// x·w modulo X^N + 1 and 2^64.
fn convolve(x: &[u64], weights: &[(usize, i32)]) -> Vec<u64> {
    let n = x.len();
    let mut y = vec![0_u64; n];
    for &(exponent, weight) in weights {
        for (i, &x) in x.iter().enumerate() {
            let term = x.wrapping_mul(i64::from(weight) as u64);
            let (at, term) = match i + exponent {
                at if at < n => (at, term),
                at => (at - n, term.wrapping_neg()),
            };
            y[at] = y[at].wrapping_add(term);
        }
    }
    y
}
