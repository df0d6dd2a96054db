//! The client: keys, encryption, and its share of a response.

use rand_core::CryptoRng;
use ring_arith::{Bits, pack, unpack};
use zeroize::Zeroizing;

use crate::automorphism::Automorphism;
use crate::convert::{to_double, vectorised};
use crate::crt;
use crate::encode;
use crate::error::{Error, check_len};
use crate::format::{Form, Format};
use crate::number::{Counter, Number, Numbers};
use crate::public::{self, NONCE};
use crate::random::{Purpose, Source};
use crate::ring::{Poly, Ring};
use crate::sample;
use crate::secret::{Secret, public_key_error};
use crate::set::Set;
use crate::wire::{residues_len, words, write_residues};

/// The client's key of one set, for one session.
///
/// It has a secret and errors of its own: keys of other sets are independent of it.
pub struct ClientKey {
    set: Set,
    pub(crate) ring: &'static Ring,
    pub(crate) secret: Secret,
    source: Source,
    nonce: [u8; NONCE],
    pub(crate) public: Source,
    counter: Counter,
}

impl ClientKey {
    /// A new key.
    ///
    /// `session` is the id of the session, to which the server has contributed randomness. Both parties give the same.
    #[must_use]
    pub fn generate(set: Set, session: &[u8], rng: &mut impl CryptoRng) -> Self {
        Self::generate_in(Ring::of(set), set, session, rng)
    }

    pub(crate) fn generate_in(
        ring: &'static Ring,
        set: Set,
        session: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let source = Source::secret(&seed, set);
        Self {
            set,
            ring,
            secret: Secret::draw(ring, &source),
            counter: Counter::new(rng.next_u64()),
            source,
            public: Source::public(session, &nonce, set),
            nonce,
        }
    }

    /// The parameter set.
    #[must_use]
    pub const fn set(&self) -> Set {
        self.set
    }

