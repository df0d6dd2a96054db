//! The server: a client's keys, and what it sends.

use rand_core::CryptoRng;
use ring_arith::{Bits, packed_len, unpack};
use zeroize::Zeroizing;

use crate::client::packing_number;
use crate::convert::{to_double, vectorised};
use crate::error::{Error, check_len};
use crate::format::{Form, Format};
use crate::ntt::interleave;
use crate::number::{Counter, Masks, Number, Numbers};
use crate::product::Ciphertext;
use crate::public::{self, NONCE};
use crate::random::{Purpose, Source};
use crate::ring::{Poly, Prime, Ring};
use crate::set::Set;
use crate::switch::SwitchKey;
use crate::wire::{check_range, read_residues, residues_len};

/// What the server knows of a client's key of one set.
pub struct ServerKey {
    pub(crate) set: Set,
    pub(crate) ring: &'static Ring,
    public: Source,
    /// The public key (b, a) with b = e − a·s, in NTT form, centred.
    pub(crate) public_key: [Poly; 2],
    switch_keys: Vec<SwitchKey>,
    /// Secret: what responses are re-randomised with.
    pub(crate) source: Source,
    numbers: Counter,
    pub(crate) masks: Counter,
}

impl ServerKey {
    /// Bytes of a public key.
    #[must_use]
    pub fn public_key_len(set: Set) -> usize {
        let ring = Ring::of(set);
        NONCE + residues_len(ring.degree, ring.primes())
    }

    /// Bytes of the packing key of one level.
    #[must_use]
    pub fn packing_key_len(set: Set) -> usize {
        let ring = Ring::of(set);
        ring.primes().len() * residues_len(ring.degree, ring.all_primes())
    }

    /// The key whose public key a client has sent.
    ///
    /// `session` is what the client gave to [`ClientKey::generate`](crate::ClientKey::generate). From `rng` comes the secret seed of all
    /// that hides the weights.
    ///
    /// # Errors
    /// If the bytes are no public key.
    pub fn read(
        set: Set,
        session: &[u8],
        public_key: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        check_len("a public key", public_key, Self::public_key_len(set))?;
        Self::read_in(Ring::of(set), set, session, public_key, rng)
    }

    pub(crate) fn read_in(
        ring: &'static Ring,
        set: Set,
        session: &[u8],
        public_key: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let (nonce, b) = public_key
            .split_first_chunk::<NONCE>()
            .expect("the length was checked");
        let b = read_transformed("a public key", ring.degree, ring.primes(), b)?;
        let public = Source::public(session, nonce, set);
        let a = public::polynomial(&public, Purpose::PublicKey, 0, ring.degree, ring.primes());
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Ok(Self {
            set,
            ring,
            public,
            public_key: [b, a],
            switch_keys: Vec::new(),
            source: Source::secret(&seed, set),
            numbers: Counter::new(rng.next_u64()),
            masks: Counter::new(rng.next_u64()),
        })
    }

    /// The parameter set.
    #[must_use]
    pub const fn set(&self) -> Set {
        self.set
    }

    /// Takes the packing key of the next level, 0 first.
    ///
    /// # Errors
    /// If the bytes are no packing key, or there is one for every level.
    pub fn add_packing_key(&mut self, bytes: &[u8]) -> Result<(), Error> {
        check_len("a packing key", bytes, Self::packing_key_len(self.set))?;
        self.add_packing_key_bytes(bytes)
    }

