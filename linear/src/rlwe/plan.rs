//! The choice of layout and parameter set for a layer, from public data.

use std::ops::Range;
use std::sync::Arc;

use ::rlwe::Format;
use sharing::Rounds;

use super::axis::MAX_TAPS;
use super::geometry::Geometry;
use super::keys::Item;
use super::layout::Layout;
use super::price::{CONSTANTS, Counts};
use super::search::Search;
use super::tag::TAG;
use crate::{LinearLayer, Refusal, Work};

/// The most requests and responses of a layer, so that a layer from a peer cannot take all memory. AGREEMENT.
pub(super) const MAX_REQUESTS: u64 = 1 << 12;
pub(super) const MAX_RESPONSES: u64 = 1 << 13;

/// Ways to cut columns that are compared, from the coarsest that fits on. AGREEMENT.
pub(super) const CUTS: usize = 9;

/// A digest of what plans depend on besides the layer. AGREEMENT.
pub(crate) const PLANS: u64 = {
    let own = digest(&[MAX_REQUESTS, MAX_RESPONSES, CUTS as u64, MAX_TAPS as u64]);
    digest(CONSTANTS) ^ own.rotate_left(1)
};

/// FNV-1a of 64 bits, by words.
const fn digest(words: &[u64]) -> u64 {
    let (mut digest, mut i) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while i < words.len() {
        digest = (digest ^ words[i]).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    digest
}

/// How a layer is computed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) layout: Layout,
    pub(crate) format: Format,
    /// 2^levels units share a response.
    pub(crate) levels: u32,
    pub(crate) counts: Counts,
}

impl Plan {
    /// The best plan for a layer, with or without packing.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn new(layer: &LinearLayer, packed: bool) -> Result<Self, Refusal> {
        let advice = |problem: &str| {
            let advice = format!("{problem}; direct takes every layer");
            Refusal::new(advice).because(problem)
        };
        let geometry = Geometry::new(&layer.shape);
        let geometry = geometry.ok_or_else(|| advice("the kernel is too large for ring-LWE"))?;
        let geometry = Arc::new(geometry);
        let mut search = Search::new(layer, &geometry);
        search.all(packed);
        match search.best {
            Some((_, plan)) => Ok(plan),
            None if search.too_noisy => Err(advice(&format!(
                "weights of {} bits in a ring of {} are too wide for ring-LWE",
                layer.weight_bits, layer.bits
            ))),
            None => Err(advice("the layer is too large for ring-LWE")),
        }
    }
}

impl Plan {
    /// Requests of an image.
    pub(super) fn requests(&self) -> usize {
        counted(self.counts.requests)
    }

    /// Responses to an image.
    pub(super) fn responses(&self) -> usize {
        counted(self.counts.responses)
    }

    /// Results of an image.
    pub(super) fn results(&self) -> usize {
        self.layout.geometry.channels[1] * self.layout.geometry.positions()
    }

    /// Bytes that the client says for some images.
    pub(super) fn bytes_up(&self, images: usize) -> usize {
        TAG + images * self.requests() * self.format.request_len()
    }

    /// Bytes that the server says for some images.
    pub(super) fn bytes_down(&self, images: usize) -> usize {
        images * self.responses() * self.format.response_len()
    }

    /// When the parties speak.
    pub(super) fn rounds(&self, images: usize) -> Rounds {
        let [up, down] = [self.bytes_up(images), self.bytes_down(images)];
        Rounds::to_server(up as u64).then(Rounds::to_client(down as u64))
    }

    /// The keys that a session needs.
    pub(super) fn items(&self) -> Vec<Item> {
        let set = self.format.set();
        let packing = (0..self.levels).map(|level| Item::Packing(set, level));
        std::iter::once(Item::Public(set)).chain(packing).collect()
    }

    /// What the processors of both parties do.
    pub(super) fn work(&self) -> Work {
        self.counts.work(self.format.set(), self.layout.span())
    }

    /// The units of a response.
    pub(super) fn units(&self, response: usize) -> Range<usize> {
        let first = response << self.levels;
        first..self.layout.units().min(first + (1 << self.levels))
    }

    /// Puts the results in the values of a response to their places.
    pub(super) fn sort(&self, response: usize, values: &[u64], results: &mut [u64]) {
        let layout = &self.layout;
        let (lanes, slots, positions) = (layout.lanes, layout.slots(), layout.geometry.positions());
        for (i, unit) in self.units(response).enumerate() {
            // The order of the packer.
            let lane = match self.levels {
                0 => 0,
                levels => i.reverse_bits() >> (usize::BITS - levels),
            };
            let outputs = layout.outputs(unit / layout.tiles());
            layout.each_output(unit % layout.tiles(), |slot, position| {
                for (j, output) in outputs.clone().enumerate() {
                    results[output * positions + position] =
                        values[(slot + j * slots) * lanes + lane];
                }
            });
        }
    }
}

fn counted(count: u64) -> usize {
    usize::try_from(count).expect("plans with more are refused")
}
