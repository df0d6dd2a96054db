//! What a plan costs: what is said, and what the processors do.

use ::rlwe::{DEGREE, Set};

use super::layout::Layout;
use crate::{Work, work};

/// Nanoseconds that a byte takes on the line for which plans are made, of 250 Mbit/s. AGREEMENT, as all here: both parties find the same plan.
const BYTE: u64 = 32;

/// Threads that share the work.
const THREADS: u64 = 2;

/// Sums that are computed at once: for them a ciphertext is fetched once, and a weight polynomial transformed once.
pub(crate) const RUN: usize = 8;

/// Nanoseconds of one operation modulo one prime, between what processors with AVX2 and with AVX-512 take.
mod nanoseconds {
    /// A request is encrypted; read and transformed.
    pub(super) const ENCRYPT: u64 = 60_000;
    pub(super) const INGEST: u64 = 30_000;
    /// A ciphertext times a transformed weight polynomial, times a number.
    pub(super) const PRODUCT: u64 = 2_000;
    pub(super) const SCALED: u64 = 1_500;
    /// The transform of weights with a span of 4, 16, 64, 256 and 1024, and of more.
    pub(super) const WEIGHTS: [u64; 6] = [1_200, 2_200, 3_000, 3_800, 5_000, 6_000];
    /// Both polynomials of a product are transformed back.
    pub(super) const FINISH: u64 = 16_000;
    /// A merge.
    pub(super) const MERGE: u64 = 70_000;
    /// A response is made; turned into shares.
    pub(super) const RESPOND: u64 = 65_000;
    pub(super) const SHARE: u64 = 20_000;
}

/// All that a price depends on.
pub(super) const CONSTANTS: &[u64] = {
    use nanoseconds::*;
    let [w0, w1, w2, w3, w4, w5] = WEIGHTS;
    &[
        BYTE, THREADS, RUN as u64, ENCRYPT, INGEST, PRODUCT, SCALED, w0, w1, w2, w3, w4, w5,
        FINISH, MERGE, RESPOND, SHARE,
    ]
};

/// How often everything is done in a run. Counts that exceed all bounds stay at the largest number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// Products of a ciphertext with a weight polynomial.
    pub(crate) products: u64,
    /// Weight polynomials that are transformed.
    pub(crate) transforms: u64,
    pub(crate) units: u64,
    pub(crate) merges: u64,
    pub(crate) responses: u64,
}

impl Counts {
    /// The counts of a layout, of which 2^levels units share a response.
    pub(crate) fn new(layout: &Layout, levels: u32) -> Self {
        let [tiles, units, blocks, depth] = [
            layout.tiles(),
            layout.units(),
            layout.blocks(),
            layout.depth(),
        ]
        .map(|n| n as u64);
        let packed = 1_u64 << levels;
        let responses = units.div_ceil(packed);
        // A block is transformed anew for each run of tiles, and where a response ends within it.
        let split = if levels > 0 {
            responses.saturating_sub(1)
        } else {
            0
        };
        let aligned = tiles.is_multiple_of(packed) || packed.is_multiple_of(tiles.max(1));
        let runs = blocks.saturating_mul(tiles.div_ceil(RUN as u64).max(1));
        let runs = runs.saturating_add(if aligned { 0 } else { split });
        let full = units / packed;
        let rest = units % packed;
        let merges_of_rest: u64 = (1..=levels).map(|level| rest.div_ceil(1 << level)).sum();
        Self {
            requests: (layout.ciphertexts() as u64).saturating_mul(tiles),
            products: units.saturating_mul(depth),
            transforms: match layout.span() {
                1 => 0,
                _ => runs.saturating_mul(depth),
            },
            units,
            merges: full
                .saturating_mul(packed - 1)
                .saturating_add(merges_of_rest),
            responses,
        }
    }

    /// The time that the work of both processors takes, in nanoseconds.
    pub(crate) fn processors(&self, set: Set, span: usize) -> u64 {
        use nanoseconds::{
            ENCRYPT, FINISH, INGEST, MERGE, PRODUCT, RESPOND, SCALED, SHARE, WEIGHTS,
        };
        let primes = set.primes().len();
        let product = if span == 1 { SCALED } else { PRODUCT };
        let each = [
            (self.requests, ENCRYPT + INGEST),
            (self.products, product),
            (self.transforms, WEIGHTS[class(span)]),
            (self.units, FINISH),
            (self.merges, MERGE),
            (self.responses, RESPOND + SHARE),
        ];
        let times = each.map(|(count, time)| count.saturating_mul(time * primes as u64));
        times.into_iter().fold(0, u64::saturating_add) / THREADS
    }

    /// The time on the line, in nanoseconds, for requests and responses of so many bits per coefficient.
    pub(crate) fn line(&self, request_bits: u32, response_bits: u32) -> u64 {
        let bytes =
            |count: u64, bits: u32| count.saturating_mul(DEGREE as u64 / 8 * u64::from(bits));
        let all =
            bytes(self.requests, request_bits).saturating_add(bytes(self.responses, response_bits));
        all.saturating_mul(BYTE)
    }

    /// What both processors do.
    pub(crate) fn work(&self, set: Set, span: usize) -> Work {
        let primes = set.primes().len() as u64;
        let (products, scaled) = match span {
            1 => (0, self.products),
            _ => (self.products, 0),
        };
        let passes = self.transforms * (class(span) as u64 + 2);
        Work::of([
            (work::RLWE_REQUESTS, self.requests * primes),
            (work::RLWE_PASSES, passes * primes),
            (work::RLWE_PRODUCTS, products * primes),
            (work::RLWE_SCALED, scaled * primes),
            (work::RLWE_SUMS, self.units * primes),
            (work::RLWE_MERGES, self.merges * primes),
            (work::RLWE_RESPONSES, self.responses * primes),
        ])
    }
}

/// The cost class of the transform of weights with this span: smaller ones skip passes.
pub(crate) fn class(span: usize) -> usize {
    let classes = [4, 16, 64, 256, 1024];
    classes
        .iter()
        .position(|&most| span <= most)
        .unwrap_or(classes.len())
}
