//! AND of shared bits.

use ring_arith::BitVec;

use crate::error::Error;
use crate::party::Party;
use crate::rounds::Rounds;
use crate::triples;

/// Products of shared bits: x·y.
///
/// **Functionality.** From shares of x and y of one length, fresh shares of x·y, bit by bit.
///
/// **Protocol.** [`AndLevel`] with singles only.
///
/// **Security.** Semi-honest; what is opened is masked by bits of random OTs.
///
/// **Cost** for n bits: one flight in which each party sends ceil(2n/8) bytes; n COTs in each
/// direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct And;

impl And {
    /// Shares of `x·y`.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the lengths differ.
    pub async fn run(self, party: &Party<'_>, x: &BitVec, y: &BitVec) -> Result<BitVec, Error> {
        let (mut singles, _) = AndLevel.run(party, &[(x, y)], &[]).await?;
        Ok(singles.pop().expect("one operand pair, one product"))
    }

    /// The rounds of n products.
    #[must_use]
    pub fn rounds(self, n: usize) -> Rounds {
        AndLevel.rounds(n, 0)
    }
}

/// One level of a tree of ANDs: any number of products x·y and of pairs (a·b, a·c), in one flight.
///
/// **Functionality.** Fresh shares of every product.
///
/// **Protocol.** Beaver's \[Beaver91\]: with a shared random triple (u, v, w = u·v), open d = x ⊕ u
/// and e = y ⊕ v, and let x·y = w ⊕ d·v ⊕ e·u ⊕ d·e. The triples come from random OTs without
/// traffic \[ALSZ13\]. In a pair one u masks the common operand of both products, so that three bits
/// are opened instead of four, as with the correlated triples of \[RRK+20\]. Here the random OTs are
/// two bits wide, so that one COT in each direction serves both products.
///
/// **Security.** Semi-honest. The opened bits are one-time padded.
///
/// **Cost** for s single products and p pairs, counted in bits over all operands of the call: one
/// flight in which each party sends ceil((2s + 3p)/8) bytes; s + p COTs in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AndLevel;

/// The two factors of a product.
type Single<'a> = (&'a BitVec, &'a BitVec);
/// The common factor, and the other factor of either product.
type Pair<'a> = (&'a BitVec, &'a BitVec, &'a BitVec);

impl AndLevel {
    /// Shares of `x·y` for the singles `(x, y)`, and of `(a·b, a·c)` for the pairs `(a, b, c)`,
    /// in their order.
    ///
    /// # Errors
    /// When the stream or the pools fail.
    ///
    /// # Panics
    /// When the lengths within a single or a pair differ.
    pub async fn run(
        self,
        party: &Party<'_>,
        singles: &[(&BitVec, &BitVec)],
        pairs: &[(&BitVec, &BitVec, &BitVec)],
    ) -> Result<(Vec<BitVec>, Vec<(BitVec, BitVec)>), Error> {
        let operands = Operands::gather(singles, pairs);
        let products = operands.multiply(party).await?;
        Ok(scatter(&products, singles, pairs))
    }

    /// The round of `singles` products and `pairs` pairs.
    #[must_use]
    pub fn rounds(self, singles: usize, pairs: usize) -> Rounds {
        let bytes = BitVec::byte_len(2 * singles + 3 * pairs) as u64;
        let cots = (singles + pairs) as u64;
        Rounds::exchange(bytes, bytes).with_cots(cots, cots)
    }
}

/// The operands side by side, pairs before singles so that their second products are a prefix.
struct Operands {
    /// The common factor of pairs, the first of singles.
    x: BitVec,
    /// The other factor of the first product.
    y: BitVec,
    /// The other factor of the pairs' second product.
    z: BitVec,
}

/// Shares of x·y, and of x·z on the prefix.
struct Products {
    first: BitVec,
    second: BitVec,
}

impl Operands {
    fn gather(singles: &[Single<'_>], pairs: &[Pair<'_>]) -> Self {
        let mut all = Self {
            x: BitVec::default(),
            y: BitVec::default(),
            z: BitVec::default(),
        };
        for (a, b, c) in pairs {
            assert!(
                a.len() == b.len() && a.len() == c.len(),
                "the operands of a pair differ in length"
            );
            all.x.append(a);
            all.y.append(b);
            all.z.append(c);
        }
        for (x, y) in singles {
            assert_eq!(
                x.len(),
                y.len(),
                "the factors of a product differ in length"
            );
            all.x.append(x);
            all.y.append(y);
        }
        all
    }

    async fn multiply(self, party: &Party<'_>) -> Result<Products, Error> {
        let (n, pairs) = (self.x.len(), self.z.len());
        let Self { mut x, y, z } = self;
        let width = if pairs == 0 { 1 } else { 2 };
        let triples = triples::draw(party, n, width)?;
        // The masked operands, opened in one flight: x ⊕ u, y ⊕ v, z ⊕ v'.
        x.xor_assign(&triples.a);
        let mut masked = x;
        masked.append(&y.xor(&triples.b[0]));
        if pairs > 0 {
            masked.append(&z.xor(&triples.b[1].slice(0, pairs)));
        }
        let bytes = masked.to_bytes();
        let n_bytes = bytes.len();
        let theirs = party.exchange(bytes, n_bytes).await?;
        masked.xor_assign(&BitVec::from_bytes(masked.len(), &theirs));

        let d = masked.slice(0, n);
        let both = party.role().is_server();
        let product = |plane: usize, e: &BitVec| {
            unmask(
                &triples.c[plane],
                &d,
                &triples.b[plane],
                e,
                &triples.a,
                both,
            )
        };
        let first = product(0, &masked.slice(n, n));
        let second = if pairs > 0 {
            product(1, &masked.slice(2 * n, pairs))
        } else {
            BitVec::default()
        };
        Ok(Products { first, second })
    }
}

/// w ⊕ d·v ⊕ e·u, and ⊕ d·e for the party that adds it, over the length of `e`.
fn unmask(w: &BitVec, d: &BitVec, v: &BitVec, e: &BitVec, u: &BitVec, public: bool) -> BitVec {
    let public = if public { u64::MAX } else { 0 };
    let words = e.words().iter().enumerate().map(|(i, &e)| {
        let (d, u) = (d.words()[i], u.words()[i]);
        w.words()[i] ^ (d & v.words()[i]) ^ (e & (u ^ (d & public)))
    });
    BitVec::from_words(e.len(), words.collect())
}

fn scatter(
    products: &Products,
    singles: &[Single<'_>],
    pairs: &[Pair<'_>],
) -> (Vec<BitVec>, Vec<(BitVec, BitVec)>) {
    let mut at = 0;
    let mut take = |n: usize| {
        at += n;
        at - n
    };
    let pairs = pairs.iter().map(|(a, ..)| {
        let from = take(a.len());
        let cut = |bits: &BitVec| bits.slice(from, a.len());
        (cut(&products.first), cut(&products.second))
    });
    let pairs = pairs.collect();
    let singles = singles
        .iter()
        .map(|(x, _)| products.first.slice(take(x.len()), x.len()));
    (singles.collect(), pairs)
}
