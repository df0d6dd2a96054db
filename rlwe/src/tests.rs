//! Tests of the whole scheme, at full and at small degrees.

mod exact;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Rng as _, SeedableRng};
use ring_arith::packed_len;

use crate::format::Form;
use crate::number::{Mask, Number};
use crate::product::{Accumulator, Ciphertext, Product, Weights};
use crate::ring::Ring;
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
