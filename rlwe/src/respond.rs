//! Responses: re-randomised, and switched down to the bits of the shares.

use ring_arith::pack;

use crate::crt::round_to_bits;
use crate::format::{Form, Format};
use crate::number::Mask;
use crate::product::Product;
use crate::random::Purpose;
use crate::ring::{Poly, Ring};
use crate::sample;
use crate::server::ServerKey;
use crate::wire::words;

/// A ciphertext of results whose c1 is pseudorandom, whatever the weights. The only one that has a way to bytes.
pub(crate) struct Rerandomised {
    ring: &'static Ring,
    parts: [Poly; 2],
}

impl ServerKey {
    /// The response to the client, and the server's own share of the results, modulo 2^(l+1): with the client's share they add up to
    /// 2y + e for the results y, where e is 0 or 1.
    ///
    /// Nobody may see what the shares add up to, as e depends on the weights and the client's secret: cut it off under another protocol.
    /// Nor may anyone but the server see its share.
    ///
    /// # Panics
    /// If the format is of another set or allows for less packing than was done, the product is not packed as it was made for,
    /// the mask is of another key, or a length is wrong.
    pub fn respond(
        &self,
        format: &Format,
        mask: Mask,
        product: Product,
        own: &mut [u64],
        out: &mut [u8],
    ) {
        assert_eq!(format.set(), self.set, "a format of the key's set");
        assert!(
            product.packed <= format.levels(),
            "a format for so much packing"
        );
        self.respond_form(format.form(), mask, product, own, out);
    }

    pub(crate) fn respond_form(
        &self,
        form: Form,
        mask: Mask,
        product: Product,
        own: &mut [u64],
        out: &mut [u8],
    ) {
        assert!(
            std::ptr::eq(product.ring, self.ring),
            "a product of the key's set"
        );
        assert_eq!(product.levels, 0, "a product that is packed");
        self.rerandomise(mask, product).switch_down(form, own, out);
    }

    /// Adds an encryption of zero: (b·u, a·u + e2) for the public key (b, a), a ternary u and an error e2.
    ///
    /// u is redrawn until no NTT value is zero. Then a·u is exactly uniform, as a is.
    pub(crate) fn rerandomise(&self, mask: Mask, product: Product) -> Rerandomised {
        let (ring, number) = (self.ring, self.masks.open_mask(mask));
        let mut parts = product.parts;
        let u = self.invertible(number);
        let mut hidden = ring.zero();
        for (part, key) in parts.iter_mut().zip(&self.public_key) {
            for (i, prime) in ring.primes().iter().enumerate() {
                prime.ntt.multiply(&mut hidden, &key[i], &u[i]);
                prime.ntt.inverse(&mut hidden, 1);
                for (x, hidden) in part[i].iter_mut().zip(hidden.iter()) {
                    *x += hidden;
                }
            }
        }
        let mut error = ring.zero();
        sample::add_errors(
            &mut self.source.stream(Purpose::MaskError, number, 0),
            &mut error,
        );
        for x in &mut parts[1] {
            for (x, e) in x.iter_mut().zip(error.iter()) {
                *x += e;
            }
        }
        Rerandomised { ring, parts }
    }

    /// The ternary polynomial of a response, in NTT form.
    pub(crate) fn invertible(&self, number: u64) -> Poly {
        let ring = self.ring;
        let mut draws = (0..).map(|attempt| {
            let mut u = ring.zero();
            let mut stream = self.source.stream(Purpose::Mask, number, attempt);
            sample::ternary(&mut stream, &mut u);
            Ring::transform(ring.primes(), &u)
        });
        draws
            .find(Ring::is_invertible)
            .expect("one of the next 2^32 is")
    }
}

impl Rerandomised {
    /// The server's share round(2^(l+1)·c0/q), and the response round(2^k·c1/q).
    pub(crate) fn switch_down(mut self, form: Form, own: &mut [u64], out: &mut [u8]) {
        assert_eq!(
            own.len(),
            self.ring.degree,
            "one number for each coefficient"
        );
        let [c0, c1] = &mut self.parts;
        round_to_bits(self.ring, c0, form.shares(), own);
        let mut response = words(own.len());
        round_to_bits(self.ring, c1, form.response_bits(), &mut response);
        pack(&response, form.response_bits(), out);
    }
}

#[cfg(test)]
impl Rerandomised {
    /// What a server would send that forgets to re-randomise.
    pub(crate) fn forgotten(product: Product) -> Self {
        let Product { ring, parts, .. } = product;
        Self { ring, parts }
    }

    pub(crate) const fn parts(&self) -> &[Poly; 2] {
        &self.parts
    }
}