    pub(crate) fn add_packing_key_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (ring, level) = (self.ring, self.levels());
        if level >= ring.degree.ilog2() {
            return Err(Error::TooManyLevels { levels: level });
        }
        let (degree, primes) = (ring.degree, ring.all_primes());
        let len = residues_len(degree, primes);
        let digits = bytes.chunks_exact(len).enumerate().map(|(digit, bytes)| {
            let b = read_transformed("a packing key", degree, primes, bytes)?;
            let number = packing_number(ring, level, digit);
            let a = public::polynomial(&self.public, Purpose::PackingKey, number, degree, primes);
            Ok([b, a])
        });
        let digits = digits.collect::<Result<Vec<_>, Error>>()?;
        self.switch_keys.push(SwitchKey::new(degree, level, digits));
        Ok(())
    }

    /// The levels of packing that there are keys for.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most log2 of the degree"
    )]
    pub fn levels(&self) -> u32 {
        self.switch_keys.len() as u32
    }

    pub(crate) fn switch_key(&self, level: u32) -> &SwitchKey {
        &self.switch_keys[level as usize]
    }

    /// The numbers of the next `n` requests. The client takes as many at the same place of the protocol.
    #[must_use]
    pub fn numbers(&self, n: usize) -> Numbers {
        self.numbers.numbers(n)
    }

    /// The numbers of the next `n` responses. What they are used for does not matter, as long as each is used once.
    #[must_use]
    pub fn masks(&self, n: usize) -> Masks {
        self.masks.masks(n)
    }

    /// The ciphertext of a request.
    ///
    /// # Errors
    /// If the bytes are no request of this format.
    ///
    /// # Panics
    /// If the format is of another set, or the number of another key.
    pub fn ingest(
        &self,
        format: &Format,
        number: Number,
        bytes: &[u8],
    ) -> Result<Ciphertext, Error> {
        assert_eq!(format.set(), self.set, "a format of the key's set");
        self.ingest_form(format.form(), number, bytes)
    }

    pub(crate) fn ingest_form(
        &self,
        form: Form,
        number: Number,
        bytes: &[u8],
    ) -> Result<Ciphertext, Error> {
        const WHAT: &str = "a request";
        let (ring, primes, f) = (self.ring, self.ring.primes(), form.dropped);
        let number = self.numbers.open_number(number);
        let bits = Bits::of(ring.modulus_bits() - f);
        check_len(WHAT, bytes, packed_len(ring.degree, bits))?;
        let mut u = vec![0; ring.degree];
        unpack(bytes, bits, &mut u);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "f is such that it is a word"
        )]
        check_range(WHAT, &u, ((ring.modulus - 1) >> f) as u64)?;
        let a = public::polynomial(&self.public, Purpose::Request, number, ring.degree, primes);
        let mut c0 = ring.zero();
        let pairs = primes.iter().zip(&a).map(|(prime, a)| {
            middles(prime, &u, f, &mut c0);
            prime.ntt.forward(&mut c0, ring.degree);
            prime.ntt.reduce(&mut c0);
            let mut pair = crate::ntt::Buffer::zeroed(2 * ring.degree);
            interleave(&mut pair, &c0, a);
            pair
        });
        Ok(Ciphertext::new(ring, pairs.collect()))
    }
}

/// The middles of the ranges of numbers whose high bits are u, modulo one prime, below 2^51.
#[expect(clippy::cast_possible_wrap, reason = "the parts are below 2^50")]
fn middles(prime: &Prime, u: &[u64], f: u32, out: &mut [f64]) {
    // u·2^f = high·2^(s + f) + low·2^f.
    let split = (prime.bits() - 1).saturating_sub(f);
    let half = if f > 0 { 1_i64 << (f - 1) } else { 0 };
    let low = (1 << split) - 1;
    vectorised(
        #[inline(always)]
        || {
            for (x, &u) in out.iter_mut().zip(u) {
                *x = to_double((u >> split) as i64);
            }
        },
    );
    prime.ntt.scale(out, (1_u64 << (split + f)) % prime.p);
    vectorised(
        #[inline(always)]
        || {
            for (x, &u) in out.iter_mut().zip(u) {
                *x += to_double(((u & low) << f) as i64 + half);
            }
        },
    );
}

/// Reads a polynomial of a key into its NTT form, centred.
fn read_transformed(
    what: &'static str,
    degree: usize,
    primes: &[Prime],
    bytes: &[u8],
) -> Result<Poly, Error> {
    let mut x = read_residues(what, degree, primes, bytes)?;
    for (prime, x) in primes.iter().zip(&mut x) {
        prime.ntt.forward(x, degree);
        prime.ntt.reduce(x);
    }
    Ok(x)
}

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerKey")
            .field("set", &self.set)
            .field("levels", &self.levels())
            .finish_non_exhaustive()
    }
}