    /// The public key, for [`ServerKey::read`](crate::ServerKey::read): an encryption of zero, and the nonce.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        let (ring, primes) = (self.ring, self.ring.primes());
        let a = public::polynomial(&self.public, Purpose::PublicKey, 0, ring.degree, primes);
        let b = self
            .secret
            .hide(primes, &a, &public_key_error(ring, &self.source));
        let mut bytes = Vec::with_capacity(NONCE + residues_len(ring.degree, primes));
        bytes.extend(self.nonce);
        write_residues(primes, &b, &mut bytes);
        bytes
    }

    /// The packing key of a level, for [`ServerKey::add_packing_key`](crate::ServerKey::add_packing_key): for each prime of q an encryption
    /// of φ(s), times P and what is 1 modulo that prime and 0 modulo the other.
    ///
    /// # Panics
    /// If the level is not below log2 of the degree.
    #[must_use]
    pub fn packing_key(&self, level: u32) -> Vec<u8> {
        let ring = self.ring;
        let primes = ring.all_primes();
        let mut image = ring.zero();
        Automorphism::new(ring.degree, level).apply(&self.secret.coefficients, &mut image);
        let mut bytes = Vec::new();
        for digit in 0..ring.primes().len() {
            let number = packing_number(ring, level, digit);
            let a = public::polynomial(
                &self.public,
                Purpose::PackingKey,
                number,
                ring.degree,
                primes,
            );
            let mut e = ring.zero();
            let mut stream = self.source.stream(Purpose::PackingKeyError, number, 0);
            sample::add_errors(&mut stream, &mut e);
            let mut b = self.secret.hide(primes, &a, &e);
            let prime = &primes[digit];
            let mut scaled = ring.zero();
            scaled.copy_from_slice(&image);
            prime.ntt.scale(&mut scaled, ring.special().p % prime.p);
            b[digit]
                .iter_mut()
                .zip(scaled.iter())
                .for_each(|(b, s)| *b += s);
            prime.ntt.reduce(&mut b[digit]);
            write_residues(primes, &b, &mut bytes);
        }
        bytes
    }

    /// The numbers of the next `n` requests. The server takes as many at the same place of the protocol.
    #[must_use]
    pub fn numbers(&self, n: usize) -> Numbers {
        self.counter.numbers(n)
    }

    /// A request: the encryption of `x`, [`DEGREE`](crate::DEGREE) numbers that are taken modulo 2^l. `out` are
    /// [`Format::request_len`] bytes.
    ///
    /// # Panics
    /// If the format is of another set, the number of another key, or a length is wrong.
    pub fn encrypt(&self, format: &Format, number: Number, x: &[u64], out: &mut [u8]) {
        assert_eq!(format.set(), self.set, "a format of the key's set");
        self.encrypt_form(format.form(), number, x, out);
    }

    pub(crate) fn encrypt_form(&self, form: Form, number: Number, x: &[u64], out: &mut [u8]) {
        let (ring, primes) = (self.ring, self.ring.primes());
        assert_eq!(x.len(), ring.degree, "one number for each coefficient");
        let number = self.counter.open_number(number);
        let a = public::polynomial(&self.public, Purpose::Request, number, ring.degree, primes);
        let mut mask: Poly = a
            .into_iter()
            .zip(primes)
            .zip(&self.secret.transformed)
            .map(|((a, prime), s)| {
                let mut x = ring.zero();
                prime.ntt.multiply(&mut x, &a, s);
                prime.ntt.inverse(&mut x, 1);
                x
            })
            .collect();
        crt::to_digits(ring, &mut mask);
        let mut u = words(ring.degree);
        let mut stream = self.source.stream(Purpose::RequestError, number, 0);
        encode::hide(ring, form, x, &mut stream, &mask, &mut u);
        pack(&u, Bits::of(ring.modulus_bits() - form.dropped), out);
    }

    /// The client's share of a response, modulo 2^(l+1): with the server's they add up to 2y + e for the results y, where e is 0 or 1.
    ///
    /// Nobody may see what the shares add up to, as e depends on the weights and the secret: cut it off under another protocol.
    ///
    /// # Errors
    /// [`Error::Length`] if these are not the bytes of a response.
    ///
    /// # Panics
    /// If the format is of another set, or `out` not [`DEGREE`](crate::DEGREE) numbers.
    pub fn share(&self, format: &Format, response: &[u8], out: &mut [u64]) -> Result<(), Error> {
        assert_eq!(format.set(), self.set, "a format of the key's set");
        check_len("a response", response, format.response_len())?;
        self.share_form(format.form(), response, out);
        Ok(())
    }

    pub(crate) fn share_form(&self, form: Form, response: &[u8], out: &mut [u64]) {
        let ring = self.ring;
        assert_eq!(out.len(), ring.degree, "one number for each coefficient");
        unpack(response, form.response_bits(), out);
        let bits = form.response_bits();
        // The product is known modulo q, which exceeds it: 2^(k−1)·h is below the half of it.
        let transforms = ring.primes().iter().zip(&self.secret.transformed);
        let products = transforms.map(|(prime, s)| {
            let (mut x, mut y) = (ring.zero(), ring.zero());
            let to = &mut x[..];
            let responses = &*out;
            vectorised(
                #[inline(always)]
                || {
                    for (x, &b) in to.iter_mut().zip(responses) {
                        *x = to_double(bits.to_signed(b));
                    }
                },
            );
            prime.ntt.forward(&mut x, ring.degree);
            prime.ntt.multiply(&mut y, &x, s);
            prime.ntt.inverse(&mut y, 1);
            y
        });
        let mut product: Poly = products.collect();
        crt::to_digits(ring, &mut product);
        let (first, last) = (&product[0], &product[product.len() - 1]);
        let p0 = ring.primes()[0].p;
        let two = product.len() > 1;
        let (extra, mask) = (form.extra, form.shares().mask());
        vectorised(
            #[inline(always)]
            || {
                for (out, (&x0, &x1)) in out.iter_mut().zip(first.iter().zip(last.iter())) {
                    let x1 = if two { x1 } else { 0.0 };
                    let product = crt::wrapping_integer(x0, x1, p0);
                    #[expect(clippy::cast_sign_loss, reason = "modulo a power of two")]
                    let share = (product >> extra).wrapping_add(1) as u64;
                    *out = share & mask;
                }
            },
        );
    }
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientKey")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

/// The number of the polynomial a of a packing key.
pub(crate) fn packing_number(ring: &Ring, level: u32, digit: usize) -> u64 {
    u64::from(level) * ring.primes().len() as u64 + digit as u64
}
